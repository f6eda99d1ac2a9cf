"""Prompts: every number against eager Hugging Face and plain loops; every token exactly once."""

import html
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from architectures import TABLE, make_model, make_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import distance
from tokenizers import processors

import activation_flow as af
from activation_flow.data import ActivationFlowError

TEXT = "The weather is nice today."
PROMPTS = ["Summarize", "Translate to French", "Classify sentiment"]


def live(model_type: str, frame: str | None = None) -> Any:
    """A tiny (model, tokenizer); with ``frame`` a tokenizer that adds only that."""
    row = TABLE[model_type]
    tokenizer = make_tokenizer(row.tokenizer, row.inputs)
    if frame is not None:
        names = [(n, tokenizer.convert_tokens_to_ids(n)) for n in frame.split() if n[0] == "<"]
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=frame, pair="$A $B", special_tokens=names
        )
    return make_model(model_type, tokenizer), tokenizer


class Read:
    """What eager transformers alone says of one string."""

    def __init__(self, pair: Any, string: str, span: tuple[int, int]):
        model, tokenizer = pair
        fed = tokenizer(
            string,
            return_tensors="pt",
            return_special_tokens_mask=True,
            return_offsets_mapping=True,
        )
        self.special = fed.pop("special_tokens_mask")[0].bool().tolist()
        offsets = fed.pop("offset_mapping")[0].tolist()
        self.ids = fed["input_ids"][0].tolist()
        reads = getattr(model, "encoder", model) if model.config.model_type == "t5" else model
        with torch.no_grad():
            states = reads(**fed, output_hidden_states=True).hidden_states
        self.h = np.stack([s[0].double().numpy() for s in states])  # [layers tokens width]
        self.place: list[tuple[int, int] | None] = []  # in the text, of its own tokens
        for (start, end), special in zip(offsets, self.special, strict=True):
            letters = [i for i in range(start, end) if not string[i].isspace()]
            letters = letters or [*range(start, end)]
            inside = letters and all(span[0] <= i < span[1] for i in letters)
            own = inside and not special
            self.place.append((letters[0] - span[0], letters[-1] - span[0]) if own else None)

    def anchor(self, kind: str, cls_id: int | None) -> np.ndarray:
        if kind == "mean":
            return sum(self.h[:, i] for i in range(len(self.ids))) / len(self.ids)
        if kind == "last":
            return self.h[:, -1]
        (place,) = [i for i, s in enumerate(self.special) if s and self.ids[i] == cls_id]
        return self.h[:, place]


def check(pair: Any, result: Any, anchor: str) -> None:
    """Every number of a result whose template is "{prompt} {text}", aligned by text."""
    text = result.text
    read = [
        Read(pair, text, (0, len(text)))
        if p is None
        else Read(pair, f"{p} {text}", (len(p) + 1, len(p) + 1 + len(text)))
        for p in result.prompts
    ]
    assert result.anchor == anchor
    vectors = [r.anchor(anchor, pair[1].cls_token_id) for r in read]
    for k, layer in enumerate(result.layers):
        for i, u in enumerate(vectors):
            for j, v in enumerate(vectors):
                gap = np.linalg.norm(u[layer] - v[layer])
                assert result.anchor_shift[k, i, j] == pytest.approx(gap, rel=1e-4, abs=1e-4)
                angle = distance.cosine(u[layer], v[layer]) if i != j else 0
                assert result.anchor_cosine[k, i, j] == pytest.approx(angle, abs=1e-5)
    for one in result.comparisons:
        a, b = read[one.a], read[one.b]
        partners = {}
        for where in {*a.place} - {None}:
            of_a, of_b = ([i for i, p in enumerate(r.place) if p == where] for r in (a, b))
            if len(of_a) == len(of_b):
                partners |= dict(zip(of_a, of_b, strict=True))
            else:  # the "▁" before the first letter of a text
                partners |= {i: j for i in of_a for j in of_b if a.ids[i] == b.ids[j]}
        specials = [[i for i, s in enumerate(r.special) if s] for r in (a, b)]
        partners |= dict(zip(*specials, strict=True))
        seen = {
            (int(i), int(j))
            for i, j in zip(one.a_index, one.b_index, strict=True)
            if i >= 0 and j >= 0
        }
        assert seen == set(partners.items())
        for k, layer in enumerate(result.layers):
            check_layer(result, one, k, layer, a, b, partners)


