"""Models of the page: the list, one at a time, opened once, the least used closed."""

import copy
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from activation_flow import app_models
from activation_flow.app_models import Models
from activation_flow.app_settings import Bounds, Settings
from activation_flow.data import ActivationFlowError


def settings(**given: object) -> Settings:
    return Settings(**{"model": "minilm", **given})


def remote(**given: object) -> Settings:
    return settings(host="0.0.0.0", auth=("u", "p"), **given)


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model on disk, with weights of its own: engine folders go by weights."""
    model, tokenizer = tiny("bert")
    model = copy.deepcopy(model)
    next(model.parameters()).data += 0.01
    path = tmp_path_factory.mktemp("models") / "tiny bert"
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return str(path)


class Opening:
    """Stands in for Encoder: notes what is opened, and how often at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.opened: list[tuple[str, dict]] = []
        monkeypatch.setattr(app_models, "Encoder", self)

    def from_pretrained(self, name: str, **options: object) -> object:
        self.opened.append((name, options))
        time.sleep(0.02)
        if name == "missing":
            raise ActivationFlowError("there is none")
        return object()

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.opened]


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> Opening:
    return Opening(monkeypatch)


# with real models


def test_a_model_is_opened_once_and_then_kept(folder):
    models = Models(settings(model=folder))
    with models.use("") as first:
        assert first.strength("paris is big").strength.shape[0] == 1
    with models.use(folder) as second:
        assert second is first


def test_a_model_that_cannot_be_had_is_the_librarys_own_error(empty_cache):
    models = Models(settings(model="bert-base-uncased"))
    with pytest.raises(ActivationFlowError, match="--model minilm"), models.use(""):
        pass
    with (
        pytest.raises(ActivationFlowError, match=r"there is no model|is not a folder"),
        models.use("/no\0ne"),
    ):
        pass
    with models.use("minilm") as encoder:  # and the page goes on
        assert encoder.n_layers == 6


def test_choices_are_those_served_and_on_this_machine_those_ready(folder):
    with Models(settings(model=folder)).use(""):
        pass
    local = Models(settings(model="minilm", models=("some/model", "minilm")))
    assert local.choices()[:2] == ["minilm", "some/model"]
    assert folder in local.choices()
    assert len({*local.choices()}) == len(local.choices())
    assert not any("(live)" in name for name in local.choices())
    assert Models(remote(model="x", models=("some/model",))).choices() == ["x", "some/model"]


def test_a_folder_that_is_gone_is_no_choice(folder):
    with Models(settings(model=folder)).use(""):
        pass
    Path(folder).rename(f"{folder} moved")
    try:
        assert folder not in Models(settings()).choices()
    finally:
        Path(f"{folder} moved").rename(folder)


# which may be opened


def test_beyond_this_machine_only_the_list_is_opened(opening):
    models = Models(remote(models=("some/model",)))
    with pytest.raises(ActivationFlowError, match="'/etc' is not served here; there are: minilm"):
        models.check("/etc")
    with pytest.raises(ActivationFlowError, match="not served"), models.use("gpt2"):
        pass
    assert opening.names == []
    assert [models.check(name) for name in ("", " minilm ", "some/model")] == [
        *("minilm", "minilm", "some/model")
    ]
    assert Models(settings()).check("gpt2") == "gpt2"
    assert models.default == "minilm"


def test_a_typed_name_is_not_trusted(opening):
    options = {"trust_remote_code": True, "allow_pickle": True, "revision": "x", "threads": 1}
    models = Models(settings(models=("listed",), options=options))
    for name in ("", "listed", "typed"):
        with models.use(name):
            pass
    trusted = {"trust_remote_code": True, "allow_pickle": True, "threads": 1}
    assert opening.opened == [
        ("minilm", options),
        ("listed", trusted),
        ("typed", {"threads": 1}),
    ]


# threads


def test_many_threads_open_a_model_once_and_use_it_one_at_a_time(opening):
    models, at_once, most = Models(settings()), [], []

    def work(_: int) -> object:
        with models.use("") as encoder:
            at_once.append(1)
            most.append(len(at_once))
            time.sleep(0.002)
            at_once.pop()
            return encoder

    with ThreadPoolExecutor(12) as pool:
        found = {*pool.map(work, range(24))}
    assert len(found) == 1
    assert opening.names == ["minilm"]
    assert max(most) == 1


def test_two_models_are_used_at_the_same_time(opening):
    models, met = Models(settings()), threading.Barrier(2, timeout=5)

    def work(name: str) -> None:
        with models.use(name):
            met.wait()

    with ThreadPoolExecutor(2) as pool:
        [*pool.map(work, ["a", "b"])]


def test_the_one_used_longest_ago_is_closed(opening):
    models = Models(settings(bounds=Bounds(models=2)))
    for name in ("a", "b", "a", "c", "a", "b"):
        with models.use(name):
            pass
    assert opening.names == ["a", "b", "c", "b"]


def test_another_model_waits_until_one_is_free(opening):
    models, order = Models(settings(bounds=Bounds(models=1))), []

    def other() -> None:
        with models.use("b"):
            order.append("b")

    with models.use("a"):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.05)
        order.append("a")
    thread.join(5)
    assert order == ["a", "b"]
    assert opening.names == ["a", "b"]


def test_why_one_cannot_be_opened_is_told_again_for_a_while(opening, monkeypatch):
    models, told = Models(settings(bounds=Bounds(models=1))), []
    for _ in range(3):
        with pytest.raises(ActivationFlowError) as caught, models.use("missing"):
            pass
        told.append(str(caught.value))
    assert (
        told
        == ["there is none\nHere minilm can be chosen as the model: it is on this machine."] * 3
    )
    with models.use("a"):  # it takes no room
        pass
    assert opening.names == ["missing", "a"]
    monkeypatch.setattr(app_models, "KEPT", 0.0)
    with pytest.raises(ActivationFlowError, match="there is none"), models.use("missing"):
        pass
    assert opening.names == ["missing", "a", "missing"]
    assert [*models._failed] == ["missing"]


def test_minilm_is_offered_where_it_may_be_had(opening, monkeypatch):
    def said(models: Models) -> str:
        with pytest.raises(ActivationFlowError) as caught, models.use("missing"):
            pass
        return str(caught.value)

    assert "minilm" not in said(Models(remote(model="missing")))
    assert "minilm" in said(Models(remote(model="missing", models=("minilm",))))
    monkeypatch.setattr(app_models, "_has_minilm", lambda: False)
    assert said(Models(settings())) == "there is none"
    assert Models(settings(model="x", models=("y",))).choices()[:2] == ["x", "y"]


def test_many_threads_at_many_models_all_come_to_an_end(opening):
    models = Models(settings(bounds=Bounds(models=2)))

    def work(n: int) -> None:
        try:
            with models.use(("a", "b", "missing", "c")[n % 4]):
                pass
        except ActivationFlowError:
            pass

    with ThreadPoolExecutor(8) as pool:
        [*pool.map(work, range(40))]
    assert len(models._held) <= 2
    assert all(held.users == 0 and held.encoder for held in models._held.values())
