"""The paper's sentences through a model: Tables 1, 2, 3 and 5 measured, three layers side by side.

Composes: strengths come from the encoder, places from paper_places, rules from paper.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from activation_flow.paper import (
    OF,
    PaperTable,
    Row,
    Value,
    claim,
    counted,
    measured,
    numbers,
    published,
)
from activation_flow.paper_layers import z_difference
from activation_flow.paper_places import Probe, at_places, beside, pieces_note, places
from activation_flow.paper_tables import Column, columns, listed, skew
from activation_flow.results import StrengthResult
from activation_flow.stats import auc
from activation_flow.strength import rank

NO_KINDS = "of no token it is known whether it is of a content word"
SENTENCES = ("table-1", "table-2", "table-3", "table-5")


def facts(probe: Probe | None) -> Iterator[Row]:
    """Depth and width of the model; heads and parameters are not asked for."""
    about = published()["model"]
    encoder = None if probe is None else probe.encoder
    ours = {
        "layers": None if encoder is None else encoder.n_layers,
        "width": None if encoder is None else encoder.width,
        "heads": None,
        "parameters": None,
    }
    unknown = "no measurement of ours depends on it"
    for name, value in ours.items():
        yield measured(
            f"model/{name}",
            about.get(f"{name}_place", about["place"]),
            f"number of {name}" if name != "width" else "numbers in a hidden state",
            about[name],
            value,
            unknown if name in ("heads", "parameters") else "" if encoder else "no model was run",
            of="arithmetic" if probe is None else probe.of,
        )


def strengths(probe: Probe) -> dict[str, StrengthResult]:
    """S of the sentences of the tables, at all layers of the probe."""
    texts = [published()[name]["text"] for name in SENTENCES]
    found = probe.encoder.strength(texts, layers=probe.layers)
    return dict(zip(SENTENCES, found, strict=True))


def rows(probe: Probe, results: dict[str, StrengthResult]) -> Iterator[Row]:
    """All rows of this file."""
    four = columns()
    for name in ("table-1", "table-2"):
        yield from _column(probe, four[name], name, "strength", results[name])
        yield from _claims(probe, name, results[name])
    for name, key in (("table-3/l8", "layer_8"), ("table-3/l9", "layer_9")):
        yield from _column(probe, four[name], "table-3", key, results["table-3"])
    yield from _two_layers(probe, results["table-3"])
    yield from _table_5(probe, results["table-5"])


def _column(
    probe: Probe, column: Column, name: str, key: str, result: StrengthResult
) -> Iterator[Row]:
    where = places(result, column.tokens)
    yield from beside(
        probe,
        column.id,
        column.place,
        "strength",
        column.tokens,
        published()[name][key],
        at_places(result.strength, where),
        [pieces_note(result, pieces) for pieces in where],
        "9" if key == "layer_9" else published()["model"]["layer"],
    )


def _claims(probe: Probe, name: str, result: StrengthResult) -> Iterator[Row]:
    """The claims about single sentences, at the main layer."""
    k, layer, of = probe.index, probe.name(probe.main), probe.of
    s, kind, plain = result.strength[k].astype(np.float64), result.kind, ~result.special
    content, function = kind == "content", kind == "function"
    where, quote = claim("consistently-high")
    high = result.bucket[k] == "HIGH"
    names = [str(token) for token in result.tokens]
    known = bool(content.any())
    yield counted(
        f"{name}/high/layer-{probe.main}",
        where,
        f"HIGH tokens at {layer}",
        listed(names, content) if known else "content words",
        listed(names, high),
        bool((high == content).all()) if known else None,
        quote if known else NO_KINDS,
        of=of,
    )
    where, quote = claim("right-skewed")
    value = skew(s[plain])
    what = f"skew at {layer}, without special tokens"
    id_ = f"{name}/skew/layer-{probe.main}"
    yield counted(id_, where, what, "right-skewed", value, value > 0, quote, of=of)
    apart = auc(s[content], s[function])
    yield measured(
        f"{name}/auc/layer-{probe.main}",
        published()[name]["place"],
        f"AUC of content against function words at {layer}",
        None,
        apart if np.isfinite(apart) else None,
        "pieces; 0.5: no difference",
        of=of,
    )
    where, quote = claim("cls-high")
    what = f"rank of [CLS] among all tokens at {layer}"
    id_ = f"{name}/cls/layer-{probe.main}"
    ranks = rank(s[None], np.ones(len(s), bool))[0]
    if len(s) and result.special[0]:
        found, n = int(ranks[0]), len(s)
        ours = f"{found} of {n}"
        yield counted(id_, where, what, "consistently high", ours, found <= n / 2, quote, of=of)
    else:
        why = "this model's tokenizer has no such token"
        yield counted(id_, where, what, "consistently high", None, None, why, of=of)


def _two_layers(probe: Probe, result: StrengthResult) -> Iterator[Row]:
    """Is the main layer more content-sensitive than the one above it?"""
    k = probe.index
    if k + 1 >= len(probe.layers):
        return
    content, function = result.kind == "content", result.kind == "function"
    known = bool(content.any() and function.any())
    upper, lower = (result.strength[i].astype(np.float64) for i in (k, k + 1))
    less = upper - lower
    where, quote = claim("content-sensitive")
    order = np.argsort(-less)[:3]
    pair = f"{probe.main} less {probe.main + 1}"
    names = [str(token) for token in result.tokens]
    yield counted(
        f"table-3/content-sensitive/layer-{probe.main}",
        where,
        f"tokens with the largest S, layer {pair}",
        "content words",
        ", ".join(f"{names[i]} {less[i]:+.2f}" for i in order),
        bool(content[order].all()) if known else None,
        quote if known else NO_KINDS,
        of=probe.of,
    )
    if not known:
        return
    words = content | function
    value = z_difference(upper[words], lower[words], content[words])
    yield counted(
        f"table-3/difference-z/layer-{probe.main}",
        where,
        f"content less function words, layer {pair}, of z-scores",
        "above 0",
        value,
        value > 0,
        f"{quote}; {int(content.sum())} content, {int(function.sum())} function pieces",
        of=probe.of,
    )


def _table_5(probe: Probe, result: StrengthResult) -> Iterator[Row]:
    """The real strengths of the sentence of Table 5: its numbers are no measurements."""
    table = published()["table-5"]
    where = places(result, table["tokens"])
    ours = at_places(result.strength, where)
    verdict = "illustrative" if probe.of == OF[1] else "not compared"
    for k, layer in enumerate(probe.layers):
        for token, printed, own in zip(
            table["tokens"], table["strength"], ours[k].tolist(), strict=True
        ):
            yield Row(
                f"table-5/{token.lower()}/layer-{layer}",
                table["place"],
                f"strength of “{token}” at {probe.name(layer)}",
                printed,
                own if np.isfinite(own) else None,
                verdict,
                of=probe.of,
                cell=True,
            )
    k = probe.index
    names = [str(token) for token in result.tokens]
    yield measured(
        f"table-5/tau/layer-{probe.main}",
        table["threshold_place"],
        f"τ of this sentence at {probe.name(probe.main)}",
        None,
        float(result.threshold[k]),
        f"HIGH: {listed(names, result.bucket[k] == 'HIGH')}; {len(names)} tokens with the special "
        "ones and “?”, which the table leaves out",
        of=probe.of,
    )


def tables(probe: Probe | None, results: dict[str, StrengthResult]) -> Iterator[PaperTable]:
    """Tables 1, 2, 3 and 5: the paper's columns, and ours beside them where a model was run."""
    printed = {
        "table-1": ("tokens", "strength", "type", "role", "rank"),
        "table-2": ("tokens", "strength", "type", "role", "rank"),
        "table-3": ("tokens", "layer_8", "layer_9"),
        "table-5": ("tokens", "strength", "bucket"),
    }
    for name, keys in printed.items():
        table: dict[str, Any] = published()[name]
        found: dict[str, list[Value]] = {
            "token" if key == "tokens" else f"paper_{key}": [*table[key]] for key in keys
        }
        if name == "table-3":
            found["paper_table_1"] = [*published()["table-1"]["strength"]]
        if probe is not None:
            found |= _ours(probe, table["tokens"], table[keys[1]], results[name])
        title = f"{table['caption']}: “{table['text']}”"
        yield PaperTable(name, table["place"], title, found)


