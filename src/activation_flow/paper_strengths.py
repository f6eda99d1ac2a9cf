"""What the paper's Tables 1 and 2 give by its own formulas: ranks, τ, buckets, skew."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from activation_flow.paper import Row, checked, claim, published, stated, unreported
from activation_flow.paper_tables import Column, columns, high, listed, several, skew
from activation_flow.stats import auc
from activation_flow.strength import QUANTILE_METHODS, threshold

NO_RANK = "none"  # as the paper prints it


def rows() -> Iterator[Row]:
    """Of Table 1, then of Table 2."""
    four = columns()
    for name in ("table-1", "table-2"):
        yield from _as_printed(name, four[name])
        yield from by_formula(four[name])
    yield from _words_of_table_2(four["table-2"])


def _as_printed(name: str, column: Column) -> Iterator[Row]:
    """Printed ranks, and the values that the text gives again."""
    table: dict[str, Any] = published()[name]
    ranks = column.ranks()
    for token, printed in zip(column.tokens, table["rank"], strict=True):
        if printed != NO_RANK:
            id_, what = f"{name}/rank/{token}", f"rank of “{token}” among all"
            yield checked(id_, column.place, what, printed, ranks[token])
    named = dict(zip(column.tokens, column.strength.tolist(), strict=True))
    for token, printed in table["in_text"].items():
        what = f"“{token}” in the text, and in the table"
        yield checked(
            f"{name}/in-text/{token}", table["in_text_place"], what, printed, named[token]
        )
    order = np.argsort(-column.strength)
    third, fourth = order[2], order[3]
    yield unreported(
        f"{name}/fourth",
        column.place,
        f"by how much the 4th, “{column.tokens[fourth]}”, is below the 3rd",
        float(column.strength[third] - column.strength[fourth]),
        "no rank is printed from the 4th on, whatever the kind of token",
    )


def by_formula(column: Column) -> Iterator[Row]:
    """τ and HIGH by eqs. 3 and 4 over three sets of tokens; skew, AUC, the rank of [CLS]."""
    scopes = {
        "all": ("all tokens", np.ones(len(column.tokens), bool)),
        "no-special": ("without special tokens", column.kind != "special"),
        "words": ("words only", column.words),
    }
    where, quote = claim("consistently-high")
    content = listed(column.tokens, column.kind == "content")
    for name, (scope, part) in scopes.items():
        tokens = [token for token, taken in zip(column.tokens, part, strict=True) if taken]
        values = column.strength[part]
        taus = {m: float(threshold(values[None], method=m)[0]) for m in QUANTILE_METHODS}
        yield unreported(
            f"{column.id}/tau/{name}",
            column.place,
            f"{column.name}: τ, {scope} (midpoint)",
            taus["midpoint"],
            "; ".join(f"{method} {tau:.4f}" for method, tau in taus.items()),
        )
        sets: dict[str, list[str]] = {}
        for method in QUANTILE_METHODS:
            sets.setdefault(listed(tokens, high(values, method)), []).append(method)
        ours, id_ = listed(tokens, high(values)), f"{column.id}/high/{name}"
        what = f"{column.name}: HIGH tokens, {scope} (midpoint)"
        note = "; ".join(f"{who}: {several(ways)}" for who, ways in sets.items())
        if column.claimed:
            what, note = f"{what}, against content words", f"{quote}. {note}"
            yield stated(id_, where, what, content, ours, ours == content, note)
        else:
            yield unreported(id_, column.place, what, ours, note)
    yield from _shape(column)


def _shape(column: Column) -> Iterator[Row]:
    """Skew, AUC of content against function words, and where [CLS] stands."""
    where, quote = claim("right-skewed")
    for name, part in (("all", column.kind != ""), ("no-special", column.kind != "special")):
        ours = skew(column.strength[part])
        what = f"{column.name}: skew, {'all tokens' if name == 'all' else 'without special tokens'}"
        yield stated(f"{column.id}/skew/{name}", where, what, "right-skewed", ours, ours > 0, quote)
    yield unreported(
        f"{column.id}/auc",
        column.place,
        f"{column.name}: AUC of content against function words",
        auc(column.strength[column.kind == "content"], column.strength[column.kind == "function"]),
        "1: every content word is above every function word; 0.5: no difference",
    )
    if not column.claimed:
        return
    where, quote = claim("cls-high")
    first = next(token for token in column.tokens if token.startswith("["))
    ours_rank, n = column.ranks()[first], len(column.tokens)
    below = bool(
        (column.strength[column.tokens.index(first)] < column.strength[column.words]).all()
    )
    yield stated(
        f"{column.id}/cls",
        where,
        f"{column.name}: rank of {first}",
        "consistently high",
        f"{ours_rank} of {n}",
        ours_rank <= n / 2,
        f"{quote}{'; here it is below every word' if below else ''}",
    )


def _words_of_table_2(column: Column) -> Iterator[Row]:
    """What the text says of single tokens of Table 2."""
    table, ranks = published()["table-2"], column.ranks()
    (mark,) = (
        t for t, kind in zip(column.tokens, column.kind, strict=True) if kind == "punctuation"
    )
    where, quote = claim("punctuation-low")
    yield stated(
        "table-2/punctuation",
        where,
        f"{column.name}: rank of “{mark}”",
        "lower",
        f"{ranks[mark]} of {len(column.tokens)}",
        ranks[mark] > len(column.tokens) / 2,
        f"{quote}; but section 3.1.2: {claim('inquiry')[1]}",
    )
    where, quote = claim("subject")
    token = published()["claim"]["subject"]["token"]
    k = column.tokens.index(token)
    printed = f"{table['type'][k]}, {table['role'][k]}"
    what, holds = f"type and role of “{token}”", "Subject" in printed
    yield stated("table-2/type", column.place, what, printed, "subject", holds, f"but {quote}")
    plain = column.kind != "special"
    yield unreported(
        "table-2/spread",
        column.place,
        "largest less smallest strength, without special tokens",
        float(np.ptp(column.strength[plain])),
        f"{plain.sum()} tokens; 0.1 is a large part of it",
    )
