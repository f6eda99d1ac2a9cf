"""The components of the page that Gradio has not: HTML as it is, live charts, files to save.

Each is a ``gradio.HTML`` of a fixed template; what it holds is put there by app.js. So Gradio's own
templates (``${}``, ``{{}}``) never see text of users.
"""

import gradio as gr

_HELD = '<div class="afn-part"></div>'
_SHOW = "const show = () => window.afn.{name}(element, props.value); show(); watch('value', show);"
_SCRIPTS = '<script src="afn/app.js"></script><script async src="afn/vega.js"></script>'


def _part(name: str, about: str) -> gr.HTML:
    return gr.HTML(
        value=None,
        html_template=_HELD,
        js_on_load=_SHOW.format(name=name),
        apply_default_css=False,
        head=_SCRIPTS,
        elem_classes=["afn-bare", f"afn-{about}"],
    )


def markup(about: str) -> gr.HTML:
    """HTML whose text is escaped already; ``about`` names it for styles and tests."""
    return _part("html", about)


def charts() -> gr.HTML:
    """A list of ``app_shown.Drawn`` as dictionaries."""
    return _part("charts", "charts")


def again() -> gr.HTML:
    """The command, the Python lines and the link of a view."""
    return _part("again", "again")


def saver() -> gr.HTML:
    """A file that the browser saves when it comes: name, type, data in base64."""
    return gr.HTML(
        value=None,
        html_template="<span></span>",
        js_on_load="watch('value', () => window.afn.save(props.value));",
        apply_default_css=False,
        visible="hidden",
    )
