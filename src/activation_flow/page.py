"""A whole page that asks no host for anything: parts, charts, settings, the command that made it.

Every chart stands in it twice: drawn, for readers without scripts and for paper, and as data, from
which page.js makes a live one. Looks that only pages have are in page.css.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from activation_flow import drawing, vega
from activation_flow.markup import escape, fragment
from activation_flow.picture import shade, visible

if TYPE_CHECKING:
    from activation_flow.charts_theme import Figure

# A chart that lacks room is drawn smaller, down to this part of its size; then it is scrolled.
_SMALLEST = 0.75
# What a browser reads as markup where it stands in a script (HTML standard, 4.12.1.3).
_MARKUP = re.compile("<(?=!--|script|/script)", re.IGNORECASE)
_SURROGATES = re.compile("[\ud800-\udfff]")
_REFERENCE = re.compile(r"url\(['\"]?#([^'\")]+)['\"]?\)")
# Where a section begins; in text of users "<" is escaped.
_SECTION = re.compile('<section id="([^"]+)">\n<h2 class="afn-title">([^<]+)</h2>')
_XLINK = "{http://www.w3.org/1999/xlink}"


def page(
    *,
    title: str,
    parts: Iterable[str],
    facts: Mapping[str, object],
    command: str,
    live: bool,
    about: str = "",
    source: str = "",
) -> str:
    """A whole document, to be read offline, printed and sent.

    The browser itself is told to load nothing and to run no script but those two that stand in it,
    by their hashes: whatever a text may hold, it cannot run.

    Args:
        title: what it shows.
        parts: pieces of HTML, one below the other; all text in them is escaped already.
        facts: names and values of the table at the end: model, settings, versions.
        command: the command that makes it again; "" where there is none.
        live: whether there are charts in it; if so, what makes them live is put in, 0.9 MB.
        about: of which text, pair or run; plain text.
        source: by which model, at which layers; plain text.
    """
    scripts = [_in_script(vega.bundle()), _in_script(_file("page.js"))] if live else []
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
    if scripts:
        # Vega compiles its expressions; none of them holds text of users, which is data only.
        policy += f"; script-src {' '.join(map(script_hash, scripts))} 'unsafe-eval'"
    subtitle = f'<p class="afn-about"><bdi>{escape(about)}</bdi></p>\n' if about else ""
    subtitle += f'<p class="afn-source">{escape(source)}</p>\n' if source else ""
    body = "\n".join([*parts, *_foot(facts, command)])
    links = "\n".join(f'<a href="#{name}">{named}</a>' for name, named in _SECTION.findall(body))
    body += turned() if live else ""
    run = "".join(f"<script>{script}</script>\n" for script in scripts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}; form-action \'none\'">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(f'{title}: {about}' if about else title)}</title>\n"
        f'<style>\n{_file("page.css")}</style>\n</head>\n<body class="afn-page">\n'
        f"<header>\n<h1>{escape(title)}</h1>\n{subtitle}<nav>\n{links}\n</nav>\n</header>\n"
        f"{fragment([body])}\n{run}</body>\n</html>\n"
    )


@cache
def turned() -> str:
    """The filter of page.css that turns the scale of maps around: the colour of p to that of 1 − p.

    Each channel falls along the scale, so each can be turned alone.
    """
    places = np.linspace(0, 1, 201)
    colours = [shade(float(place))[0] for place in places]
    found = []
    for k, name in enumerate("RGB", 1):
        values = np.array([int(colour[2 * k - 1 : 2 * k + 1], 16) / 255 for colour in colours])
        table = np.interp(np.linspace(0, 1, 256), values[::-1], values)
        listed = " ".join(f"{value:.3f}" for value in table)
        found.append(f'<feFunc{name} type="table" tableValues="{listed}"/>')
    return (
        '\n<svg width="0" height="0" style="position:absolute" aria-hidden="true">'
        '<filter id="afn-turned" color-interpolation-filters="sRGB"><feComponentTransfer>'
        f"{''.join(found)}</feComponentTransfer></filter></svg>"
    )


def section(title: str, sentence: str, parts: Iterable[str]) -> str:
    """A part of a page: its heading, what it means in one sentence, and what it holds."""
    said = f'<p class="afn-note">{escape(sentence)}</p>\n' if sentence else ""
    name = re.sub(r"\W+", "-", title.lower())
    head = f'<section id="{name}">\n<h2 class="afn-title">{escape(title)}</h2>\n'
    return head + said + "\n".join(parts) + "\n</section>"


def figure(figure: "Figure") -> str:
    """A chart with its title and what it means: drawn, and as data for page.js."""
    spec = json.dumps(drawing.spec(figure.chart), ensure_ascii=False, separators=(",", ":"))
    # subtle: only a \\u escape carries a lone surrogate; and "<" could end the script.
    spec = _SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", spec).replace("<", "\\u003c")
    return drawn(figure, f'<script type="application/json">{spec}</script>\n')


def drawn(figure: "Figure", behind: str = "") -> str:
    """A chart with its title and what it means, as a drawing; behind it a piece of HTML."""
    return (
        f'<figure class="afn-figure" id="{escape(figure.name)}">\n<figcaption>'
        f'<h3 class="afn-title">{escape(figure.title)}</h3>'
        f'<p class="afn-note">{escape(figure.sentence)}</p></figcaption>\n'
        f'<div class="afn-chart">{_inline(drawing.svg(figure.chart), figure)}</div>\n'
        f"{behind}</figure>"
    )


def _foot(facts: Mapping[str, object], command: str) -> Iterable[str]:
    """Settings and versions; the command."""
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>\n"
        for name, value in facts.items()
    )
    if rows:
        table = f'<table class="afn-facts">{rows}</table>'
        meaning = "With the same model, settings and versions come the same numbers."
        yield section("Model, settings, versions", meaning, [table])
    if command:
        shown = f'<pre class="afn-command"><code>{escape_lines(command)}</code></pre>'
        yield section("Command", "Makes this page's numbers again, in a shell.", [shown])


def escape_lines(text: str) -> str:
    """Text that keeps its line ends."""
    return "\n".join(map(escape, text.split("\n")))


def _inline(svg: str, figure: "Figure") -> str:
    """A drawing as a part of HTML: of any width, one image to screen readers, its ids its own."""
    root = ElementTree.fromstring(svg)
    width, height = (float(root.attrib.pop(name)) for name in ("width", "height"))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        kept = {name.removeprefix(_XLINK): value for name, value in element.attrib.items()}
        element.attrib = {
            name: _renamed(name, value, figure.name)
            for name, value in kept.items()
            if name != "role" and not name.startswith("aria-")
        }
    root.attrib |= {
        "viewBox": root.get("viewBox", f"0 0 {width:g} {height:g}"),
        "style": f"width: clamp({_SMALLEST * width:.0f}px, 100%, {width:.0f}px)",
        "role": "img",
        "aria-label": visible(f"{figure.title}. {figure.sentence}"),
    }
    return ElementTree.tostring(root, encoding="unicode")


def _renamed(name: str, value: str, prefix: str) -> str:
    """An attribute whose ids, or references to them, are those of one figure of many."""
    if name == "id":
        return f"{prefix}-{value}"
    if name == "href":
        return f"#{prefix}-{value[1:]}" if value.startswith("#") else value
    return _REFERENCE.sub(rf"url(#{prefix}-\1)", value)


def _in_script(code: str) -> str:
    r"""Code as it can stand between script tags, and as a browser reads it: its hash depends on it.

    >>> print(_in_script('"</script>"'))
    "\x3c/script>"
    """
    return _MARKUP.sub(r"\\x3c", code).replace("\r\n", "\n").replace("\r", "\n")


def script_hash(code: str) -> str:
    """How a policy names a script."""
    digest = hashlib.sha256(code.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _file(name: str) -> str:
    return files("activation_flow").joinpath(name).read_text(encoding="utf-8")
