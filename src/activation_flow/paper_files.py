"""A reproduction -> files: the page, rows and tables as .csv, figures as .png; each whole."""

import csv
import io
import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from activation_flow import charts_paper, drawing, html_paper
from activation_flow.output import check_folder, check_path, replacing
from activation_flow.paper import PaperTable, Value
from activation_flow.result_reproduction import COLUMNS, Reproduction

log = logging.getLogger("activation_flow")

# All that is ever written to a folder; whatever else stands there is left alone.
NAMES = (
    "report.html",
    "rows.csv",
    *(f"table-{n}.csv" for n in range(1, 7)),
    *(f"figure-{n}.png" for n in range(1, 8)),
)


def save(found: Reproduction, path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """One .json, .csv or .html file; or, without an ending or into a folder, all files.

    Returns:
        What was written.

    Raises:
        ActivationFlowError: unknown ending, missing folder, or a file cannot be written.
    """
    place = Path(path).expanduser()
    if not place.suffix or place.is_dir():
        return _folder(found, check_folder(place))
    place = check_path(place, [*_WRITERS])
    _write(place, _WRITERS[place.suffix.lower()](found))
    return (place,)


def _folder(found: Reproduction, folder: Path) -> tuple[Path, ...]:
    """All is made before the first file is written."""
    figures = charts_paper.figures(found)
    contents = {"report.html": html_paper.html_page(found, figures).encode()}
    contents["rows.csv"] = _csv(found)
    contents |= {f"{table.name}.csv": _table(table) for table in found.tables}
    contents |= {
        f"{figure.name}.png": drawing.png(charts_paper.alone(figure)) for figure in figures
    }
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        _write(folder / name, content)
    old = [name for name in NAMES if name not in contents and (folder / name).exists()]
    if old:
        log.warning(
            "%s: %s were there before and need a model: they are not of this reproduction",
            folder,
            ", ".join(old),
        )
    return tuple(folder / name for name in contents)


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _csv(found: Reproduction) -> bytes:
    rows = [[getattr(row, name) for name in COLUMNS] for row in found.rows]
    return _lines(COLUMNS, rows)


def _table(table: PaperTable) -> bytes:
    return _lines([*table.columns], [*zip(*table.columns.values(), strict=True)])


def _lines(heads: Sequence[str], rows: Sequence[Sequence[Value]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([heads, *rows])
    return out.getvalue().encode()


def _json(found: Reproduction) -> bytes:
    text = json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def _html(found: Reproduction) -> bytes:
    return html_paper.html_page(found, charts_paper.figures(found)).encode()


_WRITERS: dict[str, Callable[[Reproduction], bytes]] = {
    ".json": _json,
    ".csv": _csv,
    ".html": _html,
}
