"""Shifts as charts: a bar for each row of a comparison, in reading order."""

from dataclasses import dataclass
from typing import Any

from activation_flow import charts_theme as theme
from activation_flow.charts_theme import Figure
from activation_flow.charts_tokens import finite, look_channels
from activation_flow.picture import model_line, number, shortened, token_text
from activation_flow.picture_shift import MARKS, contrast, distance
from activation_flow.result_shift import Pair, ShiftResult
from activation_flow.sentences import sentences

_SIDES = {"a": "A", "b": "B", "union": "A or of B"}
_SIDE = 9  # letters of a token beside its partner
_QUOTED = 70  # letters of each text in a title


@dataclass(frozen=True)
class DrawnShift:
    """The first rows of one comparison.

    Attributes:
        result: of one pair of texts.
        n: so many rows are drawn.
        lead: what stands before its title, "pair 3".
        name: ends the names of its parameters.
        names: what the two are called, if not by their texts.
        parts: of each row, whose the token is, if prompts were compared: those of a prompt are
            set apart.
    """

    result: ShiftResult
    n: int
    lead: str = ""
    name: str = ""
    names: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def title(self) -> list[str]:
        """Both texts."""
        if self.names:
            return list(self.names)
        a, b = contrast(self.result.a.text, self.result.b.text, _QUOTED)
        lead = f"{self.lead}, " if self.lead else ""
        return [f"{lead}A: {a or '(empty)'}", f"B: {b or '(empty)'}"]

    def notes(self) -> list[str]:
        """Model, layer and engine; what the numbers say together."""
        r = self.result
        return [model_line(r.provenance, r.a.layers), self.numbers, *self.missing()]

    def missing(self) -> list[str]:
        """What is not drawn, and what marks mean."""
        r, notes = self.result, []
        if self.n < len(r):
            notes.append(f"the first {self.n:,} of {len(r):,} rows are drawn")
        changes = {str(change) for change in r.change[: self.n]}
        words = {"deleted": "− only in A", "inserted": "+ only in B"}
        alone = [word for change, word in words.items() if change in changes]
        if alone:
            notes.append(f"{', '.join(alone)}: no partner, so no shift")
        if "prompt" in self.parts[: self.n]:
            notes.append("shaded: tokens of the prompts")
        return notes

    @property
    def numbers(self) -> str:
        """Total shift, and R_H beside what chance gives."""
        r = self.result
        parts = [f"total Δ {number(r.total)}"]
        if r.high_ratio is not None and r.high_share is not None and r.p_value is not None:
            found = r.concentration
            chance = f"by chance k/n = {found.k:,}/{found.n:,} = {number(r.high_share)}"
            parts += [f"R_H {number(r.high_ratio)} ({chance})", f"p {number(r.p_value)}"]
        else:
            parts.append("no R_H")
        return "; ".join(parts)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each row of the comparison: what is drawn, and what is shown on hover."""
        by = self.result.provenance.settings.get("include_special", False)
        return [self._row(i, pair, bool(by)) for i, pair in enumerate(self.result.pairs[: self.n])]

    def _row(self, i: int, pair: Pair, include_special: bool) -> dict[str, Any]:
        r = self.result
        special = pair.kind == "special" and not include_special
        taus = (finite(r.a.threshold[0]), finite(r.b.threshold[0]))
        sides = zip(
            (pair.strength_a, pair.strength_b), (pair.bucket_a, pair.bucket_b), taus, strict=True
        )
        of_a, of_b = (_side(*side) for side in sides)
        return {
            "i": i,
            "token": _label(pair, 100),
            "a": "" if pair.a is None else token_text(pair.a),
            "b": "" if pair.b is None else token_text(pair.b),
            "kind": pair.kind or "",
            "part": self.parts[i] if self.parts else "",
            "change": pair.change,
            "mark": "nan"
            if pair.shift is not None and pair.shift != pair.shift
            else MARKS[pair.change],
            "shift": None if pair.shift is None else finite(pair.shift),
            "cosine_distance": pair.cosine_distance,
            "said": "no partner" if pair.shift is None else number(pair.shift),
            "cosine_said": distance(pair.cosine_distance),
            "strength_a": of_a,
            "strength_b": of_b,
            "look": "special" if special else "HIGH" if pair.high else "LOW",
        }


def _side(strength: float | None, bucket: str | None, tau: float | None) -> str:
    if strength is None:
        return ""
    held = f" ({bucket}, τ = {number(tau)})" if bucket and tau is not None else ""
    return f"{number(strength)}{held}"


def _label(pair: Pair, n: int, between: str = "") -> str:
    """One token, or both where they differ; the mark of a token without a partner before it."""
    a, b = (
        None if token is None else shortened(token_text(token), n) for token in (pair.a, pair.b)
    )
    if a is None or b is None:
        return f"{MARKS[pair.change]}{b if a is None else a}"
    return a if pair.change == "same" else f"{a}→{between}{b}"


def bars(drawn: DrawnShift) -> Any:
    """A bar for each aligned pair, a mark for each token without a partner.

    Args:
        drawn: the comparison.
    """
    import altair as alt

    rows = drawn.rows()
    pairs = drawn.result.pairs[: drawn.n]
    labels = [
        _label(pair, _SIDE if pair.change == "replaced" else theme.LABEL, "\n") for pair in pairs
    ]
    x, names = theme.token_axis(labels, f"rows{drawn.name}")
    y = alt.Y(
        "shift:Q",
        title="shift Δ (bars from 0)",
        scale=theme.from_zero(max((row["shift"] or 0 for row in rows), default=0)),
        axis=alt.Axis(tickCount=5, domain=False, ticks=False),
    )
    told = {
        "token": "token",
        "kind": "kind",
        "change": "change",
        "said": "shift Δ",
        "cosine_said": "1 − cos",
        "look": "bucket",
        "strength_a": "S of A",
        "strength_b": "S of B",
    }
    tip = [alt.Tooltip(f"{field}:N", title=title) for field, title in told.items()]
    base = alt.Chart(theme.data(rows)).encode(x=x, tooltip=tip)
    occur = {row["look"] for row in rows if row["shift"] is not None}
    found = [look for look in theme.LOOKS if look in occur]
    replaced = any(row["change"] == "replaced" and row["shift"] is not None for row in rows)
    by = drawn.result.provenance.settings.get("bucket_by", "a")
    shaded = base.transform_filter("datum.part === 'prompt'")
    layers = [shaded.mark_bar(color=theme.GREY, opacity=0.12, width={"band": 1.25})]
    layers[0] = layers[0].encode(y=alt.YValue(0), y2=alt.Y2Value("height"))
    if "prompt" not in drawn.parts[: drawn.n]:
        layers = []
    if found:
        marks = base.transform_filter("datum.shift !== null").mark_bar(
            strokeWidth=1, width=theme.bar_width(drawn.n)
        )
        strong = f"S of {_SIDES[by]} > τ"
        layers.append(marks.encode(y=y, **look_channels(found, strong, marked=replaced)))
    moved = base.transform_filter("datum.change === 'replaced' && datum.shift !== null")
    # Vega warns of a scale that an empty layer has no value for.
    if replaced:
        layers.append(
            moved.mark_text(dy=-8, fontSize=theme.SIZE).encode(y=y, text=alt.Text("mark:N"))
        )
    alone = base.transform_filter("datum.shift === null").mark_text(dy=-8, fontSize=theme.TITLE)
    layers.append(alone.encode(y=alt.YValue("height"), text=alt.Text("mark:N")))
    width = theme.plot_width(drawn.n)
    title = theme.heading(drawn.title, drawn.notes(), width)
    return alt.layer(*layers, params=[names.param], width=width, height=theme.HEIGHT, title=title)


def figure(drawn: DrawnShift, name: str) -> Figure:
    """A comparison for a page."""
    title = f"Shift of each token{f', {drawn.lead}' if drawn.lead else ''}"
    chart = theme.finished(bars(drawn))
    return Figure(name, title, sentences(drawn.result)[0], chart, tuple(drawn.missing()))
