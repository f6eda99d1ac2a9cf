"""The files that an audit takes beside its texts: damaged ones are refused before a model runs."""

import re
from pathlib import Path

import pytest
from marked_files import labels, rationales, written
from test_auditing import PAIRS, SENTENCES

import activation_flow as af
from activation_flow import audit_files, material
from activation_flow.audit_options import Options
from activation_flow.auditing import audit
from activation_flow.encoder import Encoder

CUT = '{"words": ["so"], "text'  # a row of which the end is lost
DAMAGED = [
    ("rationales", ".jsonl", [CUT], r"a\.jsonl, line 1: not JSON"),
    (
        "rationales",
        ".jsonl",
        ["", '{"words": ["a", "b"], "rationale": [1]}'],
        r"a\.jsonl, line 2: it has 2 words and 1 marks",
    ),
    ("rationales", ".csv", ["x,y", "1,2"], r"a\.csv, line 1: there is no column"),
    ("labels", ".jsonl", [CUT], r"a\.jsonl, line 1: not JSON"),
    ("labels", ".jsonl", ["", '{"text": "a"}'], r"a\.jsonl, line 2: there is no column 'label'"),
    ("labels", ".csv", ["x,y", "1,2"], r"a\.csv, line 1: there is no column 'text'"),
    ("salient", ".txt", ["good", "bad 2.5"], r"a\.txt, line 2: 'bad 2\.5' is more than one word"),
    ("paraphrases", ".jsonl", [CUT], r"a\.jsonl, line 1: not JSON"),
    ("paraphrases", ".csv", ["a,b", '"x,y'], r"a\.csv, line 2: the quote"),
    ("pairs", ".jsonl", ['{"a": "x"}'], r"a\.jsonl, line 1: .* the columns of a pair are a and b"),
    ("pairs", ".csv", ["x,y", "1,2"], r"a\.csv, line 1: .* the columns of a pair are a and b"),
]
NAMES = ("rationales", "labels", "salient", "paraphrases", "pairs")


@pytest.fixture(scope="module")
def bert(tiny):
    return af.Encoder.from_pretrained(tiny("bert"), engine="torch", threads=1)


@pytest.mark.parametrize(("option", "ending", "lines", "said"), DAMAGED)
def test_a_damaged_file_is_refused_before_a_model_runs(bert, option, ending, lines, said, tmp_path):
    path, told = written(tmp_path / f"a{ending}", lines), []
    with pytest.raises(af.ActivationFlowError, match=said):
        audit(bert, SENTENCES[:3], progress=lambda *s: told.append(s), **{option: path})
    assert {stage for stage, *_ in told} == {"reading"}


@pytest.mark.parametrize("option", NAMES)
@pytest.mark.parametrize("said", ["holds no", "no_such"])
def test_files_that_are_empty_or_not_there_are_refused(bert, option, said, tmp_path):
    path, told = tmp_path / "no_such.jsonl", []
    if said == "holds no":
        path.touch()
    with pytest.raises(af.ActivationFlowError, match=said):
        audit(bert, SENTENCES[:3], progress=lambda *s: told.append(s), **{option: str(path)})
    assert {stage for stage, *_ in told} == {"reading"}


def test_a_row_that_cannot_be_read_takes_no_other_with_it(bert, tmp_path):
    found = material.gather(bert, SENTENCES[:3])
    path = labels(tmp_path / "a.jsonl", SENTENCES)
    Path(path).write_text(Path(path).read_text() + CUT)
    files = audit_files.read(found, Options(labels=path, only="C10"))
    assert len(files.labelled) == len(SENTENCES)
    assert (files.pairs, files.marked, files.salient, files.paraphrases) == (None,) * 4
    assert f"line {len(SENTENCES) + 1}" in files.labelled.notes[-1]


