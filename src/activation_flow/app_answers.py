"""What a person asks -> the library's own results. Each is computed once and kept for a while.

Whatever follows from strengths and shifts at hand (another layer, quantile, words) never runs a
model. Bounds and options are checked before one is opened. Knows no picture and no server.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activation_flow import compared_again, manifest
from activation_flow.analysis import Buckets
from activation_flow.app_inputs import QUANTILE, Compare, Corpus, Explore, Steer
from activation_flow.app_kept import Kept
from activation_flow.app_models import Models
from activation_flow.app_settings import Settings
from activation_flow.data import ActivationFlowError, main_layer, resolve_layers
from activation_flow.prompting import Prompting
from activation_flow.result_occurrences import Occurrences
from activation_flow.result_prompts import PromptsResult
from activation_flow.result_shift import ShiftResult
from activation_flow.result_shift_summary import ShiftSummary
from activation_flow.result_summary import Summary
from activation_flow.results import LayersResult, StrengthResult
from activation_flow.run import Run
from activation_flow.two_texts import Comparing


@dataclass(frozen=True)
class Explored:
    """One text.

    Attributes:
        everywhere: its strengths at every layer: what ``encoder.layers`` gives.
        at: those at the layer that is looked at: what ``encoder.strength`` gives.
    """

    everywhere: LayersResult
    at: StrengthResult


@dataclass(frozen=True)
class Opened:
    """A run.

    Attributes:
        run: the folder.
        summary: of all layers that it holds.
        found: where the token or word that was looked for occurs; None: none was.
        layers: those that it holds.
        layer: the one that is looked at.
    """

    run: Run
    summary: Summary | ShiftSummary
    found: Occurrences | None
    layers: tuple[int, ...]
    layer: int


class Answers:
    """Answers of a page, for all who look at it.

    Args:
        settings: what the page is served with.
        models: opens models.
    """

    def __init__(self, settings: Settings, models: Models):
        self._settings, self._models = settings, models
        self._kept = Kept()

    def explore(self, inputs: Explore) -> Explored:
        """A text at every layer. Only another text or model runs a model.

        Raises:
            ActivationFlowError: an input is out of bounds or not valid, or the text has no result.
        """
        bounds = self._settings.bounds
        text = bounds.check_text(inputs.text, "the text")
        _check(layer=inputs.layer, quantile=inputs.quantile, words=inputs.words)
        model = self._model(inputs.model)

        def run() -> LayersResult:
            with self._models.use(model) as encoder:
                return encoder.layers(text)

        found = self._kept.get(("explore", model, text), run)
        layer = _layer(inputs.layer, found.provenance.n_layers)
        if inputs.quantile != QUANTILE:
            found = found.rebucket(quantile=inputs.quantile)
        if inputs.words:
            found = found.words()
        return Explored(found, found[0].at(layer))

    def compare(self, inputs: Compare) -> ShiftResult:
        """The shift between two texts, at a layer. Another quantile runs no model.

        Raises:
            ActivationFlowError: an input is out of bounds or not valid, or there is no result.
        """
        bounds = self._settings.bounds
        a, b = bounds.check_text(inputs.a, "text A"), bounds.check_text(inputs.b, "text B")
        _check(layer=inputs.layer, quantile=inputs.quantile, words=inputs.words)
        how: dict[str, Any] = {"align": inputs.align, "words": "max" if inputs.words else None}
        Comparing(**how)
        model = self._model(inputs.model)

        def run() -> ShiftResult:
            with self._models.use(model) as encoder:
                return encoder.shift(a, b, layers=inputs.layer, **how)

        key = ("compare", model, a, b, inputs.layer, *how.values())
        found = self._kept.get(key, run)
        if inputs.quantile == QUANTILE:
            return found
        again = (*key, inputs.quantile)
        return self._kept.get(again, lambda: compared_again.shift(found, inputs.quantile))

    def steer(self, inputs: Steer) -> PromptsResult:
        """A text under several prompts, at every layer. Another quantile runs no model.

        Raises:
            ActivationFlowError: an input is out of bounds or not valid, or there is no result.
        """
        text, asked = self._steered(inputs)
        _check(layer=inputs.layer, quantile=inputs.quantile, words=False)
        model = self._model(inputs.model)
        prompts = [prompt for prompt in asked.prompts if prompt is not None]

        def run() -> PromptsResult:
            with self._models.use(model) as encoder:
                return encoder.prompts(text, prompts, baseline=inputs.baseline, layers="all")

        key = ("steer", model, text, asked.prompts)
        found = self._kept.get(key, run)
        _layer(inputs.layer, found.provenance.n_layers)
        if inputs.quantile == QUANTILE:
            return found
        again = (*key, inputs.quantile)
        return self._kept.get(again, lambda: compared_again.prompts(found, inputs.quantile))

    def longest(self, name: str) -> int:
        """The longest input of a model that was asked.

        Raises:
            ActivationFlowError: it may not be opened, or cannot be.
        """

        def ask() -> int:
            with self._models.use(name) as encoder:
                return encoder.max_length

        return self._kept.get(("longest", self._models.check(name)), ask)

    def _steered(self, inputs: Steer) -> tuple[str, Prompting]:
        """The text, and which variants of it there are; a and b are two of them."""
        bounds = self._settings.bounds
        text = bounds.check_text(inputs.text, "the text")
        bounds.check_many(len(inputs.prompts), bounds.prompts, "prompts")
        for place, prompt in enumerate(inputs.prompts, 1):
            bounds.check_text(prompt, f"prompt {place}")
        asked = Prompting.of([*inputs.prompts], bool(inputs.baseline))
        for name, place in (("a", inputs.a), ("b", inputs.b)):
            if not isinstance(place, int) or not 0 <= place < len(asked.prompts):
                most = len(asked.prompts) - 1
                raise ActivationFlowError(f"prompt {name} is {place!r}; give one of 0 to {most}")
        if inputs.a == inputs.b:
            raise ActivationFlowError("a prompt is compared with another one: choose two of them")
        return text, asked

    def _model(self, name: str) -> str:
        return self._models.check(self._settings.bounds.check_text(name, "the name of the model"))

    def corpus(self, inputs: Corpus) -> Opened:
        """What a run says as a whole, and where a token or a word occurs in it.

        Beyond this machine only the runs that the page is served with are opened.

        Raises:
            ActivationFlowError: an input is out of bounds or not valid, the run is not offered or
                cannot be read, or compares texts and something was looked for.
        """
        sought = self._settings.bounds.check_text(inputs.find, "what is looked for").strip()
        path = self._path(inputs.run)
        state = _state(path)
        run = Run(path)
        run.path = path  # without where its links lead
        if not run.finished:
            state = (*state, run.done)
        usual = main_layer(run.layers, run.provenance)
        layer = usual if inputs.layer is None else inputs.layer
        (layer,) = run.layers_from([layer])
        if sought and run.compares:
            raise ActivationFlowError(
                "this run compares texts, and keeps no strengths: tokens and words can be looked "
                "for in runs that afn corpus makes without --pairs and --prompt"
            )
        summary = self._kept.get(("summary", *state), run.summary)
        found = None
        if sought:
            key = ("find", *state, layer, sought)
            found = self._kept.get(key, lambda: run.occurrences(sought, layer))
        return Opened(run, summary, found, run.layers, layer)

    def _path(self, name: str) -> Path:
        """The folder of a run that may be opened; beyond this machine nothing is said of others.

        Raises:
            ActivationFlowError: none is named, or it may not be opened.
        """
        self._settings.bounds.check_text(name, "the path of the run")
        if not name.strip():
            raise ActivationFlowError("choose a run: a folder that afn corpus has written")
        path, offered = _resolved(name), self._settings.runs
        if not self._settings.local:
            if path is None or path not in [_resolved(one) for one in offered]:
                named = ", ".join(offered) or "none"
                raise ActivationFlowError(
                    f"this page opens only the runs that it is served with: {named}"
                )
            # As it was offered: where it lies on this machine is not told to others.
            return next(Path(one).expanduser() for one in offered if _resolved(one) == path)
        elif path is None:
            raise ActivationFlowError(f"{name!r} is no path of a folder")
        return path


def _resolved(name: str) -> Path | None:
    """A path without links and dots; None where it can be none."""
    try:
        return Path(name).expanduser().resolve()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, a circle of links, no such user
        return None


def _state(path: Path) -> tuple[Any, ...]:
    """What changes when another run takes this one's place, or it is finished.

    Asked before the run is read: what is kept is then never older than what it is kept for.
    """
    try:
        about = (path / manifest.NAME).stat()
    except OSError:  # in better words when it is read
        return (str(path),)
    return str(path), about.st_mtime_ns, about.st_size


def _check(*, layer: object, quantile: float, words: object) -> None:
    """Refuse what no model would take, before one is opened.

    Raises:
        ActivationFlowError: it says what is taken.
    """
    if layer is not None and (isinstance(layer, bool) or not isinstance(layer, int)):
        raise ActivationFlowError(f"layer {layer!r} is not a whole number")
    if not isinstance(words, bool):
        raise ActivationFlowError(f"words is {words!r}; give true or false")
    Buckets(quantile=quantile)


def _layer(asked: int | None, n_layers: int) -> int:
    (layer,) = resolve_layers(asked, n_layers)
    return layer
