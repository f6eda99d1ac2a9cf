"""Runs that are killed, stopped, started twice or under other conditions: nothing lost or twice."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import activation_flow as af
from activation_flow import manifest
from activation_flow.data import ActivationFlowError
from activation_flow.state import State

WORDS = ["the", "morning", "sun", "rose", "slowly", "over", "hills", "nobody", "watched", "shine"]


def make_source(path: Path, n: int = 150) -> Path:
    """Different texts of 2 to 30 words; a bad row and a blank one here and there."""
    draw = random.Random(7)
    rows = []
    for k in range(n):
        text = " ".join(draw.choices(WORDS, k=draw.randint(2, 30)))
        rows.append("" if k % 50 == 20 else "\u200b" if k % 40 == 3 else f"{text} {k}")
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def command(source: Path | str, out: Path, *more: str) -> list[str]:
    options = ["--model", "minilm", "--shard-size", "12", "--threads", "1", *more]
    return [
        sys.executable,
        "-m",
        "activation_flow",
        "corpus",
        str(source),
        "--out",
        str(out),
        *options,
    ]


def contents(out: Path) -> dict[str, bytes]:
    """All files of a run, byte for byte, but for its lock."""
    files = (path for path in out.rglob("*") if path.is_file() and path.name != "lock")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def parts(out: Path) -> list[str]:
    return sorted(path.name for path in (out / "texts").glob("*.parquet"))


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return make_source(tmp_path_factory.mktemp("source") / "texts.txt")


@pytest.fixture
def whole(source, minilm, tmp_path) -> Path:
    """The folder of the same run, never interrupted; a copy for each test."""
    once = source.with_name("whole")
    af.run_corpus(minilm, source, out=once, shard_size=12)  # after the first test: nothing to do
    return Path(shutil.copytree(once, tmp_path / "whole"))


def test_a_run_killed_at_any_moment_ends_as_if_it_never_was(source, whole, tmp_path):
    """Kills at random moments of a run that has just begun a shard, or finished one."""
    out = tmp_path / "killed"
    draw = random.Random(os.getpid())  # other moments each time
    moments = []
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
        before, more = len(parts(out)), draw.randint(0, 1)
        left = {path.name for path in (out / ".work").glob("unfinished-*")}
        done = subprocess.Popen(command(source, out), stderr=subprocess.PIPE, text=True)
        while done.poll() is None and not (begun(out, left) and len(parts(out)) >= before + more):
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.03))
        done.send_signal(how)
        _, said = done.communicate()
        moments.append((how.name, before, len(parts(out))))
        assert done.returncode == (130 if how == signal.SIGINT else -how), (said, moments)
        assert "Traceback" not in said
    assert 0 < len(parts(out)) < len(parts(whole)), moments  # all of them hit a run at work
    again = subprocess.run(command(source, out), capture_output=True, text=True, check=False)
    assert again.returncode == 0, (again.stderr, moments)
    assert contents(out) == contents(whole), moments


def begun(out: Path, before: set[str]) -> bool:
    """Is a part being written, other than those that a killed process left?"""
    return bool({path.name for path in (out / ".work").glob("unfinished-*")} - before)


def test_ctrl_c_says_how_to_go_on(source, tmp_path):
    out = tmp_path / "run"
    done = subprocess.Popen(command(source, out), stderr=subprocess.PIPE, text=True)
    while not (out.exists() and parts(out)):
        time.sleep(0.01)
        assert done.poll() is None
    done.send_signal(signal.SIGINT)
    _, said = done.communicate()
    assert done.returncode == 130
    assert "interrupted" in said
    assert "same command again" in said


@contextmanager
def at_work(source: Path, out: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in another process that has done a shard, stopped so that it cannot end."""
    done = subprocess.Popen(command(source, out), stderr=subprocess.PIPE, text=True)
    try:
        while not (out.exists() and parts(out)):
            time.sleep(0.01)
            assert done.poll() is None
        done.send_signal(signal.SIGSTOP)
        yield done
    finally:
        done.send_signal(signal.SIGCONT)
        done.kill()
        done.wait()
        done.stderr.close()


