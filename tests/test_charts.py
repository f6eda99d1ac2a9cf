import json
import math
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from pictures import compiled, drawn, expressions, items, scene, texts, values, width_of
from test_report import EVIL, SETTINGS, canada, many, one

from activation_flow import charts, charts_theme, drawing, picture
from activation_flow.data import ActivationFlowError, Failure
from activation_flow.result_hidden import HiddenStates
from activation_flow.results import LayersResult

HIGH, LOW = "#5f30a2", "#c9bde6"


def random(n, layers=(4,), seed=0, low=9.0, high=15.0, **more):
    rng = np.random.default_rng(seed)
    tokens = ["[CLS]", *(f"tok{i % 7}" for i in range(n - 2)), "[SEP]"][:n]
    strength = rng.uniform(low, high, (len(layers), n)).astype(np.float32)
    return one(tokens, strength, layers=layers, n_layers=12, settings=SETTINGS, **more)


def filled(chart, colour, **params):
    """Bars or dots of a colour."""
    marks = [*drawn(chart, "symbol", **params), *drawn(chart, "rect", **params)]
    return [mark for mark in marks if mark.get("fill") == colour]


# strengths of one layer


@pytest.mark.parametrize("low", [0.5, 9.0])
def test_data_are_the_arrays_of_the_result(low):
    r = random(20, low=low)
    rows = values(r.chart())[0]
    assert [row["i"] for row in rows] == list(range(20))
    assert [row["token"] for row in rows] == r.tokens.tolist()
    assert np.array_equal(np.float32([row["strength"] for row in rows]), r.strength[0])
    assert [row["bucket"] for row in rows] == r.bucket[0].tolist()
    assert [row["kind"] for row in rows] == r.kind.tolist()
    ranks = [int(row["rank"].split(" of ")[0]) if row["rank"] else 0 for row in rows]
    assert ranks == r.rank[0].tolist()
    assert {row["threshold"] for row in rows} == {r.threshold[0]}
    assert {row["layer_name"] for row in rows} == {"layer 4 of 12"}
    line = next(table for table in values(r.chart()) if "strength" not in table[0])
    assert [row["threshold"] for row in line] == r.threshold.tolist()


def test_a_token_that_occurs_twice_stays_two_bars_in_reading_order():
    r = one(["the", "cat", "the", "the"], [1, 3, 2, 5])
    chart = r.chart()
    assert texts(chart, "axis-label")[:4] == ["the", "cat", "the", "the"]
    bars = sorted(drawn(chart, "rect"), key=lambda bar: bar["x"])
    tall = [bar["height"] for bar in bars]
    assert tall == pytest.approx([v / 5 * max(tall) for v in (1, 3, 2, 5)])


def test_bars_begin_at_0_and_dots_say_that_their_axis_does_not():
    bars, dots = random(9, low=12.0).chart(), random(9, low=12.0).chart(zero=False)
    assert "strength S (bars from 0)" in texts(bars)
    assert "0" in texts(bars, "axis-label")
    assert "strength S (axis not from 0)" in texts(dots)
    assert "0" not in texts(dots, "axis-label")
    assert not drawn(dots, "rect")
    assert not drawn(bars, "symbol")


@pytest.mark.parametrize("low", [1.0, 12.0])
def test_looks_are_those_of_the_own_bucket(low):
    r = random(30, low=low)
    chart = r.chart()
    for look, bucket in ((HIGH, "HIGH"), (LOW, "LOW"), ("transparent", "")):
        assert len(filled(chart, look)) == (r.bucket[0] == bucket).sum()
    special = filled(chart, "transparent")
    assert all(mark["strokeDash"] == [3, 2] for mark in special)
    assert texts(chart, "legend-label") == ["HIGH (S > τ)", "LOW", "special"]


def test_a_strength_that_is_the_threshold_itself_is_low():
    # 13.761 is less as float32 than as float64: the bucket is not found out anew.
    r = one(["a", "b", "c", "d"], [13.761] * 4, settings=SETTINGS)
    assert not filled(r.chart(), HIGH)
    assert len(filled(r.chart(), LOW)) == 4


