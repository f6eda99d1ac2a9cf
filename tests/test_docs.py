"""README and docs say what the code does: blocks run, tables are the code's own.

AFN_WRITE_DOCS=1 writes what is generated (docs/cli.md, the README's output and table) anew.
"""

import doctest
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from architectures import TABLE
from click.testing import CliRunner

from activation_flow import cli

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
CLI = ROOT / "docs" / "cli.md"
GUIDE = ROOT / "docs" / "guide.md"
CORPORA = ROOT / "docs" / "corpora.md"
REPRODUCE = ROOT / "docs" / "reproduce.md"
AUDIT = ROOT / "docs" / "audit.md"
APP = ROOT / "docs" / "app.md"  # its Python needs a page that is served: test_app_api.py runs it


def generated(path: Path, text: str, current: str) -> None:
    """Compare, or write where that was asked for."""
    if os.environ.get("AFN_WRITE_DOCS"):
        path.write_text(text, encoding="utf-8")
    else:
        assert current == text, f"{path.name} is out of date: AFN_WRITE_DOCS=1 make test"


def commands() -> dict[str, Any]:
    """Every command by the words that call it."""
    found: dict[str, Any] = {}

    def walk(name: str, command: Any) -> None:
        found[name] = command
        for child, sub in getattr(command, "commands", {}).items():
            walk(f"{name} {child}", sub)

    walk("afn", cli.app)
    return found


def reference() -> str:
    parts = ["# Command line\n\nMade of `--help`; a test keeps it so.\n"]
    for name in commands():
        words = [*name.split()[1:], "--help"]
        done = CliRunner().invoke(cli.app, words, prog_name="afn", terminal_width=100)
        assert done.exit_code == 0
        text = "\n".join(line.rstrip() for line in done.output.strip().splitlines())
        parts.append(f"## `{name}`\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def models_table() -> str:
    rows = ["| model type | engine | |", "|---|---|---|"]
    for name, row in TABLE.items():
        about = "decoder" if row.causal else "encoder"
        rows.append(f"| `{name}` | {row.engine} | {about} |")
    return "\n".join(rows)


def test_the_command_reference_is_that_of_the_command() -> None:
    generated(CLI, reference(), CLI.read_text(encoding="utf-8") if CLI.exists() else "")


@pytest.mark.parametrize("name", commands())
def test_every_command_and_option_says_what_it_is_for(name: str) -> None:
    command = commands()[name]
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert parameter.help, parameter.name


def test_the_readme_lists_exactly_the_models_that_are_tested() -> None:
    text = README.read_text(encoding="utf-8")
    block = f"<!-- models -->\n\n{models_table()}\n\n<!-- /models -->"
    new = re.sub(r"<!-- models -->(.*?<!-- /models -->)?", block, text, flags=re.DOTALL)
    generated(README, new, text)


def test_the_readme_shows_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = README.read_text(encoding="utf-8")
    (line,) = re.findall(r"```sh\n(afn .*)\n```\n\n<!-- output -->", text)
    monkeypatch.setattr(sys, "argv", shlex.split(line))
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main()
    printed = "\n".join(row.rstrip() for row in capsys.readouterr().out.splitlines())
    block = f"<!-- output -->\n\n```text\n{printed}\n```\n\n<!-- /output -->"
    pattern = r"<!-- output -->(.*?<!-- /output -->)?"
    generated(README, re.sub(pattern, lambda _: block, text, flags=re.DOTALL), text)


def test_the_readmes_python_runs_and_its_comments_are_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reviews.csv").write_text('text,stars\n"Loved it, truly.",5\n')
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(block.replace("result.to_pandas()", "None"), "README.md", "exec"), names)
    result = names["result"]
    assert result.layers == (4,)  # type: ignore[attr-defined]
    assert result.tokens[7] == "canada"  # type: ignore[attr-defined]
    assert round(float(result.strength[0, 7]), 2) == 14.54  # type: ignore[attr-defined]
    assert result.bucket[0, 7] == "HIGH"  # type: ignore[attr-defined]
    shift: Any = names["shift"]
    assert [round(shift.total, 1), round(shift.high_ratio, 2)] == [53.6, 0.58]
    assert [shift.high_share, round(shift.p_value, 3)] == [0.25, 0.036]
    assert names["states"].hidden.shape == (7, 5, 384)  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", [GUIDE, CORPORA, REPRODUCE, AUDIT])
def test_the_guides_show_what_comes_out(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    test = doctest.DocTestParser().get_doctest("".join(blocks), {}, path.name, str(path), 0)
    assert len(test.examples) > 12
    printed: list[str] = []
    assert doctest.DocTestRunner(verbose=False).run(test, out=printed.append).failed == 0, printed


@pytest.mark.parametrize("path", [README, GUIDE, CORPORA, REPRODUCE, AUDIT, APP])
def test_the_docs_show_commands_that_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    known = commands()
    shown = [*re.findall(r"^afn .*$", text, re.MULTILINE), *re.findall(r"`afn ([^`]*)`", text)]
    assert shown
    for line in re.findall(r"^afn (\w+)(.*)$", text, re.MULTILINE):
        command = known[f"afn {line[0]}"]
        options = {o for p in command.params for o in p.opts}
        for option in re.findall(r"(?<= )(--?[a-z][a-z-]*)", line[1]):
            assert option in options, f"{path.name}: afn {line[0]} has no {option}"


def test_every_dependency_is_justified() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = (ROOT / "docs" / "design.md").read_text(encoding="utf-8").split("## Dependencies")[1]
    extras = [those for name, those in project["optional-dependencies"].items() if name != "dev"]
    for requirement in sum(extras, project["dependencies"]):
        name = re.split(r"[<>=\[]", requirement)[0]
        assert re.search(rf"\b{re.escape(name)}\b", table), f"{name} is not in docs/design.md"


def test_the_files_of_the_package_are_those_of_the_design() -> None:
    table = (ROOT / "docs" / "design.md").read_text(encoding="utf-8").split("## Files")[1]
    for path in (ROOT / "src" / "activation_flow").glob("*.py"):
        if not path.name.startswith("__"):
            assert f"`{path.name}`" in table, f"{path.name} is not in docs/design.md"
