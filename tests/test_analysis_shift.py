"""Shift of two texts: against eager Hugging Face and plain loops, on tiny models and minilm."""

import json
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_files import data_file
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance

import activation_flow as af
from activation_flow.data import ActivationFlowError

PROMPT_A = "Enjoying a beautiful day at the park!"
PROMPT_B = "Enjoying a beautiful walk at the beach!"


def eager(live: Any, text: str, layer: int) -> tuple[list[str], np.ndarray, list[bool]]:
    """Tokens, hidden states [tokens width] and special marks, by transformers alone."""
    model, tokenizer = live
    fed = tokenizer(text, return_tensors="pt", return_special_tokens_mask=True)
    special = fed.pop("special_tokens_mask")[0].bool().tolist()
    with torch.no_grad():
        states = model(**fed, output_hidden_states=True).hidden_states[layer][0].double().numpy()
    return tokenizer.convert_ids_to_tokens(fed["input_ids"][0]), states, special


class TestAgainstEager:
    TEXTS = (
        ("the dog sat", "the cat sat"),
        ("the dog sat on the mat", "a dog sat on the mat today"),
        ("the dog", "the dog"),
        ("who is it", "they are here, all of them!"),
    )

    @pytest.mark.parametrize(("a", "b"), TEXTS)
    @pytest.mark.parametrize("layer", [0, 1, 2])
    @pytest.mark.parametrize("align", ["diff", "position"])
    def test_every_number(self, tiny: Any, a: str, b: str, layer: int, align: str) -> None:
        live = tiny("bert")
        result = af.Encoder.from_pretrained(live).shift(a, b, layers=layer, align=align)
        (tokens_a, h_a, special_a), (tokens_b, h_b, _) = (eager(live, t, layer) for t in (a, b))
        assert result.layer == layer
        norms = np.linalg.norm(h_a, axis=1)
        inner = ~np.array(special_a)
        tau = np.quantile(norms[inner], 0.75, method="midpoint")
        total, taken = 0.0, []
        for pair in result.pairs:
            i, j = pair.a_index, pair.b_index
            assert pair.a == (None if i is None else tokens_a[i])
            assert pair.b == (None if j is None else tokens_b[j])
            if i is not None:
                assert pair.strength_a == pytest.approx(norms[i], rel=1e-5)
                assert pair.high == bool(inner[i] and norms[i] > tau)
            if i is None or j is None:
                assert pair.shift is None
                assert pair.cosine_distance is None
                continue
            assert pair.change == ("same" if tokens_a[i] == tokens_b[j] else "replaced")
            gap = np.linalg.norm(h_a[i] - h_b[j])
            assert pair.shift == pytest.approx(gap, rel=1e-4, abs=1e-5)
            assert pair.cosine_distance == pytest.approx(distance.cosine(h_a[i], h_b[j]), abs=1e-5)
            total += gap
            if inner[i]:
                taken.append((gap, pair.high))
        assert result.total == pytest.approx(total, rel=1e-4, abs=1e-4)
        n, k = len(taken), sum(high for _, high in taken)
        assert (result.concentration.n, result.concentration.k) == (n, k)
        assert result.high_share == (k / n if n else None)
        inside = sum(gap for gap, _ in taken)
        if k and inside > 1e-3:
            ratio = sum(gap for gap, high in taken if high) / inside
            assert result.high_ratio == pytest.approx(ratio, rel=1e-4)
            assert result.enrichment == pytest.approx(ratio / (k / n), rel=1e-4)
            sums = [sum(c) for c in combinations([gap for gap, _ in taken], k)]
            chosen = sum(gap for gap, high in taken if high)
            p = sum(s >= chosen - 1e-6 for s in sums) / comb(n, k)
            assert result.p_value == pytest.approx(p)
            floor = sum(s >= max(sums) - 1e-6 for s in sums) / comb(n, k)
            assert result.p_floor == pytest.approx(floor)

    def test_the_same_text_has_not_moved(self, tiny_encoder: af.Encoder) -> None:
        result = tiny_encoder.shift("the dog sat", "the dog sat")
        assert result.total == 0
        assert result.shift.tolist() == [0.0] * len(result)
        assert set(result.change.tolist()) == {"same"}
        assert result.high_ratio is result.enrichment is result.p_value is None

    def test_swapped_texts_have_the_same_shifts(self, tiny_encoder: af.Encoder) -> None:
        a, b = self.TEXTS[1]
        there, back = tiny_encoder.shift(a, b), tiny_encoder.shift(b, a, bucket_by="b")
        assert sorted(there.shift[there.paired]) == sorted(back.shift[back.paired])
        assert there.concentration == back.concentration
        assert there.unpaired_high == back.unpaired_high