def test_two_runs_into_one_folder(source, whole, minilm, tmp_path):
    out = tmp_path / "run"
    busy = pytest.raises(ActivationFlowError, match="another process is writing into")
    with at_work(source, out), busy:
        af.run_corpus(minilm, source, out=out, shard_size=12)
    af.run_corpus(minilm, source, out=out, shard_size=12)
    assert contents(out) == contents(whole)


def test_the_folder_removed_while_a_run_is_at_work(source, tmp_path):
    out = tmp_path / "run"
    with at_work(source, out) as done:
        shutil.rmtree(out)
        done.send_signal(signal.SIGCONT)
        _, said = done.communicate()
    assert done.returncode == 1
    assert f"cannot be written into {out}: " in said
    assert "No such file or directory" in said
    assert "Traceback" not in said


def test_a_full_disk(source, whole, tmp_path):
    """A limit on the size of files stands in for it: the system refuses in the same way."""
    out = tmp_path / "run"

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))

    done = subprocess.run(
        command(source, out), capture_output=True, text=True, preexec_fn=little_room, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "cannot be written into" in done.stderr
    assert "run the same command again to go on" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [*(out / ".work").glob("unfinished-*")]
    again = subprocess.run(command(source, out), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert contents(out) == contents(whole)


def test_a_shard_that_raises_stops_the_run_and_a_second_start_goes_on(
    source, whole, minilm, tmp_path
):
    out = tmp_path / "run"

    def fail_in_the_third(state: State) -> None:
        if state.done_shards == 2 and state.last is None and state.fresh.texts:
            raise RuntimeError("an accident")

    with pytest.raises(ActivationFlowError) as caught:
        af.run_corpus(minilm, source, out=out, shard_size=12, progress=fail_in_the_third)
    said = str(caught.value)
    assert "shard 2 (" in said
    assert "failed: RuntimeError: an accident; run the same command again" in said
    assert " (2 of " in said
    assert len(parts(out)) == 2
    af.run_corpus(minilm, source, out=out, shard_size=12)
    assert contents(out) == contents(whole)


def test_a_part_that_is_lost_or_damaged_is_made_again(source, whole, minilm, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    (out / "tokens" / "part-00001.parquet").unlink()
    (out / "texts" / "part-00003.parquet").write_bytes(b"PAR1")
    shutil.copy(out / "tokens" / "part-00004.parquet", out / "tokens" / "part-00005.parquet")
    rejects = next((out / ".work").glob("rejects-*"))
    rejects.unlink()
    seen = []
    af.run_corpus(
        minilm,
        source,
        out=out,
        shard_size=12,
        progress=lambda state: seen.append(state.last and state.last[0].number),
    )
    again = {1, 3, 5, int(rejects.stem.removeprefix("rejects-"))}
    assert {number for number in seen if number is not None} == again
    assert contents(out) == contents(whole)


def test_parts_of_another_run_are_not_taken_for_ones_own(source, whole, minilm, tmp_path):
    other = tmp_path / "other"
    af.run_corpus(minilm, source, out=other, shard_size=12, layers=2)
    for name in ("tokens", "texts"):
        path = Path(name, "part-00002.parquet")
        shutil.copy(other / path, whole / path)
    seen = []
    af.run_corpus(
        minilm, source, out=whole, shard_size=12, progress=lambda s: seen.append(s.done_shards)
    )
    assert seen[0] == len(parts(whole)) - 1
    assert contents(whole) == contents(source.with_name("whole"))
    (whole / "manifest.json").unlink()
    with pytest.raises(ActivationFlowError, match=r"parts of a run whose manifest\.json is gone"):
        af.run_corpus(minilm, source, out=whole, shard_size=12)


def test_a_folder_of_parts_that_was_removed_is_made_again(source, whole, minilm):
    shutil.rmtree(whole / "tokens")
    shutil.rmtree(whole / ".work")
    af.run_corpus(minilm, source, out=whole, shard_size=12)
    assert contents(whole) == contents(source.with_name("whole"))


def test_what_a_killed_process_was_writing_is_swept(source, whole, minilm):
    for name in (".afn-1-a.json", ".work/.afn-1-b.txt", ".work/unfinished-00000-c.parquet"):
        (whole / name).write_text("half")
    af.run_corpus(minilm, source, out=whole, shard_size=12)
    assert contents(whole) == contents(source.with_name("whole"))


def test_a_run_is_no_input_of_another(source, whole, minilm, tmp_path):
    shutil.copy(source, tmp_path / "texts.txt")
    run = af.run_corpus(minilm, tmp_path, out=tmp_path / "run", shard_size=12)  # beside "whole"
    assert whole.parent == tmp_path
    assert [file["path"] for file in run.manifest["files"]] == [str(tmp_path / "texts.txt")]


def test_a_run_that_is_finished_computes_nothing(source, whole, minilm):
    before = contents(whole)
    states = []
    af.run_corpus(minilm, source, out=whole, shard_size=12, progress=states.append)
    assert [state.fresh.rows for state in states] == [0]
    assert contents(whole) == before


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"one more\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layers": "3,4"}, "layers was [4], now [3, 4]"),
        ({"quantile": 0.9}, "quantile was 0.75, now 0.9"),
        ({"words": "max"}, 'words was null, now "max"'),
        ({"keep_text": True}, "keep_text was false, now true"),
        ({"shard_size": 13}, "shard_size was 12, now 13"),
        ({"vectors": 4}, "vectors was [], now [4]"),
    ],
)
def test_other_settings_are_refused(source, whole, minilm, options, said):
    before = contents(whole)
    with pytest.raises(ActivationFlowError) as caught:
        af.run_corpus(minilm, source, out=whole, **{"shard_size": 12, **options})
    assert said in str(caught.value)
    assert contents(whole) == before


