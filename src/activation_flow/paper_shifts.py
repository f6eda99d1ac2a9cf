"""What the paper's Table 4 gives: sums, shares, order, and the same values in the running text."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from activation_flow.paper import Row, checked, claim, numbers, published, stated, unreported
from activation_flow.paper_tables import kinds_of, listed


def rows() -> Iterator[Row]:
    """The shifts of Prompts A and B: sums, shares, and the same values in the running text."""
    table: dict[str, Any] = published()["table-4"]
    place, tokens = table["place"], table["tokens_a"]
    shift, kind = numbers(table["shift"]), kinds_of(tokens)
    named = dict(zip(tokens, shift.tolist(), strict=True))
    total = float(shift.sum())
    yield checked("table-4/total", table["total_place"], "total shift", table["total"], total)
    for token, printed in table["in_text"].items():
        yield checked(
            f"table-4/in-text/{token}",
            table["in_text_place"],
            f"shift of “{token}”, text and table",
            printed,
            named[token],
        )
    order = np.argsort(-shift)
    ends = [tokens[i] for i in order[:2]]
    yield stated(
        "table-4/highest",
        place,
        "the two highest shifts",
        ", ".join(table["highest"]),
        ", ".join(ends),
        ends == table["highest"],
        "the two replaced words, which differ whatever the context does",
    )
    last = tokens[order[-1]]
    yield stated(
        "table-4/lowest",
        place,
        "the lowest shift",
        table["lowest"],
        last,
        last == table["lowest"],
        "",
    )
    where, quote = claim("at-over-content")
    names = published()["claim"]["at-over-content"]["order"]
    falling = sorted(names, key=lambda token: -named[token])
    yield stated(
        "table-4/at",
        where,
        "order of three unchanged words",
        " > ".join(names),
        " > ".join(falling),
        falling == names,
        quote,
    )
    where, quote = claim("over-special")
    about = published()["claim"]["over-special"]
    least = min(named[token] for token in about["tokens"])
    most = max(named[token] for token in about["special"])
    yield stated(
        "table-4/over-special",
        where,
        "unchanged words over special tokens",
        "higher",
        f"{least:.3f} against {most:.3f}",
        least > most,
        quote,
    )
    yield from _shares(table, shift, kind)


def _shares(table: dict[str, Any], shift: np.ndarray, kind: np.ndarray) -> Iterator[Row]:
    """Who holds the shift of Table 4."""
    place, tokens, total = table["place"], table["tokens_a"], float(shift.sum())
    changed = np.array([a != b for a, b in zip(tokens, table["tokens_b"], strict=True)])
    content, function = kind == "content", kind == "function"
    words = kind != "special"
    yield unreported(
        "table-4/share/replaced",
        place,
        "share of the replaced words, %",
        100 * float(shift[changed].sum()) / total,
        listed(tokens, changed),
    )
    yield unreported(
        "table-4/share/content",
        place,
        "share of all content words, %",
        100 * float(shift[content].sum()) / total,
        listed(tokens, content),
    )
    where, quote = claim("dominate")
    means = [float(shift[which & ~changed].mean()) for which in (content, function)]
    yield stated(
        "table-4/unchanged",
        where,
        "mean shift of unchanged content and function words",
        "content words dominate",
        f"{means[0]:.2f} against {means[1]:.2f}",
        means[0] > means[1],
        f"{quote} (without the replaced words, whose shift is that of another word: "
        f"{listed(tokens, content & ~changed)} against {listed(tokens, function & ~changed)})",
    )
    for k in (2, 3):
        largest = np.sort(shift)[-k:].sum()
        yield unreported(
            f"table-4/largest-r_h/k-{k}",
            place,
            f"largest R_H that {k} HIGH tokens can have",
            float(largest) / total,
            "no strengths of this sentence are given, so no R_H can be formed; over all tokens, as "
            f"eq. 5 says; over those that are not special {largest / shift[words].sum():.3f}",
        )
