"""The tokens of one text as charts draw them: rows of data, names, looks and hover texts.

Every number is one of the result's, or cut as picture.py cuts it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from activation_flow import charts_theme as theme
from activation_flow.picture import (
    OUTLIER,
    model_line,
    number,
    outliers,
    quantile_words,
    token_text,
)
from activation_flow.result_hidden import HiddenStates
from activation_flow.results import StrengthResult


@dataclass(frozen=True)
class Drawn:
    """The first tokens of one text.

    Attributes:
        result: of one text.
        n: so many tokens are drawn.
        lead: what stands before its title, "text 3".
        name: ends the names of its parameters, so that several charts can stand in one.
        live: whether sliders choose the layer and move τ; without them the result has one layer.
    """

    result: StrengthResult
    n: int
    lead: str = ""
    name: str = ""
    live: bool = True

    @property
    def title(self) -> list[str]:
        """The text; each segment in its own lines."""
        r = self.result
        texts = [r.text] if r.text_pair is None else [r.text, r.text_pair]
        shown = [text or "(empty)" for text in texts]
        return [f"{self.lead}: {shown[0]}" if self.lead else shown[0], *shown[1:]]

    def notes(self) -> Iterator[str]:
        """Model, layers and engine; what is cut, clipped or missing."""
        r = self.result
        yield model_line(r.provenance, r.layers)
        if (r.bucket != "").any():
            yield threshold_note(r)
        yield from self.missing()

    def missing(self) -> Iterator[str]:
        """What is cut, clipped or not a number."""
        r = self.result
        if self.n < len(r):
            yield f"the first {self.n:,} of {len(r):,} tokens are drawn"
        if self.far.any():
            yield f"! over {OUTLIER}x the median S of the text: clipped here, not in the numbers"
        if np.isnan(r.strength[:, : self.n]).any():
            yield "nan: not a number"

    @property
    def far(self) -> Any:
        """True where a token is clipped."""
        return outliers(self.result)[:, : self.n]

    @property
    def labels(self) -> list[str]:
        """The tokens on their axis."""
        return [theme.label(str(token)) for token in self.result.tokens[: self.n]]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each layer and token: what a chart draws and what it shows on hover."""
        r, far = self.result, self.far
        found: list[dict[str, Any]] = []
        for k, layer in enumerate(r.layers):
            values = r.strength[k, : self.n].astype(np.float64)
            usual = values[np.isfinite(values) & ~far[k]]
            top = float(usual.max()) if len(usual) else 0.0
            ranked = int((r.rank[k] > 0).sum())
            for i, value in enumerate(values):
                nan, clipped = bool(np.isnan(value)), bool(far[k, i])
                rank = int(r.rank[k, i])
                found.append(
                    {
                        "i": i,
                        "token": token_text(str(r.tokens[i])),
                        "kind": str(r.kind[i]),
                        "layer": layer,
                        "layer_name": r.provenance.layer_name(layer),
                        "strength": finite(r.strength[k, i]),
                        "drawn": None if nan else top if clipped else finite(r.strength[k, i]),
                        "said": number(float(value)),
                        "rank": f"{rank:,} of {ranked:,}" if rank else "",
                        "bucket": str(r.bucket[k, i]),
                        "threshold": finite(r.threshold[k]),
                        "tau": number(float(r.threshold[k])),
                        "part": "special" if r.special[i] else "token",
                        "mark": "nan" if nan else "!" if clipped else "",
                    }
                )
        return found


def threshold_note(result: StrengthResult) -> str:
    """What τ is, and who has no part in it."""
    settings = result.provenance.settings
    words = quantile_words(settings).removeprefix(", ")
    alone = result.special.any() and not settings.get("include_special")
    parts = [f"τ: {words}" if words else "", "special tokens have no part in τ" if alone else ""]
    return "; ".join(filter(None, parts))


def without_buckets(states: HiddenStates) -> StrengthResult:
    """The strengths of hidden states, which have no threshold, rank or bucket."""
    shape = states.strength.shape
    parts = {field.name: getattr(states, field.name) for field in fields(states)}
    del parts["hidden"]
    return StrengthResult(
        **parts,
        threshold=np.full(shape[0], np.nan),
        rank=np.zeros(shape, dtype=np.int64),
        bucket=np.full(shape, "", dtype="<U4"),
    )


def finite(value: Any) -> float | None:
    """A number for JSON, as short as its type allows; None where there is none.

    >>> finite(np.float32(0.1)), finite(float("nan"))
    (0.1, None)
    """
    return float(str(value)) if np.isfinite(value) else None


def looks(rows: Sequence[Mapping[str, Any]], sliders: bool) -> list[str]:
    """The looks that occur, in the order of the legend."""
    found = {row["bucket"] or row["part"] for row in rows if row["mark"] != "nan"}
    if sliders and found & {"HIGH", "LOW"}:
        found |= {"HIGH", "LOW"}
    return [look for look in theme.LOOKS if look in found]


def look_channels(
    found: Sequence[str], strong: str = "S > τ", *, marked: bool = False
) -> dict[str, Any]:
    """Fill, outline and dashes of the looks that occur; one legend for the three.

    Args:
        found: the looks.
        strong: what HIGH means, in our own words.
        marked: whether marks stand above bars: the legend leaves them room.
    """
    import altair as alt

    ranges = zip(*(theme.LOOKS[look] for look in found), strict=True)
    kinds = (alt.Fill, alt.Stroke, alt.StrokeDash)
    legend = None
    if len(found) > 1 or "special" in found:
        named = f"datum.value === 'HIGH' ? 'HIGH ({strong})' : datum.value"
        legend = alt.Legend(
            title=None, symbolType="square", labelExpr=named, offset=26 if marked else 12
        )
    return {
        name: kind("look:N", scale=alt.Scale(domain=list(found), range=list(values)), legend=legend)
        for name, kind, values in zip(("fill", "stroke", "strokeDash"), kinds, ranges, strict=True)
    }


def hover(*extra: tuple[str, str]) -> list[Any]:
    """What is shown of a token under the mouse."""
    import altair as alt

    names = (("token", "token"), ("kind", "kind"), ("said", "strength S"), ("rank", "rank"))
    last = ("layer_name", "layer")
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in (*names, *extra, last)]
