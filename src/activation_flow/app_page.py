"""The page as Gradio Blocks: fields -> inputs -> a view of the result; and the calls of the API.

No result is computed here. What a person sees depends on the fields alone, which the browser holds,
so a server that was started again goes on where the last one was. Each view has one event, of which
the last one asked for is shown: no older answer can come after a newer one.
"""

import base64
import itertools
import logging
from collections.abc import Callable, Iterator
from functools import partial, wraps
from importlib.resources import files
from typing import Any

import gradio as gr

from activation_flow import app_files, app_link, app_tabs
from activation_flow import page as offline
from activation_flow.app_answers import Answers
from activation_flow.app_calls import Calls
from activation_flow.app_inputs import Corpus, Inputs, Steer, view_of
from activation_flow.app_models import Models
from activation_flow.app_settings import Settings
from activation_flow.app_shown import Shown
from activation_flow.app_tabs import Tab
from activation_flow.app_values import fields_of, inputs_of, linked, pairs, subject
from activation_flow.app_views import view
from activation_flow.data import ActivationFlowError, NoSuchLayer
from activation_flow.markup import escape

log = logging.getLogger("activation_flow")

TITLE = "Activation Flow"
TYPES = {"html": "text/html", "png": "image/png", "csv": "text/csv", "json": "application/json"}
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO = ["ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace"]
_HEAD = (
    "<header><h1>Activation Flow</h1><p>How strongly a transformer encodes each token of a text, "
    "layer by layer: the length of the token's hidden state. It is not the token's importance."
    "</p></header>"
)
# subtle: what stands behind "#" is not sent with an address, so no log of a server holds texts.
_ADDRESS = "() => [window.location.hash.slice(1) || window.location.search.slice(1)]"
_START = "() => ['started']"
_AT_ONCE = 8  # requests that are worked on together; a model runs one at a time
# Values are checked by whoever answers, in words; Gradio would check them by what it last drew.
_QUIET: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "preprocess": False,
}
_count = itertools.count(1)

Updates = dict[Any, Any]


