"""Charts for the browser: a figure of the library as data that a page draws itself."""

from activation_flow import drawing
from activation_flow.app_shown import Drawn
from activation_flow.charts_theme import Figure


def drawn(figure: Figure) -> Drawn:
    """A figure with its specification; all numbers are in it, and all text is data."""
    return Drawn(
        name=figure.name,
        title=figure.title,
        sentence=figure.sentence,
        spec=drawing.spec(figure.chart),
    )
