"""What the page shows while the other one, with its controls, is being made: one text, drawn.

It is made by the library alone and is there within two seconds; it loads itself anew, with the
same link, when the other one is ready.
"""

from functools import cache
from importlib.resources import files

from activation_flow import charts, html_strength, page
from activation_flow.app_answers import Answers, Explored
from activation_flow.app_inputs import Explore
from activation_flow.app_link import from_link
from activation_flow.data import ActivationFlowError
from activation_flow.markup import escape, fragment
from activation_flow.picture import HINT, picture_of, shortened, source_line

TITLE = "Activation Flow"
_SOON = "The controls will be here in a moment."
_TOKENS = 400  # of a text that are shown
_QUOTED = 300  # letters of it at the head


def first_view(query: str, answers: Answers) -> str:
    """The page for a link: its text explored, or why that cannot be; other views begin empty.

    Args:
        query: of the link.
        answers: to compute it by.
    """
    try:
        inputs = from_link(query)
        if not isinstance(inputs, Explore):
            return _page("", "", [])
        found = answers.explore(inputs)
        about = shortened(found.at.text, _QUOTED) or "(empty)"
        return _page(about, source_line(found.at._as_list()), _parts(found))
    except ActivationFlowError as problem:
        shown = "<br>".join(map(escape, str(problem).splitlines()))
        return _page("", "", [f'<p class="afn-problem" role="alert">{shown}</p>'])


def policy() -> str:
    """What a browser may do with it: run its one script, and ask this server."""
    rules = ("default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "base-uri 'none'")
    of_script = f"script-src {page.script_hash(_script())}"
    return "; ".join(
        (*rules, of_script, "connect-src 'self'", "form-action 'none'", "frame-ancestors 'none'")
    )


def _parts(found: Explored) -> list[str]:
    shown = picture_of(found.at._as_list(), texts=1, tokens=_TOKENS, hint=HINT)
    figures = [one for one in charts.figures(found.at) if one.name.startswith("strength")]
    return [*html_strength.token_parts(shown), *map(page.drawn, figures)]


def _page(about: str, source: str, parts: list[str]) -> str:
    said = f'<p class="afn-about"><bdi>{escape(about)}</bdi></p>\n' if about else ""
    said += f'<p class="afn-source">{escape(source)}</p>\n' if source else ""
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
        f'<main id="afn-first">\n{said}{fragment(parts)}\n</main>\n'
        f"<script>{_script()}</script>\n</body>\n</html>\n"
    )


@cache
def _file(name: str) -> str:
    return files("activation_flow").joinpath(name).read_text(encoding="utf-8")


def _script() -> str:
    return _file("app_first.js")
