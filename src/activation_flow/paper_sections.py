"""The rows of a reproduction in the order in which they are read, and how their numbers look.

The same for the terminal and for the page. Computes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from activation_flow.paper import PaperTable, Row, Value, decimals, number_of
from activation_flow.picture import number
from activation_flow.result_reproduction import Reproduction

NOTHING = "–"
# Verdicts that are listed once more, with the notes that say why.
WRONG = ("contradicts itself", "differs")


@dataclass(frozen=True)
class Section:
    """A part of the reproduction.

    Attributes:
        title: of it.
        sentence: what it is about.
        rows: those that are listed one by one; cells of its table are not.
        table: of the paper, where it is about one.
        figures: numbers of the paper's figures that belong to it.
    """

    title: str
    sentence: str
    rows: tuple[Row, ...]
    table: PaperTable | None = None
    figures: tuple[int, ...] = ()

    @property
    def heading(self) -> str:
        """Its title, and where in the paper its table is."""
        where = self.table.place.rpartition(",")[0] if self.table is not None else ""
        return f"{self.title} ({where})" if where else self.title

    @property
    def side_by_side(self) -> bool:
        """Its table has numbers of ours beside the paper's."""
        return self.table is not None and any(n.startswith("ours") for n in self.table.columns)

    @property
    def counted(self) -> bool:
        """Its rows are counts over a corpus."""
        return any(row.group == "section-2.5" for row in self.rows)


# title, what it is about, groups of its rows ("table-1/..."), figures
_ORDER: tuple[tuple[str, str, tuple[str, ...], tuple[int, ...]], ...] = (
    (
        "The model",
        "What the paper says of its model, and of the layer it takes.",
        ("model", "section-2.4"),
        (),
    ),
    (
        "Formulas",
        "What each formula leaves open, and what is taken here.",
        ("eq-1", "eq-2", "eq-3", "eq-4", "eq-5", "eq-6"),
        (),
    ),
    ("Table 1", "Strengths of one sentence; which tokens are highest.", ("table-1",), (1,)),
    ("Table 2", "Strengths of a second sentence.", ("table-2",), (2,)),
    (
        "Table 3",
        "The sentence of Table 1 again, at two layers: the two tables should agree at layer 8.",
        ("table-3", "casing"),
        (3,),
    ),
    (
        "Table 4",
        "Shift of every token from Prompt A to Prompt B, which differ in two words.",
        ("table-4",),
        (),
    ),
    (
        "Goal-oriented prompts",
        "What an instruction before a sentence moves. The paper gives pictures and no number.",
        ("section-3.2.3", "figure-4", "figure-5", "figure-6", "figure-7"),
        (4, 5, 6, 7),
    ),
    (
        "Table 5",
        "The threshold τ: only two percentile methods give the printed number.",
        ("table-5", "eq-7"),
        (),
    ),
    (
        "Table 6",
        "R_H of an invented example, and what chance would give.",
        ("table-6", "eq-8", "eq-9", "eq-10", "eq-11"),
        (),
    ),
    (
        "The corpus",
        "Claims about all sentences, counted; a count is no test and has no interval.",
        ("section-2.5", "section-2.2.1", "section-3.1.4"),
        (),
    ),
    ("Conclusion", "Two words that the conclusion names.", ("section-4",), ()),
)


def sections(found: Reproduction) -> Iterator[Section]:
    """Those that have rows, in reading order."""
    tables = {table.name: table for table in found.tables}
    for title, sentence, groups, figures in _ORDER:
        rows = tuple(row for row in found.rows if row.group in groups and not row.cell)
        if rows:
            yield Section(title, sentence, rows, tables.get(groups[0]), figures)


def wrong(found: Reproduction, verdict: str) -> list[tuple[str, Row]]:
    """Rows with a verdict, and the title of the section of each, for an overview.

    Without cells of tables and τ by each percentile method, which say one thing many times.
    """
    return [
        (section.title, row)
        for section in sections(found)
        for row in section.rows
        if row.verdict == verdict and row.group != "eq-7"
    ]


def shown(table: PaperTable) -> dict[str, Sequence[Value]]:
    """The columns of a table that are shown; files have all of them."""
    left_out = {"paper_type", "paper_role"}
    pieces = [str(value).lower() for value in table.columns.get("ours_pieces", ())]
    if pieces == [str(value).lower() for value in table.columns.get("token", ())]:
        left_out.add("ours_pieces")
    return {name: values for name, values in table.columns.items() if name not in left_out}


def paper_text(row: Row) -> str:
    """The paper's, as printed."""
    return NOTHING if row.paper is None else row.paper


def ours_text(row: Row) -> str:
    """Ours: with three decimals, or as many as are printed."""
    return _text(row.ours, row.paper)


def difference_text(row: Row) -> str:
    """Ours − the paper's; "0" where it is less than the last digit shown."""
    apart = row.difference
    if apart is None or row.paper is None:
        return ""
    places = max(3, decimals(row.paper))
    return "0" if abs(apart) < 0.5 * 10.0**-places else f"{apart:+.{places}f}"


def cell_text(value: Value) -> str:
    """A value of a table."""
    return _text(value, None)


def _text(value: Value, paper: str | None) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, str | int):
        return str(value)
    printed = paper if number_of(paper) is not None else None
    if printed is not None and decimals(printed) > 3:
        return f"{value:.{decimals(printed)}f}"
    return number(value)


def title_line(found: Reproduction) -> str:
    """Whose numbers stand beside the paper's."""
    if found.provenance is None:
        return "No model was run: these rows are about the paper's own numbers."
    model = found.provenance.model
    if found.another:
        return (
            f"{model} is not the paper's model: its numbers stand beside the paper's, and are not "
            "compared with them."
        )
    return f"{model} is the paper's model: its numbers are compared with the paper's."