@pytest.mark.parametrize("part", [0.001, 0.3, 0.9, 1.5])
def test_moving_the_threshold_colours_anew(part):
    r = random(30)
    usual = r.strength[0][~r.special].astype(np.float64)
    tau = float(usual.min() + part * np.ptp(usual))
    chart = r.chart()
    assert len(filled(chart, HIGH, tau=tau)) == sum(v > tau for v in usual)
    assert len(filled(chart, LOW, tau=tau)) == sum(v <= tau for v in usual)
    assert len(filled(chart, "transparent", tau=tau)) == r.special.sum()
    assert any(text.endswith("(moved)") for text in texts(chart, tau=tau))
    assert not any("moved" in text for text in texts(chart))


def test_the_line_of_the_threshold_moves_with_it():
    r = random(30)
    (rule,) = [m for m in drawn(r.chart(), "rule") if m.get("strokeDash") == [5, 3]]
    (moved,) = [m for m in drawn(r.chart(), "rule", tau=14.9) if m.get("strokeDash") == [5, 3]]
    assert moved["y"] < rule["y"]
    assert f"τ = {picture.number(float(r.threshold[0]))}" in texts(r.chart())
    assert "τ = 14.9 (moved)" in texts(r.chart(), tau=14.9)


def test_the_slider_reaches_every_bucket():
    r = random(30)
    (slider,) = [p for p in drawing.spec(r.chart())["params"] if p["name"] == "tau"]
    usual = r.strength[0][~r.special]
    assert slider["bind"]["min"] <= usual.min()
    assert slider["bind"]["max"] >= usual.max()
    assert abs(slider["value"] - r.threshold[0]) <= slider["bind"]["step"]


def test_a_clipped_token_has_a_mark_and_its_number():
    r = one([*"abcdefgh"], [1, 2, 3, 1, 2, 3, 2, 9000], settings=SETTINGS)
    row = values(r.chart())[0][7]
    assert (row["strength"], row["drawn"], row["mark"], row["said"]) == (9000, 3, "!", "9000.000")
    shown = texts(r.chart(), "mark")
    assert shown.count("!") == 1
    assert shown.count("9000.000") == 1
    tall = [bar["height"] for bar in drawn(r.chart(), "rect")]
    assert tall.count(max(tall)) == 3
    assert "! over 10x the median S of the text: clipped here, not in the numbers" in texts(
        r.chart()
    )


def boxes(chart, **params):
    """Left, right, top and bottom of every upright text in and beside the plot, in pixels."""
    found, at = [], {"left": 0.0, "center": -0.5, "right": -1.0}

    def walk(node, x, y):
        for item in node.get("items", []):
            if not isinstance(item, dict):
                continue
            here = (x + item.get("x", 0), y + item.get("y", 0))
            if node.get("marktype") == "group" or "marktype" in item:
                walk(item, *(here if node.get("marktype") == "group" else (x, y)))
            elif node.get("marktype") == "text" and isinstance(item.get("text"), str):
                size, text = item["fontSize"], item["text"]
                long = width_of(text, size)
                left = here[0] + item.get("dx", 0) + at[item.get("align", "left")] * long
                top = here[1] + item.get("dy", 0)
                top -= {"top": 0, "middle": size / 2}.get(item.get("baseline"), size)
                role = node.get("role")
                found.append((role, text, (left, left + long, top, top + size)))

    walk(scene(chart, **params)["scenegraph"], 0, 0)
    return [box for box in found if box[0] in ("mark", "axis-label")]


@pytest.mark.parametrize("zero", [True, False])
@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_numbers_stand_below_tokens_and_overlap_nothing(n, zero):
    r = one([f"tok{i}" for i in range(n)], np.linspace(9, 14, n)[None], (4,), settings=SETTINGS)
    said = [picture.number(float(value)) for value in r.strength[0]]
    found = boxes(r.chart(zero=zero))
    numbers = [box for _, text, box in found if text in said]
    assert [text for _, text, _ in found if text in said] == said
    assert {top > charts_theme.HEIGHT + 11 for _, _, top, _ in numbers} == {True}
    assert len({(top, bottom) for _, _, top, bottom in numbers}) == 1
    assert sum("τ" in text for _, text, _ in found) == 1
    for k, (_, one_text, a) in enumerate(found):
        for _, other, b in found[k + 1 :]:
            apart = a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2]
            assert apart, (one_text, other)


