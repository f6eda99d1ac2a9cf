"""Files of the page: byte for byte what the shown command writes."""

import json
import re
import shlex
import tempfile

import pytest
from page_models import OneModel
from run_folders import make_run

from activation_flow import retrace
from activation_flow.app_answers import Answers
from activation_flow.app_files import FORMS, file
from activation_flow.app_inputs import Compare, Corpus, Explore, Steer
from activation_flow.app_settings import Settings
from activation_flow.data import ActivationFlowError


@pytest.fixture(scope="module")
def answers(minilm):
    return Answers(Settings(model="minilm"), OneModel(minilm))


@pytest.fixture(scope="module")
def found(answers, tmp_path_factory):
    """What a view of each kind shows, with options that are not the usual ones."""
    path = tmp_path_factory.mktemp("run") / "a run"
    make_run(path, texts=20)
    text = '-It\'s a "day" <b>in</b> the parkland! 日本語 😀\n$HOME'
    return {
        "strength": answers.explore(Explore(text=text, layer=2, quantile=0.9, words=True)),
        "shift": answers.compare(Compare(a=text, layer=3, quantile=0.5, align="position")),
        "prompts": answers.steer(
            Steer(text=text, prompts=("-a", "b <i>"), baseline=True, quantile=0.6)
        ),
        "corpus": answers.corpus(Corpus(run=str(path), layer=4, find="canada")),
    }


def result_of(one):
    return getattr(one, "at", one)._as_list()


def words_of(one, **how):
    return shlex.split(retrace.command(result_of(one), **how), comments=True)[1:]


@pytest.mark.parametrize("verb", ["strength", "shift", "prompts"])
def test_the_document_is_that_of_the_command(afn, found, tmp_path, verb):
    command = words_of(found[verb])
    assert command[0] == verb
    code, out, err = afn(verb, "--json", "--save", str(tmp_path / "x.csv"), *command[1:])
    assert code == 0, err
    name, content = file(found[verb], "json")
    assert name == f"activation-flow-{verb}.json"
    assert json.loads(content) == json.loads(out)
    assert file(found[verb], "csv") == (
        f"activation-flow-{verb}.csv",
        (tmp_path / "x.csv").read_bytes(),
    )


def test_the_page_of_a_text_is_that_of_the_report(afn, found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = words_of(found["strength"], report=True)
    code, _, err = afn(*command)
    assert code == 0, err
    name, content = file(found["strength"], "html")
    assert name == "activation-flow-strength.html"
    written = (tmp_path / "report.html").read_bytes()
    assert unnumbered(content) == unnumbered(written)
    assert b"<b>in" not in content


def unnumbered(page):
    """Vega-Altair numbers its charts as they are made."""
    return re.sub(rb"(view|param|name)_\d+", rb"\1", page)


def test_a_summary_is_that_of_the_command(afn, found, tmp_path):
    one, saved = found["corpus"], tmp_path / "x.csv"
    code, out, err = afn("summary", str(one.run.path), "--json", "--save", str(saved))
    assert code == 0, err
    name, content = file(one, "json")
    assert (name, json.loads(content)) == ("activation-flow-corpus.json", json.loads(out))
    assert file(one, "csv")[1] == saved.read_bytes()


def test_pictures_and_pages_are_those_of_save(found, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for verb, result, form in (
        ("strength", found["strength"].at, "png"),
        ("shift", found["shift"], "html"),
    ):
        result.save(tmp_path / f"x.{form}")
        name, content = file(found[verb], form)
        assert name == f"activation-flow-{verb}.{form}"
        assert unnumbered(content) == unnumbered((tmp_path / f"x.{form}").read_bytes())
    assert not [*(tmp_path / "temporary").iterdir()]


def test_another_form_is_refused(found):
    assert FORMS == ("html", "png", "csv", "json")
    for form in ("parquet", "../x", ""):
        with pytest.raises(ActivationFlowError, match="not one of html, png, csv, json"):
            file(found["shift"], form)
