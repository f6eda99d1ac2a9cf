"""The paper's own numbers: what stands in paper.toml, what they give, and the rules of verdicts.

The published values that matter are typed here a second time, from the paper.
"""

import json
import math
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from activation_flow import paper, paper_arithmetic, paper_layers, paper_tables
from activation_flow.paper import Row

# Typed from the paper once more.
SENTENCE = ["[CLS]", "who", "is", "the", "prime", "minister", "of", "Canada", "?", "[SEP]"]
ONE = [19.6609, 20.9963, 20.8080, 20.3649, 21.9766, 21.4116, 21.3756, 21.4005, 10.9093, 9.594359]
FRANCE = ["[CLS]", "who", "is", "the", "president", "of", "france", "?", "[SEP]"]
TWO = [19.7354, 20.9702, 20.6530, 20.2970, 21.0794, 20.9123, 20.9935, 21.0477, 10.9091]
EIGHT = [18.8678, 19.8028, 19.7806, 19.9319, 20.4243, 20.3632, 20.8925, 21.4005, 19.8467, 9.5741]
NINE = [17.3053, 19.4321, 18.7155, 19.1021, 18.4707, 19.0807, 18.6538, 19.9934, 19.9943, 7.6059]
SHIFTS = [2.215405, 4.213283, 6.622182, 7.106536, 17.826801, 8.882789, 7.983520, 15.834806]
SHIFTS += [2.778391, 0.121482]
BUCKETS = {"Who": 18.2, "is": 17.9, "the": 18.5, "president": 22.4, "of": 17.6, "Canada": 21.8}
SUPPOSED = {"Who": 2.1, "is": 1.8, "the": 1.5, "president": 11.2, "of": 1.2, "Canada": 9.7}
CONTENT = ("prime", "minister", "Canada", "president", "france")
PRINTED = {"table-1": ONE, "table-2": TWO, "table-3/l8": EIGHT, "table-3/l9": NINE}

ROWS = {row.id: row for row in paper_arithmetic.rows()}


def ours(id_: str) -> Any:
    return ROWS[id_].ours


class TestPublished:
    def test_tables_are_those_of_the_paper(self) -> None:
        tables = paper.published()
        found = {name: column.strength.tolist() for name, column in paper_tables.columns().items()}
        assert found == PRINTED
        assert tables["table-1"]["tokens"] == tables["table-3"]["tokens"] == SENTENCE
        assert tables["table-2"]["tokens"] == FRANCE
        assert [float(x) for x in tables["table-4"]["shift"]] == SHIFTS
        for name, column, values in (
            ("table-5", "strength", BUCKETS),
            ("table-6", "shift", SUPPOSED),
        ):
            assert tables[name]["tokens"] == [*values]
            assert [float(x) for x in tables[name][column]] == [*values.values()]

    def test_sentences_and_prompts(self) -> None:
        tables = paper.published()
        assert tables["table-1"]["text"] == "Who is the prime minister of Canada?"
        assert tables["table-2"]["text"] == "Who is the president of France?"
        assert tables["table-4"]["a"] == "Enjoying a beautiful day at the park!"
        assert tables["table-4"]["b"] == "Enjoying a beautiful walk at the beach!"
        assert tables["table-5"]["text"] == "Who is the president of Canada?"
        assert tables["prompts"]["text"] == "The weather is nice today."
        assert tables["prompts"]["prompts"] == ["Summarize", "Translate to French"]
        assert tables["figure-4"]["prompts"] == ["Summarize the sentence", "Classify sentiment"]
        assert tables["figure-5"]["prompts"] == ["Summarize the sentence", "Translate to French"]
        assert tables["figure-6"]["prompts"] == ["Translate to French", "Classify sentiment"]

    def test_columns_of_a_table_are_of_one_length(self) -> None:
        for name in (f"table-{n}" for n in range(1, 7)):
            table = paper.published()[name]
            lengths = {len(column) for column in table.values() if isinstance(column, list)}
            lengths -= {2} if name == "table-4" else set()  # the two highest
            assert len(lengths) == 1, name

    def test_every_value_has_a_place(self) -> None:
        for name, part in paper.published().items():
            entries = part.values() if name in ("claim", "formula") else [part]
            for entry in entries:
                assert name == "paper" or entry["place"]