def test_what_each_option_names_is_read(bert, tmp_path):
    found = material.gather(bert, SENTENCES[:3])
    of_pairs = ["a,b", *(f'"{a}","{b}"' for a, b in PAIRS)]
    given = {
        "rationales": rationales(tmp_path / "r.jsonl", SENTENCES),
        "salient": written(tmp_path / "s.txt", ["Door", "house"]),
        "paraphrases": written(tmp_path / "p.csv", of_pairs),
        "pairs": written(tmp_path / "q.csv", of_pairs[:5]),
    }
    files = audit_files.read(found, Options(**given, sample=6, texts=7))
    assert (len(files.marked), files.salient) == (7, {"door", "house"})
    assert len(files.pairs.a) == 4
    assert len(files.paraphrases.a) == 6
    assert {*zip(files.paraphrases.a, files.paraphrases.b, strict=True)} < {*PAIRS}
    assert {files.pairs.kinds, found.kinds} == {"list"}
    assert files.paraphrases.kinds == "none"  # stability asks for none
    made = audit_files.read(found, Options(sample=6, only="C5"))
    assert made.pairs.name == "one word replaced"
    assert audit_files.read(found, Options(only="C1")).pairs is None


def test_files_given_as_paths_can_be_saved(bert, tmp_path):
    path = Path(rationales(tmp_path / "r.jsonl", SENTENCES))
    found = audit(bert, SENTENCES[:6], only="C11", rationales=path, controls=False)
    found.save(tmp_path / "a.json")
    assert af.load(tmp_path / "a.json").provenance.settings["rationales"] == str(path)


# the command


def test_what_cannot_be_found_is_told_before_a_model_is_loaded(afn, loads, tmp_path):
    texts = written(tmp_path / "texts.txt", SENTENCES[:4])
    asked = ("--only", "c6", "--perturbed", "2", "--explained", "2", "--json")
    code, out, err = afn("audit", texts, *asked)
    assert (code, len(loads)) == (0, 1)
    assert "--explained=2: words are removed from so many texts" in " ".join(err.split())
    assert "explained=2: words" in out


@pytest.fixture
def loads(monkeypatch, bert):
    """How many models were loaded by the command: always the same tiny one."""
    found = []

    def load(*_, **__):
        found.append(1)
        return bert

    monkeypatch.setattr(Encoder, "from_pretrained", load)
    return found


@pytest.mark.parametrize(("option", "ending", "lines", "said"), DAMAGED)
def test_the_command_tells_a_damaged_file_in_a_line(
    afn, loads, option, ending, lines, said, tmp_path
):
    texts = written(tmp_path / "texts.txt", SENTENCES[:3])
    path = written(tmp_path / f"a{ending}", lines)
    code, out, err = afn("audit", texts, f"--{option}", path)
    assert (code, out, len(loads)) == (1, "", 1)
    message = err[err.index("Error") if "Error" in err else 0 :]
    assert re.search(said, " ".join(message.split()))
    assert len(message.strip().splitlines()) <= 2


@pytest.mark.parametrize("option", NAMES)
def test_the_command_refuses_a_missing_file_before_a_model_is_loaded(afn, loads, option, tmp_path):
    texts = written(tmp_path / "texts.txt", SENTENCES[:3])
    code, out, err = afn("audit", texts, f"--{option}", "no_such.jsonl")
    assert (code, out, loads) == (1, "", [])
    assert f"--{option}: there is no file no_such.jsonl" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--only", "C12"), "is no part of an audit"),
        (("--only", "C1", "--labels", "texts.txt"), "--labels is for C10, which --only='C1'"),
        (
            ("-p", "Say"),
            "--prompt: prompts are put before labelled texts, and there are none (--labels=",
        ),
        (("--labels", "texts.txt", "-p", "Say", "-p", "Say"), "given twice"),
        (("--labels", "texts.txt", "--template", "{text}"), "must hold {prompt} and {text}"),
        (
            ("--rationales", "-", "--labels", "-"),
            "--rationales='-' and --labels='-' cannot both be standard input",
        ),
    ],
)
def test_options_are_refused_before_a_model_is_loaded(
    afn, loads, words, said, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "texts.txt", SENTENCES[:3])
    code, out, err = afn("audit", "texts.txt", *words)
    assert (code, out, loads) == (1, "", [])
    assert said in " ".join(err.split())


def test_the_command_gives_all_options_to_the_audit(afn, loads, tmp_path):
    texts = written(tmp_path / "texts.txt", SENTENCES[:4])
    path = labels(tmp_path / "labels.jsonl", SENTENCES[:12])
    prompts = [f"-p=Prompt {k}" for k in range(5)]
    asked = ("--only", "c10", "--labels", path, *prompts, "--draws", "19", "--json")
    code, out, _ = afn("audit", texts, *asked)
    assert (code, len(loads)) == (0, 1)
    assert '"prompts": [' in out
    assert all(f"Prompt {k}" in out for k in range(5))
