# Everything a newcomer or a developer runs. It needs make and Python 3.11 or newer, nothing else.
# On Linux, PyPI's torch brings 3 GB of CUDA along. The CPU build, all that is needed here:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo
PYTHON ?= python3
TEST_ARGS ?= -n 2 --dist worksteal
DIST ?= dist

BIN := .venv/bin
AFN := AFN_MODEL=minilm $(BIN)/afn
STAMP := .venv/.installed
PIP_FLAGS := -q --disable-pip-version-check
PIP := $(BIN)/python -m pip install $(PIP_FLAGS)

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench fuzz pictures wheel lock clean

help: ## this list
	@echo "make TARGET [PYTHON=python3.12]; the first target that needs it sets up .venv (2-3 minutes):"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1 \2/p' $(MAKEFILE_LIST) | while read -r name what; do printf '  %-8s %s\n' "$$name" "$$what"; done

demo: $(STAMP) ## token strengths of the paper's sentences on the embedded model
	@$(BIN)/afn strength "Who is the prime minister of Canada?" "Who is the president of France?" \
	  "Enjoying a beautiful day at the park!" "Enjoying a beautiful walk at the beach!" --model minilm

test: $(STAMP) ## all tests (TEST_ARGS="-n 2" goes to pytest)
	@$(BIN)/python -m pytest $(TEST_ARGS)

lint: $(STAMP) ## ruff and mypy, as CI runs them
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check src tests benchmarks # not the columns of README's examples
	@$(BIN)/python -m mypy

bench: $(STAMP) ## throughput against peers, flat memory, early exit (20-40 minutes, idle machine)
	@$(BIN)/python benchmarks/throughput.py
	@$(BIN)/python benchmarks/throughput.py --model minilm
	@$(BIN)/python benchmarks/memory.py
	@$(BIN)/python benchmarks/early_exit.py

fuzz: $(STAMP) ## 100,000 hostile texts: no traceback, none lost (10-20 minutes)
	@$(BIN)/python benchmarks/fuzz.py

pictures: $(STAMP) ## what README shows, and the notebook, made anew
	@$(AFN) strength "Who is the prime minister of Canada?" --save docs/pictures/strength.png > /dev/null
	@$(AFN) shift "Enjoying a beautiful day at the park!" "Enjoying a beautiful walk at the beach!" \
	  --save docs/pictures/shift.png > /dev/null
	@$(AFN) layers "The connoisseur was nonchalant as the story unfolds." --save docs/pictures/layers.png > /dev/null
	@$(AFN) prompts "The weather is nice today." -p Summarize -p "Translate to French" -p "Classify sentiment" \
	  --save docs/pictures/prompts.png > /dev/null
	@$(BIN)/python tests/picture_of_app.py docs/pictures/app.png
	@$(BIN)/jupyter execute --inplace docs/tour.ipynb

wheel: $(STAMP) ## the package as a wheel in dist/ (DIST=folder)
	@$(BIN)/python -m build --wheel --no-isolation --outdir "$(DIST)" .

lock: ## renew requirements.lock from pyproject.toml (every extra but spacy)
	@$(CHECK_PYTHON)
	@echo "Resolving the newest versions in a throwaway environment (about 3 minutes) ..."
	@set -e; torch=$$(grep '^torch==' requirements.lock); folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m venv "$$folder/venv"; pip="$$folder/venv/bin/python -m pip"; \
	$(PYTHON) -c "$$REQUIREMENTS" > "$$folder/requirements"; \
	$$pip install $(PIP_FLAGS) $$torch; \
	$$pip install $(PIP_FLAGS) $$torch -r "$$folder/requirements"; \
	sed -n '/^#/!q;p' requirements.lock > "$$folder/lock"; \
	$$pip freeze --disable-pip-version-check | sed 's/+cpu$$//' | grep -Ev '^(nvidia|cuda|triton)' >> "$$folder/lock"; \
	if ! grep -q '^torch==' "$$folder/lock" || grep -E '^[^#]*[@+]' "$$folder/lock"; then echo "not plain pins only; requirements.lock is unchanged" >&2; exit 1; fi; \
	cp "$$folder/lock" requirements.lock
	@git --no-pager diff --stat -- requirements.lock 2>/dev/null || true

clean: ## remove both .venv, built files and the tools' caches (engine folders: afn models clear)
	@rm -rf .venv benchmarks/.venv dist build .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# pip leaves what is already right alone, so a changed lock costs only what changed in it.
$(STAMP): requirements.lock pyproject.toml
	@$(CHECK_PYTHON)
	@echo "Setting up .venv from requirements.lock (once, 2-3 minutes and the download) ..."
	@$(PYTHON) -m venv .venv
	@$(PIP) -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# Shell text: it must run under any python, so it is as plain as can be.
CHECK_PYTHON = command -v $(PYTHON) > /dev/null || { \
  echo "There is no $(PYTHON) here. Activation Flow needs Python 3.11 or newer; name it: make TARGET PYTHON=/path/to/python" >&2; exit 1; }; \
  $(PYTHON) -c "$$PYTHON_CHECK"

define PYTHON_CHECK
import sys
if sys.version_info < (3, 11):
    version = ".".join(map(str, sys.version_info[:3]))
    sys.exit("Activation Flow needs Python 3.11 or newer, $(PYTHON) is %s. Name a newer one: make TARGET PYTHON=python3.12" % version)
import importlib.util
if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
    sys.exit("$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv")
endef

define REQUIREMENTS
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
extras = [group for name, group in project["optional-dependencies"].items() if name != "spacy"]
print(*project["dependencies"], *sum(extras, []), "editables", sep="\n")  # editables: for --editable, asked of hatchling
endef
export PYTHON_CHECK REQUIREMENTS
