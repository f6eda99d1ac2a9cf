"""Explore: what is shown is the result's, text of users stays text, and a layer costs little."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from pictures import expressions
from test_report import CANADA, EVIL, SETTINGS, STRENGTHS, one

from activation_flow import app_explore, html, retrace, retrace_python
from activation_flow.app_answers import Explored
from activation_flow.app_explore import shown
from activation_flow.app_inputs import Explore
from activation_flow.picture import number
from activation_flow.results import LayersResult

TAGS = {"div", "span", "b", "sup", "p", "bdi", "br", "details", "summary"}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd"}
HOSTILE = [
    EVIL,
    "datum.x",
    "'+alert(1)+'",
    "${x}",
    "\u202eevil",
    "مرحبا",
    "😀",
    "\0",
    "e\u0301",
    "",
]


class Read(HTMLParser):
    """The tags, and what stands between them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.titles = set(), "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.titles += [value for name, value in attrs if name == "title"]
        assert {name for name, _ in attrs} <= {"class", "title", "translate", "open"}

    def handle_data(self, data):
        self.text += data


def plain(found):
    """All that a view says, and proof that it holds no script and nothing that hides."""
    read = [Read(part) for part in (found.html, found.below)]
    assert read[0].tags | read[1].tags <= TAGS
    for part in (found.html, found.below):
        assert part.startswith('<div class="afn" translate="no">')
        assert part.endswith("</div>")
        assert not {*"\0\u202e"} & {*part}
    for drawn in found.charts:
        json.dumps(drawn.spec, allow_nan=False)
        assert '"bind"' not in json.dumps(drawn.spec)
        assert not [said for said in expressions(dict(drawn.spec)) if "MARK" in said]
    return " ".join(f"{one.text} {' '.join(one.titles)}" for one in read)


def rows(drawn, column):
    """The table of a chart's data that has a column."""
    return next(table for table in drawn.spec["datasets"].values() if column in table[0])


def explored(tokens=CANADA, strength=None, layers=(0, 1, 2, 3), layer=2, **more):
    if strength is None:
        strength = np.random.default_rng(3).uniform(9, 15, (len(layers), len(tokens)))
    result = one(tokens, strength, layers=layers, n_layers=layers[-1], settings=SETTINGS, **more)
    return again(result, layer)


def again(result, layer):
    everywhere = LayersResult((result,), result.provenance, result.layers)
    return Explored(everywhere, result.at(layer))


def test_numbers_of_the_strip_the_table_and_the_charts_are_those_of_the_result():
    found = explored()
    at, view = found.at, shown(found, Explore(layer=2))
    said = plain(view)
    assert view.html.count('class="afn-t ') == len(at) == view.below.count("<tr><td>")
    for i, strength in enumerate(at.strength[0]):
        assert view.html.count(f"strength {number(strength)},") >= 1
        assert f">{number(strength)}<" in view.below.replace("<b>", "").replace("</b>", "")
        assert f"id {at.ids[i]}" in said
    assert view.html.count("<b>") == (at.bucket == "HIGH").sum() == 2
    assert (
        "Stronger colour = larger S (the length of the hidden state). Bold, underlined = HIGH: "
        f"above τ = {number(at.threshold[0])}, the strongest quarter (2 of 8 tokens, special ones "
        "left out). Strength is not importance."
    ) in view.html
    assert "of this text" in said
    assert "all texts shown" not in said
    bars, layers = view.charts
    drawn = rows(bars, "strength")
    assert np.array_equal(np.float32([row["strength"] for row in drawn]), at.strength[0])
    assert [row["bucket"] for row in drawn] == at.bucket[0].tolist()
    assert [row["threshold"] for row in rows(bars, "threshold")] == [at.threshold[0]] * len(at)
    everywhere = found.everywhere[0]
    drawn = rows(layers, "place")
    values = np.float32([row["strength"] for row in drawn])
    assert np.array_equal(values, everywhere.strength.ravel())
    assert [row["bucket"] for row in drawn] == everywhere.bucket.ravel().tolist()
    assert (view.layers, view.layer) == ((0, 1, 2, 3), 2)
    assert view.command == retrace.command(at._as_list())
    assert view.python == retrace_python.python(at)