def check_layer(
    result: Any, one: Any, k: int, layer: int, a: Read, b: Read, partners: dict[int, int]
) -> None:
    norms = np.linalg.norm(a.h[layer], axis=1)
    inner = [i for i, special in enumerate(a.special) if not special]
    tau = np.quantile(norms[inner], 0.75, method="midpoint")
    total, taken = 0.0, []
    for row in range(len(one)):
        i, j = int(one.a_index[row]), int(one.b_index[row])
        high = i in inner and norms[i] > tau
        assert one.high[k, row] == high
        if i < 0 or j < 0:
            assert np.isnan(one.shift[k, row])
            assert np.isnan(one.cosine_distance[k, row])
            assert one.change[row] == ("deleted" if j < 0 else "inserted")
            assert one.part[row] in ("prompt", "text")
            continue
        assert partners[i] == j
        assert one.part[row] == ("special" if a.special[i] else "text")
        assert one.change[row] == ("same" if a.ids[i] == b.ids[j] else "replaced")
        gap = np.linalg.norm(a.h[layer, i] - b.h[layer, j])
        assert one.shift[k, row] == pytest.approx(gap, rel=1e-4, abs=1e-4)
        angle = distance.cosine(a.h[layer, i], b.h[layer, j])
        assert one.cosine_distance[k, row] == pytest.approx(angle, abs=1e-5)
        total += gap
        if i in inner:
            taken.append((gap, high))
    near = {"rel": 1e-4, "abs": 1e-3}
    assert one.total_shift[k] == pytest.approx(total, **near)
    assert one.mean_shift[k] == pytest.approx(total / len(partners), **near)
    for drift, value in ((result.drift, total), (result.mean_drift, total / len(partners))):
        assert drift[k, one.a, one.b] == drift[k, one.b, one.a] == pytest.approx(value, **near)
        assert drift[k, one.a, one.a] == 0
    held = one.concentration[k]
    n, marked = len(taken), [gap for gap, high in taken if high]
    assert (held.n, held.k) == (n, len(marked))
    inside = sum(gap for gap, _ in taken)
    if marked and inside > 1e-2:
        assert held.high_ratio == pytest.approx(sum(marked) / inside, rel=1e-4)
        assert held.enrichment == pytest.approx(held.high_ratio / (len(marked) / n))
        sums = [sum(c) for c in combinations([gap for gap, _ in taken], len(marked))]
        # Eager's own last digits decide between sums that are nearly equal.
        least, most = (np.mean(np.array(sums) >= sum(marked) + d) for d in (1e-3, -1e-3))
        drawn = 0 if len(sums) <= 20_000 else 0.02
        assert least - drawn - 1e-12 <= held.p_value <= most + drawn + 1e-12


class TestAgainstEager:
    @pytest.mark.parametrize(
        ("model_type", "frame", "anchor"),
        [
            ("bert", None, "cls"),
            ("xlnet", None, "cls"),  # which stands at the end
            ("roberta", None, "cls"),  # spaces are part of tokens
            ("gpt2", "$A", "last"),
            ("gpt2", None, "last"),  # its cls token stands first, and sees nothing
            ("t5", "$A </s>", "mean"),
        ],
    )
    def test_every_number(self, model_type: str, frame: str | None, anchor: str) -> None:
        pair = live(model_type, frame)
        encoder = af.Encoder.from_pretrained(*pair)
        result = encoder.prompts(TEXT, PROMPTS[:2], baseline=True, layers="all")
        assert result.layers == (0, 1, 2, 3)
        assert result.prompts == (None, *PROMPTS[:2])
        check(pair, result, anchor)

    def test_a_zero_vector_has_no_direction(self, tiny: Any) -> None:
        import copy

        model, tokenizer = tiny("bert")
        model = copy.deepcopy(model)
        with torch.no_grad():
            model.encoder.layer[0].output.LayerNorm.weight.zero_()
            model.encoder.layer[0].output.LayerNorm.bias.zero_()
        encoder = af.Encoder.from_pretrained(model, tokenizer, engine="torch")
        result = encoder.prompts("the dog", ["a", "b"], layers=1)
        assert result.anchor_cosine[0].tolist()[0][0] == 0
        assert np.isnan(result.anchor_cosine[0, 0, 1])
        assert result.anchor_shift[0, 0, 1] == result.drift[0, 0, 1] == 0
        assert result.comparisons[0].concentration[0].high_ratio is None