class Page:
    """The Blocks, and what happens in them."""

    def __init__(self, settings: Settings, models: Models, answers: Answers):
        self.settings, self.models, self.answers = settings, models, answers
        self.blocks = self._blocks()

    def _blocks(self) -> gr.Blocks:
        with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as blocks:
            with gr.Row(elem_id="afn-top"):
                gr.HTML(_HEAD, apply_default_css=False, elem_id="afn-head", scale=3)
                self.model = self._model()
            gr.HTML(offline.turned(), apply_default_css=False, padding=False)
            self.group, self.tabs = app_tabs.tabs(self.settings, self.model)
            address, self.started = gr.Textbox(visible="hidden"), gr.Textbox(visible="hidden")
            for tab in self.tabs:
                self._listen(tab)
            set_first = [
                self.group,
                *dict.fromkeys(part for tab in self.tabs for part in _set(tab)),
            ]
            begun = blocks.load(self._begin, address, set_first, js=_ADDRESS, **_QUIET)
            # Only now: a field that is set counts as changed, and others are not set yet then.
            begun.then(None, None, self.started, js=_START)
            self._offer()
        waiting = self.settings.bounds.waiting
        return blocks.queue(max_size=waiting, default_concurrency_limit=_AT_ONCE)

    def _model(self) -> gr.Dropdown:
        local = self.settings.local
        return gr.Dropdown(
            self.models.choices(),
            value=self.models.default,
            allow_custom_value=local,
            label="Model",
            info="A name on the Hugging Face hub, a folder, or minilm." if local else None,
            elem_id="afn-model",
        )

    def _listen(self, tab: Tab) -> None:
        asked = [self.started, tab.was, *tab.fields.values()]
        triggers = [*tab.triggers, self.started.change]
        if "model" in tab.fields:
            triggers.append(self.model.input)
        shown = gr.on(
            triggers,
            partial(self._show, tab),
            asked,
            [*_set(tab), *_shown_in(tab)],
            trigger_mode="always_last",
            **_QUIET,
        )
        shown.then(None, self.started, js=f"(begun) => window.afn.done('{tab.name}', begun)")
        tab.tab.select(None, js=f"() => window.afn.chosen('{tab.name}')")
        for form, button in tab.outputs.saves.items():
            fields = [*tab.fields.values()]
            button.click(partial(self._save, tab, form), fields, tab.outputs.saver, **_QUIET)

    def _begin(self, address: str) -> Updates:
        """The fields as a link says them; what follows from them is shown when they are set."""
        try:
            given = app_link.from_link(address)
            held = fields_of(given)
        except ActivationFlowError as problem:
            told = f"this link cannot be shown: {problem}. Below is what the page begins with."
            return _told(self.tabs[0], ActivationFlowError(told), self.tabs[0].outputs.notice)
        if isinstance(given, Corpus) and not given.run and self.settings.runs:
            held["run"] = self.settings.runs[0]
        tab = next(tab for tab in self.tabs if tab.name == view_of(given))
        found: Updates = {self.group: gr.Tabs(selected=tab.name)}
        if "layer" in held:
            layer = held.pop("layer")
            if isinstance(given, Corpus):
                found[tab.fields["layer"]] = gr.Dropdown(choices=[layer], value=layer)
            else:
                found[tab.fields["layer"]] = gr.Slider(maximum=max(layer, 1), value=layer)
            usual = {"model": self.models.default} if "model" in tab.fields else {}
            found[tab.was] = subject({**usual, **held})
        return {**found, **{tab.fields[name]: value for name, value in held.items()}}

    def _show(self, tab: Tab, begun: str, was: str, *values: Any) -> Iterator[Updates]:
        """What a view shows of its fields; a problem leaves what it showed before below it.

        Args:
            tab: the view.
            begun: "" while the page is being opened: all is shown at the end of that.
            was: the model or run whose layers are those of the slider.
            values: of its fields.
        """
        if not begun:
            yield {tab.outputs.problem: gr.skip()}  # of nothing at all Gradio makes empty fields
            return
        fields = dict(zip(tab.fields, values, strict=True))
        fresh = subject(fields) != was
        try:
            name = fields.get("model")
            if name and not self.models.is_open(name):
                yield {tab.outputs.problem: f'<p class="afn-wait">Opening {escape(name)} …</p>'}
            # What was said of a link is over when something else is asked for.
            over = {tab.outputs.notice: ""} if was else {}
            yield {**over, **self._updates(tab, fields, fresh)}
        except NoSuchLayer as problem:
            try:
                yield {**self._updates(tab, fields, True), **_told(tab, problem)}
            except Exception as other:
                yield _told(tab, other)
        except Exception as problem:
            yield _told(tab, problem)

    def _updates(self, tab: Tab, fields: dict[str, Any], fresh: bool) -> Updates:
        given = inputs_of(
            tab.name, {**fields, "layer": None} if fresh else fields, self.models.default
        )
        _, shown = view(self.answers, given)
        found = {**_of_outputs(tab, given, shown), **_of_fields(tab, given, shown, fresh)}
        return {**found, tab.was: subject(fields)}

    def _save(self, tab: Tab, form: str, *values: Any) -> dict[str, Any]:
        """A file for the browser to save; nothing of it stays here."""
        fields = dict(zip(tab.fields, values, strict=True))
        try:
            found, _ = view(self.answers, inputs_of(tab.name, fields, self.models.default))
            if found is None:
                raise ActivationFlowError("there is nothing to save yet: choose a run")
            name, data = app_files.file(found, form)
        except ActivationFlowError as problem:
            # Gradio takes a message for HTML.
            raise gr.Error(escape(str(problem)), print_exception=False) from problem
        kept = base64.b64encode(data).decode()
        # The number tells two savings of the same file apart.
        return {"name": name, "type": TYPES[form], "data": kept, "number": next(_count)}

    def _offer(self) -> None:
        """The calls of the API, which are tools of the MCP endpoint, too."""
        calls = Calls(self.settings, self.models)
        for call in (calls.strength, calls.shift, calls.prompts):
            gr.api(_told_as_error(call), api_name=call.__name__, concurrency_id="calls")


def _set(tab: Tab) -> list[Any]:
    """What is set by the page itself: fields, what their layer is of, and a word on the link."""
    return [*tab.fields.values(), tab.was, tab.outputs.notice]