class TestTable4:
    def test_total(self) -> None:
        row = ROWS["table-4/total"]
        assert (row.paper, row.verdict) == ("73.5852", "arithmetic ok")
        assert row.ours == pytest.approx(73.585195, abs=1e-9)

    def test_text_and_table_disagree_about_enjoying(self) -> None:
        row = ROWS["table-4/in-text/enjoying"]
        assert (row.paper, row.ours, row.verdict) == ("4.213263", 4.213283, "contradicts itself")
        assert row.difference == pytest.approx(2e-5)
        same = [row for row in ROWS.values() if row.id.startswith("table-4/in-text/")]
        assert [row.verdict for row in same].count("arithmetic ok") == 5

    def test_shares(self) -> None:
        total = sum(SHIFTS)
        assert ours("table-4/share/replaced") == pytest.approx(
            100 * (17.826801 + 15.834806) / total
        )
        content = 4.213283 + 7.106536 + 17.826801 + 15.834806
        assert ours("table-4/share/content") == pytest.approx(100 * content / total)
        assert round(ours("table-4/share/replaced"), 1) == 45.7
        assert round(ours("table-4/share/content"), 1) == 61.1

    def test_unchanged_function_words_shift_more(self) -> None:
        row = ROWS["table-4/unchanged"]
        assert (row.ours, row.verdict) == ("5.66 against 7.83", "contradicts itself")

    def test_largest_r_h(self) -> None:
        assert round(ours("table-4/largest-r_h/k-2"), 3) == 0.457
        assert round(ours("table-4/largest-r_h/k-3"), 3) == 0.578
        best = max(sum(c) for c in combinations(SHIFTS[1:-1], 3)) / sum(SHIFTS[1:-1])
        assert f"{best:.3f}" in ROWS["table-4/largest-r_h/k-3"].note


class TestTables5And6:
    def test_only_two_methods_give_the_printed_threshold(self) -> None:
        rows = {id_: row for id_, row in ROWS.items() if id_.startswith("eq-7/tau/")}
        assert len(rows) == 13
        good = {id_ for id_, row in rows.items() if row.verdict == "arithmetic ok"}
        assert good == {"eq-7/tau/midpoint", "eq-7/tau/interpolated_inverted_cdf"}
        values = sorted(BUCKETS.values())
        for id_, row in rows.items():
            method: Any = id_.rpartition("/")[2]
            tau = np.quantile(values, 0.75, method=method)
            assert row.ours == tau
            above = [token for token, value in BUCKETS.items() if value > tau]
            assert row.note == f"HIGH: {', '.join(above)}"
        assert ours("eq-7/tau/midpoint") == pytest.approx(20.15)
        assert ours("eq-7/tau/linear") == pytest.approx(20.975)
        assert rows["eq-7/tau/linear"].verdict == "differs"

    def test_high_tokens_are_those_printed(self) -> None:
        row = ROWS["table-5/high"]
        assert (row.paper, row.ours, row.verdict) == (*["president, Canada"] * 2, "arithmetic ok")

    def test_sums_of_table_6(self) -> None:
        printed = {"eq-8/c_h": 20.9, "eq-9/c_l": 6.6, "eq-10/total": 27.5, "eq-11/r_h": 0.76}
        for id_, value in printed.items():
            row = ROWS[id_]
            assert (row.value, row.verdict) == (value, "arithmetic ok")
            assert row.ours == pytest.approx(value)

    def test_a_quarter_of_the_tokens_is_a_third(self) -> None:
        row = ROWS["table-6/percent-of-tokens"]
        assert (row.paper, row.verdict) == ("25", "contradicts itself")
        assert row.ours == pytest.approx(100 * 2 / 6)
        assert "2 of 6" in row.note

    def test_chance(self) -> None:
        shifts = [*SUPPOSED.values()]
        ratios = [sum(two) / sum(shifts) for two in combinations(shifts, 2)]
        assert ours("table-6/chance") == pytest.approx(np.mean(ratios)) == pytest.approx(1 / 3)
        assert ours("table-6/chance-sd") == pytest.approx(np.std(ratios))
        assert round(ours("table-6/chance-sd"), 3) == 0.192
        assert ours("table-6/enrichment") == pytest.approx(2.28)
        p = sum(ratio >= 0.76 - 1e-12 for ratio in ratios) / len(ratios)
        assert ours("table-6/p") == pytest.approx(p) == pytest.approx(1 / 15)
        assert ours("table-6/p-floor") == ours("table-6/p")

    def test_invented_numbers_are_called_so(self) -> None:
        for id_ in ("table-6/source", "table-5/spread", "table-5/skew"):
            assert ROWS[id_].verdict == "illustrative"
        assert ours("table-5/skew") == pytest.approx(stats.skew([*BUCKETS.values()]))


