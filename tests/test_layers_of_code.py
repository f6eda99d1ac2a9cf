"""What a file may import, and when: the arrows of the design, and proofs that these tests can fail.

A file imports, at import time, only what stands above it; what delegates downwards does so inside
a function, and stands in DOWNWARDS. Heavy libraries are imported where they are used.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import activation_flow

PACKAGE = "activation_flow"
SOURCES = {
    path.stem: path.read_text() for path in Path(activation_flow.__file__).parent.glob("*.py")
}

ORDER = (
    "audit_defaults",
    "data",
    "strength",
    "words",
    "alignment",
    "templates",
    "parts",
    "anchor",
    "stats",
    "shift",
    "norm_formulas",
    "aligned",
    "comparing",
    "results",
    "result_shift",
    "result_prompts",
    "result_hidden",
    "audit_data",
    "audit_tables",
    "explanation_tables",
    "probing",
    "units",
    "plausibility",
    "claims",
    "crossed",
    "multiplicity",
    "within",
    "permuting",
    "claim_tests",
    "claim_tests_confounds",
    "claim_tests_high",
    "claim_tests_layers",
    "claim_tests_shift",
    "claim_tests_skew",
    "text_means",
    "claim_tests_better",
    "claim_tests_prompts",
    "rank_correlation",
    "stability",
    "faithfulness",
    "like_with_like",
    "claim_tests_salient",
    "confounds",
    "ratios",
    "threshold_sweep",
    "kind_places",
    "findings",
    "audit_parts",
    "verdict_words",
    "verdicts_content",
    "verdicts_kinds",
    "verdicts_better",
    "verdicts_prompts",
    "verdicts",
    "moments",
    "score_vectors",
    "baselines",
    "audit_rows",
    "audit_controls",
    "tap",
    "folder",
    "engine",
    "hub",
    "identity",
    "slow",
    "loading",
    "room",
    "lengths",
    "tokens",
    "artifact",
    "runner",
    "portable",
    "encoder",
    "eager",
    "heads",
    "headed_passes",
    "outputs",
    "integrated",
    "gradients",
    "perturbing",
    "occlusion",
    "faithful_text",
    "faithful",
    "faithful_rows",
    "norm_modules",
    "norm_tally",
    "norms",
    "attention",
    "shuffled",
    "delimited",
    "fields",
    "source",
    "conllu",
    "formats",
    "inputs",
    "parquet",
    "shards",
    "grouping",
    "analysis",
    "analysis_again",
    "scoring_passes",
    "scoring_halves",
    "scoring",
    "scoring_norms",
    "counts_file",
    "frequency",
    "analysis_hidden",
    "two_texts",
    "analysis_shift",
    "prompting",
    "variants",
    "analysis_prompts",
    "compared_again",
    "document_parts",
    "document_prompts",
    "document",
    "table_columns",
    "table_prompts",
    "table",
    "part_tables",
    "part_strengths",
    "part_shifts",
    "part",
    "output",
    "finding",
    "manifest",
    "blocks",
    "word_kinds",
    "measure_strength",
    "measure_shift",
    "corpus",
    "asking",
    "state",
    "planning",
    "reservoir",
    "audit_texts",
    "audit_tokens",
    "material_notes",
    "material",
    "rationale_rows",
    "rationales",
    "plausible",
    "salient_words",
    "text_pairs",
    "perturbed_texts",
    "labelled",
    "prompt_vectors",
    "prompt_gains",
    "audit_pairs",
    "stable_rows",
    "stable",
    "audit_slow",
    "texts_beside",
    "audit_options",
    "audit_files",
    "audit_measured",
    "audit_explained",
    "audit_marked",
    "explanations",
    "salient",
    "audit_passes",
    "audit_tests",
    "containers",
    "tensors",
    "result_audit",
    "auditing",
    "document_audit",
    "files",
    "database",
    "selection",
    "result_run",
    "result_summary",
    "result_occurrences",
    "result_shift_summary",
    "intervals",
    "summary",
    "summary_texts",
    "summary_shift",
    "occurrences",
    "run",
    "on_ray",
    "running",
    "inventory",
    "paper",
    "paper_tables",
    "paper_strengths",
    "paper_layers",
    "paper_shifts",
    "paper_buckets",
    "paper_arithmetic",
    "paper_places",
    "paper_model",
    "paper_pair",
    "paper_prompts",
    "paper_corpus",
    "result_reproduction",
    "reproducing",
    "picture",
    "picture_hidden",
    "picture_shift",
    "picture_summary",
    "picture_occurrences",
    "picture_shift_summary",
    "picture_prompts",
    "sentences",
    "paper_sections",
    "sentences_prompts",
    "picture_audit",
    "picture_counts",
    "picture_explained",
    "sentences_audit",
    "sentences_explained",
    "drawing",
    "charts_theme",
    "charts_tokens",
    "charts_sliders",
    "charts_strength",
    "charts_layers",
    "charts_kinds",
    "charts_shift",
    "charts_run",
    "charts_run_kinds",
    "charts_run_spread",
    "charts_run_shift",
    "charts_summary",
    "charts_prompts",
    "charts_depth",
    "charts",
    "charts_paper",
    "charts_audit_rows",
    "charts_audit_layers",
    "charts_audit_claims",
    "charts_audit_sweeps",
    "charts_audit_explained",
    "charts_audit",
    "markup",
    "vega",
    "page",
    "retrace",
    "retrace_python",
    "retrace_run",
    "retrace_audit",
    "html_shift",
    "html_joined",
    "html_prompts",
    "html_strength",
    "html",
    "html_paper",
    "paper_files",
    "html_audit_tables",
    "html_audit_explained",
    "html_audit",
    "terminal",
    "report_models",
    "report_hidden",
    "report_shift",
    "report_prompts",
    "report_strength",
    "report",
    "report_summary",
    "report_shift_summary",
    "report_occurrences",
    "html_run",
    "html_strength_summary",
    "html_shift_summary",
    "html_summary",
    "html_occurrences",
    "report_sql",
    "report_paper",
    "report_audit_explained",
    "report_audit",
    "app_settings",
    "app_inputs",
    "app_shown",
    "app_charts",
    "app_words",
    "app_models",
    "app_link",
    "app_kept",
    "app_answers",
    "app_files",
    "app_calls",
    "app_explore",
    "app_compare",
    "app_steer",
    "app_corpus",
    "app_views",
    "app_values",
    "app_parts",
    "app_tabs",
    "app_page",
    "app_arguments",
    "app_guard",
    "app_first",
    "app_folder",
    "app_memory",
    "app_entrance",
    "app_server",
    "options",
    "screen",
    "screen_corpus",
    "screen_audit",
    "command_app",
    "command_audit",
    "command_prompts",
    "command_corpus",
    "command_paper",
    "command_report",
    "commands_run",
    "cli",
    "__main__",
)

# (module, function, what it imports when it runs)
DOWNWARDS = {
    ("results", "Exports.to_dict", "document"),
    ("results", "Exports.to_arrow", "table"),
    ("results", "Exports.to_pandas", "table"),
    ("results", "Exports.save", "files"),
    ("results", "Exports.chart", "charts"),
    ("results", "Exports.__repr__", "report"),
    ("results", "Exports._repr_html_", "html"),
    ("results", "StrengthResult.words", "analysis_again"),
    ("results", "StrengthResult.rebucket", "analysis_again"),
    ("results", "StrengthResults.words", "analysis_again"),
    ("results", "StrengthResults.rebucket", "analysis_again"),
    ("results", "LayersResult.kinds", "summary"),
    ("result_hidden", "HiddenStates.__sub__", "analysis_shift"),
    ("result_audit", "AuditResult.command", "retrace_audit"),
    ("result_audit", "AuditResult.to_dict", "document_audit"),
    ("result_audit", "AuditResult.chart", "charts_audit"),
    ("result_audit", "AuditResult.__repr__", "report_audit"),
    ("result_audit", "AuditResult._repr_html_", "html_audit"),
    ("result_audit", "AuditResult._html_page", "html_audit"),
    ("result_run", "OfRun.chart", "charts"),
    ("result_run", "OfRun._repr_html_", "html_summary"),
    ("result_run", "OfRun._html_page", "html_summary"),
    ("output", "save_whole", "drawing"),
    ("result_summary", "Summary.__repr__", "report_summary"),
    ("result_occurrences", "Occurrences.__repr__", "report_occurrences"),
    ("result_occurrences", "Occurrences._repr_html_", "html_occurrences"),
    ("result_occurrences", "Occurrences._html_page", "html_occurrences"),
    ("result_reproduction", "Reproduction.chart", "charts_paper"),
    ("result_reproduction", "Reproduction.save", "paper_files"),
    ("result_reproduction", "Reproduction.__repr__", "report_paper"),
    ("result_reproduction", "Reproduction._repr_html_", "html_paper"),
    ("result_shift_summary", "ShiftSummary.__repr__", "report_shift_summary"),
    ("encoder", "Encoder.strength", "analysis"),
    ("encoder", "Encoder.layers", "analysis"),
    ("encoder", "Encoder.shift", "analysis_shift"),
    ("encoder", "Encoder.prompts", "analysis_prompts"),
    ("encoder", "Encoder.hidden_states", "analysis_hidden"),
    ("files", "_html", "html"),
    ("files", "_picture", "drawing"),
}

# Besides the standard library, what may be imported at import time, and by whom. Whatever is not
# here (transformers, openvino, pyarrow, pandas, rich, altair ...) is imported inside functions.
LIBRARIES = {
    "numpy": set(ORDER),
    "regex": {"words"},
    "torch": {"tap"},
    "tokenizers": {"tokens", "encoder"},
    "click": {
        *(
            "cli",
            "command_app",
            "command_audit",
            "command_corpus",
            "command_paper",
            "command_prompts",
            "command_report",
        ),
        *("commands_run", "options"),
    },
    "gradio": {"app_page", "app_parts", "app_tabs"},
}
HEAVY = {
    "torch",
    "transformers",
    "pyarrow",
    "pandas",
    "duckdb",
    "openvino",
    "altair",
    "vl_convert",
    "huggingface_hub",
}

Found = tuple[str, str]  # (the function, "" at import time; the imported name in full)


def imports(source: str) -> Iterator[Found]:
    """Every import of a file; those for the type checker only do not count."""

    def walk(node: ast.AST, inside: tuple[str, ...], function: str) -> Iterator[Found]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                for other in child.orelse:
                    yield from walk(ast.Module([other], []), inside, function)
            elif isinstance(child, ast.Import):
                yield from ((function, alias.name) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = (
                    f"{PACKAGE}.{child.module or ''}".rstrip(".") if child.level else child.module
                )
                yield from ((function, f"{base}.{alias.name}") for alias in child.names)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                path = (*inside, child.name)
                yield from walk(child, path, function or ".".join(path))
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, (*inside, child.name), function)
            else:
                yield from walk(child, inside, function)

    return walk(ast.parse(source), (), "")


def own_imports(source: str) -> Iterator[Found]:
    """(function, module of this package); "package" where a lazy name of it is imported."""
    for function, name in imports(source):
        top, *rest = name.split(".")
        if top == PACKAGE and rest != ["__version__"]:
            yield function, rest[0] if rest and rest[0] in ORDER else "package"


def points_up(module: str, target: str) -> bool:
    return target in ORDER and ORDER.index(target) < ORDER.index(module)


def wrong_arrows(sources: dict[str, str]) -> set[Found]:
    return {
        (module, target)
        for module, source in sources.items()
        for function, target in own_imports(source)
        if not function and not (module in ORDER and points_up(module, target))
    }


def downwards(sources: dict[str, str]) -> set[tuple[str, str, str]]:
    return {
        (module, function, target)
        for module, source in sources.items()
        for function, target in own_imports(source)
        if function and not points_up(module, target)
    }


def wrong_libraries(sources: dict[str, str]) -> set[Found]:
    return {
        (module, library)
        for module, source in sources.items()
        for function, name in imports(source)
        if not function and (library := name.split(".")[0]) != PACKAGE
        if library not in sys.stdlib_module_names and module not in LIBRARIES.get(library, ())
    }


def loaded_by(code: str) -> set[str]:
    """Top-level modules that are loaded in a new process after this code."""
    code += "\nimport sys; print(*{name.split('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


# the package


def test_every_file_has_its_place():
    assert set(SOURCES) == {*ORDER, "__init__"}


def test_every_file_imports_only_what_stands_above_it():
    assert wrong_arrows(SOURCES) == set()


def test_what_delegates_downwards_is_listed_exactly():
    assert downwards(SOURCES) == DOWNWARDS


def test_dir_lists_what_is_public():
    names = {name for name in dir(activation_flow) if not name.startswith("__")}
    assert names == {*activation_flow.__all__}
    assert {"__version__", "__name__", "__all__"} <= {*dir(activation_flow)}


def test_heavy_libraries_are_imported_where_they_are_used():
    assert wrong_libraries(SOURCES) == set()


def test_importing_the_package_imports_nothing_heavy():
    assert not loaded_by(f"import {PACKAGE}") & {*HEAVY, "numpy", "tokenizers", "typer", "rich"}


def test_importing_every_module_but_the_tap_imports_nothing_heavy():
    modules = [name for name in ORDER if name not in ("tap", "__main__", *LIBRARIES["gradio"])]
    loaded = loaded_by(f"import {', '.join(f'{PACKAGE}.{name}' for name in modules)}")
    assert {PACKAGE, "numpy", "tokenizers"} <= loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("words", [["--help"], ["app", "--help"], ["app", "--auth", "wrong"]])
def test_what_needs_no_server_imports_none(words):
    silent = "contextlib.suppress(BaseException), contextlib.redirect_stdout(io.StringIO())"
    run = (
        f"from activation_flow.cli import app\nimport contextlib, io\nwith {silent}:\n app({words})"
    )
    assert not loaded_by(run) & {*HEAVY, "gradio", "uvicorn", "fastapi", "starlette", "rich"}


# these tests can fail


def test_the_tap_is_what_loads_torch():
    assert "torch" in loaded_by(f"import {PACKAGE}.tap") & HEAVY


@pytest.mark.parametrize(
    ("module", "source", "target"),
    [
        ("data", "from activation_flow import table", "table"),
        ("data", "from activation_flow.table import load", "table"),
        ("data", "import activation_flow.table as t", "table"),
        ("data", "from . import table", "table"),
        ("data", "from .table import load", "table"),
        ("data", "from activation_flow import data", "data"),
        ("words", "try:\n from activation_flow import cli\nexcept OSError: pass", "cli"),
        ("words", "class A:\n from activation_flow import cli", "cli"),
        ("words", "if TYPE_CHECKING:\n pass\nelse:\n from activation_flow import cli", "cli"),
        ("report", "from activation_flow import Encoder", "package"),
        ("report", "import activation_flow", "package"),
        ("__init__", "from activation_flow import data", "data"),
        ("stranger", "from activation_flow import data", "data"),
    ],
)
def test_a_wrong_arrow_is_seen(module, source, target):
    assert wrong_arrows({module: source}) == {(module, target)}


@pytest.mark.parametrize(
    "source",
    [
        "if TYPE_CHECKING:\n from activation_flow import cli",
        "if typing.TYPE_CHECKING:\n from activation_flow.cli import main",
        "def f():\n from activation_flow import cli",
        "from activation_flow import __version__, data",
        "from .data import Strength",
    ],
)
def test_a_right_arrow_is_none(source):
    assert wrong_arrows({"words": source}) == set()


def test_a_delegation_downwards_is_seen():
    source = (
        "class A:\n"
        " def f(self):\n"
        "  def g():\n"
        "   from activation_flow import cli, data\n"
        "  if TYPE_CHECKING:\n"
        "   from activation_flow import table\n"
    )
    assert downwards({"words": source}) == {("words", "A.f", "cli")}


@pytest.mark.parametrize(
    ("module", "source", "library"),
    [
        ("data", "import torch.nn as nn", "torch"),
        ("tap", "from transformers import AutoModel", "transformers"),
        ("report", "from rich.console import Console", "rich"),
        ("table", "try:\n import pyarrow\nexcept ImportError: pass", "pyarrow"),
        ("report", "import click", "click"),
    ],
)
def test_a_heavy_library_at_import_time_is_seen(module, source, library):
    assert wrong_libraries({module: source}) == {(module, library)}


def test_a_heavy_library_inside_a_function_is_none():
    source = "import json, numpy\nif TYPE_CHECKING:\n import torch\ndef f():\n import torch"
    assert wrong_libraries({"data": source}) == set()
