"""What the page shows while the other one, with its controls, is being made: one text, drawn.

It is made by the library alone, and sent piece by piece: its head at once, the tokens as soon as
the model has been opened, then the chart. It loads itself anew, with the same link, when the other
one is ready.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from activation_flow import html_strength, page
from activation_flow.app_answers import Answers, Explored
from activation_flow.app_inputs import Explore, Inputs
from activation_flow.app_link import from_link
from activation_flow.data import ActivationFlowError
from activation_flow.markup import block, escape, fragment
from activation_flow.picture import HINT, picture_of, shortened, source_line

TITLE = "Activation Flow"
PARTS = 3  # of a view at most
_SOON = "The controls will be here in a moment."
_TOKENS = 400  # of a text that are shown
_QUOTED = 300  # letters of it at the head
_OPENED = "<style>#afn-opening { display: none }</style>\n"


def head(query: str, model: str) -> str:
    """The page up to what is shown; it says what is being waited for.

    Args:
        query: of the link.
        model: the one that is opened where the link names none.
    """
    about, opening = "", ""
    inputs = _inputs(query)
    if isinstance(inputs, Explore):
        about = shortened(inputs.text, _QUOTED) or "(empty)"
        opening = f"Opening {shortened(inputs.model or model, _QUOTED)} ..."
    return _head(about, opening)


def parts(query: str, answers: Answers) -> Iterator[str]:
    """What is shown, piece by piece: a text explored, or why that cannot be; then the end.

    Other views begin empty.

    Args:
        query: of the link.
        answers: to compute it by.
    """
    try:
        inputs = from_link(query)
        if isinstance(inputs, Explore):
            found = answers.explore(inputs)
            yield _OPENED + _tokens(found)
            yield _charts(found)
    except ActivationFlowError as problem:
        shown = "<br>".join(map(escape, str(problem).splitlines()))
        yield f'{_OPENED}<p class="afn-problem" role="alert">{shown}</p>\n'
    yield "</main>\n</body>\n</html>\n"


def _inputs(query: str) -> Inputs | None:
    try:
        return from_link(query)
    except ActivationFlowError:  # it is said where the view would be
        return None


def policy() -> str:
    """What a browser may do with it: run its one script, and ask this server."""
    rules = ("default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "base-uri 'none'")
    of_script = f"script-src {page.script_hash(_script())}"
    return "; ".join(
        (*rules, of_script, "connect-src 'self'", "form-action 'none'", "frame-ancestors 'none'")
    )


def _tokens(found: Explored) -> str:
    strengths = found.at._as_list()
    shown = picture_of(strengths, texts=1, tokens=_TOKENS, hint=HINT)
    source = f'<p class="afn-source">{escape(source_line(strengths))}</p>\n'
    return f"{source}{fragment(html_strength.token_parts(shown))}\n"


def _charts(found: Explored) -> str:
    from activation_flow import charts  # the tokens do not wait for it

    figures = [one for one in charts.figures(found.at) if one.name.startswith("strength")]
    return f"{block(map(page.drawn, figures))}\n"


def _head(about: str, opening: str) -> str:
    said = f'<p class="afn-about"><bdi>{escape(about)}</bdi></p>\n' if about else ""
    said += f'<p id="afn-opening" role="status">{escape(opening)}</p>\n' if opening else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<link rel="icon" href="data:,">\n'  # so that a browser does not ask for one
        f"<title>{escape(f'{TITLE}: {about}' if about else TITLE)}</title>\n"
        '<noscript><meta http-equiv="refresh" content="5"></noscript>\n'
        f"<style>\n{_file('page.css')}{_file('app_first.css')}</style>\n"
        f'</head>\n<body class="afn-page">\n<header>\n<h1>{TITLE}</h1>\n'
        f'<p id="afn-starting" role="status">{_SOON}</p>\n</header>\n'
        f'<main id="afn-first">\n<script>{_script()}</script>\n{said}'
    )


@cache
def _file(name: str) -> str:
    return files("activation_flow").joinpath(name).read_text(encoding="utf-8")


def _script() -> str:
    return _file("app_first.js")
