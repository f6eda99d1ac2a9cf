from itertools import pairwise

import numpy as np
import pytest
from pictures import compiled, drawn, expressions, items, scene, texts, values
from test_charts import assert_no_overlap, assert_title_inside
from test_report_shift import many, shifted, small

from activation_flow import charts, charts_prompts, drawing
from activation_flow.data import ActivationFlowError


def test_shifts_are_those_of_the_result_in_reading_order():
    result = small()
    rows = values(result.chart())[0]
    assert [row["shift"] for row in rows] == [pair.shift for pair in result.pairs]
    assert [row["cosine_distance"] for row in rows] == [p.cosine_distance for p in result.pairs]
    assert [row["change"] for row in rows] == result.change.tolist()
    assert [row["a"] or None for row in rows] == [pair.a for pair in result.pairs]
    assert [row["b"] or None for row in rows] == [pair.b for pair in result.pairs]
    assert [row["look"] == "HIGH" for row in rows] == result.high.tolist()
    assert [row["look"] == "special" for row in rows] == (result.kind == "special").tolist()


def test_a_token_without_a_partner_has_a_mark_and_no_bar():
    chart = small().chart()
    bars = sorted(drawn(chart, "rect"), key=lambda bar: bar["x"])
    tall = [bar["height"] for bar in bars]
    assert tall == pytest.approx([v / 8 * max(tall) for v in (8.0, 1.0, 4.0, 2.0, 0.0, 0.5)])
    assert texts(chart, "mark") == ["→", "−", "+", "+"]
    labels = ["[CLS]", "a", "b→", "c", "k", "−f", "l", "+i", "+j", "[SEP]"]
    assert texts(chart, "axis-label")[: len(labels)] == labels
    assert "− only in A, + only in B: no partner, so no shift" in texts(chart)


def test_the_numbers_stand_beside_what_chance_gives():
    result = small()
    (line,) = [text for text in texts(result.chart()) if "R_H" in text]
    assert line == (
        f"total Δ {result.total:.3f}; R_H {result.high_ratio:.3f} "
        f"(by chance k/n = 1/4 = 0.250); p {result.p_value:.3f}"
    )
    assert texts(result.chart(), "title-text") == ["A: text a", "B: text b"]
    none = shifted(["a"], ["a"], [1.0]).chart()
    assert "total Δ 1.000; no R_H" in texts(none)


@pytest.mark.parametrize(("by", "said"), [("a", "S of A > τ"), ("union", "S of A or of B > τ")])
def test_the_legend_says_whose_strength_counts(by, said):
    result = shifted(["a", "b"], ["a", "b"], [1.0, 2.0], high=["a"], bucket_by=by)
    assert texts(result.chart(), "legend-label") == [f"HIGH ({said})", "LOW"]


def test_the_same_text_twice_stands_on_the_axis():
    chart = shifted(["a", "b"], ["a", "b"], [0.0, 0.0]).chart()
    assert [bar["height"] for bar in drawn(chart, "rect")] == [0, 0]
    assert {bar["y"] for bar in drawn(chart, "rect")} == {240}