def _ours(
    probe: Probe, tokens: list[str], printed: list[str], result: StrengthResult
) -> dict[str, list[Value]]:
    """Pieces, S at each layer; difference, rank among all tokens and bucket at the main layer."""
    where = places(result, tokens)
    ours = at_places(result.strength, where)
    ranks = rank(result.strength[[probe.index]], np.ones(len(result), bool))[0]
    found: dict[str, list[Value]] = {
        "ours_pieces": [" ".join(str(result.tokens[k]) for k in pieces) for pieces in where]
    }
    for layer, row in zip(probe.layers, ours, strict=True):
        found[f"ours_layer_{layer}"] = known(row)
    found |= difference(probe, printed, ours[probe.index])
    best = [
        max(pieces, key=lambda k: result.strength[probe.index, k], default=-1) for pieces in where
    ]
    found[f"ours_rank_layer_{probe.main}"] = [int(ranks[k]) if k >= 0 else None for k in best]
    found[f"ours_bucket_layer_{probe.main}"] = [
        str(result.bucket[probe.index, k]) or None if k >= 0 else None for k in best
    ]
    return found


def difference(probe: Probe, printed: list[str], ours: np.ndarray) -> dict[str, list[Value]]:
    """A column with ours less the printed, at the main layer; only for the paper's model."""
    if probe.of != OF[1]:
        return {}
    return {f"difference_layer_{probe.main}": known(np.round(ours - numbers(printed), 9))}


def known(values: np.ndarray) -> list[Value]:
    """Numbers, None for NaN."""
    return [value if np.isfinite(value) else None for value in values.tolist()]