def test_another_model_is_refused(source, whole, tiny_encoder):
    with pytest.raises(ActivationFlowError, match=r'model was "minilm", now "BertModel \(live\)"'):
        af.run_corpus(tiny_encoder, source, out=whole, shard_size=12)


@pytest.mark.parametrize(("name", "value"), [("revision", "other"), ("precision", "bf16")])
def test_another_revision_is_refused(source, whole, minilm, name, value):
    manifest.store(whole, {**manifest.load(whole), name: value})
    with pytest.raises(ActivationFlowError, match=f'{name} was "{value}", now'):
        af.run_corpus(minilm, source, out=whole, shard_size=12)


def test_another_version_is_refused(source, whole, minilm):
    before = manifest.load(whole)
    versions = {**before["versions"], "openvino": "1999.0"}
    manifest.store(whole, {**before, "versions": versions})
    with pytest.raises(ActivationFlowError, match=r'openvino was "1999\.0", now'):
        af.run_corpus(minilm, source, out=whole, shard_size=12)


def test_other_input_is_refused(source, minilm, tmp_path):
    own = tmp_path / "texts.txt"
    shutil.copy(source, own)
    out = tmp_path / "run"
    af.run_corpus(minilm, own, out=out, shard_size=12)
    changed(own)
    with pytest.raises(ActivationFlowError, match=r"texts\.txt was changed since"):
        af.run_corpus(minilm, own, out=out, shard_size=12)
    with pytest.raises(ActivationFlowError, match=r"is a new input; .*is no longer an input"):
        af.run_corpus(minilm, source, out=out, shard_size=12)


def test_input_that_changes_while_it_is_read(source, minilm, tmp_path):
    own = tmp_path / "texts.txt"
    shutil.copy(source, own)

    def meddle(state: State) -> None:
        if state.done_shards == 1:
            changed(own)

    with pytest.raises(ActivationFlowError, match=r"texts\.txt was changed since this run began"):
        af.run_corpus(minilm, own, out=tmp_path / "run", shard_size=12, progress=meddle)