class TestLikeShift:
    """What two prompts move is what the shift of the two variants is."""

    @pytest.mark.parametrize("align", ["diff", "position"])
    @pytest.mark.parametrize("bucket_by", ["a", "b", "union"])
    def test_the_same_bits(self, minilm: af.Encoder, align: str, bucket_by: str) -> None:
        how = {"align": align, "bucket_by": bucket_by}
        result = minilm.prompts(TEXT, PROMPTS, layers="3-4", **how)
        for a, b in ((0, 1), (0, 2), (1, 2), (2, 0)):
            texts = [f"{PROMPTS[k]} {TEXT}" for k in (a, b)]
            for layer in (3, 4):
                ours, theirs = (
                    result.between(a, b, layer),
                    minilm.shift(*texts, layers=layer, **how),
                )
                if a > b and align == "position":  # unpaired rows may stand in another order
                    assert np.nansum(ours.shift) == pytest.approx(theirs.total)
                    continue
                for name in ("a", "b"):
                    assert getattr(ours, name).allclose(getattr(theirs, name), rtol=0)
                for name in ("a_index", "b_index", "change", "shift", "cosine_distance", "high"):
                    mine, other = getattr(ours, name), getattr(theirs, name)
                    floats = mine.dtype.kind == "f"
                    assert np.array_equal(mine, other, equal_nan=floats), name
                assert ours.concentration == theirs.concentration
                assert repr(ours)

    def test_a_comparison_at_a_layer_is_the_shift(self, minilm: af.Encoder) -> None:
        result = minilm.prompts(TEXT, PROMPTS, baseline=True, layers="2-4")
        for one in result.comparisons:
            for k, layer in enumerate(result.layers):
                shift = result.between(one.a, one.b, layer)
                assert shift.total == pytest.approx(one.total_shift[k], rel=1e-12)
                assert shift.concentration == one.concentration[k]
                assert shift.layer == layer
                assert shift.a == result.variants[one.a].at(layer)
                back = result.between(one.b, one.a, layer)
                assert back.total == pytest.approx(shift.total, rel=1e-12)
                assert sorted(back.shift[back.paired]) == sorted(shift.shift[shift.paired])
                assert (back.change == "inserted").sum() == (shift.change == "deleted").sum()
                assert back.a == shift.b

    def test_another_first_prompt_has_other_high_tokens(self, minilm: af.Encoder) -> None:
        result = minilm.prompts(TEXT, PROMPTS[:1], baseline=True)
        there, back = result.between(0, 1, 4), result.between(1, 0, 4)
        high = {p.a for p in there.pairs if p.high}
        assert high == {"weather", "today"}
        assert {p.a for p in back.pairs if p.high} == {"sum", "##mar"}
        assert back.concentration.k == 0
        assert there.concentration.k == 2

    def test_no_such_pair(self, minilm: af.Encoder) -> None:
        result = minilm.prompts(TEXT, PROMPTS)
        for a, b in ((0, 3), (1, 1), (-1, 0)):
            with pytest.raises(ActivationFlowError, match="there is no comparison of prompts"):
                result.between(a, b, 4)
        with pytest.raises(ActivationFlowError, match="this result holds layer 4, not 3"):
            result.between(0, 1, 3)


class TestThePaper:
    def test_at_layer_0_only_the_place_of_a_token_moves_it(self, minilm: af.Encoder) -> None:
        """Both prompts are three pieces long: the text stands at the same places."""
        result = minilm.prompts(TEXT, PROMPTS, baseline=True, layers=0)
        assert [len(v) for v in result.variants] == [8, 11, 11, 10]
        assert result.drift[0, 1, 2] == 0
        assert (result.drift[0, 0, 1:] > 1).all()
        assert result.drift[0, 1, 3] > 1

    def test_position_pairs_prompt_and_text(self, minilm: af.Encoder) -> None:
        one = minilm.prompts(TEXT, PROMPTS[1:], align="position").comparisons[0]
        assert one.part.tolist()[:5] == ["special", "prompt", "prompt", "mixed", "text"]
        assert one.change.tolist()[1:5] == ["replaced"] * 4