def test_numbers_follow_the_layer_that_a_slider_chooses():
    r = random(6, layers=(3, 4, 5))
    chart = charts.figures(r)[1].chart
    for k, layer in enumerate(r.layers):
        said = [picture.number(float(value)) for value in r.strength[k]]
        assert [t for t in texts(chart, "mark", layer=layer) if t in said] == said


@pytest.mark.parametrize("tokens", [["a"] * 40, ["a", "W" * 12]])
def test_there_are_no_numbers_where_not_all_fit(tokens):
    chart = one(tokens, np.linspace(9, 14, len(tokens))[None], settings=SETTINGS).chart()
    assert "14.000" not in texts(chart, "mark")


def test_not_a_number_has_a_mark_and_no_bar():
    r = one(["a", "b", "c"], [1, np.nan, 3], settings=SETTINGS)
    assert "nan" in texts(r.chart(), "mark")
    assert len(drawn(r.chart(), "rect")) == 2
    assert values(r.chart())[0][1]["strength"] is None
    nothing = one(["a", "b"], [np.nan, np.nan], settings=SETTINGS)
    assert texts(nothing.chart(), "mark") == ["nan", "nan"]
    assert not any("τ" in text for text in texts(nothing.chart()))


def test_strengths_of_0_stand_on_the_axis():
    chart = one(["a", "b"], [0, 0], settings=SETTINGS).chart()
    assert {bar["y"] for bar in drawn(chart, "rect")} == {charts_theme.HEIGHT}


# several layers


def test_two_layers_stand_side_by_side():
    r = random(12, layers=(8, 9))
    chart = r.chart()
    rows = values(chart)[0]
    held = np.float32([row["strength"] for row in rows]).reshape(2, 12)
    assert np.array_equal(held, r.strength)
    assert texts(chart, "legend-label") == ["layer 8 of 12", "layer 9 of 12"]
    bars = sorted(drawn(chart, "rect"), key=lambda bar: bar["x"])
    tall = np.array([bar["height"] for bar in bars])
    assert tall / tall.max() == pytest.approx(r.strength.T.ravel() / r.strength.max())
    assert len(drawn(chart, "symbol")) == (r.bucket == "HIGH").sum()
    assert any("cannot be compared" in text for text in texts(chart))


def test_more_layers_are_a_map_with_the_colours_of_the_scale():
    r = random(12, layers=(6, 0, 12, 3), final_norm=True)
    chart = r.chart()
    place = picture.scale_of([r], 4).fraction(r)
    rows = values(chart)[0]
    got = np.array([math.nan if v["place"] is None else v["place"] for v in rows]).reshape(4, 12)
    assert np.array_equal(got, place, equal_nan=True)
    cells = [c for c in drawn(chart, "rect") if c.get("fill") != charts_theme.GREY]
    assert len(cells) == np.isfinite(place).sum()
    dots = [dot["y"] for dot in drawn(chart, "symbol")]
    by_row = sorted({*dots}, reverse=True)
    counts = [dots.count(y) for y in by_row]  # from the lowest row up
    assert counts == (r.bucket == "HIGH").sum(axis=1).tolist()
    labels = texts(chart, "axis-label")
    assert {"6", "0", "12, final norm", "3"} <= {*labels}


def test_the_darkest_cell_is_the_strongest_token_of_its_layer():
    r = random(9, layers=(1, 2, 3))
    cells = [c for c in drawn(r.chart(), "rect") if c["fill"] == "rgb(70, 16, 138)"]
    best = np.where(r.special, -np.inf, r.strength).argmax(axis=1)
    width = cells[0]["width"] / 0.96
    at = {round(c["y"] / 22): int(c["x"] / width) for c in cells}
    assert at == {0: best[2], 1: best[1], 2: best[0]}