def test_a_real_text_and_its_words(minilm):
    everywhere = minilm.layers(["Unbelievably nice weather"])
    for result in (everywhere, everywhere.words()):
        found = Explored(result, result[0].at(4))
        view = shown(found, Explore())
        plain(view)
        assert view.html.count('class="afn-t ') == len(found.at)
        assert ("words" in view.command) == ("words" in view.python) == (result is not everywhere)


def test_the_map_is_made_once_for_all_layers_of_a_text():
    found = explored()
    maps = [shown(again(found.everywhere[0], k), Explore(layer=k)).charts[1] for k in range(4)]
    assert all(one is maps[0] for one in maps)
    copied = replace(found.everywhere[0], strength=found.everywhere[0].strength.copy())
    assert shown(again(copied, 1), Explore(layer=1)).charts[1] is maps[0]
    bucket = np.where(copied.bucket == "", "", "LOW")
    other = shown(again(replace(copied, bucket=bucket), 1), Explore(layer=1)).charts[1]
    assert {row["bucket"] for row in rows(other, "place")} == {"", "LOW"}
    assert app_explore._map.cache_info().maxsize <= 16


def test_the_same_input_gives_the_same_view():
    assert shown(explored(), Explore()) == shown(explored(), Explore())


def test_a_page_that_holds_the_style_needs_no_second_one():
    view = shown(explored(), Explore())
    assert "<style" not in view.html + view.below
    assert view.html.splitlines()[1] in html.html_fragment(explored().at._as_list())


@pytest.mark.parametrize("text", ["MARK" + EVIL, "MARK\0\u202e😀", "MARK" + "مرحبا " * 900])
def test_text_of_users_is_shown_as_text(text):
    tokens = ["[CLS]", *(f"MARK{token}" for token in HOSTILE), "[SEP]"]
    view = shown(explored(tokens, text=text), Explore())
    said = plain(view)
    assert f"MARK{EVIL.replace(' ', '␣')}" in said
    assert "MARK\\u202eevil" in said
    assert "MARK\\x00" in said
    assert all("MARK" in json.dumps(chart.spec) for chart in view.charts)
    assert "<img" not in view.command.replace(EVIL, "")


def test_a_long_text_is_bounded_and_says_so():
    view = shown(explored([f"t{i}" for i in range(5000)]), Explore())
    said = plain(view)
    assert view.html.count('class="afn-t ') == app_explore.TOKENS == view.below.count("<tr><td>")
    assert "4,000 of 5,000 tokens not shown; a .csv or .json file holds all" in said
    bars, layers = view.charts
    assert (len(rows(bars, "strength")), len(rows(layers, "place"))) == (60, 240)
    for chart in view.charts:
        assert "The first 60 of 5,000 tokens are drawn." in chart.sentence
    assert len(view.html + view.below) < 1e6


def test_one_token_one_layer_and_none_that_is_high():
    view = shown(explored(["a"], [[3.0]], layers=(0,), layer=0), Explore())
    assert "HIGH: above τ = 3.000, the strongest quarter (0 of 1 token). " in plain(view)
    assert view.layers == (0,)
    view = shown(explored(["[CLS]", "[SEP]"], layer=0), Explore())
    assert "no threshold: no token takes part" in plain(view)


def test_two_layers_are_a_map_too():
    view = shown(explored(layers=(0, 1), layer=1), Explore())
    assert len(rows(view.charts[1], "place")) == 2 * len(CANADA)


def test_far_tokens_and_what_is_no_number_are_marked():
    strength = np.array([STRENGTHS, STRENGTHS], np.float32)
    strength[:, 3], strength[:, 5] = 5000, np.nan
    view = shown(explored(strength=strength, layers=(0, 1), layer=1), Explore())
    said = plain(view)
    assert "the!" in said
    assert "minister (nan)" in said
    assert "over 10x the median S of its text" in said
    drawn = rows(view.charts[0], "strength")
    assert (drawn[3]["strength"], drawn[3]["mark"]) == (5000, "!")
    assert (drawn[5]["strength"], drawn[5]["mark"]) == (None, "nan")


def test_a_tokenizer_that_says_no_places():
    found = explored()
    nowhere = np.full(len(CANADA), -1)
    result = replace(found.everywhere[0], start=nowhere, end=nowhere, word=nowhere)
    view = shown(again(result, 1), Explore())
    assert "characters" not in plain(view)