def test_a_folder_that_is_no_run_is_left_alone(source, minilm, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ActivationFlowError, match="is not empty and holds no run"):
        af.run_corpus(minilm, source, out=tmp_path)
    with pytest.raises(ActivationFlowError, match="is a file, not a folder"):
        af.run_corpus(minilm, source, out=tmp_path / "letter.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on_error": "ignore"}, "on_error='ignore' is not one of reject, fail"),
        ({"words": "median"}, "words='median' is not one of"),
        ({"kinds": "spacy"}, "kinds='spacy' is not one of gold, list, none"),
        ({"kinds": "gold", "max_length": 10**6}, "max_length 1000000 is out of range"),
        ({"max_length": 10**6}, "max_length 1000000 is out of range"),
        ({"layers": 99}, "layer 99 is out of range"),
        ({"threshold_scope": "all"}, "threshold scope 'all' is not one of"),
        ({"id_column": "id"}, "has no columns"),
        ({"format": "docx"}, "--format docx is not one of"),
    ],
)
def test_bad_options_are_refused_before_anything_is_done(source, minilm, tmp_path, options, said):
    with pytest.raises(ActivationFlowError) as caught:
        af.run_corpus(minilm, source, out=tmp_path / "run", **options)
    assert said in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_input_without_any_text(minilm, tmp_path):
    empty, blank = tmp_path / "empty.txt", tmp_path / "blank.txt"
    empty.touch()
    blank.write_text("\n  \n")
    (tmp_path / "mine").mkdir()
    before = {*tmp_path.rglob("*")}
    for out in (tmp_path / "new" / "run", tmp_path / "mine"):
        with pytest.raises(ActivationFlowError, match="there is nothing in it"):
            af.run_corpus(minilm, empty, out=out)
        with pytest.raises(ActivationFlowError, match="there is no text in it"):
            af.run_corpus(minilm, blank, out=out)
        assert {*tmp_path.rglob("*")} == before


def test_a_call_that_fails_before_it_has_a_plan_leaves_nothing(source, minilm, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("a,b\nThe sun rose.,It rained.\n")
    before = {*tmp_path.rglob("*")}
    for given, said in ((rows, "other"), (source, "has no columns")):
        with pytest.raises(ActivationFlowError, match=said):
            af.run_corpus(minilm, given, out=tmp_path / "new" / "run", pairs="a,other")
        assert {*tmp_path.rglob("*")} == before


def test_a_call_that_fails_leaves_what_was_there(minilm, tmp_path):
    """A run that was begun by another call is not for this one to remove, whatever is in it."""
    blank, out = [tmp_path / "a.txt", tmp_path / "b.txt"], tmp_path / "run"
    for path in blank:
        path.write_text("\n \n")

    def stop(state: State) -> None:
        if state.done_shards == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        af.run_corpus(minilm, blank, out=out, progress=stop)
    there = {path.name for path in out.rglob("*")}
    assert {"manifest.json", "part-00000.parquet"} <= there
    for _ in range(2):
        with pytest.raises(ActivationFlowError, match="there is no text in it"):
            af.run_corpus(minilm, blank, out=out)
        assert there <= {path.name for path in out.rglob("*")}


def test_a_run_within_its_input_does_not_read_itself(source, minilm, tmp_path):
    shutil.copy(source, tmp_path / "texts.txt")
    out = tmp_path / "run"
    for _ in range(2):
        run = af.run_corpus(minilm, tmp_path, out=out, shard_size=12)
        assert [file["path"] for file in run.manifest["files"]] == [str(tmp_path / "texts.txt")]


def test_standard_input_can_be_gone_on_with(source, whole, tmp_path):
    out = tmp_path / "run"
    text = source.read_bytes()

    def run(given: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command("-", out), input=given, capture_output=True, check=False)

    assert run(text).returncode == 0
    (out / "texts" / "part-00002.parquet").unlink()
    again = run(text)
    assert again.returncode == 0, again.stderr
    names = [name for name in contents(whole) if name.startswith("tokens/")]
    assert all(
        (out / name).read_bytes()[:-3000] == (whole / name).read_bytes()[:-3000] for name in names
    )
    other = run(text + b"more\n")
    assert other.returncode == 1
    assert b"standard input is not what it was" in other.stderr


def test_the_command_speaks_json_for_machines(source, tmp_path):
    done = subprocess.run(
        command(source, tmp_path / "run", "--json"), capture_output=True, text=True, check=True
    )
    said = json.loads(done.stdout)
    assert said["schema"] == "corpus/1"
    counts = said["counts"]
    assert counts["rows"] == counts["texts"] + counts["rejects"]
    assert (counts["rejects"], counts["blank"]) == (4, 3)
    assert said["this_start"]["texts_per_second"] > 0
