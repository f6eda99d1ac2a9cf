"""What the paper's Tables 5 and 6 give: τ by every percentile method, R_H and its chance level."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from activation_flow.paper import Row, agrees, checked, numbers, published, stated, unreported
from activation_flow.paper_tables import high, kinds_of, listed, several, skew
from activation_flow.shift import concentration
from activation_flow.strength import QUANTILE_METHODS, threshold


def rows() -> Iterator[Row]:
    """Of Table 5, then of Table 6."""
    yield from _table_5()
    yield from _table_6()


def _table_5() -> Iterator[Row]:
    """τ of Table 5 by every percentile method, and who is HIGH under it (eq. 7)."""
    table: dict[str, Any] = published()["table-5"]
    place, tokens = table["place"], table["tokens"]
    strength = numbers(table["strength"])
    claimed = np.array(table["bucket"]) == "HIGH"
    same = sorted(table["strength"], key=float) == table["sorted"]
    yield stated(
        "table-5/sorted",
        place,
        "the sorted values in the text are those of the table",
        ", ".join(table["sorted"]),
        ", ".join(sorted(table["strength"])),
        same,
        "",
    )
    by_set: dict[str, list[str]] = {}
    taus: dict[str, float] = {}
    for method in QUANTILE_METHODS:
        tau = taus[method] = float(threshold(strength[None], method=method)[0])
        who = listed(tokens, high(strength, method))
        by_set.setdefault(who, []).append(method)
        yield checked(
            f"eq-7/tau/{method}",
            table["threshold_place"],
            f"τ, percentile method {method}",
            table["threshold"],
            tau,
            f"HIGH: {who}",
            wrong="differs",
        )
    good = [method for method in QUANTILE_METHODS if agrees(table["threshold"], taus[method])]
    yield unreported(
        "table-5/methods",
        table["threshold_place"],
        f"percentile methods that give the printed τ, of {len(QUANTILE_METHODS)}",
        len(good),
        ", ".join(good),
    )
    usual = high(strength)
    yield stated(
        "table-5/high",
        place,
        "HIGH tokens",
        listed(tokens, claimed),
        listed(tokens, usual),
        bool((usual == claimed).all()),
        "; ".join(f"{who}: {several(methods)}" for who, methods in by_set.items()),
    )
    yield Row(
        "table-5/spread",
        place,
        "largest less smallest strength",
        None,
        float(np.ptp(strength)),
        "illustrative",
        "one decimal, no [CLS], “?” or [SEP]: not the format of Tables 1 to 3. The six words of "
        f"Table 2, which differs in one of them, span {_span_of_table_2():.2f}",
    )
    yield Row(
        "table-5/skew",
        place,
        "skew of the strengths",
        None,
        skew(strength),
        "illustrative",
        "right-skewed, unlike Tables 1 and 2",
    )


def _span_of_table_2() -> float:
    table = published()["table-2"]
    kind = kinds_of(table["tokens"])
    words = (kind == "content") | (kind == "function")
    return float(np.ptp(numbers(table["strength"])[words]))


def _table_6() -> Iterator[Row]:
    """R_H of Table 6, the shares that the text gives, and what chance would give."""
    table: dict[str, Any] = published()["table-6"]
    place, shift = table["place"], numbers(table["shift"])
    marks = np.array(published()["table-5"]["bucket"]) == "HIGH"
    held = concentration(shift, marks)
    if held.high_ratio is None or held.high_share is None:  # pragma: no cover - the table has both
        raise ValueError("Table 6 has no HIGH token")
    yield Row(
        "table-6/source",
        place,
        "where the shifts are from",
        "“Suppose …”",
        "no pair of sentences",
        "illustrative",
        f"“{table['supposed']}”: nothing was measured; rows about Table 6 are about its arithmetic",
    )
    sums = {
        "high_total": ("C_H, shift of HIGH tokens", held.high_total),
        "low_total": ("C_L, shift of LOW tokens", held.total - held.high_total),
        "total": ("C_H + C_L", held.total),
        "high_ratio": ("R_H", held.high_ratio),
    }
    names = ("eq-8/c_h", "eq-9/c_l", "eq-10/total", "eq-11/r_h")
    for id_, (name, (what, ours)) in zip(names, sums.items(), strict=True):
        yield checked(id_, table[f"{name}_place"], what, table[name], ours)
    where, quote = table["percent_place"], f"“{table['percent_quote']}”"
    yield checked(
        "table-6/percent-of-shift",
        where,
        "share of the shift, %",
        table["percent_of_shift"],
        100 * held.high_ratio,
        quote,
    )
    share, printed = 100 * held.high_share, table["percent_of_tokens"]
    yield checked(
        "table-6/percent-of-tokens",
        where,
        "HIGH tokens' share of the tokens, %",
        printed,
        share,
        f"“approximately {printed} %” is {held.k} of {held.n}",
    )
    yield from _chance(place, shift, marks)


def _chance(place: str, shift: np.ndarray, marks: np.ndarray) -> Iterator[Row]:
    """What blind choices of k of n tokens give."""
    held = concentration(shift, marks)
    n, k = held.n, held.k
    spread = np.sqrt((k / n**2) * (1 - k / n) * shift.var(ddof=1)) / shift.mean()
    yield unreported(
        "table-6/chance",
        place,
        "R_H by chance, k/n",
        held.high_share,
        f"{k} of {n} tokens chosen blindly; R_H is to be set against this, not against 0.5",
    )
    yield unreported("table-6/chance-sd", place, "its standard deviation", float(spread))
    yield unreported("table-6/enrichment", place, "R_H / (k/n)", held.enrichment)
    yield unreported(
        "table-6/p",
        place,
        "exact p of R_H",
        held.p_value,
        f"one of the {round(1 / (held.p_value or 1))} ways to choose {k} of {n} tokens",
    )
    yield unreported(
        "table-6/p-floor",
        place,
        "smallest p that such a table can give",
        held.p_floor,
        f"so no table of {n} tokens with {k} HIGH ones can be significant at 5 %",
    )
