"""An audit as HTML: a fragment for notebooks, a page to send.

The first screen is for who knows no statistics: the verdicts in sentences. Below, every number:
its test, its n, its interval, its definition. What a page is made of stands in page and markup.
"""

from collections.abc import Iterator, Mapping
from importlib.resources import files

from activation_flow import charts_audit, html_audit_explained, page
from activation_flow import html_audit_tables as tables
from activation_flow.audit_tables import NO_BETTER, NOT_SUPPORTED, SUPPORTED
from activation_flow.document_audit import known
from activation_flow.markup import escape, fragment, note
from activation_flow.picture import model_line
from activation_flow.picture_audit import (
    about_line,
    draws_line,
    scores_told,
    size_line,
)
from activation_flow.picture_counts import sizes
from activation_flow.result_audit import AuditResult
from activation_flow.sentences_audit import (
    DEFINITIONS,
    EXPLORATORY,
    MEANINGS,
    norm_sentences,
    summary_line,
)
from activation_flow.sentences_explained import explained_definitions

_LOOKS = {SUPPORTED: "afn-good", NO_BETTER: "afn-other", NOT_SUPPORTED: "afn-bad"}
_TITLE = "Does token activation strength mean anything here?"
Figures = Mapping[str, str]


def html_fragment(found: AuditResult) -> str:
    """A self-contained ``<div>`` for notebooks: verdicts, scores, notes; without figures."""
    found = known(found)
    parts = [_looks(), note(about_line(found)), *_verdicts(found)]
    scores = tables.scores(found) if scores_told(found) else ()
    return fragment([*parts, *scores, *_notes(found)])


def html_page(found: AuditResult) -> str:
    """A complete document to read offline, print and send."""
    found = known(found)
    head = found.provenance
    figures = {name: page.figure(one) for name, one in charts_audit.figures(found).items()}
    facts: dict[str, object] = {"input": found.input or "texts given in Python"}
    facts |= {"model": head.model, "revision": head.revision or "unknown"}
    facts |= {"layers": f"{', '.join(map(str, found.layers))} of {head.n_layers}"}
    facts |= {"engine": head.engine, "precision": head.precision}
    return page.page(
        title=_TITLE,
        about=found.input,
        source=f"{model_line(head, (found.layer,))}; {size_line(found)}",
        parts=[_looks(), *_parts(found, figures)],
        facts={**facts, **head.settings, **head.versions},
        command=found.command,
        live=bool(figures),
    )


def _looks() -> str:
    read = [
        files("activation_flow").joinpath(name).read_text(encoding="utf-8")
        for name in ("paper.css", "audit.css")
    ]
    return f"<style>\n{''.join(read)}</style>"


def _parts(found: AuditResult, figures: Figures) -> Iterator[str]:
    """Section by section; those without numbers are left out."""
    yield page.section("Verdicts", "", _verdicts(found))
    if found.claims:
        said = (
            "One primary test for each claim, chosen beforehand; p-values are adjusted for all of "
            f"them (Holm). {tables.sentence(draws_line(found))}"
        )
        yield page.section("How it was tested", said, [*_drawn(figures, "claims"), *_tested(found)])
    if scores_told(found):
        those = [*_drawn(figures, "layers"), *tables.scores(found), *_drawn(figures, "cost")]
        yield page.section("Scores", "", those)
    yield from html_audit_explained.sections(found, figures)
    if found.norms or found.dimensions:
        said = "Descriptive: nothing is tested here, and no verdict rests on it."
        yield page.section("What normalisation does", said, _normalisation(found, figures))
    if found.thresholds:
        those = [
            *_drawn(figures, "thresholds"),
            tables.folded("Every cut", tables.thresholds(found)),
        ]
        yield page.section("Thresholds", EXPLORATORY, those)
    if found.ratios:
        said = "Exploratory, but for what claim C5 is judged by, above."
        those = [*_drawn(figures, "ratios"), tables.folded("Every bucket", tables.ratios(found))]
        yield page.section("R_H beside chance", said, those)
    if found.confounds:
        those = [*_drawn(figures, "confounds"), tables.confounds(found)]
        yield page.section("Confounds", EXPLORATORY, those)
    if found.controls:
        said = "In these the audit must find nothing."
        yield page.section("Controls", said, [*_drawn(figures, "controls"), tables.controls(found)])
    yield page.section("Notes and definitions", "", [*_notes(found), _definitions(found)])


def _drawn(figures: Figures, name: str) -> Iterator[str]:
    if name in figures:
        yield figures[name]


def _verdicts(found: AuditResult) -> Iterator[str]:
    """The first screen: how many hold, and a sentence for each."""
    yield f'<p class="afn-lead">{escape(summary_line(found))}</p>'
    if not found.claims:
        return
    rows = "".join(
        f"<dt>{tables.chip(claim.verdict, _LOOKS.get(claim.verdict, ''))}</dt>"
        f"<dd><strong>{escape(claim.title)}</strong> ({escape(claim.id)})"
        f"<p>{escape(claim.sentence)}</p></dd>\n"
        for claim in found.claims
    )
    yield f'<dl class="afn-claims">{rows}</dl>'
    there = [verdict for verdict in MEANINGS if verdict in found.verdicts.values()]
    meanings = "".join(
        f"<dt>{tables.chip(verdict, _LOOKS.get(verdict, ''))}</dt>"
        f"<dd>{escape(MEANINGS[verdict])}</dd>"
        for verdict in there
    )
    yield f'<dl class="afn-claims afn-meanings">{meanings}</dl>'


def _tested(found: AuditResult) -> Iterator[str]:
    for claim in found.claims:
        yield tables.tested(claim, _LOOKS.get(claim.verdict, ""))


def _normalisation(found: AuditResult, figures: Figures) -> Iterator[str]:
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in norm_sentences(found))
    yield f'<div class="afn-said">{said}</div>'
    yield from _drawn(figures, "dimensions")
    if found.dimensions:
        yield tables.folded("The same as a table", tables.dimensions(found))
    if found.norms:
        yield '<h3 class="afn-title">Layer by layer</h3>'
        yield from tables.norms(found)


def _notes(found: AuditResult) -> Iterator[str]:
    if found.counts:
        yield note("How many, how drawn, and what a reader must know:")
    lines = [
        line for line in (*sizes(found), draws_line(found), *dict.fromkeys(found.notes)) if line
    ]
    if lines:
        yield f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _definitions(found: AuditResult) -> str:
    terms = (*DEFINITIONS, *explained_definitions(found))
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(said)}</dd>" for term, said in terms)
    return f'<h3 class="afn-title">What the terms mean</h3><dl class="afn-terms">{rows}</dl>'