def _shown_in(tab: Tab) -> list[Any]:
    parts = tab.outputs
    return [parts.problem, parts.html, parts.charts, parts.below, parts.again]


def _told(tab: Tab, problem: Exception, where: Any = None) -> Updates:
    """A problem in the view; what it showed before stands below it."""
    said = str(problem)
    if not isinstance(problem, ActivationFlowError):
        log.error("internal error: %s: %s", type(problem).__name__, problem, exc_info=True)
        said = f"internal error: {type(problem).__name__}. This is a fault of activation-flow."
    place = tab.outputs.problem if where is None else where
    return {place: f'<p class="afn-problem" role="alert">{escape(said)}</p>'}


def _of_outputs(tab: Tab, given: Inputs, shown: Shown) -> Updates:
    again = {"view": tab.name, "command": shown.command, "python": shown.python}
    parts = tab.outputs
    return {
        parts.problem: "",
        parts.html: shown.html,
        parts.charts: [vars(chart) for chart in shown.charts],
        parts.below: shown.below,
        parts.again: {**again, "link": _link(linked(given, shown.layers))},
    }


def _link(given: Inputs) -> str:
    try:
        return app_link.link(given)
    except ActivationFlowError:  # half of a surrogate pair: there is a view of it, but no link
        return ""


def _of_fields(tab: Tab, given: Inputs, shown: Shown, fresh: bool) -> Updates:
    """What can be chosen depends on what is shown: layers, pairs of prompts."""
    found: Updates = {}
    # Where it is right already it is left alone: else it would jump back under a moving hand.
    value = {"value": shown.layer} if fresh or given.layer != shown.layer else {}
    if isinstance(given, Corpus):
        named = [(str(layer), layer) for layer in shown.layers]
        found[tab.fields["layer"]] = gr.Dropdown(choices=named, **value)
    else:
        found[tab.fields["layer"]] = gr.Slider(maximum=max(shown.layers), **value)
    if isinstance(given, Steer):
        chosen = f"{given.a}-{given.b}"
        found[tab.fields["pair"]] = gr.Dropdown(choices=pairs(given), value=chosen)
    return found


def _told_as_error(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def told(*args: Any, **given: Any) -> Any:
        try:
            return call(*args, **given)
        except ActivationFlowError as problem:
            raise gr.Error(str(problem), print_exception=False) from problem

    return told


def mounted(settings: Settings, models: Models, answers: Answers) -> Any:
    """The page as an ASGI application, with the API and, if asked for, the MCP endpoint."""
    import fastapi

    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    script = fastapi.Response(_file("app.js"), media_type="text/javascript")
    app.get("/afn/app.js")(lambda: script)
    # As a file: of a style that is given to it, Gradio drops the rules that it does not know.
    looks = "".join(_file(name) for name in ("page.css", "report.css", "app.css"))
    style = fastapi.Response(looks, media_type="text/css")
    app.get("/afn/app.css")(lambda: style)
    return gr.mount_gradio_app(
        app,
        Page(settings, models, answers).blocks,
        path="",
        footer_links=["api"],
        mcp_server=settings.mcp,
        enable_monitoring=False,
        run_history=False,
        ssr_mode=False,
        show_error=False,
        max_file_size="1kb",
        theme=_theme(),
        head='<link rel="stylesheet" href="afn/app.css">',
    )


def _theme() -> Any:
    """Gradio's plain theme in our colours, with the fonts of the system: none is loaded."""
    purple = gr.themes.Color(
        c50="#f4f1fb", c100="#e7e2f5", c200="#d2c8ea", c300="#bcaddf", c400="#9f88cf",
        c500="#8261bc", c600="#7550b4", c700="#5f30a2", c800="#501d94", c900="#46108a",
        c950="#2c0859",
    )  # fmt: skip
    plain = gr.themes.Base(primary_hue=purple, font=FONTS, font_mono=MONO)
    return plain.set(block_info_text_color="#625d73", body_text_color_subdued="#625d73")


def _file(name: str) -> str:
    return files("activation_flow").joinpath(name).read_text(encoding="utf-8")
