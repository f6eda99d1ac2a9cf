"""Explanations, prompts and stability of an audit as charts: each beside what chance gives."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from activation_flow import charts_theme as theme
from activation_flow.charts_audit_rows import BAND, STEP, Axis, Dot, between, dots, titled
from activation_flow.explanation_tables import FaithfulRow, PlausibleRow, ProbeRow, StableRow
from activation_flow.picture import visible
from activation_flow.picture_audit import (
    counted,
    effect_text,
    p_text,
    share_text,
    value_text,
    where_text,
)
from activation_flow.picture_explained import (
    CONTROL,
    STRENGTH,
    bounded,
    changed,
    comprehensive,
    faithful_main,
    gain_text,
    layer_text,
    less_text,
    named,
    or_dash,
    outputs,
    plausible_main,
    probes_main,
    prompt_text,
    several_texts,
    stable_main,
)
from activation_flow.result_audit import AuditResult

_NORM, _VARIANT, _OTHER, _RANDOM = "the norm", "a variant of it", "another score", "random numbers"
_LOOKS = {STRENGTH: _NORM, "variant": _VARIANT, "baseline": _OTHER, CONTROL: _RANDOM}
_LINES = (
    f"lines: {BAND}",
    "lines may cross though a difference, of the same texts, is sure: see the table",
)
_STROKES = (
    "upright strokes: what a random order of the words gives; scores of other texts than the "
    "norm's are to be read beside it in the table only"
)
_PLOT, _KEY = 360, 330  # pixels: a plot of two axes, and the prompts right of it


def faithful(found: AuditResult) -> Any:
    """How much the output hangs on what each score puts first; best first, random orders dashed."""
    rows = drawable_faithful(found)
    normalised = bounded(rows)
    drawn, usual = [], _usual(rows)
    for row in rows:
        value, ends = comprehensive(row, normalised)
        told = {"score": named(found, row), "comprehensiveness": value_text(value)}
        told |= {"95 % interval": between(ends), "norm − it": less_text(row)}
        told |= {"the norm on these": or_dash(row.norm)}
        told |= {"raw": value_text(row.comprehensiveness), "τ": or_dash(row.tau)}
        told |= {"texts": f"{row.texts:,}"}
        drawn.append(_dot(found, row, value, ends, told, usual))
    chance = next((comprehensive(r, normalised)[0] for r in rows if r.role == CONTROL), None)
    name = "comprehensiveness, 0 and 1: bounds of random orders" if normalised else "AOPC"
    chart = dots(drawn, _looks(drawn), Axis(title=name, null=chance, said="random order"))
    # subtle: few fonts have ‖, and a line of another font looks like a mistake.
    notes = [next(outputs(rows)).replace("‖", "|"), *_LINES]
    title = "Does the output hang on the words it puts first?"
    return titled(found, chart, title, notes, texts=several_texts(rows))


def plausible(found: AuditResult) -> Any:
    """How well each score finds the marked words; best first, chance dashed."""
    rows = drawable_plausible(found)
    drawn, usual = [], _usual(rows)
    alike = len({row.chance for row in rows}) == 1
    for row in rows:
        told = {"score": named(found, row), "AP": value_text(row.precision)}
        told |= {"95 % interval": between(row.interval), "chance": value_text(row.chance)}
        told |= {"norm − it": less_text(row), "the norm on these": or_dash(row.norm)}
        told |= {"F1 at m": or_dash(row.f1)}
        told |= {"F1 HIGH": or_dash(row.f1_high), "texts": f"{row.texts:,}"}
        dot = _dot(found, row, row.precision, row.interval, told, usual)
        drawn.append(dot if alike else replace(dot, chance=row.chance))
    null = rows[0].chance if alike else None
    axis = Axis(title="AP: mean average precision over texts", null=null)
    chart = dots(drawn, _looks(drawn), axis)
    title = "Does it find the words that people marked?"
    notes = _LINES if alike else (*_LINES, _STROKES)
    return titled(found, chart, title, notes, texts=several_texts(rows))


def _usual(rows: Sequence[Any]) -> int:
    """Of how many texts most rows are."""
    usual: int = Counter(row.texts for row in rows).most_common(1)[0][0]
    return usual


def drawable_faithful(found: AuditResult) -> list[FaithfulRow]:
    """The main rows that have a number."""
    rows = faithful_main(found)
    normalised = bounded(rows)
    return [row for row in rows if comprehensive(row, normalised)[0] is not None]


def drawable_plausible(found: AuditResult) -> list[PlausibleRow]:
    """The rows that have a number, at the layers that are shown."""
    return [row for row in plausible_main(found) if row.precision is not None]


def _dot(
    found: AuditResult, row: Any, value: Any, ends: Any, told: dict[str, str], usual: int
) -> Dot:
    """A mark; how many texts it is of stands beside its name where they are not the usual ones."""
    many = "" if row.texts == usual else f" ({counted('texts', row.texts)})"
    return Dot(
        label=named(found, row) + many,
        value=value,
        ends=ends,
        written=effect_text(value, ends),
        look=_LOOKS.get(row.role, _OTHER),
        told=told,
    )


def _looks(rows: Sequence[Dot]) -> list[str]:
    """In the order of the legend; the norm has the colour that it has in all charts."""
    there = {row.look for row in rows}
    return [look for look in _LOOKS.values() if look in there]


def prompts(found: AuditResult) -> Any:
    """Each prompt by how far it shifts the vector and what it gains; numbers name them."""
    import altair as alt

    rows = drawable_prompts(found)
    bare = next((row for row in probes_main(found) if row.prompt is None), None)
    data = [_point(n, row) for n, row in enumerate(rows, 1)]
    scale, y_scale = (alt.Scale(zero=False, nice=True, padding=14) for _ in range(2))
    grid = {"tickCount": 5, "domain": False, "ticks": False}
    x = alt.X("shift:Q", title="shift from the bare text", scale=scale, axis=alt.Axis(**grid))
    y = alt.Y("gain:Q", title="gain in accuracy", scale=y_scale, axis=alt.Axis(**grid))
    base = alt.Chart(alt.Data(values=data)).encode(x=x)
    names = {"prompt": "prompt", "said": "gain", "moved": "shift", "accuracy": "accuracy"}
    tips = [alt.Tooltip(f"{name}:N", title=title) for name, title in names.items()]
    colour = alt.value(theme.SERIES[0])
    zero = alt.Chart(alt.Data(values=[{"gain": 0}])).encode(y=y)
    plot = alt.layer(
        zero.mark_rule(strokeDash=[5, 3]),
        base.mark_rule(strokeWidth=2, opacity=0.55).encode(
            y=alt.Y("low:Q", title="gain in accuracy", scale=y_scale), y2="high:Q", color=colour
        ),
        base.mark_point(filled=True, size=80, opacity=1).encode(y=y, color=colour, tooltip=tips),
        base.mark_text(align="left", dx=8, dy=-8, fontSize=theme.SIZE, fontWeight="bold").encode(
            y=y, text="n:N"
        ),
    ).properties(width=_PLOT, height=max(theme.HEIGHT, STEP * len(data)))
    chart = alt.hconcat(plot, _key(data), spacing=24)
    row = rows[0]
    where = f"{row.vector} vector, layer {where_text(found, row.layer)}"
    notes = [f"{where}; lines: 95 % interval over texts; dashed: no gain"]
    if bare is not None:
        notes.append(f"accuracy on the bare texts: {effect_text(bare.accuracy, bare.interval)}")
    title = "Do prompts that shift more also gain more?"
    return titled(
        found,
        chart,
        title,
        [*notes, *_judged(found)],
        layers=(row.layer,),
        texts=several_texts([row]),
    )


def _judged(found: AuditResult) -> Iterator[str]:
    """What the test of the relation found, where there is one."""
    if "C10" in found.verdicts and (claim := found.claim("C10")).effect is not None:
        effect = effect_text(claim.effect, claim.interval)
        p = p_text(claim.p_holm)
        yield f"C10 {claim.verdict}: {claim.effect_name} {effect}, p after Holm {p}"


def _point(n: int, row: ProbeRow) -> dict[str, Any]:
    low, high = row.gain_interval or (None, None)
    prompt = visible(prompt_text(row))
    said = theme.wrapped(prompt, _KEY - 24, theme.SIZE, 1)[0]
    about = {"prompt": theme.wrapped(prompt, 600, theme.SIZE, 1)[0], "key": said}
    about |= {"said": gain_text(row), "moved": or_dash(row.shift)}
    about |= {"accuracy": effect_text(row.accuracy, row.interval)}
    return {"n": str(n), "shift": row.shift, "gain": row.gain, "low": low, "high": high, **about}


def _key(data: Sequence[dict[str, Any]]) -> Any:
    """The number and words of each prompt, the highest gain first."""
    import altair as alt

    rows = [{"i": i, "n": row["n"], "key": row["key"]} for i, row in enumerate(data)]
    scale = alt.Scale(domain=list(range(len(rows))))
    base = alt.Chart(alt.Data(values=rows)).encode(y=alt.Y("i:O", axis=None, scale=scale))
    return alt.layer(
        base.mark_text(align="right", dx=16, fontSize=theme.SIZE, fontWeight="bold").encode(
            x=alt.value(0), text="n:N"
        ),
        base.mark_text(align="left", dx=24, fontSize=theme.SIZE).encode(
            x=alt.value(0), text="key:N"
        ),
    ).properties(width=_KEY, height=STEP * len(rows))


def drawable_prompts(found: AuditResult) -> list[ProbeRow]:
    """Prompts whose shift and gain are known."""
    return [row for row in probes_main(found) if None not in (row.gain, row.shift)]


def stable(found: AuditResult) -> Any:
    """Kendall's τ, and the overlap of HIGH beside chance, under each change."""
    import altair as alt

    rows = drawable_stable(found)
    looks = list(dict.fromkeys(_where(found, row) for row in rows))
    several = len({row.title for row in rows}) > 1
    tau = [_change(found, row, row.tau, row.tau_interval, several) for row in rows]
    panels = [dots(tau, looks, Axis(title="Kendall's τ: 1 is the same order", null=0.0))]
    overlaps = [row for row in rows if row.jaccard is not None]
    if overlaps:
        those = [
            _change(found, row, row.jaccard, row.jaccard_interval, several) for row in overlaps
        ]
        axis = Axis(title="Jaccard index of the HIGH tokens before and after", domain=(0, 1))
        panels.append(dots(those, looks, axis))
    chart = alt.vconcat(*panels, spacing=34).resolve_scale(color="shared", shape="shared")
    notes = [
        "lines: 95 % interval over texts; upright strokes: what as many tokens drawn blindly give"
    ]
    title = "Is the order left where texts are changed a little?"
    layers = sorted({row.layer for row in rows if row.layer is not None})
    return titled(found, chart, title, notes, layers=layers, texts=several_texts(rows))


