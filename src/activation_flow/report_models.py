"""What is kept on this machine, as a table on a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from activation_flow.inventory import Entry
from activation_flow.picture import visible
from activation_flow.terminal import GAP

if TYPE_CHECKING:
    from rich.console import Console


def print_models(entries: Sequence[Entry], console: "Console") -> None:
    """The engine folders as a table: model, revision, engine, sizes, age, state."""
    from rich.table import Table
    from rich.text import Text

    if not entries:
        console.print(Text("No engine folders yet: the first use of a model makes one."))
        return
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for head in ("model", "revision", "engine"):
        table.add_column(head, overflow="fold")
    for head in ("graph MB", "compiled MB", "download MB", "age"):
        table.add_column(head, justify="right", overflow="fold")
    for entry in entries:
        sizes = [f"{size / 1e6:,.0f}" for size in (entry.graph, entry.blobs, entry.download)]
        row = [entry.model, entry.revision.split(":")[-1][:12], entry.engine, *sizes, entry.age()]
        table.add_row(*(Text(visible(cell)) for cell in row))
    console.print(table)
    for entry in entries:
        if entry.state != "ok":
            console.print(Text(visible(f"{entry.path}: {entry.state}")))
