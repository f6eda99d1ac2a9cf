"""Hidden states on a terminal: of which texts, layers and tokens they are; no numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from activation_flow.picture import token_text
from activation_flow.picture_hidden import hidden_legend, shape_line
from activation_flow.result_hidden import HiddenResults
from activation_flow.terminal import GREY, Page, fit

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from activation_flow.result_hidden import HiddenStates


@dataclass(frozen=True, kw_only=True)
class HiddenPage(Page):
    """A report of hidden states; the first ``texts`` of them."""

    results: HiddenResults
    texts: int

    def parts(self, width: int) -> "Iterator[RenderableType]":
        """Texts, legend, errors."""
        results = self.results
        several = len(results) + len(results.errors) > 1
        for number, states in zip(results.numbers[: self.texts], results, strict=False):
            yield from self.heading(f"text {number}: " if several else "", states, width)
            yield self.text(shape_line(states))
            yield self._tokens(states, width)
            yield self.text("")
        if len(results) > self.texts:
            yield self.text(f"{len(results) - self.texts:,} more texts not shown\n")
        yield from self.legend(hidden_legend(results), {}, None)
        yield from self.errors(results)

    def _tokens(self, states: "HiddenStates", width: int) -> "Text":
        """The first tokens, as many as one line holds; that there are more is said by …."""
        from rich.cells import cell_len

        line = self.text("")
        for i in range(len(states)):
            token = fit(token_text(str(states.tokens[i])), max(width - 2, 1))
            if line.cell_len + cell_len(token) + 2 > width:
                return line.append("…")
            line.append(token, GREY if states.special[i] and self.colour else None).append(" ")
        return line
