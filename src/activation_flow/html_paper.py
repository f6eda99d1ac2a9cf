"""A reproduction of the paper as HTML: a fragment for notebooks, a page to send.

The order is that of paper_sections; what a page is made of stands in page and markup.
"""

from collections.abc import Iterator, Sequence
from importlib.resources import files

from activation_flow import page
from activation_flow import paper_sections as text
from activation_flow.charts_theme import Figure
from activation_flow.markup import escape, fragment, note
from activation_flow.paper import VERDICTS, PaperTable, Row, published
from activation_flow.paper_sections import Section
from activation_flow.result_reproduction import Reproduction

_LOOKS = {
    "arithmetic ok": "afn-good",
    "matches": "afn-good",
    "contradicts itself": "afn-bad",
    "differs": "afn-other",
}


def html_fragment(found: Reproduction) -> str:
    """A self-contained ``<div>`` for notebooks, without the figures."""
    return fragment(_parts(found, {}))


def html_page(found: Reproduction, figures: Sequence[Figure]) -> str:
    """A complete document to read offline, print and send."""
    about, head = published()["paper"], found.provenance
    facts: dict[str, object] = {"paper": f"arXiv {about['arxiv']}, {about['licence']}"}
    if head is not None:
        facts |= {"model": head.model, "revision": head.revision or "unknown"}
        facts |= {"layers": f"{', '.join(map(str, found.layers))} of {head.n_layers}"}
        facts |= {"engine": head.engine, "precision": head.precision}
        facts |= {**head.settings, **head.versions}
    return page.page(
        title="The paper, reproduced",
        about=about["title"],
        parts=_parts(found, {figure.name: page.figure(figure) for figure in figures}),
        facts=facts,
        command=found.command,
        live=bool(figures),
    )


def _parts(found: Reproduction, figures: dict[str, str]) -> Iterator[str]:
    """Verdicts counted, what does not hold, then section by section."""
    looks = files("activation_flow").joinpath("paper.css").read_text(encoding="utf-8")
    yield f"<style>\n{looks}</style>"
    yield page.section("At a glance", text.title_line(found), _glance(found))
    for part in text.sections(found):
        yield page.section(part.heading, part.sentence, _section(part, figures))


def _glance(found: Reproduction) -> Iterator[str]:
    rows = "".join(
        f"<tr><td>{_chip(verdict)}</td><td>{count:,}</td><td>{escape(VERDICTS[verdict])}</td></tr>"
        for verdict, count in found.counts.items()
    )
    yield (
        '<table class="afn-rows"><thead><tr><th>verdict</th><th>rows</th><th>meaning</th></tr>'
        f"</thead><tbody>{rows}</tbody></table>"
    )
    chosen = [one for verdict in text.WRONG for one in text.wrong(found, verdict)]
    if chosen:
        yield '<h3 class="afn-title">What does not hold</h3>'
        yield _rows([row for _, row in chosen], [title for title, _ in chosen])


def _section(part: Section, figures: dict[str, str]) -> Iterator[str]:
    if part.table is not None:
        yield note(part.table.title)
        yield _cells(part.table)
    for number in part.figures:
        if drawn := figures.get(f"figure-{number}"):
            yield drawn
    yield _rows(part.rows)


def _rows(rows: Sequence[Row], titles: Sequence[str] = ()) -> str:
    """A row each, and its note below it; in an overview, with the titles of their sections."""
    whose = titles or [""] * len(rows)
    body = "".join(_row(row, title) for row, title in zip(rows, whose, strict=True))
    heads = "".join(f"<th>{name}</th>" for name in ("", "paper", "ours", "difference", "verdict"))
    return (
        f'<div class="afn-wide"><table class="afn-rows"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(row: Row, title: str) -> str:
    lead = f"{title}: " if title and not row.what.startswith(title) else ""
    what = f"{lead}{row.what} ({row.place})" if title else row.what
    texts = (what, text.paper_text(row), text.ours_text(row), text.difference_text(row))
    cells = "".join(f"<td>{escape(cell)}</td>" for cell in texts)
    said = f'<tr class="afn-said"><td colspan="5">{escape(row.note)}</td></tr>' if row.note else ""
    id_ = "" if title else f' id="{escape(row.id)}"'
    return f"<tr{id_}>{cells}<td>{_chip(row.verdict)}</td></tr>{said}\n"


def _chip(verdict: str) -> str:
    return f'<span class="afn-verdict {_LOOKS.get(verdict, "")}">{escape(verdict)}</span>'


def _cells(table: PaperTable) -> str:
    """The paper's columns and ours, side by side."""
    columns = text.shown(table)
    heads = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(text.cell_text(cell))}</td>" for cell in cells) + "</tr>\n"
        for cells in zip(*columns.values(), strict=True)
    )
    return (
        f'<div class="afn-wide"><table class="afn-cells"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
