"""What the tests share: tiny models and tokenizers made here, a cache of their own, no network."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import browser as browsers
import pytest
import torch
from architectures import TABLE, make_model, make_tokenizer
from hypothesis import HealthCheck, settings
from served import Served

import activation_flow as af
from activation_flow import cli

settings.register_profile(
    "shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared machine")


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Engine folders go into a folder of the test session; models of the hub are out of reach.

    Of the session, so that it is there before what modules share.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # one cache for all workers: each model is made once
        base = base.parent
    cache = base / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFN_CACHE", str(cache))
        patch.setenv("HF_HOME", str(base / "hub"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield cache


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """These models are so small that eager torch spends its time waiting for its threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        if "PYTEST_XDIST_WORKER" in os.environ:  # the other workers have the other cores
            patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def own_cache(session_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same again for each test: a module may have set another one for its workers."""
    monkeypatch.setenv("AFN_CACHE", str(session_cache))
    return session_cache


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which nothing has been made ready."""
    monkeypatch.setenv("AFN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def tiny() -> Callable[..., tuple[Any, Any]]:
    """Makes a tiny (model, tokenizer) of a model type of the table, once each."""
    made: dict[str, tuple[Any, Any]] = {}

    def make(model_type: str = "bert") -> tuple[Any, Any]:
        if model_type not in made:
            row = TABLE[model_type]
            tokenizer = make_tokenizer(row.tokenizer, row.inputs)
            model = make_model(model_type, tokenizer)
            # As save_pretrained writes into a config: the first test that saves this model must
            # not make it another one for the tests after it.
            model.config.architectures, model.config.dtype = [type(model).__name__], "float32"
            made[model_type] = (model, tokenizer)
        return made[model_type]

    return make


@pytest.fixture(scope="session")
def tiny_encoder(tiny: Callable[..., tuple[Any, Any]]) -> af.Encoder:
    """The encoder of a tiny BERT: leave it as it is."""
    return af.Encoder.from_pretrained(tiny("bert"))


@pytest.fixture(scope="session")
def minilm() -> af.Encoder:
    """The embedded model, compiled once for each set of layers: leave it as it is."""
    return af.Encoder.from_pretrained("minilm")


@pytest.fixture(scope="session")
def page_run(tmp_path_factory: pytest.TempPathFactory, minilm: af.Encoder) -> Path:
    """The run that ``page_server`` is served with."""
    folder = tmp_path_factory.mktemp("app")
    lines = ["A day in the park.", "The park was closed.", "Canada is cold in the winter."] * 3
    (folder / "texts.txt").write_text("\n".join(f"{k} {line}" for k, line in enumerate(lines)))
    af.run_corpus(minilm, folder / "texts.txt", out=folder / "run", layers="2-4")
    af.run_corpus(minilm, folder / "texts.txt", out=folder / "deep", layers="5-6")
    return folder / "run"


@pytest.fixture(scope="session")
def page_model(tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> Path:
    """Another model that it offers: with fewer layers than minilm, and a tokenizer of its own."""
    folder = tmp_path_factory.mktemp("other")
    for part in tiny("gpt2"):
        part.save_pretrained(folder)
    af.Encoder.from_pretrained(folder)  # so that it is opened at once
    return folder


@pytest.fixture(scope="session")
def page_server(
    tmp_path_factory: pytest.TempPathFactory, page_run: Path, page_model: Path
) -> Iterator[Served]:
    """``afn app`` in a process of its own: it imports Gradio, so there is one for all tests."""
    log = tmp_path_factory.mktemp("served") / "log.txt"
    runs = ("--run", str(page_run), "--run", str(page_run.parent / "deep"))
    server = Served("-m", "minilm", "--allow", str(page_model), *runs, "--mcp", log=log)
    yield server
    server.close()
    said = log.read_text()
    assert "Traceback" not in said, said


@pytest.fixture
def afn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command in this process: (exit code, stdout, stderr)."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["afn", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        log = logging.getLogger("activation_flow")
        log.handlers, log.propagate = [], True  # as it was before the command spoke through it
        assert "Traceback" not in out + err
        return int(stop.value.code or 0), out, err

    return run


@pytest.fixture(scope="session")
def browser() -> Iterator[browsers.Browser]:
    """A headless Chromium, one for all tests; without one they are skipped, but not in CI."""
    command = browsers.find()
    if command is None:
        missing = f"there is no {' or '.join(browsers.NAMES)} here"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    found = browsers.Browser(command)
    try:
        yield found
    finally:
        found.close()