class TestBuckets:
    A, B = "the dog sat on the mat", "a dog sat here on the mat today"

    def test_high_by_a_by_b_or_by_either(self, tiny_encoder: af.Encoder) -> None:
        a, b = tiny_encoder.strength([self.A, self.B])
        for by in ("a", "b", "union"):
            result = tiny_encoder.shift(self.A, self.B, bucket_by=by)
            for pair, high in zip(result.pairs, result.high, strict=True):
                in_a = pair.a_index is not None and a.bucket[0, pair.a_index] == "HIGH"
                in_b = pair.b_index is not None and b.bucket[0, pair.b_index] == "HIGH"
                assert high == {"a": in_a, "b": in_b, "union": in_a or in_b}[by]
            alone = sum(p.high for p in result.pairs if None in (p.a, p.b))
            assert result.unpaired_high == alone

    def test_high_tokens_without_a_partner_are_counted_apart(self, minilm: af.Encoder) -> None:
        result = minilm.shift("the prime minister of Canada", "the minister of", layers=4)
        gone = [pair for pair in result.pairs if pair.change == "deleted"]
        assert [pair.a for pair in gone] == ["prime", "canada"]
        high = [pair for pair in result.pairs if pair.high]
        assert result.unpaired_high == sum(pair.shift is None for pair in high) > 0
        assert result.concentration.k == len(high) - result.unpaired_high

    def test_special_tokens_take_part_if_asked(self, tiny_encoder: af.Encoder) -> None:
        without = tiny_encoder.shift(self.A, self.A.replace("dog", "cat"))
        with_them = tiny_encoder.shift(self.A, self.A.replace("dog", "cat"), include_special=True)
        assert with_them.concentration.n == without.concentration.n + 2
        assert with_them.concentration.total == pytest.approx(with_them.total)
        assert without.concentration.total < without.total == with_them.total

    def test_one_threshold_over_all_texts_of_both_sides(self, tiny_encoder: af.Encoder) -> None:
        first, second = [self.A, "who is it"], [self.B, "who was it then"]
        results = tiny_encoder.shift(first, second, threshold_scope="corpus")
        pooled = tiny_encoder.strength([*first, *second], threshold_scope="corpus")
        for result in results:
            assert result.a.threshold == result.b.threshold == pooled[0].threshold

    def test_words(self, minilm: af.Encoder) -> None:
        a, b = "the unbelievable park", "the unbelievable Zaandam"
        pieces, words = minilm.shift(a, b), minilm.shift(a, b, words="mean")
        assert [pair.a for pair in words.pairs] == ["[CLS]", "the", "unbelievable", "park", "[SEP]"]
        assert words.pairs[3].b == "Zaandam"
        assert len(pieces.b) > len(words.b) == 5
        states = minilm.hidden_states([a, b])
        for pair, start in zip(words.pairs, (0, 1, 2, 3, -1), strict=True):
            assert pair.a_index is not None
            assert pair.b_index is not None
            of_a, of_b = (
                s.hidden[0].astype(float)[s.word == w].mean(0)
                if (w := g.word[i]) >= 0
                else s.hidden[0][start].astype(float)
                for s, g, i in (
                    (states[0], words.a, pair.a_index),
                    (states[1], words.b, pair.b_index),
                )
            )
            assert pair.shift == pytest.approx(np.linalg.norm(of_a - of_b), rel=1e-6)

    def test_words_are_told_apart_as_the_model_reads_them(self, minilm: af.Encoder) -> None:
        result = minilm.shift("The PARK", "the park", words="max")  # minilm knows no capitals
        assert set(result.change.tolist()) == {"same"}
        assert (result.pairs[1].a, result.pairs[1].b) == ("The", "the")
        assert result.total == 0