class TestOptions:
    def test_one_threshold_over_all_variants_of_all_texts(self, minilm: af.Encoder) -> None:
        texts = [TEXT, "It rains."]
        found = minilm.prompts(texts, PROMPTS[:1], baseline=True, threshold_scope="corpus")
        read = [t for text in texts for t in (text, f"{PROMPTS[0]} {text}")]
        pooled = minilm.strength(read, threshold_scope="corpus")
        variants = [v for result in found for v in result.variants]
        assert [v.threshold.tolist() for v in variants] == [p.threshold.tolist() for p in pooled]
        assert [v.bucket.tolist() for v in variants] == [p.bucket.tolist() for p in pooled]

    def test_special_tokens_take_part_if_asked(self, minilm: af.Encoder) -> None:
        without = minilm.prompts(TEXT, PROMPTS[:2]).comparisons[0]
        with_them = minilm.prompts(TEXT, PROMPTS[:2], include_special=True).comparisons[0]
        (apart,), (included,) = without.concentration, with_them.concentration
        assert included.n == apart.n + 2
        assert included.total == pytest.approx(with_them.total_shift[0])
        assert apart.total < without.total_shift[0] == with_them.total_shift[0]

    def test_any_template(self, minilm: af.Encoder) -> None:
        result = minilm.prompts(TEXT, ["French"], template="{text} {{in}} {prompt}?", baseline=True)
        assert [v.text for v in result.variants] == [TEXT, f"{TEXT} {{in}} French?"]
        assert result.spans == ((0, len(TEXT)), (0, len(TEXT)))
        (one,) = result.comparisons
        text = one.part == "text"
        assert (one.a_index[text] == one.b_index[text]).all()
        assert result.template == "{text} {{in}} {prompt}?"

    def test_a_token_of_both_is_counted(self, minilm: af.Encoder) -> None:
        result = minilm.prompts("day after day", ["to"], template="{prompt}{text}", baseline=True)
        assert [marks.sum() for marks in result.straddling] == [0, 1]
        assert result.variants[1].tokens.tolist()[1] == "today"
        assert result.parts[1].tolist() == ["special", "prompt", "text", "text", "special"]
        assert result.comparisons[0].change.tolist()[1:3] == ["deleted", "inserted"]

    @pytest.mark.parametrize(
        ("prompts", "options", "message"),
        [
            (["a"], {}, "give two of them, or one and baseline=True"),
            ([], {"baseline": True}, "give two of them, or one and baseline=True"),
            (["a", "a"], {}, "prompt 'a' is given twice"),
            (["a", ""], {}, "prompt 2 is empty; the bare text is asked for with baseline=True"),
            (["a", " \t\n"], {}, "prompt 2 is only spaces; the bare text is asked for with"),
            (["a", None], {}, "prompt 2: it is not a string but NoneType"),
            (["a", "\ud800"], {}, "prompt 2: character 1 is half of a surrogate pair"),
            ("ab", {}, "prompts is str; give a list of strings"),
            (7, {}, "prompts is int; give a list of strings"),
            (["a", "b"], {"template": "{text}"}, "{prompt} is there 0 times"),
            (["a", "b"], {"align": "fuzzy"}, "align='fuzzy' is not one of text, diff, position"),
            (["a", "b"], {"bucket_by": "c"}, "bucket_by='c' is not one of a, b, union"),
            (["a", "b"], {"layers": 99}, "layer 99 is out of range"),
            (["a", "b"], {"quantile": 2}, "quantile 2 is not between"),
            (["a", "b"], {"errors": "ignore"}, "errors='ignore' is not one of"),
            (["a", "b"], {"kinds": "guess"}, "kinds='guess'"),
        ],
    )
    def test_a_wrong_option(
        self, tiny_encoder: af.Encoder, prompts: Any, options: Any, message: str
    ) -> None:
        with pytest.raises(ActivationFlowError, match=message):
            tiny_encoder.prompts("the dog", prompts, **options)

    def test_settings_say_all(self, tiny_encoder: af.Encoder) -> None:
        result = tiny_encoder.prompts("the dog", ["a"], baseline=True, align="diff", bucket_by="b")
        said = result.provenance.settings
        assert (said["prompts"], said["template"]) == ([None, "a"], "{prompt} {text}")
        assert (said["align"], said["bucket_by"], said["words"]) == ("diff", "b", None)