class TestTables1To3:
    @pytest.mark.parametrize("id_", PRINTED)
    def test_skew_auc_and_thresholds(self, id_: str) -> None:
        values = dict(zip(FRANCE if id_ == "table-2" else SENTENCE, PRINTED[id_], strict=True))
        plain = {token: value for token, value in values.items() if token[0] != "["}
        words = {token: value for token, value in plain.items() if token != "?"}
        assert ours(f"{id_}/skew/all") == pytest.approx(stats.skew([*values.values()]))
        assert ours(f"{id_}/skew/no-special") == pytest.approx(stats.skew([*plain.values()]))
        content = [value for token, value in words.items() if token in CONTENT]
        function = [value for token, value in words.items() if token not in CONTENT]
        u = stats.mannwhitneyu(content, function).statistic
        assert ours(f"{id_}/auc") == pytest.approx(u / len(content) / len(function))
        for scope, those in (("all", values), ("no-special", plain), ("words", words)):
            tau = np.quantile([*those.values()], 0.75, method="midpoint")
            assert ours(f"{id_}/tau/{scope}") == pytest.approx(tau)
            above = [token for token, value in those.items() if value > tau]
            assert ours(f"{id_}/high/{scope}") == ", ".join(above)

    def test_the_numbers_of_the_science_notes(self) -> None:
        skews = [round(ours(f"{id_}/skew/all"), 2) for id_ in PRINTED]
        assert skews == [-1.45, -2.39, -2.46, -2.45]
        assert [round(ours(f"{id_}/skew/no-special"), 2) for id_ in PRINTED] == [
            -2.19,
            -1.23,
            0.82,
            0.37,
        ]
        assert [round(ours(f"{id_}/auc"), 2) for id_ in PRINTED] == [1.0, 1.0, 0.83, 0.5]
        assert [ours(f"{id_}/cls") for id_ in [*PRINTED][:3]] == ["8 of 10", "8 of 9", "9 of 10"]

    def test_question_mark_is_high_and_france_low(self) -> None:
        for scope in ("all", "no-special"):
            row = ROWS[f"table-2/high/{scope}"]
            assert (row.ours, row.verdict) == ("president, ?", "contradicts itself")
        assert ROWS["table-2/high/words"].verdict == "arithmetic ok"
        # One of the two methods that give τ = 20.15 lets france in as well.
        assert "president, france, ?: interpolated_inverted_cdf" in ROWS["table-2/high/all"].note

    def test_table_1_without_special_tokens_leaves_canada_out(self) -> None:
        assert ours("table-1/high/all") == "prime, minister, Canada"
        assert ours("table-1/high/no-special") == "prime, minister"

    def test_table_3_against_table_1(self) -> None:
        rows = [ROWS[f"table-3/l8/against-table-1/{token}"] for token in SENTENCE]
        same = [row.id.rpartition("/")[2] for row in rows if row.verdict == "arithmetic ok"]
        assert same == ["Canada"]
        apart = [round(row.difference or 0.0, 2) for row in rows]
        assert apart == [0.79, 1.19, 1.03, 0.43, 1.55, 1.05, 0.48, 0.0, -8.94, 0.02]
        assert ours("table-3/l8/against-table-1") == "9 of 10 values differ"

    def test_layer_8_less_layer_9(self) -> None:
        less = dict(zip(SENTENCE, np.subtract(EIGHT, NINE), strict=True))
        assert max(less, key=lambda token: less[token]) == "of"
        assert ours("table-3/content-sensitive") == "of +2.24, [SEP] +1.97, prime +1.95"
        words = SENTENCE[1:8]
        every = [
            np.mean([less[w] for w in three]) - np.mean([less[w] for w in words if w not in three])
            for three in combinations(words, 3)
        ]
        own = np.mean([less[w] for w in words if w in CONTENT]) - np.mean(
            [less[w] for w in words if w not in CONTENT]
        )
        assert ours("table-3/difference") == pytest.approx(own) == pytest.approx(0.42, abs=0.005)
        p = Fraction(sum(other >= own - 1e-12 for other in every), len(every))
        assert p == Fraction(7, 35)
        assert ours("table-3/difference-p") == pytest.approx(0.2)

    def test_z_difference(self) -> None:
        content = np.array([False, True, False, True])
        upper, lower = np.array([1.0, 4.0, 2.0, 6.0]), np.array([3.0, 1.0, 9.0, 2.0])
        z = stats.zscore(upper) - stats.zscore(lower)
        found = paper_layers.z_difference(upper, lower, content)
        assert found == pytest.approx(z[content].mean() - z[~content].mean())
        assert paper_layers.z_difference(upper, 5 * upper + 3, content) == pytest.approx(0)