class TestThePaper:
    def test_only_the_replaced_words_of_prompts_a_and_b(self, minilm: af.Encoder) -> None:
        result = minilm.shift(PROMPT_A, PROMPT_B, layers=4)
        replaced = [pair for pair in result.pairs if pair.change == "replaced"]
        assert [(pair.a, pair.b) for pair in replaced] == [("day", "walk"), ("park", "beach")]
        kept = [pair for pair in result.pairs if pair.change == "same"]
        assert len(kept) == len(result) - 2 == 8
        assert min(p.shift or 0 for p in replaced) > max(p.shift or 0 for p in kept)
        assert result.total == pytest.approx(sum(pair.shift or 0 for pair in result.pairs))

    def test_tables_4_and_6_come_out_of_a_result(self, minilm: af.Encoder) -> None:
        """The published shifts, put into a result: totals and ratios are the paper's."""
        from test_shift import TABLE_4, TABLE_6, TABLE_6_HIGH

        from activation_flow import shift as formulas

        measured = minilm.shift(PROMPT_A, PROMPT_B)
        fields = {**vars(measured), "shift": np.array([*TABLE_4.values()])}
        assert af.ShiftResult(**fields).total == pytest.approx(73.585195, abs=1e-9)
        held = formulas.concentration(TABLE_6, TABLE_6_HIGH)
        result = af.ShiftResult(**{**fields, "concentration": held})
        assert held.high_total == pytest.approx(20.9)
        assert held.total - held.high_total == pytest.approx(6.6)
        assert result.high_ratio == pytest.approx(0.76)
        assert result.high_share == pytest.approx(1 / 3)
        assert result.p_value == result.p_floor == pytest.approx(1 / 15)


class TestManyPairs:
    def test_each_pair_alone_gives_the_same_bits(self, minilm: af.Encoder) -> None:
        lines = data_file("cad-nli/minimal_pairs_dev.jsonl").read_text().splitlines()[:40]
        pairs = [(row["a"], row["b"]) for row in map(json.loads, lines)]
        together = minilm.shift([a for a, _ in pairs], [b for _, b in pairs])
        assert together.numbers == tuple(range(1, 41))
        for (a, b), result in zip(pairs, together, strict=True):
            assert minilm.shift(a, b) == result

    def test_groups_do_not_change_anything(
        self, tiny_encoder: af.Encoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from activation_flow import analysis_hidden

        first = ["the dog sat", "who is it", "a b c d e f g", "x"]
        second = ["the cat sat", "it is me", "a b d e f", "y z"]
        whole = tiny_encoder.shift(first, second)
        seen: list[tuple[int, int]] = []
        monkeypatch.setattr(analysis_hidden, "CELLS", 12)
        again = tiny_encoder.shift(first, second, progress=lambda *s: seen.append(s))
        assert again == whole
        assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def test_a_bad_pair_costs_no_other(self, tiny_encoder: af.Encoder) -> None:
        first = ["the dog", "", "a \ud800", "  ", "who is it"]
        second = ["the cat", "x", "b", "", 7]
        results = tiny_encoder.shift(first, second, errors="collect")  # type: ignore[list-item]
        assert results.numbers == (1,)
        reasons = {e.text_number: e.reason for e in results.errors}
        assert sorted(reasons) == [2, 3, 4, 5]
        assert reasons[2].startswith("text A: it has no token")
        assert reasons[3].startswith("text A: character 3 is half of a surrogate pair")
        assert "text A: it has no token" in reasons[4]
        assert "; text B: it has no token" in reasons[4]
        assert reasons[5] == "text B: it is not a string but int"
        with pytest.raises(af.TextsFailed, match="pair 2: text A: it has no token") as caught:
            tiny_encoder.shift(first, second)  # type: ignore[arg-type]
        assert caught.value.results == results

    def test_values_that_are_not_finite_are_refused(self, tiny: Any) -> None:
        import copy

        model, tokenizer = tiny("bert")
        model = copy.deepcopy(model)
        (_, bad, _) = tokenizer("beautiful")["input_ids"]
        with torch.no_grad():
            model.embeddings.word_embeddings.weight[bad] = float("nan")
        encoder = af.Encoder.from_pretrained(model, tokenizer, engine="torch")
        results = encoder.shift(["the day", "a"], ["beautiful", "b"], errors="collect")
        assert results.numbers == (2,)
        assert "text B: the model's hidden state at layer" in results.errors[0].reason


class TestLongTexts:
    LONG = "the dog sat on the mat " * 20

    def test_a_text_that_does_not_fit_is_refused(self, tiny_encoder: af.Encoder) -> None:
        with pytest.raises(ActivationFlowError, match=r"text B: it has \d+ tokens.*--truncate"):
            tiny_encoder.shift("the dog", self.LONG, max_length=16)

    def test_truncated(self, tiny_encoder: af.Encoder) -> None:
        result = tiny_encoder.shift(self.LONG, "the cat", max_length=16, truncate=True)
        whole = tiny_encoder.strength(self.LONG)
        assert len(result.a) == 16
        assert result.a.n_dropped == len(whole) - 16
        assert (result.a.n_windows, result.b.n_dropped) == (1, 0)


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"align": "fuzzy"}, "align='fuzzy' is not one of diff, position"),
            ({"bucket_by": "c"}, "bucket_by='c' is not one of a, b, union"),
            ({"words": "median"}, "words='median' is not one of max, mean"),
            ({"layers": "0-2"}, "a shift is of one layer, and '0-2' is 3"),
            ({"layers": 99}, "layer 99 is out of range"),
            ({"quantile": 2}, "quantile 2 is not between"),
            ({"threshold_scope": "x"}, "threshold scope 'x'"),
            ({"errors": "ignore"}, "errors='ignore' is not one of raise, collect"),
            ({"max_length": 10**6}, "max_length 1000000 is out of range"),
            ({"kinds": "guess"}, "kinds='guess'"),
        ],
    )
    def test_a_wrong_option(self, tiny_encoder: af.Encoder, options: Any, message: str) -> None:
        with pytest.raises(ActivationFlowError, match=message):
            tiny_encoder.shift("a", "b", **options)

    @pytest.mark.parametrize(
        ("a", "b"), [("a", ["b"]), (["a"], "b"), (["a", "b"], ["c"]), (b"a", b"b"), (1, "b")]
    )
    def test_texts_that_are_no_pairs(self, tiny_encoder: af.Encoder, a: Any, b: Any) -> None:
        with pytest.raises(ActivationFlowError, match="give"):
            tiny_encoder.shift(a, b)

    def test_settings_say_all(self, tiny_encoder: af.Encoder) -> None:
        result = tiny_encoder.shift("a b", "a c", align="position", bucket_by="union", words="l2")
        settings = result.provenance.settings
        assert settings["align"], settings["bucket_by"] == ("position", "union")
        assert settings["words"] == "l2"
        assert settings["truncate"] is False

    def test_two_empty_lists(self, tiny_encoder: af.Encoder) -> None:
        results = tiny_encoder.shift([], [])
        assert len(results) == 0
        assert results.to_dict()["comparisons"] == []