@pytest.mark.parametrize("n", [2, 5, 12, 40])
def test_labels_do_not_overlap_and_titles_are_inside(n):
    a = [f"extraordinary{i}" for i in range(n)]
    b = [*a[: n // 2], *(f"unremarkable{i}" for i in range(n - n // 2))]
    found = scene(shifted(a, b, [1.0] * n, texts=("one text " * 30, "another " * 30)).chart())
    assert_no_overlap(found)
    assert_title_inside(found)


def test_comparisons_stand_below_each_other():
    results = many(*[small()] * 7)
    assert "2 more pairs are not drawn; .to_pandas() or .save('x.csv') gives all" in texts(
        results.chart()
    )
    assert [f.name for f in charts.figures(results, limit=2)] == ["shift-1", "shift-2"]
    with pytest.raises(ActivationFlowError, match="holds layer 4, not 3"):
        small().chart(layer=3)


# prompts

TEXT = "The weather is nice today."
PROMPTS = ["Summarize", "</script><img src=x onerror=alert(1)>", "datum.x"]


@pytest.fixture
def prompts(tiny_encoder):
    return tiny_encoder.prompts(TEXT, PROMPTS, baseline=True, layers="all")


def figure(results, name):
    (found,) = [f for f in charts.figures(results) if f.name == name]
    return found.chart


def test_the_matrix_is_the_drift(prompts):
    rows = values(figure(prompts, "drift-1"))[0]
    shape = (len(prompts.layers), 4, 4)
    assert np.array_equal(np.array([row["drift"] for row in rows]).reshape(shape), prompts.drift)
    for k, layer in enumerate(prompts.layers):
        said = texts(figure(prompts, "drift-1"), "mark", layer=layer)
        cells = [charts_prompts.few_digits(v) for v in prompts.drift[k].ravel() if v]
        assert [text for text in said if text[:1].isdigit()] == cells
    one_layer = values(prompts.chart(layer=1))[0]
    assert [row["drift"] for row in one_layer] == prompts.drift[1].ravel().tolist()


def test_bars_are_the_pairs_of_prompts(prompts):
    chart = figure(prompts, "pairs-1")
    rows = [row for row in values(chart)[0] if row["layer"] == 1]
    assert [row["drift"] for row in rows] == [one.total_shift[1] for one in prompts.comparisons]
    bars = sorted(drawn(chart, "rect", layer=1), key=lambda bar: bar["y"])
    wide = np.array([bar["width"] for bar in bars])
    totals = np.array([one.total_shift[1] for one in prompts.comparisons])
    assert wide / wide.max() == pytest.approx(totals / totals.max())
    assert texts(chart, "axis-label")[-6] == "(bare text) – Summarize"


def test_lines_are_the_anchor_at_each_layer(prompts):
    chart = figure(prompts, "anchor-1")
    rows = values(chart)[0]
    for row in rows:
        one = prompts.comparisons[row["pair"]]
        assert row["anchor_shift"] == prompts.anchor_shift[row["k"], one.a, one.b]
        assert row["anchor_cosine"] == prompts.anchor_cosine[row["k"], one.a, one.b]
    assert len(rows) == 6 * len(prompts.layers)


def test_tokens_of_a_pair_of_prompts_are_its_shift(prompts):
    chart = figure(prompts, "shift-1-0-1")
    usual = round(prompts.provenance.n_layers * 2 / 3)
    between = prompts.between(0, 1, usual)
    rows = next(table for table in values(chart) if "shift" in table[0])
    assert [row["shift"] for row in rows] == [pair.shift for pair in between.pairs]
    assert [row["part"] for row in rows] == prompts.comparison(0, 1).part.tolist()
    shaded = [
        bar for bar in drawn(chart, "rect") if bar.get("fillOpacity", bar.get("opacity")) == 0.12
    ]
    assert len(shaded) == sum(row["part"] == "prompt" for row in rows) > 0
    assert "shaded: tokens of the prompts" in texts(chart)


def test_two_prompts_are_drawn_token_by_token(tiny_encoder):
    result = tiny_encoder.prompts(TEXT, PROMPTS[:2])
    between = result.between(0, 1, result.layers[0])
    rows = next(table for table in values(result.chart()) if "shift" in table[0])
    assert [row["shift"] for row in rows] == [pair.shift for pair in between.pairs]


def test_prompts_are_data(prompts):
    for chart in [prompts.chart(), *(f.chart for f in charts.figures(prompts))]:
        ran = [*expressions(drawing.spec(chart)), *expressions(compiled(chart))]
        assert not [text for text in ran if "<img" in text or "datum.x" in text]


def test_titles_and_labels_of_prompts_are_inside(tiny_encoder):
    long = ["a prompt far longer than there is room", "W" * 40, "x", "日本語" * 5]
    result = tiny_encoder.prompts("W" * 30 + " word" * 5, long, layers="all")
    for one in charts.figures(result):
        found = scene(one.chart)
        assert_title_inside(found)
        for axis in items(found["scenegraph"], role="axis"):
            if axis["orient"] == "left":
                ys = sorted(item["y"] for item in items(axis, role="axis-label"))
                assert all(b - a >= 11 for a, b in pairwise(ys))