def test_a_map_marks_what_is_clipped_or_not_a_number():
    strength = np.ones((3, 12)) * np.linspace(1, 2, 12)
    strength[1, 3], strength[2, 5] = np.nan, 900
    chart = one([f"t{i}" for i in range(12)], strength, layers=(1, 2, 3)).chart()
    assert sorted(texts(chart, "mark")) == ["!", "×"]


def test_a_slider_chooses_the_layer_and_another_moves_the_threshold():
    r = random(25, layers=(3, 4, 5), seed=3)
    figure = charts.figures(r)[1]
    usual = ~r.special
    for k, layer in enumerate(r.layers):
        shown = {"layer": layer}
        assert len(filled(figure.chart, HIGH, **shown)) == (r.bucket[k] == "HIGH").sum()
        tau = float(r.threshold[k]) - 1.0
        moved = filled(figure.chart, HIGH, **shown, move=-1.0)
        assert len(moved) == (r.strength[k][usual].astype(np.float64) > tau).sum()
        assert f"layer {layer} of 12" in texts(figure.chart, **shown)


def test_layers_with_gaps_are_a_list_to_choose_from():
    r = random(5, layers=(6, 0, 12))
    params = {p["name"]: p for p in drawing.spec(charts.figures(r)[1].chart)["params"]}
    assert params["layer"]["bind"]["options"] == [6, 0, 12]
    assert params["layer"]["bind"]["labels"] == [f"layer {k} of 12" for k in (6, 0, 12)]


def test_one_layer_of_several():
    r = random(9, layers=(3, 4, 5))
    assert drawing.spec(r.chart(layer=4)) == drawing.spec(r.at(4).chart())
    with pytest.raises(ActivationFlowError, match="holds layer 3, 4, 5, not 6"):
        r.chart(layer=6)


# words and room


@pytest.mark.parametrize("layers", [(4,), (4, 5), (4, 5, 6)])
@pytest.mark.parametrize("n", [1, 2, 5, 12, 40, 60])
def test_labels_do_not_overlap_and_titles_are_inside(n, layers):
    long = "A sentence that is much longer than a picture of five tokens is wide. " * 5
    r = replace(random(n, layers=layers), text=long)
    words = ["misunderstanding", "a", "W" * 30, "日本語日本語日本語", "e"]
    r = replace(r, tokens=np.array([words[i % 5] for i in range(n)], dtype=object))
    found = scene(r.chart())
    assert_no_overlap(found)
    assert_title_inside(found)


def assert_no_overlap(found):
    """Labels of the axis of tokens, which stand in a row at one angle."""
    axes = [g for g in items(found["scenegraph"], role="axis") if g["orient"] == "bottom"]
    labels = [item for axis in axes for item in items(axis, role="axis-label")]
    assert labels
    for left, right in pairwise(labels):
        step = right["x"] - left["x"]
        if left["angle"]:
            assert step * abs(math.sin(math.radians(left["angle"]))) >= left["fontSize"]
        else:
            half = sum(width_of(item["text"], item["fontSize"]) / 2 for item in (left, right))
            assert step >= half + 2


def assert_title_inside(found):
    left = found["origin"][0]
    lines = [
        width_of(line, item["fontSize"], weight)
        for role, weight in (("title-text", "600"), ("title-subtitle", "normal"))
        for item in items(found["scenegraph"], role=role)
        for line in ([item["text"]] if isinstance(item["text"], str) else item["text"])
    ]
    assert lines
    assert left + max(lines) <= found["width"] + 1


def test_a_long_text_says_how_many_tokens_are_drawn():
    r = random(600)
    assert "the first 60 of 600 tokens are drawn" in texts(r.chart())
    for n, shown in ((64, 64), (65, 60)):
        assert len(values(random(n).chart())[0]) == shown
        assert len(values(random(n).chart(tokens=59))[0]) == 59
    assert len(values(r.chart())[0]) == 60
    assert len(values(r.chart(tokens=600))[0]) == 600
    with pytest.raises(ActivationFlowError, match="at least one token"):
        r.chart(tokens=0)


def test_a_token_is_one_short_line():
    label = charts_theme.label
    assert label("a\nb") == r"a\nb"
    assert label("\u202eevil") == r"\u202eevil"
    assert label("x" * 99) == "x" * 16 + "…"
    assert label("😀" * 99).endswith("😀…")
    assert charts_theme.text_width(label("😀" * 99), 11) <= 120