class TestSubtracting:
    def test_b_minus_a_is_the_shift_from_a_to_b(self, minilm: af.Encoder) -> None:
        a, b = minilm.hidden_states([PROMPT_A, PROMPT_B])
        assert b - a == minilm.shift(PROMPT_A, PROMPT_B)
        assert b.at(4) - a.at(4) == b - a

    def test_several_layers(self, minilm: af.Encoder) -> None:
        a, b = minilm.hidden_states([PROMPT_A, PROMPT_B], layers="3-4")
        with pytest.raises(ActivationFlowError, match=r"hold layer 3, 4 and layer 3, 4.*\.at"):
            b - a
        with pytest.raises(ActivationFlowError, match="layer 3 and layer 4"):
            b.at(4) - a.at(3)
        assert (b.at(3) - a.at(3)).shift.tolist() == (
            minilm.shift(PROMPT_A, PROMPT_B, layers=3).shift.tolist()
        )

    def test_another_model(self, minilm: af.Encoder, tiny_encoder: af.Encoder) -> None:
        with pytest.raises(ActivationFlowError, match="cannot be subtracted: their model is"):
            minilm.hidden_states("a") - tiny_encoder.hidden_states("a")

    def test_another_engine_or_setting(self, tiny: Any) -> None:
        encoder = af.Encoder.from_pretrained(tiny("bert"))
        eager = af.Encoder.from_pretrained(tiny("bert"), engine="torch")
        a = encoder.hidden_states("the dog")
        for b, message in (
            (eager.hidden_states("the cat"), "their engine is openvino and torch"),
            (encoder.hidden_states("the cat", kinds="none"), "their kinds is list and none"),
            (encoder.hidden_states("the cat", truncate=True), "their truncate is False and True"),
        ):
            with pytest.raises(ActivationFlowError, match=message):
                b - a

    def test_lists(self, minilm: af.Encoder) -> None:
        texts = [PROMPT_A, "x", PROMPT_B]
        a, b = minilm.hidden_states(texts), minilm.hidden_states(texts[::-1])
        assert b - a == minilm.shift(texts, texts[::-1])
        with pytest.raises(ActivationFlowError, match="hold texts 1, 2, 3 and 1, 2"):
            a - b[:2]
        with pytest.raises(ActivationFlowError, match="subtract hidden states of one text from"):
            a - b[0]
        strengths = minilm.strength(texts)
        for attempt in (
            lambda: strengths - strengths,
            lambda: (b - a) - (b - a),
            lambda: (b - a)[0] - (b - a)[0],
            lambda: a - strengths,
        ):
            with pytest.raises(ActivationFlowError, match="only hidden states can be subtracted"):
                attempt()

    def test_windows(self, tiny_encoder: af.Encoder) -> None:
        a, b = tiny_encoder.hidden_states(["the dog", "the dog " * 20], max_length=16)
        with pytest.raises(ActivationFlowError, match=r"was read in 11 windows"):
            b - a

    def test_a_strength_has_no_vectors(self, tiny_encoder: af.Encoder) -> None:
        a, b = tiny_encoder.strength(["the dog", "the cat"])
        states = tiny_encoder.hidden_states("the dog")
        for attempt in (lambda: b - a, lambda: states - a, lambda: a - states):
            with pytest.raises(ActivationFlowError, match="only hidden states can be subtracted"):
                attempt()

    def test_something_else(self, tiny_encoder: af.Encoder) -> None:
        with pytest.raises(TypeError, match="unsupported operand"):
            tiny_encoder.hidden_states("the dog") - 1


