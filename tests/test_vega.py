"""The script that makes charts live: put together once, kept, made again when it is damaged."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from activation_flow import drawing, page, vega

MADE = "window.vegaEmbed = 'é </script>';"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> list[tuple[str, str]]:
    """Every bundling that was asked for; real ones take seconds."""
    calls: list[tuple[str, str]] = []

    def bundle(snippet: str, version: str) -> str:
        calls.append((snippet, version))
        return MADE

    fake = SimpleNamespace(javascript_bundle=bundle)
    monkeypatch.setattr(vega.metadata, "version", lambda name: "9.9")
    monkeypatch.setitem(sys.modules, "vl_convert", fake)
    return calls


def fresh() -> str:
    """As in a new process."""
    vega.bundle.cache_clear()
    return vega.bundle()


@pytest.fixture(autouse=True)
def forgotten() -> None:
    vega.bundle.cache_clear()
    yield
    vega.bundle.cache_clear()


def kept(cache: Path) -> Path:
    (path,) = (cache / "scripts").iterdir()
    return path


def test_it_is_put_together_once(made, empty_cache):
    assert [fresh(), fresh(), fresh()] == [MADE] * 3
    assert made == [("window.vegaEmbed = vegaEmbed;", drawing.vega_lite())]
    assert kept(empty_cache).name == f"vega-{drawing.vega_lite()}-9.9.js"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data.replace(b"window", b"widnow"),
        lambda data: data[1:],
        lambda data: b"",
        lambda data: b"\xff\n\xff",
    ],
)
def test_what_is_damaged_is_made_again(made, empty_cache, damage):
    fresh()
    whole = kept(empty_cache).read_bytes()
    kept(empty_cache).write_bytes(damage(whole))
    assert fresh() == MADE
    assert kept(empty_cache).read_bytes() == whole
    assert len(made) == 2


def test_another_version_is_another_script(made, empty_cache, monkeypatch):
    fresh()
    monkeypatch.setattr(vega.metadata, "version", lambda name: "9.10")
    fresh()
    assert len(made) == 2
    assert len([*(empty_cache / "scripts").iterdir()]) == 2


def test_a_cache_that_cannot_be_written_costs_time_only(made, empty_cache):
    empty_cache.write_text("a file, not a folder")
    assert [fresh(), fresh()] == [MADE, MADE]
    assert len(made) == 2


def test_a_page_holds_it(made):
    shown = page.page(title="t", parts=[], facts={}, command="", live=True)
    assert "<script>window.vegaEmbed = 'é \\x3c/script>';</script>" in shown