@pytest.mark.parametrize("text", ["", "word " * 99, "W" * 999, "日本語" * 99, "a\nb", " x"])
@pytest.mark.parametrize("width", [60, 440])
def test_lines_fit(text, width):
    lines = charts_theme.wrapped(text, width, 15 * 1.06)
    assert 1 <= len(lines) <= 2
    assert all(width_of(line, 15, "600") <= width for line in lines if line)


def test_text_is_as_dark_or_light_as_the_page():
    for chart in (canada().chart(), random(5, layers=(1, 2, 3)).chart()):
        for item in items(scene(chart)["scenegraph"], marktype="text"):
            assert item["fill"] in ("currentColor", "#ffffff", "#000000", "#fffffe", "#000001")


# hostile text


HOSTILE = [EVIL, "datum.x", "'+alert(1)+'", '"];alert(1)//', "${x}", "\u202e", "e\u0301", "😀"]


def hostile(layers):
    r = random(len(HOSTILE), layers=layers)
    return replace(r, text="MARK" + EVIL, tokens=np.array([f"MARK{t}" for t in HOSTILE], object))


@pytest.mark.parametrize(
    "result",
    [hostile((4,)), hostile((4, 5)), hostile((4, 5, 6)), many(hostile((4,)), hostile((4,)))],
)
def test_no_text_of_a_user_is_ever_run_and_nothing_is_fetched(result):
    for chart in [result.chart(), *(figure.chart for figure in charts.figures(result))]:
        spec = json.dumps(drawing.spec(chart))
        assert "MARK" in spec or "by kind" in spec
        assert re.findall(r"\w+://[^\"]*", spec) == [
            "https://vega.github.io/schema/vega-lite/v6.4.1.json"
        ]
        ran = [*expressions(drawing.spec(chart)), *expressions(compiled(chart))]
        assert ran
        assert not [text for text in ran if "MARK" in text]
        assert drawing.png(chart)


# kinds of tokens


def kinds_of(*kinds, layers=(2, 4)):
    """Texts whose tokens have these kinds, and random strengths."""
    rng = np.random.default_rng(5)
    texts = []
    for names in kinds:
        r = one(
            [f"t{i}" for i in range(len(names))],
            rng.uniform(1, 3, (len(layers), len(names))),
            layers,
        )
        texts.append(replace(r, kind=np.array(names)))
    return LayersResult(tuple(texts), texts[0].provenance, layers)


def test_lines_are_the_kinds_of_the_result():
    results = kinds_of(["content", "function", ""], ["content", "punctuation"])
    (figure,) = [f for f in charts.figures(results) if f.name == "kinds"]
    rows = next(table for table in values(figure.chart) if "percentile" in table[0])
    got = {(row["layer"], row["kind"]): (row["percentile"], row["n"]) for row in rows}
    assert got == {
        (f"layer {k.layer} of 6", k.kind or "(no kind)"): (k.mean_rank_percentile, k.n)
        for k in results.kinds
    }
    said = texts(figure.chart)
    assert {"content, n = 2", "function, n = 1", "punctuation, n = 1"} <= {*said}
    assert "middle of the text" in said
    assert len(drawn(figure.chart, "symbol")) == len(rows)


def test_strips_are_the_strengths_of_each_kind():
    results = kinds_of(["content", "function"], ["content", "special"], layers=(4,))
    (figure,) = [f for f in charts.figures(results) if f.name == "by-kind"]
    rows = values(figure.chart)[0]
    assert [(row["kind"], row["text"]) for row in rows] == [
        ("content", 1),
        ("function", 1),
        ("content", 2),
        ("special", 2),
    ]
    held = np.float32([row["strength"] for row in rows])
    assert held.tolist() == [v for r in results for v in r.strength[0].tolist()]
    labels = texts(figure.chart, "axis-label")
    assert {"content, n = 2", "function, n = 1", "special, n = 1"} <= {*labels}


