"""The page as Gradio Blocks: fields -> inputs -> a view of the result; and the calls of the API.

No result is computed here. What a person sees depends on the fields alone, never on what was asked
before, so that a server that was started again goes on where the last one was.
"""

import base64
import itertools
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial, wraps
from importlib.resources import files
from typing import Any, cast

import gradio as gr

from activation_flow import app_files, app_link, app_tabs
from activation_flow import page as offline
from activation_flow.app_answers import Answers
from activation_flow.app_calls import Calls
from activation_flow.app_inputs import VIEWS, Corpus, Explore, Inputs, Steer
from activation_flow.app_models import Models
from activation_flow.app_settings import Settings
from activation_flow.app_shown import Shown
from activation_flow.app_tabs import Tab
from activation_flow.app_views import view
from activation_flow.data import ActivationFlowError, NoSuchLayer
from activation_flow.markup import escape
from activation_flow.result_prompts import pairs_of
from activation_flow.sentences_prompts import quoted

log = logging.getLogger("activation_flow")

TITLE = "Activation Flow"
TYPES = {"html": "text/html", "png": "image/png", "csv": "text/csv", "json": "application/json"}
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO = ["ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace"]
_HEAD = (
    "<header><h1>Activation Flow</h1><p>How strongly a transformer encodes each token, layer by "
    "layer. Strength is the length of a token's hidden state; it is not its importance: "
    "<code>afn audit</code> tells what it is worth on your model.</p></header>"
)
TYPED = ("text", "a", "b", "prompts", "find")  # fields of text
_ADDRESS = "() => [window.location.hash.slice(1)]"
_READY = "() => { document.documentElement.dataset.afn = 'ready' }"
# Values are checked by whoever answers, in words; Gradio would check them by what it last drew.
_QUIET: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "preprocess": False,
}
_AT_ONCE = 8  # requests that are worked on together; a model runs one at a time
_count = itertools.count(1)


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
            for tab in self.tabs:
                self._listen(tab)
            # What stands behind "#" is not sent with an address, so no log of a server has texts.
            address = gr.Textbox(visible="hidden")
            every = [self.group, *self._all()]
            opened = blocks.load(self._open, address, every, js=_ADDRESS, **_QUIET)
            # subtle: a text that is set counts as typed, and is shown with the layer that is set.
            filled = opened.then(self._fill, address, every, js=_ADDRESS, **_QUIET)
            filled.then(None, js=_READY)
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

    def _all(self) -> list[Any]:
        """Every field and every output, each once."""
        parts: dict[Any, None] = {}
        for tab in self.tabs:
            parts |= dict.fromkeys([*tab.fields.values(), *_shown_in(tab)])
        return [*parts]

    def _listen(self, tab: Tab) -> None:
        fields, outputs = [*tab.fields.values()], [*tab.fields.values(), *_shown_in(tab)]
        last: dict[str, Any] = {**_QUIET, "trigger_mode": "always_last"}
        gr.on(tab.triggers, partial(self._show, tab), fields, outputs, **last)
        if "model" in tab.fields:
            self.model.input(partial(self._show, tab, fresh=True), fields, outputs, **last)
        tab.tab.select(None, js=f"() => window.afn.chosen('{tab.name}')")
        for form, button in tab.outputs.saves.items():
            button.click(partial(self._save, tab, form), fields, tab.outputs.saver, **_QUIET)

    def _show(self, tab: Tab, *values: Any, fresh: bool = False) -> dict[Any, Any]:
        """What a view shows of its fields; a problem leaves what it showed before as it is.

        Args:
            tab: the view.
            values: of its fields.
            fresh: of another model, so that the layer is chosen anew.
        """
        try:
            return self._updates(tab, self._inputs(tab, values, fresh), fresh)
        except NoSuchLayer as problem:
            # The slider is still that of a deeper model.
            return _told(tab, problem) if fresh else self._show(tab, *values, fresh=True)
        except Exception as problem:
            return _told(tab, problem)

    def _updates(self, tab: Tab, given: Inputs, fresh: bool) -> dict[Any, Any]:
        _, shown = view(self.answers, given)
        return {**_of_outputs(tab, given, shown), **_of_fields(tab, given, shown, fresh)}

    def _inputs(self, tab: Tab, values: tuple[Any, ...], fresh: bool) -> Inputs:
        """The values of the fields as inputs; bad ones are refused by whoever answers."""
        given = dict(zip(tab.fields, values, strict=True))
        if fresh:
            given["layer"] = None
        if given["layer"] is not None:
            given["layer"] = int(given["layer"])
        if given.get("model") == self.models.default:
            given["model"] = ""  # links are shorter so
        for name in ("model", "run", "find"):
            if name in given:
                given[name] = given[name] or ""
        if tab.name == "steer":
            given["prompts"] = tuple(line for line in given["prompts"].split("\n") if line.strip())
            n = len(given["prompts"]) + given["baseline"]
            a, b = map(int, (given.pop("pair") or "0-1").split("-"))
            given["a"], given["b"] = (a, b) if max(a, b) < n else (0, 1)
        kind: Any = VIEWS[tab.name]
        return cast(Inputs, kind(**given))

    def _open(self, address: str) -> dict[Any, Any]:
        """The page when it is opened: the view of its link, or the first one."""
        try:
            given = app_link.from_link(address)
        except ActivationFlowError as problem:
            return {**self._first(Explore()), **_told(self.tabs[0], problem)}
        return self._first(given)

    def _first(self, given: Inputs) -> dict[Any, Any]:
        tab = self._tab(given)
        if isinstance(given, Corpus) and not given.run and self.settings.runs:
            given = replace(given, run=self.settings.runs[0])
        found: dict[Any, Any] = {self.group: gr.Tabs(selected=tab.name), **_chosen(tab, given)}
        try:
            return {**found, **self._updates(tab, given, True)}
        except Exception as problem:
            return {**found, **_told(tab, problem)}

    def _fill(self, address: str) -> dict[Any, Any]:
        """What is typed in the view of a link; the other views as they are at first."""
        try:
            given = app_link.from_link(address)
        except ActivationFlowError:
            given = Explore()
        mine = self._tab(given)
        found = _typed(mine, given)
        for tab in self.tabs:
            if tab is not mine:
                named = {"model": getattr(given, "model", "")} if "model" in tab.fields else {}
                kind: Any = VIEWS[tab.name]
                found |= self._first(kind(**named))
        found.pop(self.group)
        return found

    def _tab(self, given: Inputs) -> Tab:
        return next(tab for tab in self.tabs if isinstance(given, VIEWS[tab.name]))

    def _save(self, tab: Tab, form: str, *values: Any) -> dict[str, Any]:
        """A file for the browser to save; nothing of it stays here."""
        try:
            found, _ = view(self.answers, self._inputs(tab, values, False))
            if found is None:
                raise ActivationFlowError("there is nothing to save yet: choose a run")
            name, data = app_files.file(found, form)
        except ActivationFlowError as problem:
            # Gradio takes a message for HTML.
            raise gr.Error(escape(str(problem)), print_exception=False) from problem
        held = base64.b64encode(data).decode()
        # The number tells two savings of the same file apart.
        return {"name": name, "type": TYPES[form], "data": held, "number": next(_count)}

    def _offer(self) -> None:
        """The calls of the API, which are tools of the MCP endpoint, too."""
        calls = Calls(self.settings, self.models)
        for call in (calls.strength, calls.shift, calls.prompts):
            gr.api(_told_as_error(call), api_name=call.__name__, concurrency_id="calls")


