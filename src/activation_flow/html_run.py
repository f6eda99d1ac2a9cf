"""What the summary of a run of either kind looks like as HTML: tables, layers to unfold."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from activation_flow.data import Provenance, main_layer
from activation_flow.markup import escape
from activation_flow.result_run import OfRun

# Title, what it means in one sentence, what it holds.
Section = tuple[str, str, list[str]]


def each_layer(summary: OfRun, parts: Callable[[int], Iterable[str]]) -> Iterator[str]:
    """The parts of each layer; of several, those of the usual one stand open."""
    if len(summary.layers) == 1:
        yield from parts(summary.layers[0])
        return
    first = main_layer(summary.layers, summary.provenance)
    for layer in summary.layers:
        name = summary.provenance.layer_name(layer)
        shown = " open" if layer == first else ""
        held = "\n".join(parts(layer))
        yield f"<details{shown}><summary>{escape(name)}</summary>\n{held}</details>"


def table(heads: Sequence[str], rows: Iterable[str]) -> str:
    """A table of rows that are HTML; names left, numbers right. It may have no heads."""
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    top = f"<thead><tr>{top}</tr></thead>\n" if heads else ""
    body = "".join(f"<tr>{row}</tr>\n" for row in rows)
    whole = f"{top}<tbody>{body}</tbody>"
    return f'<div class="afn-scroll"><table class="afn-run">{whole}</table></div>'


def cells(name: str, values: Iterable[str]) -> str:
    """A row: its name, and what is beside it; plain text."""
    beside = "".join(f"<td>{escape(value)}</td>" for value in values)
    return f"<th><bdi>{escape(name)}</bdi></th>{beside}"


def facts(head: Provenance, layers: Sequence[int]) -> dict[str, object]:
    """The table at the end of a page: model, settings, versions."""
    named = f"{', '.join(map(str, layers))} of {head.n_layers}"
    found = {"model": head.model, "revision": head.revision or "unknown", "layers": named}
    about = {**found, "engine": head.engine, "precision": head.precision}
    return {**about, **head.settings, **head.versions}


def warning(done: int, many: int) -> Iterator[str]:
    """First of all, that the run is not finished."""
    if done < many:
        said = f"This run is not finished: {done:,} of {many:,} shards are in these numbers."
        yield f'<p class="afn-warning">{escape(said)}</p>'