class TestRows:
    def test_ids_are_unique_and_verdicts_known(self) -> None:
        rows = [*paper_arithmetic.rows()]
        assert len({row.id for row in rows}) == len(rows)
        assert all(row.verdict in paper.VERDICTS and row.of == "arithmetic" for row in rows)
        assert {row.verdict for row in rows} == {*paper.VERDICTS} - {"matches", "not compared"}

    def test_rows_can_be_written_as_json(self) -> None:
        for row in ROWS.values():
            json.dumps([row.value, row.ours, row.difference], allow_nan=False)

    def test_an_unknown_verdict_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no such verdict"):
            Row("x", "", "", None, None, "perhaps")

    @given(st.integers(0, 6), st.floats(-1e4, 1e4))
    def test_rounding_agrees_and_half_a_digit_more_does_not(
        self, digits: int, value: float
    ) -> None:
        printed = f"{value:.{digits}f}"
        unit = 10.0**-digits
        assert paper.agrees(printed, value)
        assert paper.agrees(printed, float(printed))
        assert not paper.agrees(printed, float(printed) + 0.51 * unit)
        assert not paper.agrees(printed, float(printed) - 0.51 * unit)

    @given(st.floats(1, 1e3), st.floats(-2e-5, 2e-5))
    def test_a_measured_number_has_the_room_of_float32(self, value: float, off: float) -> None:
        printed = f"{value:.6f}"
        room = 0.5e-6 + 1e-5 * float(printed)
        apart = abs(value * (1 + off) - float(printed))
        if abs(apart - room) > 1e-9:
            assert paper.agrees(printed, value * (1 + off), measured=True) == (apart < room)

    @given(st.sampled_from(paper.OF[1:]), st.booleans(), st.floats(0, 30))
    def test_only_the_papers_model_is_compared(self, of: str, given_: bool, value: float) -> None:
        row = paper.measured("x", "", "", "20.1" if given_ else None, value, of=of)
        if of == "another model":
            assert row.verdict == "not compared"
        elif not given_:
            assert row.verdict == "not reported"
        else:
            near = abs(value - 20.1) <= 0.05 + 1e-5 * 20.1
            assert row.verdict == ("matches" if near else "differs")
        assert paper.measured("x", "", "", "20.1", None, of=of).verdict == "not compared"

    @pytest.mark.parametrize(
        ("of", "holds", "verdict", "begins"),
        [
            ("bert-base-uncased", True, "matches", "as the paper says: "),
            ("bert-base-uncased", False, "differs", "not as the paper says: "),
            ("another model", True, "not compared", "as the paper says: "),
            ("another model", False, "not compared", "not as the paper says: "),
            ("bert-base-uncased", None, "not compared", "why"),
        ],
    )
    def test_claims_that_are_counted(
        self, of: str, holds: bool | None, verdict: str, begins: str
    ) -> None:
        row = paper.counted("x", "", "", "high", 1.0, holds, "why", of=of)
        assert row.verdict == verdict
        assert row.note.startswith(begins)

    @given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=8))
    def test_rmse(self, pairs: list[tuple[float, float]]) -> None:
        a, b = np.array(pairs).T
        expected = math.sqrt(sum((x - y) ** 2 for x, y in pairs) / len(pairs))
        assert paper.rmse(a, b) == pytest.approx(expected)
        assert paper.rmse(np.append(a, 1.0), np.append(b, np.nan)) == pytest.approx(expected)
        assert math.isnan(paper.rmse(np.array([1.0]), np.array([np.nan])))

    @given(st.integers(0, 2), st.integers(0, 2**32 - 1))
    def test_the_best_layer_is_the_one_that_was_printed(self, k: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        layers = random.normal(20, 1, (3, 10))
        printed = np.round(layers[k], 4)
        assert paper.best_layer(printed, layers, (7, 8, 9)) == (7, 8, 9)[k]
        layers[:, 3] = np.nan
        assert paper.best_layer(printed, layers, (7, 8, 9)) == (7, 8, 9)[k]

    def test_no_layer_is_best_where_nothing_is_known(self) -> None:
        nothing = np.full((2, 3), np.nan)
        assert paper.best_layer(np.ones(3), nothing, (1, 2)) is None