def test_strips_say_what_they_leave_out():
    results = many(*(random(2000, seed=k) for k in range(3)))
    (figure,) = [f for f in charts.figures(results, limit=1) if f.name == "by-kind"]
    assert len(values(figure.chart)[0]) == 4000
    assert "1 of 3 texts are not drawn" in texts(figure.chart)


# hidden states


def states(layers):
    r = random(7, layers=layers)
    held = {name: getattr(r, name) for name in ("text", "tokens", "ids", "start", "end", "segment")}
    held |= {name: getattr(r, name) for name in ("special", "word", "kind", "layers", "strength")}
    hidden = np.ones((len(layers), 7, 3), dtype=np.float32)
    return HiddenStates(**held, hidden=hidden, provenance=r.provenance)


def test_hidden_states_are_drawn_without_buckets():
    one_layer, several = states((4,)), states((4, 5, 6))
    chart = one_layer.chart()
    rows = values(chart)[0]
    assert np.array_equal(np.float32([row["strength"] for row in rows]), one_layer.strength[0])
    assert {row["bucket"] for row in rows} == {""}
    assert not filled(chart, HIGH)
    assert not any("τ" in text for text in texts(chart))
    assert len(drawn(several.chart(), "rect")) == 21
    assert [f.name for f in charts.figures(several)] == ["layers-1", "strength-1"]


# lists


def test_the_first_texts_stand_below_each_other_and_the_others_are_told():
    results = many(*(random(5 + k, seed=k) for k in range(8)))
    chart = results.chart()
    tables = [table for table in values(chart) if "strength" in table[0]]
    for table, r in zip(tables, results[:5], strict=True):
        assert np.array_equal(np.float32([row["strength"] for row in table]), r.strength[0])
    assert "3 more texts are not drawn; .to_pandas() or .save('x.csv') gives all" in texts(chart)
    assert [line for line in texts(chart, "title-text") if line] == [
        f"text {n}: a text" for n in range(1, 6)
    ]
    first = results[0]
    marks = filled(chart, HIGH, tau_1=99.0)
    usual = sum((r.bucket[0] == "HIGH").sum() for r in results[:5])
    assert len(marks) == usual - (first.bucket[0] == "HIGH").sum()


def test_texts_are_numbered_as_they_were_given():
    results = many(random(5), errors=[Failure(1, "empty")]).renumber([1, 2])
    results = replace(results, numbers=(2,))
    assert texts(results.chart(), "title-text") == ["text 2: a text"]


def test_of_nothing_there_is_no_picture():
    empty = many(canada())[:0]
    assert charts.figures(empty) == []
    with pytest.raises(ActivationFlowError, match="nothing to draw: no text has a result"):
        empty.chart()


def test_the_names_of_a_page_are_plain_and_differ():
    for results in (
        many(random(5), random(6)),
        many(random(5, layers=(1, 2, 3)), random(6, layers=(1, 2, 3))),
        kinds_of(["content", "function"], ["content", "special"]),
    ):
        names = [figure.name for figure in charts.figures(results)]
        assert len({*names}) == len(names)
        assert all(re.fullmatch(r"[A-Za-z0-9-]+", name) for name in names)


def test_a_text_without_tokens_or_of_special_ones_alone_has_a_picture():
    for layers in ((4,), (4, 5), (4, 5, 6)):
        for tokens in ([], ["[CLS]", "[SEP]"]):
            r = one(tokens, np.ones((len(layers), len(tokens))), layers, text="", settings=SETTINGS)
            assert texts(r.chart(), "title-text") == ["(empty)"]
            assert not drawn(r.chart(), "symbol") or len(layers) == 1


# colours


def test_looks_are_told_apart_without_colour():
    def lightness(colour):
        linear = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in linear]
        return 116 * float(np.dot(linear, (0.2126, 0.7152, 0.0722))) ** (1 / 3) - 16

    assert lightness(LOW) - lightness(HIGH) > 40
    assert charts_theme.LOOKS["HIGH"][0] == HIGH
    assert charts_theme.LOOKS["LOW"][0] == LOW
    fill, _, dashes = charts_theme.LOOKS["special"]
    assert (fill, dashes) == ("transparent", [3, 2])
    assert len({*charts_theme.SHAPES}) == len(charts_theme.SERIES)