class TestManyTexts:
    def test_each_text_alone_gives_the_same(self, minilm: af.Encoder) -> None:
        texts = [TEXT, "It rains.", "日本 👩", "a"]
        seen: list[tuple[int, int]] = []
        together = minilm.prompts(texts, PROMPTS, progress=lambda *s: seen.append(s))
        assert together.numbers == (1, 2, 3, 4)
        assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
        for text, result in zip(texts, together, strict=True):
            assert minilm.prompts(text, PROMPTS) == result

    def test_measured_variants_give_the_same(self, minilm: af.Encoder) -> None:
        """What a corpus run does, text by text."""
        from activation_flow import analysis_prompts, variants
        from activation_flow.analysis import Buckets
        from activation_flow.prompting import Prompting

        whole = minilm.prompts(TEXT, PROMPTS[:2], layers="3,4")
        asked = Prompting.of(PROMPTS[:2], False)
        ready, reasons = variants.tokenize(minilm, [TEXT], asked, {"long": "refused"})
        ((_, measured),) = variants.measured(minilm, ready, asked, (3, 4))
        assert reasons == {}
        assert not isinstance(measured, str)
        again = analysis_prompts.compare(
            minilm, TEXT, measured, asked, Buckets(), whole.provenance, (3, 4)
        )
        assert again == whole

    def test_groups_do_not_change_anything(
        self, tiny_encoder: af.Encoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from activation_flow import analysis_hidden

        texts = ["the dog sat", "who is it", "a b c d e f g"]
        whole = tiny_encoder.prompts(texts, ["x", "y z"])
        monkeypatch.setattr(analysis_hidden, "CELLS", 12)
        assert tiny_encoder.prompts(texts, ["x", "y z"]) == whole

    def test_a_bad_text_costs_no_other(self, tiny_encoder: af.Encoder) -> None:
        texts = ["the dog", "", "  ", 7, "a \ud800", "\u200b", "the cat"]
        results = tiny_encoder.prompts(texts, ["a", "b"], errors="collect")  # type: ignore[call-overload]
        assert results.numbers == (1, 7)
        reasons = [(e.text_number, e.reason) for e in results.errors]
        assert reasons == [
            (2, "it has no token of its own (it is empty)"),
            (3, "it has no token of its own (it holds only spaces)"),
            (4, "it is not a string but int"),
            (5, "character 3 is half of a surrogate pair (U+D800), which is no text; mend where "
                "it was decoded"),
            (6, "with prompt 'a': it has no token of its own (the tokenizer drops all of it: "
                "U+200B)"),
        ]  # fmt: skip
        with pytest.raises(af.TextsFailed, match="text 2: it has no token") as caught:
            tiny_encoder.prompts(texts, ["a", "b"])  # type: ignore[call-overload]
        assert caught.value.results == results

    def test_values_that_are_not_finite_are_refused(self, tiny: Any) -> None:
        import copy

        model, tokenizer = tiny("bert")
        model = copy.deepcopy(model)
        (_, bad, _) = tokenizer("beautiful")["input_ids"]
        with torch.no_grad():
            model.embeddings.word_embeddings.weight[bad] = float("nan")
        encoder = af.Encoder.from_pretrained(model, tokenizer, engine="torch")
        results = encoder.prompts(["the day", "a"], ["x", "beautiful"], errors="collect")
        assert len(results) == 0
        assert results.errors[0].reason.startswith("with prompt 'beautiful': the model's hidden")

    def test_no_texts(self, tiny_encoder: af.Encoder) -> None:
        results = tiny_encoder.prompts([], ["a", "b"])
        assert len(results) == 0
        assert results.to_dict()["texts"] == []


class TestLongTexts:
    LONG = "the dog sat on the mat " * 20

    def test_a_variant_that_does_not_fit_is_refused(self, tiny_encoder: af.Encoder) -> None:
        with pytest.raises(
            ActivationFlowError,
            match=r"with prompt 'the dog sat.*…': it has \d+ tokens.*would pass.*--truncate",
        ):
            tiny_encoder.prompts("the dog", ["a", self.LONG], max_length=16)
        with pytest.raises(ActivationFlowError, match="text 1: the bare text: it has"):
            tiny_encoder.prompts(self.LONG, ["a"], baseline=True, max_length=16)

    def test_truncated(self, tiny_encoder: af.Encoder) -> None:
        result = tiny_encoder.prompts(
            self.LONG, ["a b c"], baseline=True, max_length=16, truncate=True
        )
        assert [len(v) for v in result.variants] == [16, 16]
        assert min(v.n_dropped for v in result.variants) > 50
        gone = result.comparisons[0].change == "deleted"
        assert set(result.comparisons[0].part[gone]) == {"text"}  # told, not dropped

    def test_nothing_of_the_text_is_left(self, tiny_encoder: af.Encoder) -> None:
        with pytest.raises(ActivationFlowError, match="of the text nothing is left: all its"):
            tiny_encoder.prompts("dog", ["a", self.LONG], max_length=16, truncate=True)
        result = tiny_encoder.prompts(
            "dog", ["a", self.LONG], max_length=16, truncate=True, template="{text} {prompt}"
        )
        assert "text" in result.comparisons[0].part

    def test_a_text_that_is_joined_to_its_prompt(self, minilm: af.Encoder) -> None:
        with pytest.raises(ActivationFlowError, match="are joined with others; put a space into"):
            minilm.prompts("day", ["to"], template="{prompt}{text}", baseline=True)


def test_a_tokenizer_that_does_not_say_where_its_tokens_stand(tmp_path: Any) -> None:
    from slow_models import make_slow

    model, tokenizer = make_slow("ctrl", tmp_path / "ctrl")
    encoder = af.Encoder.from_pretrained(model, tokenizer)
    with pytest.raises(ActivationFlowError, match="cannot be told; use --align position or diff"):
        encoder.prompts("the walk", ["a", "b"])
    result = encoder.prompts("the walk", ["a", "b"], align="diff")
    assert set(result.comparisons[0].part.tolist()) <= {"", "special"}
    assert result.comparisons[0].change.tolist()[0] == "replaced"
    for said in (" ".join(repr(result).split()), result._repr_html_()):
        said = html.unescape(said)
        assert "the tokenizer does not say where a token stands. Of the aligned tokens " in said
        assert "has a partner" not in said
        assert "text's own tokens" not in said
    (tmp_path / "t.txt").write_text("the walk\nwe walk\n")
    out, how = tmp_path / "run", {"prompts": ["a", "b"], "align": "position"}
    summary = af.run_corpus(encoder, tmp_path / "t.txt", out=out, **how).summary()
    assert summary.counts["unknown"] == 2
    assert not summary.rows("kind", *summary.layers)
    for said in (" ".join(repr(summary).split()), summary._repr_html_()):
        assert "No means of kinds of 2 texts: which tokens are their own is not known" in said
        assert "no special ones and none of a prompt" not in said


some = st.lists(
    st.sampled_from(["the", "dog", "sat.", "on", "a", "mat", "!", "Zaandam", "日", "👩"])
)


@settings(max_examples=15)
@given(
    some,
    st.lists(some, min_size=2, max_size=3, unique_by=" ".join),
    st.sampled_from(
        ["{prompt} {text}", "{text} {prompt}", "{prompt}{text}", "a: {prompt} ({text})"]
    ),
    st.sampled_from(["text", "diff", "position"]),
    st.booleans(),
)
def test_any_prompts_add_up_and_are_read_back(
    minilm: af.Encoder, text: Any, prompts: Any, template: str, align: str, baseline: bool
) -> None:
    import json

    from activation_flow import document, table

    encoder = minilm
    names = [" ".join(words) for words in prompts if words]
    if len(names) + baseline < 2:
        return
    how = {"template": template, "align": align, "baseline": baseline, "layers": "0,4"}
    texts = [" ".join(text), "the dog"]
    results = encoder.prompts(texts, names, errors="collect", **how)
    assert len(results) + len(results.errors) == 2
    for r in results:
        n = len(r.prompts)
        assert [(c.a, c.b) for c in r.comparisons] == list(combinations(range(n), 2))
        for drift in (r.drift, r.mean_drift, r.anchor_shift, r.anchor_cosine):
            assert np.array_equal(drift, drift.swapaxes(1, 2), equal_nan=True)
        for c in r.comparisons:
            for place, index in ((c.a, c.a_index), (c.b, c.b_index)):
                assert index[index >= 0].tolist() == list(range(len(r.variants[place])))
            assert np.array_equal(np.isnan(c.shift), np.tile(~c.paired, (2, 1)))
            assert c.total_shift.tolist() == pytest.approx(np.nansum(c.shift, axis=1).tolist())
            inner = c.paired & (r.variants[c.a].special[c.a_index] == 0)
            assert {h.n for h in c.concentration} == {int(inner.sum())}
    assert document.from_dict(json.loads(json.dumps(results.to_dict()))) == results
    assert table.from_arrow(results.to_arrow()) == results
