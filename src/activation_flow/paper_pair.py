"""Prompts A and B of the paper through a model: its Table 4 measured, three layers side by side."""

from collections.abc import Iterator, Sequence

import numpy as np

from activation_flow.data import TokenizedText
from activation_flow.paper import PaperTable, Row, Value, claim, counted, measured, published
from activation_flow.paper_model import difference, known
from activation_flow.paper_places import Places, Probe, at_places, beside, pieces_note, places
from activation_flow.result_shift import ShiftResult
from activation_flow.strength import rank

Shifts = Sequence[ShiftResult]  # one for each layer of the probe


def shifts(probe: Probe) -> list[ShiftResult]:
    """Prompt A against Prompt B, at every layer of the probe."""
    table = published()["table-4"]
    return [probe.encoder.shift(table["a"], table["b"], layers=layer) for layer in probe.layers]


def rows(probe: Probe, found: Shifts) -> Iterator[Row]:
    """All rows of this file."""
    table = published()["table-4"]
    where = _rows_of(found[0])
    ours = np.concatenate([at_places(result.shift[None], where) for result in found])
    text = found[0].a
    tokens, place = table["tokens_a"], table["place"]
    notes = [
        pieces_note(text, pieces) or _paired(found[0], own)
        for pieces, own in zip(places(text, tokens), where, strict=True)
    ]
    layer = published()["model"]["layer"]
    yield from beside(probe, "table-4", place, "shift", tokens, table["shift"], ours, notes, layer)
    for number, result in zip(probe.layers, found, strict=True):
        yield measured(
            f"table-4/total/layer-{number}",
            table["total_place"],
            f"total shift at {probe.name(number)}",
            table["total"],
            result.total,
            f"{int(result.paired.sum())} aligned pairs",
            of=probe.of,
        )
    main = found[probe.index]
    yield from _held(probe, main)
    yield from _claims(probe, main)
    yield from _conclusion(probe, main)


def _rows_of(result: ShiftResult) -> Places:
    """Of each printed token, the rows of the comparison that hold its pieces of Prompt A."""
    row = {int(index): k for k, index in enumerate(result.a_index) if index >= 0}
    tokens = published()["table-4"]["tokens_a"]
    return [[row[piece] for piece in pieces] for pieces in places(result.a, tokens)]


def _paired(result: ShiftResult, rows: Sequence[int]) -> str:
    """A token of A without a partner in B has no shift."""
    return "" if result.paired[[*rows]].any() else "it has no partner in Prompt B here"


def _held(probe: Probe, result: ShiftResult) -> Iterator[Row]:
    """R_H of this pair, which the paper does not give, and its chance level."""
    table, held = published()["table-4"], result.concentration
    high = ", ".join(str(result.a.tokens[i]) for i in result.a_index[result.high])
    about: dict[str, tuple[str, Value, str]] = {
        "r_h": ("R_H", held.high_ratio, f"HIGH in Prompt A: {high or 'none'}"),
        "chance": ("R_H by chance, k/n", held.high_share, f"{held.k} of {held.n} aligned pairs"),
        "enrichment": ("R_H / (k/n)", held.enrichment, ""),
        "p": ("p of R_H", held.p_value, "one-sided, by all choices of k of n"),
        "p-floor": ("the smallest p that this table can give", held.p_floor, ""),
    }
    for name, (what, value, note) in about.items():
        id_, where = f"table-4/{name}/layer-{probe.main}", probe.name(probe.main)
        yield measured(id_, table["place"], f"{what} at {where}", None, value, note, of=probe.of)


