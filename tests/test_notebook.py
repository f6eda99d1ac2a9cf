"""The example notebook runs from its first cell to its last, and its results show themselves."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

TOUR = Path(__file__).parents[1] / "docs" / "tour.ipynb"


@pytest.fixture(scope="module")
def executed() -> Any:
    """The notebook, run anew: what was kept in its file is of no help."""
    notebook: Any = nbformat.read(TOUR, as_version=4)
    for cell in notebook.cells:
        cell.outputs = [] if cell.cell_type == "code" else None
    return NotebookClient(notebook, timeout=120, kernel_name="python3").execute()


def shown(notebook: Any, source: str) -> dict[str, str]:
    """What the cell that ends so has given."""
    (cell,) = (cell for cell in notebook.cells if cell.source.endswith(source))
    (output,) = (o for o in cell.outputs if o.output_type == "execute_result")
    return dict(output.data)


def test_no_cell_says_anything_but_its_result(executed: Any) -> None:
    for cell in executed.cells:
        if cell.cell_type == "code":
            assert {output.output_type for output in cell.outputs} <= {"execute_result"}, (
                cell.source
            )


def test_a_result_is_html_that_loads_nothing(executed: Any) -> None:
    html = shown(executed, "\nresult")["text/html"]
    assert "canada" in html
    assert "<script" not in html
    assert "http" not in html.replace("http://www.w3.org/", "")


@pytest.mark.parametrize(
    "source", ["result.chart()", "shift.chart()", "prompts.chart(layer=4)", "summary.chart()"]
)
def test_a_chart_is_a_picture_without_a_network(executed: Any, source: str) -> None:
    data = shown(executed, source)
    assert "<svg" in data["image/svg+xml"]
    assert "text/html" not in data  # that would be Altair's own page, with scripts from a host
    (specification,) = (v for k, v in data.items() if k.startswith("application/vnd.vegalite"))
    assert specification["data" if "data" in specification else "config"]  # type: ignore[index]


def test_it_is_kept_with_what_it_shows() -> None:
    notebook: Any = nbformat.read(TOUR, as_version=4)
    assert all(cell.outputs for cell in notebook.cells if cell.source.endswith("chart()"))