words = st.lists(
    st.sampled_from(["the", "dog", "cat", "sat", "on", "a", "mat", ",", "!", "it", "is"]),
    max_size=7,
)


@given(st.lists(st.tuples(words, words), max_size=3), st.sampled_from(["diff", "position"]))
def test_any_pairs_add_up_and_are_read_back(minilm: af.Encoder, pairs: Any, align: str) -> None:
    encoder = minilm
    first, second = [" ".join(a) for a, _ in pairs], [" ".join(b) for _, b in pairs]
    results = encoder.shift(first, second, align=align, errors="collect")
    assert len(results) + len(results.errors) == len(pairs)
    for r in results:
        for side, index in ((r.a, r.a_index), (r.b, r.b_index)):
            assert sorted(index[index >= 0].tolist()) == list(range(len(side)))  # each token once
        assert r.total == pytest.approx(np.nansum(r.shift))
        held = r.concentration
        assert held.total <= r.total + 1e-9
        assert held.n == sum(p.kind != "special" and None not in (p.a, p.b) for p in r.pairs)
    from activation_flow import document, table

    assert document.from_dict(json.loads(json.dumps(results.to_dict()))) == results
    assert table.from_arrow(results.to_arrow()) == results


@pytest.mark.parametrize("ending", [".json", ".parquet"])
def test_saved_and_read_back(minilm: af.Encoder, tmp_path: Path, ending: str) -> None:
    one = minilm.shift(PROMPT_A, "A walk.")
    many = minilm.shift([PROMPT_A, "x", ""], ["A walk.", "y", "z"], errors="collect")
    for result, back in (
        (one, af.ShiftResults((one,), one.provenance, one.a.layers)),
        (many, many),
    ):
        result.save(tmp_path / f"r{ending}")
        assert af.load(tmp_path / f"r{ending}") == back


def test_the_document_is_the_one_of_the_design(minilm: af.Encoder) -> None:
    result = minilm.shift(PROMPT_A, PROMPT_B, layers=4)
    document = result.to_dict()
    assert document["schema"] == "shift/1"
    assert (document["layer"], document["layers"], document["align"]) == (4, [4], "diff")
    assert document["a"]["text"] == PROMPT_A
    names = ("change", "a", "b", "a_index", "b_index", "kind", "strength_a", "bucket_a", "shift")
    assert {*names, "cosine_distance"} <= {*document["pairs"][4]}
    assert document["pairs"][4]["a"] == "day"
    for name in ("total_shift", "high_ratio", "high_share", "enrichment", "p_value", "p_floor"):
        assert isinstance(document[name], float), name
    several = minilm.shift([PROMPT_A], [PROMPT_B], layers=4).to_dict()
    (only,) = several["comparisons"]
    assert {**several, **only, "comparisons": 0} == {**document, "comparisons": 0}