def _where(found: AuditResult, row: StableRow) -> str:
    if row.layer is None:
        return "all layers"
    return f"layer {where_text(found, row.layer)}" + ": the claims" * (row.layer == found.layer)


def _change(found: AuditResult, row: StableRow, value: Any, ends: Any, several: bool) -> Dot:
    where = "all layers" if row.layer is None else f"layer {row.layer}"
    told = {"change": row.change, "score": row.title, "layer": layer_text(found, row)}
    told |= {"τ": value_text(row.tau), "its interval": between(row.tau_interval)}
    told |= {"Jaccard": value_text(row.jaccard), "interval": between(row.jaccard_interval)}
    told |= {"chance": value_text(row.chance), "read no different": share_text(row.same)}
    told |= {"texts": f"{row.texts:,}", "how": theme.wrapped(row.note, 600, theme.SIZE, 1)[0]}
    return Dot(
        label=f"{changed(row, several)}, {where}",
        value=value,
        ends=ends,
        written=effect_text(value, ends),
        look=_where(found, row),
        told=told,
        chance=row.chance if value is row.jaccard else None,
    )


def drawable_stable(found: AuditResult) -> list[StableRow]:
    """Rows that have a τ, at the layers that are shown."""
    return [row for row in stable_main(found) if row.tau is not None]