def _claims(probe: Probe, result: ShiftResult) -> Iterator[Row]:
    """Who shifts most, and do content words dominate where nothing was replaced?"""
    layer, table = probe.name(probe.main), published()["table-4"]
    plain = result.paired & (result.kind != "special")
    replaced = plain & (result.change == "replaced")
    order = [k for k in np.argsort(-np.nan_to_num(result.shift, nan=-1.0)) if plain[k]]
    n = max(1, int(replaced.sum()))
    top = [str(result.a.tokens[result.a_index[k]]) for k in order[:n]]
    yield counted(
        f"table-4/highest/layer-{probe.main}",
        table["in_text_place"],
        f"the highest shifts at {layer}",
        ", ".join(table["highest"]),
        ", ".join(top),
        bool(replaced[order[:n]].all()),
        "the replaced words have the highest shifts",
        of=probe.of,
    )
    where, quote = claim("dominate")
    same = plain & (result.change == "same")
    means = [result.shift[same & (result.kind == kind)] for kind in ("content", "function")]
    if not all(len(values) for values in means):
        return
    content, function = (float(values.mean()) for values in means)
    yield counted(
        f"table-4/unchanged/layer-{probe.main}",
        where,
        f"mean shift of unchanged content and function words at {layer}",
        "content words dominate",
        f"{content:.3f} against {function:.3f}",
        content > function,
        quote,
        of=probe.of,
    )


def _conclusion(probe: Probe, result: ShiftResult) -> Iterator[Row]:
    """Are the words that the conclusion names HIGH in Prompts A and B?"""
    about, (place, quote) = published()["claim"]["truly-meaningful"], claim("truly-meaningful")
    for name, text in (("a", result.a), ("b", result.b)):
        ranks = rank(text.strength, ~text.special)[0]
        for token, pieces in zip(about["tokens"], _each(text, about["tokens"]), strict=True):
            best = min((int(ranks[k]) for k in pieces), default=0)
            high = any(text.bucket[0, k] == "HIGH" for k in pieces)
            n = int((~text.special).sum())
            yield counted(
                f"section-4/{token}/{name}/layer-{probe.main}",
                place,
                f"strength of “{token}” in Prompt {name.upper()} at {probe.name(probe.main)}",
                "higher",
                f"rank {best} of {n}, {'HIGH' if high else 'LOW'}" if pieces else None,
                high if pieces else None,
                quote if pieces else pieces_note(text, pieces),
                of=probe.of,
            )


def _each(text: TokenizedText, tokens: Sequence[str]) -> Places:
    """Places of words that are named in another order than they stand."""
    return [places(text, [token])[0] for token in tokens]


def table(probe: Probe | None, found: Shifts) -> PaperTable:
    """Table 4: the paper's columns, and ours beside them."""
    about = published()["table-4"]
    columns: dict[str, list[Value]] = {
        "token_a": [*about["tokens_a"]],
        "token_b": [*about["tokens_b"]],
        "paper_shift": [*about["shift"]],
    }
    if probe is not None:
        main, where = found[probe.index], _rows_of(found[0])
        for layer, result in zip(probe.layers, found, strict=True):
            columns[f"ours_shift_layer_{layer}"] = known(at_places(result.shift[None], where)[0])
        own = at_places(main.shift[None], where)[0]
        columns |= difference(probe, about["shift"], own)
        name = f"layer_{probe.main}"
        own = at_places(main.cosine_distance[None], where)[0]
        columns[f"ours_cosine_distance_{name}"] = known(own)
        strength = at_places(main.a.strength, places(main.a, about["tokens_a"]))[0]
        columns[f"ours_strength_a_{name}"] = known(strength)
        columns[f"ours_high_{name}"] = [
            None if not rows else "HIGH" if main.high[rows].any() else "" for rows in where
        ]
    title = f"{about['caption']}: “{about['a']}” → “{about['b']}”"
    return PaperTable("table-4", about["place"], title, columns)


def table_6() -> PaperTable:
    """Table 6: invented, so nothing stands beside it."""
    about, buckets = published()["table-6"], published()["table-5"]["bucket"]
    columns = {"token": about["tokens"], "paper_shift": about["shift"], "bucket": buckets}
    return PaperTable("table-6", about["place"], about["caption"], columns)
