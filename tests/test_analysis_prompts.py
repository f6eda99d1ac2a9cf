"""Prompts: every number against eager Hugging Face and plain loops; every token exactly once."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from architectures import TABLE, make_model, make_tokenizer
from scipy.spatial import distance
from tokenizers import processors

import activation_flow as af

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
        p = np.mean([s >= sum(marked) - 1e-5 for s in sums])
        assert held.p_value == pytest.approx(p, abs=0 if len(sums) <= 20_000 else 0.02)


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
