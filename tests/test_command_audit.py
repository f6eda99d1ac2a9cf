"""What `afn audit` refuses before a model is loaded, and what it takes where nothing is asked."""

import inspect
from pathlib import Path

import pytest
from click.testing import CliRunner

from activation_flow import audit_defaults, cli
from activation_flow.auditing import audit
from activation_flow.command_audit import _check_inputs, audit_command
from activation_flow.data import ActivationFlowError

NOTHING = {"format": None, "pairs": None, "frequency": "vocabulary"}


def test_files_that_are_not_there_are_refused() -> None:
    for option in ("pairs", "frequency"):
        with pytest.raises(ActivationFlowError, match=f"--{option}: there is no file no_such"):
            _check_inputs("-", {**NOTHING, option: "no_such.csv"})


def test_standard_input_and_files_of_a_home_folder_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "counts.txt").write_text("the 40\n")
    (tmp_path / "texts.txt").write_text("a\n")
    _check_inputs("-", {**NOTHING, "frequency": "~/counts.txt"})
    _check_inputs(str(tmp_path / "texts.txt"), {**NOTHING, "pairs": "-"})
    _check_inputs("-", {**NOTHING, "frequency": "corpus"})


def test_options_are_by_default_what_they_are_in_python() -> None:
    context = audit_command.make_context("audit", ["-m", "minilm", "a.txt"], **cli.WIDE)
    of_python = inspect.signature(audit).parameters
    names = [name for name in of_python if name in context.params and name != "corpus"]
    assert len(names) > 10
    given = {n: context.params[n] for n in names} | {"prompts": context.params["prompts"] or None}
    assert given == {n: of_python[n].default for n in names}


def test_its_help_says_which_models_are_copied() -> None:
    said = " ".join(CliRunner().invoke(cli.app, ["audit", "--help"]).output.split())
    assert f"up to {audit_defaults.SMALL // 10**6} million parameters" in said
