"""Charts of an audit: what is drawn is what it holds; no label covers another."""

import itertools
import json
from typing import Any

import pytest
from audit_results import EVIL, audit_result, hostile_result
from pictures import data, drawn, expressions, texts, width_of

from activation_flow import charts_audit, charts_audit_layers, drawing
from activation_flow.charts_theme import Figure
from activation_flow.data import ActivationFlowError

FOUND = audit_result()
NOTHING = dict.fromkeys(
    (
        *("controls", "dimensions", "thresholds", "ratios", "confounds"),
        *("faithful", "plausible", "probes", "stable"),
    ),
    (),
)
# What is said of how many texts, where it is not all of them.
OF_SOME = {"faithful": "64", "plausible": "1,131", "prompts": "400", "stable": "400"}
LAYERS = {"layers": "layers 0-6 of 6", "stable": "layers 0, 4 of 6"}


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return charts_audit.figures(FOUND)


@pytest.fixture(scope="module")
def hostile() -> dict[str, Figure]:
    return charts_audit.figures(hostile_result())


def rows(figure: Figure, *names: str) -> list[dict[str, Any]]:
    """All rows of a figure's data that have these columns."""
    return data(figure.chart, *names)


def test_all_are_there_and_say_which_model_and_layer(figures: dict[str, Figure]) -> None:
    assert [*figures] == [*charts_audit.CHARTS]
    for name, figure in figures.items():
        title = drawing.spec(figure.chart)["title"]
        where = LAYERS.get(name, "layer 4 of 6")
        texts = OF_SOME.get(name, "732")
        assert title["subtitle"][0] == f"minilm, {where}, openvino f32; {texts} texts"
        assert figure.sentence.endswith(".")


def test_they_are_what_altair_takes(figures: dict[str, Figure]) -> None:
    for figure in figures.values():
        figure.chart.to_dict()


def test_lines_are_the_scores(figures: dict[str, Figure]) -> None:
    lines = rows(figures["layers"], "k", "title", "value")
    drawn_scores = {row["title"]: {} for row in lines}
    for row in lines:
        drawn_scores[row["title"]][row["k"]] = (row["value"], row["low"], row["high"])
    assert [*drawn_scores] == [
        *("norm", "norm of standardised dimensions", "norm before the norm module"),
        *("norm of what the block adds", "attention received"),
    ]
    for title, places in drawn_scores.items():
        held = {s.layer: s for s in FOUND.scores if s.title == title and s.auc is not None}
        assert places == {k: (s.auc, *(s.interval or ())) for k, s in held.items()}


def test_rules_are_chance_and_what_belongs_to_no_layer(figures: dict[str, Figure]) -> None:
    rules = rows(figures["layers"], "place", "label")
    alone = [s for s in FOUND.scores if s.role == "baseline" and s.layer is None and s.auc]
    expected = {"chance": 0.5} | {s.title: s.auc for s in alone}
    assert {row["title"]: row["value"] for row in rules} == expected


@pytest.mark.parametrize("spread", [0.0, 0.002, 0.4])
@pytest.mark.parametrize("middle", [0.5, 0.72, 0.99])
def test_labels_of_rules_are_a_line_apart_in_order_and_within(middle: float, spread: float) -> None:
    rules = [
        {"title": str(n), "said": "", "value": min(1.0, middle + spread * n / 9)} for n in range(9)
    ]
    placed = charts_audit_layers._apart(rules, (0.3, 1.0))
    places = [row["place"] for row in placed]
    gap = 0.7 * charts_audit_layers._LINE / charts_audit_layers._HEIGHT
    for below, above in itertools.pairwise(places):
        assert above - below >= gap - 1e-12
    assert places[-1] <= 1.0 + 1e-12
    assert [row["value"] for row in placed] == sorted(row["value"] for row in rules)


def test_claims_are_places_beside_chance(figures: dict[str, Figure]) -> None:
    found = rows(figures["claims"], "i", "value", "low", "look")
    assert [row["look"] for row in found] == [*FOUND.verdicts.values()]
    for row, claim in zip(found, FOUND.claims, strict=True):
        if claim.effect is None or claim.interval is None or claim.null is None:
            assert (row["value"], row["low"], row["written"]) == (None, None, "not testable")
            continue
        low, high = claim.interval
        # Places keep their sides of chance, and the proportions within the row.
        assert (row["value"] > 0) == (claim.effect > claim.null)
        assert max(abs(row["low"]), abs(row["high"])) == pytest.approx(1)
        share = (claim.effect - low) / (high - low)
        assert (row["value"] - row["low"]) / (row["high"] - row["low"]) == pytest.approx(share)
    assert found[0]["written"] == "0.823 [0.790, 0.856]; chance 0.5"