def _shown_in(tab: Tab) -> list[Any]:
    parts = tab.outputs
    return [parts.problem, parts.html, parts.charts, parts.below, parts.again]


def _told(tab: Tab, problem: Exception) -> dict[Any, Any]:
    """A problem in the view; what it showed before stands below it."""
    said = str(problem)
    if not isinstance(problem, ActivationFlowError):
        log.error("internal error: %s: %s", type(problem).__name__, problem, exc_info=True)
        said = f"internal error: {type(problem).__name__}. This is a fault of activation-flow."
    return {tab.outputs.problem: f'<p class="afn-problem" role="alert">{escape(said)}</p>'}


def _of_outputs(tab: Tab, given: Inputs, shown: Shown) -> dict[Any, Any]:
    again = {"view": tab.name, "command": shown.command, "python": shown.python}
    parts = tab.outputs
    return {
        parts.problem: "",
        parts.html: shown.html,
        parts.charts: [vars(chart) for chart in shown.charts],
        parts.below: shown.below,
        parts.again: {**again, "link": _link(given)},
    }


def _link(given: Inputs) -> str:
    try:
        return app_link.link(given)
    except ActivationFlowError:  # half of a surrogate pair: there is a view of it, but no link
        return ""


def _of_fields(tab: Tab, given: Inputs, shown: Shown, fresh: bool) -> dict[Any, Any]:
    """What can be chosen depends on what is shown: layers, pairs of prompts."""
    found: dict[Any, Any] = {}
    if isinstance(given, Corpus):
        named = [(str(layer), layer) for layer in shown.layers]
        found[tab.fields["layer"]] = gr.Dropdown(choices=named, value=shown.layer)
    # Else it would jump back under the hand that moves it.
    elif fresh or given.layer != shown.layer:
        found[tab.fields["layer"]] = gr.Slider(maximum=max(shown.layers), value=shown.layer)
    if isinstance(given, Steer):
        pairs, chosen = _pairs(given), f"{given.a}-{given.b}"
        found[tab.fields["pair"]] = gr.Dropdown(choices=pairs, value=chosen)
    return found


def _typed(tab: Tab, given: Inputs) -> dict[Any, Any]:
    """The texts of a view as a link has them."""
    held: dict[str, Any] = dict(vars(given))
    if isinstance(given, Steer):
        held["prompts"] = "\n".join(given.prompts)
    return {tab.fields[name]: held[name] for name in TYPED if name in tab.fields}


def _chosen(tab: Tab, given: Inputs) -> dict[Any, Any]:
    """What else a link has; the layer follows from the view."""
    held = {name: value for name, value in vars(given).items() if value not in ("", None)}
    names = [name for name in tab.fields if name in held and name not in (*TYPED, "layer")]
    return {tab.fields[name]: held[name] for name in names}


def _pairs(given: Steer) -> list[tuple[str, str]]:
    """Every pair of prompts, by name, and by places; the other way round, if that is chosen."""
    names = [*([quoted(None)] if given.baseline else []), *given.prompts]
    pairs = [*pairs_of(len(names))]
    if given.a > given.b:
        pairs[pairs.index((given.b, given.a))] = (given.a, given.b)
    return [(f"{names[a]} → {names[b]}", f"{a}-{b}") for a, b in pairs]


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
    return gr.themes.Base(primary_hue=purple, font=FONTS, font_mono=MONO)


def _file(name: str) -> str:
    return files("activation_flow").joinpath(name).read_text(encoding="utf-8")
