"""The four views as Gradio sees them: what can be typed and chosen in each, and what it shows.

Only layout: values become the inputs of app_inputs in app_page, results come from app_views.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from activation_flow import app_parts
from activation_flow.app_inputs import Compare, Corpus, Explore, Steer
from activation_flow.app_settings import Settings

FORMS = {"html": "Page", "png": "Picture", "csv": "Table", "json": "JSON"}
TEXTS = (  # the paper's, and some that show what strength depends on
    "Who is the prime minister of Canada?",
    "Enjoying a beautiful day at the park!",
    "The weather is nice today.",
    "The connoisseur was nonchalant as the story unfolds.",
)
PAIRS = (
    ("Enjoying a beautiful day at the park!", "Enjoying a beautiful walk at the beach!"),
    ("Who is the prime minister of Canada?", "Who is the president of France?"),
    ("The bank of the river was steep.", "The bank of the city was closed."),
)


@dataclass(frozen=True)
class Outputs:
    """What a view shows, from above; ``was`` is not seen, see ``Tab``."""

    notice: gr.HTML
    problem: gr.HTML
    html: gr.HTML
    charts: gr.HTML
    below: gr.HTML
    again: gr.HTML
    saver: gr.HTML
    saves: Mapping[str, gr.Button]
    was: gr.Textbox


@dataclass(frozen=True)
class Tab:
    """A view: its fields by the names that its inputs have, and what it shows.

    Attributes:
        name: as in a link.
        tab: of Gradio.
        fields: typed or chosen.
        triggers: events that show the view anew.
        outputs: where it is shown.
    """

    name: str
    tab: gr.Tab
    fields: Mapping[str, Any]
    triggers: tuple[Any, ...]
    outputs: Outputs

    @property
    def was(self) -> gr.Textbox:
        """The model, or run, whose layers the field of the layer is of."""
        return self.outputs.was


def tabs(settings: Settings, model: Any) -> tuple[gr.Tabs, list[Tab]]:
    """All of them; ``model`` is chosen once for all."""
    with gr.Tabs(elem_id="afn-views") as group:
        made = [
            _explore(settings, model),
            _compare(settings, model),
            _steer(settings, model),
            _corpus(settings),
        ]
    return group, made


def _explore(settings: Settings, model: Any) -> Tab:
    usual = Explore()
    with gr.Tab("Explore", id="explore") as tab:
        text = _textbox("Text", usual.text, "text", placeholder="Type a text …")
        _examples([text], {one: (one,) for one in TEXTS})
        with gr.Row(equal_height=True):
            layer, quantile, words = _layer(), _quantile(), _words()
        outputs = _outputs()
    fields = {"text": text, "model": model, "layer": layer, "quantile": quantile, "words": words}
    triggers = (text.change, layer.input, quantile.input, words.input)
    return Tab("explore", tab, fields, triggers, outputs)


def _compare(settings: Settings, model: Any) -> Tab:
    usual = Compare()
    with gr.Tab("Compare", id="compare") as tab:
        with gr.Row():
            a = _textbox("Text A", usual.a, "a")
            b = _textbox("Text B", usual.b, "b")
        _examples([a, b], {f"{one} → {other}": (one, other) for one, other in PAIRS})
        with gr.Row(equal_height=True):
            layer, quantile, words = _layer(), _quantile(), _words()
            align = gr.Radio(
                [("By content", "diff"), ("By position", "position")],
                value=usual.align,
                label="Align tokens",
                info="Position is the paper's way: index by index.",
            )
        outputs = _outputs()
    fields = {
        "a": a,
        "b": b,
        "model": model,
        "layer": layer,
        "quantile": quantile,
        "words": words,
        "align": align,
    }
    triggers = (a.change, b.change, layer.input, quantile.input, words.input, align.input)
    return Tab("compare", tab, fields, triggers, outputs)


def _steer(settings: Settings, model: Any) -> Tab:
    usual = Steer()
    with gr.Tab("Steer", id="steer") as tab:
        with gr.Row():
            text = _textbox("Text", usual.text, "steered")
            prompts = gr.Textbox(
                "\n".join(usual.prompts),
                label="Prompts, one a line",
                lines=3,
                max_lines=settings.bounds.prompts,
                elem_id="afn-prompts",
            )
        with gr.Row(equal_height=True):
            layer, quantile = _layer(), _quantile()
            pair = gr.Dropdown(
                [("Summarize → Translate to French", "0-1")],
                value="0-1",
                label="Pair",
                info="Whose tokens are shown.",
                elem_id="afn-pair",
            )
            baseline = gr.Checkbox(
                usual.baseline, label="The bare text, too", info="Compare with no prompt at all."
            )
        outputs = _outputs()
    fields = {
        "text": text,
        "prompts": prompts,
        "baseline": baseline,
        "model": model,
        "layer": layer,
        "quantile": quantile,
        "pair": pair,
    }
    triggers = (
        text.change,
        prompts.change,
        baseline.input,
        layer.input,
        quantile.input,
        pair.input,
    )
    return Tab("steer", tab, fields, triggers, outputs)


def _corpus(settings: Settings) -> Tab:
    usual = Corpus()
    with gr.Tab("Corpus", id="corpus") as tab:
        with gr.Row(equal_height=True):
            run = gr.Dropdown(
                [*settings.runs],
                value=settings.runs[0] if settings.runs else None,
                allow_custom_value=settings.local,
                label="Run folder",
                info="What afn corpus … --out FOLDER wrote.",
                elem_id="afn-run",
                scale=3,
            )
            layer = gr.Dropdown(
                [], value=None, label="Layer", info="Of those it holds.", elem_id="afn-run-layer"
            )
            find = gr.Textbox(
                usual.find,
                label="Find a word",
                info="Then press Enter. Or a piece: ##ing.",
                max_length=200,
                elem_id="afn-find",
            )
        outputs = _outputs()
    fields = {"run": run, "layer": layer, "find": find}
    triggers = (run.input, layer.input, find.submit)
    return Tab("corpus", tab, fields, triggers, outputs)


def _textbox(label: str, value: str, name: str, **how: Any) -> gr.Textbox:
    return gr.Textbox(
        value,
        label=label,
        lines=1,
        max_lines=8,
        elem_id=f"afn-{name}",
        **how,
    )


def _examples(fields: list[Any], named: Mapping[str, tuple[str, ...]]) -> None:
    """A click fills fields in, in the browser itself."""
    with gr.Row(elem_classes="afn-examples"):
        for name, values in named.items():
            button = gr.Button(name, size="sm", min_width=60, scale=0, elem_classes="afn-example")
            button.click(None, None, fields, js=f"() => {json.dumps(values)}")


def _layer() -> gr.Slider:
    """Its ends are those of the model; see app_page."""
    return gr.Slider(
        0,
        12,
        8,
        step=1,
        label="Layer",
        info="0 is the embeddings.",
        elem_classes="afn-layer",
        buttons=[],
    )


def _quantile() -> gr.Slider:
    return gr.Slider(
        0,
        1,
        0.75,
        step=0.01,
        label="Quantile",
        info="0.75: about the strongest quarter is HIGH.",
        elem_classes="afn-quantile",
    )


def _words() -> gr.Radio:
    return gr.Radio(
        ["Pieces", "Words"],
        value="Pieces",
        label="Tokens",
        info="Pieces are what the model reads.",
    )


def _outputs() -> Outputs:
    notice, problem = app_parts.markup("notice"), app_parts.markup("trouble")
    html = app_parts.markup("view")
    charts, below = app_parts.charts(), app_parts.markup("below")
    gr.HTML("<h3>Take it away</h3>", apply_default_css=False, elem_classes="afn-away")
    with gr.Row(elem_classes="afn-saves"):
        saves = {
            form: gr.Button(f"{name} (.{form})", size="sm", min_width=120, scale=0)
            for form, name in FORMS.items()
        }
    again, was = app_parts.again(), gr.Textbox(visible="hidden")
    return Outputs(notice, problem, html, charts, below, again, app_parts.saver(), saves, was)