def test_the_sweep_is_that_of_one_method(figures: dict[str, Figure]) -> None:
    found = rows(figures["thresholds"], "q", "rate", "value")
    expected = {
        (row.quantile, row.precision, row.recall, row.base_rate)
        for row in FOUND.thresholds
        if row.method == "midpoint" and row.high
    }
    by_place: dict[Any, set[float]] = {}
    for row in found:
        by_place.setdefault(row["q"], set()).add(row["value"])
    assert by_place == {
        q: {v for row in expected if row[0] == q for v in row[1:]} for q, *_ in expected
    }


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("ratios", [(r.excess, r.interval) for r in FOUND.ratios if r.distance == "shift"]),
        ("controls", [(r.auc, r.interval) for r in FOUND.controls if r.layer in (4, None)]),
        (
            "confounds",
            [(FOUND.claim(id).effect, FOUND.claim(id).interval) for id in ("C1", "C2")]
            + [(r.value, r.interval) for r in FOUND.confounds if r.value is not None],
        ),
    ],
)
def test_marks_and_lines_are_the_rows(
    figures: dict[str, Figure], name: str, held: list[Any]
) -> None:
    found = [(r["value"], r["low"], r["high"]) for r in rows(figures[name], "i", "value", "low")]
    held = [(value, *(ends or (None, None))) for value, ends in held if ends or name == "controls"]
    assert sorted(found, key=str) == sorted(held, key=str)


def test_dimensions_and_costs(figures: dict[str, Figure]) -> None:
    bars = rows(figures["dimensions"], "share")
    assert [row["share"] for row in bars] == [row.share for row in FOUND.dimensions]
    assert [row["kind"] for row in bars[::3]] == ["content", "function", "punctuation", "[SEP]"]
    assert {row["look"].split(":")[0] for row in bars} == {
        *("gain γ below the typical one", "gain γ above it", "no gain")
    }
    costs = [row["value"] for row in rows(figures["cost"], "i", "value")]
    assert costs == [0.0004, 0.21, 0.21, 0.21, 0.21, 0.43, 3.94, 37.8]


@pytest.mark.parametrize("name", ["claims", "faithful", "plausible", "ratios", "controls", "cost"])
def test_no_label_covers_another(figures: dict[str, Figure], name: str) -> None:
    """Labels stand left of the plot, what is written right of it; each in a line of its own."""
    columns: dict[str, list[dict[str, Any]]] = {}
    for item in drawn(figures[name].chart, "text"):
        columns.setdefault(item.get("align", "center"), []).append(item)
    n = len({item["y"] for item in columns["right"]})
    assert n == len(columns["right"]) == len(columns["left"]) >= 4
    for column in columns.values():
        heights = sorted(item["y"] for item in column)
        assert all(b - a > 12 for a, b in itertools.pairwise(heights))
    assert all(item["x"] <= 0 for item in columns["right"])
    assert min(item["x"] for item in columns["left"]) > 200


def test_labels_of_rules_have_room(figures: dict[str, Figure]) -> None:
    labels = [i for i in drawn(figures["layers"].chart, "text") if i.get("align") == "left"]
    assert len(labels) == 7
    assert max(width_of(str(item["text"]), 11) for item in labels) < 260
    heights = sorted(item["y"] for item in labels)
    assert all(b - a > 12 for a, b in itertools.pairwise(heights))


def test_texts_of_users_are_data_only(hostile: dict[str, Figure]) -> None:
    assert "controls" not in hostile  # none was measured
    for name, figure in hostile.items():
        spec = drawing.spec(figure.chart)
        assert json.dumps(spec, allow_nan=False), name
        assert not any("onerror" in one for one in expressions(spec))
    assert "<img" not in drawing.svg(hostile["dimensions"].chart)
    assert any(EVIL[:20] in text for text in texts(hostile["claims"].chart))
    assert "\u202e" not in "".join(texts(hostile["dimensions"].chart))


def test_what_cannot_be_drawn() -> None:
    names = ", ".join(charts_audit.CHARTS)
    with pytest.raises(ActivationFlowError, match=f"no chart 'x'; there are: {names}"):
        FOUND.chart("x")
    few = audit_result(scores=(), **{**NOTHING, "controls": FOUND.controls})
    with pytest.raises(ActivationFlowError, match=r"nothing to draw in chart 'layers'.*: claims"):
        few.chart("layers")
    assert drawing.spec(few.chart()) == drawing.spec(few.chart("claims"))  # what there is
    assert [*charts_audit.figures(few)] == ["claims", "controls"]
    with pytest.raises(ActivationFlowError, match="there is in: none"):
        audit_result(scores=(), claims=(), **NOTHING).chart()


def test_one_layer_is_no_line_but_a_mark() -> None:
    scores = tuple(row for row in FOUND.scores if row.layer in (4, None))
    one = audit_result(layers=(4,), claims=(), scores=scores, **NOTHING)
    found = rows(charts_audit.figures(one)["layers"], "k", "title", "value")
    assert [row["title"] for row in found] == ["norm"]
