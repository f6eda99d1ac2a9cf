"""Charts for the browser: a figure of the library as data that a page draws itself."""

from typing import Any

from activation_flow import drawing
from activation_flow.app_shown import Drawn
from activation_flow.charts_theme import Figure


def drawn(figure: Figure) -> Drawn:
    """A figure with its specification; all numbers are in it, and all text is data.

    Without its title, which stands above it in the page; what its small lines say besides is part
    of the sentence.
    """
    spec = drawing.spec(figure.chart)
    title: Any = spec.pop("title", None)
    if figure.notes is None and isinstance(title, dict) and title.get("subtitle"):
        spec["title"] = {**title, "text": []}
    return Drawn(
        name=figure.name,
        title=figure.title,
        sentence=" ".join([figure.sentence, *map(_sentence, figure.notes or ())]),
        spec=spec,
    )


def _sentence(note: str) -> str:
    """A note as a sentence.

    >>> _sentence("the first 60 of 70 tokens are drawn")
    'The first 60 of 70 tokens are drawn.'
    """
    return f"{note[:1].upper()}{note[1:]}."
