"""What programs and agents can call: the HTTP API, and the tools of the Model Context Protocol.

Gradio makes their descriptions of the signatures and docstrings below: all of an argument must
stand on its line, and what comes back on one line.
"""

from typing import Any

from activation_flow.analysis import Buckets
from activation_flow.app_models import Models
from activation_flow.app_settings import Settings
from activation_flow.data import ActivationFlowError
from activation_flow.prompting import Prompting
from activation_flow.results import TextsFailed
from activation_flow.two_texts import Comparing


class Calls:
    """The functions; each gives the document of an ``afn`` command with ``--json``.

    Args:
        settings: what the page is served with.
        models: opens models.
    """

    def __init__(self, settings: Settings, models: Models):
        self._bounds, self._models = settings.bounds, models

    def strength(
        self,
        texts: list[str],
        model: str = "",
        layers: str = "",
        quantile: float = 0.75,
        words: bool = False,
    ) -> dict[str, Any]:
        """How strongly a transformer encodes each token of texts, layer by layer.

        The strength S of a token is the L2 norm of its hidden state, in the model's own units: each
        layer has its own scale, so compare tokens within a layer, or by rank. A token is HIGH if S
        is above the threshold of its text, the quantile of S over its tokens; special tokens, which
        the tokenizer adds, take no part. A strong token is not for that reason an important one.
        A text longer than the model reads is read in overlapping windows. At most 32 texts of 5,000
        characters each, unless this server says otherwise. The document is that of the command
        "afn strength --json".

        Args:
            texts: the texts, each a string; a text without a result is told in "errors".
            model: a name that this server offers; empty: the one that it began with.
            layers: 8, -1 (the last), 6-9, 2,4 or all; 0 is the embeddings; empty: 2/3 of the depth.
            quantile: of S that makes the threshold of HIGH, from 0 to 1; default 0.75.
            words: true: put pieces of words together, each as strong as its strongest piece.

        Raises:
            ActivationFlowError: an argument is not valid, or no text has a result.

        Returns:
            {"model", "layers", "texts": [{"tokens": [{"token", "strength", "rank", "bucket"}]}]}.
        """
        self._check_list(texts, "texts", self._bounds.texts)
        Buckets(quantile=quantile)
        how: dict[str, Any] = {"quantile": quantile, "words": _words(words)}
        wanted = _layers(layers)
        with self._models.use(self._model(model)) as encoder:
            found = encoder.strength(texts, layers=wanted, errors="collect", **how)
        if not len(found):
            raise TextsFailed(found)
        self._bounds.check_numbers(sum(one.strength.size for one in found))
        return found.to_dict()

    def shift(
        self,
        a: str,
        b: str,
        model: str = "",
        layer: str = "",
        align: str = "diff",
        quantile: float = 0.75,
        words: bool = False,
    ) -> dict[str, Any]:
        """How far each token moves in a transformer when text A is worded as text B.

        The tokens of both texts are aligned. The shift of an aligned pair is the L2 distance of its
        two hidden states, in the model's own units; "change" says same, replaced, deleted or
        inserted, and the last two have no shift. "high_ratio" is the part of the shift that HIGH
        tokens of A hold: read it beside "high_share", what chance would give, and "p_value"; where
        "p_floor" is above 0.05 no pair of texts this short could have been significant. A text
        longer than the model reads is refused. At most 5,000 characters each, unless this server
        says otherwise. The document is that of the command "afn shift --json".

        Args:
            a: the first text.
            b: the text it is compared with.
            model: a name that this server offers; empty: the one that it began with.
            layer: one, such as 8 or -1 (the last); 0 is the embeddings; empty: 2/3 of the depth.
            align: diff (a longest common subsequence, the default) or position (index by index).
            quantile: of strength that makes the threshold of HIGH, from 0 to 1; default 0.75.
            words: true: compare words, not pieces of words.

        Raises:
            ActivationFlowError: an argument is not valid, or a text cannot be measured.

        Returns:
            {"layer", "pairs": [{"change", "a", "b", "shift"}], "total_shift", "high_ratio"}.
        """
        self._bounds.check_text(a, "text A")
        self._bounds.check_text(b, "text B")
        Buckets(quantile=quantile)
        Comparing(align=align)
        how: dict[str, Any] = {"quantile": quantile, "words": _words(words)}
        wanted = _layers(layer)
        with self._models.use(self._model(model)) as encoder:
            found = encoder.shift(a, b, layers=wanted, align=align, **how)
        self._bounds.check_numbers(found.shift.size)
        return found.to_dict()

    def prompts(
        self,
        text: str,
        prompts: list[str],
        model: str = "",
        layers: str = "",
        baseline: bool = False,
        align: str = "text",
        quantile: float = 0.75,
    ) -> dict[str, Any]:
        """What different instruction prompts before the same text move in a transformer.

        Prompts are compared in pairs. "anchor_shift" is the L2 distance of the vectors that stand
        for the whole, "drift" the sum of the shifts of aligned tokens; both are [layer][a][b], in
        the model's own units. A longer prompt also moves the text to later places, which is a part
        of what is seen; how far a prompt moves a text does not say how good it is for a task. A
        text that is longer than the model reads with its prompt is refused. At most 8 prompts, and
        5,000 characters in each text, unless this server says otherwise. The document is that of
        the command "afn prompts --json".

        Args:
            text: the text that the prompts are put before.
            prompts: two at least, or one with baseline; each once.
            model: a name that this server offers; empty: the one that it began with.
            layers: 8, -1 (the last), 6-9, 2,4 or all; 0 is the embeddings; empty: 2/3 of the depth.
            baseline: true: compare with the bare text, too; it stands first, as null.
            align: text (the text's own tokens, by their characters; the default), diff or position.
            quantile: of strength that makes the threshold of HIGH, from 0 to 1; default 0.75.

        Raises:
            ActivationFlowError: an argument is not valid, or the text cannot be measured.

        Returns:
            {"prompts", "anchor", "anchor_shift", "drift", "comparisons": [{"a", "b", "pairs"}]}.
        """
        self._bounds.check_text(text, "the text")
        self._check_list(prompts, "prompts", self._bounds.prompts)
        Buckets(quantile=quantile)
        Prompting.of(prompts, _true(baseline, "baseline"), align=align)
        how: dict[str, Any] = {"baseline": baseline, "align": align, "quantile": quantile}
        wanted = _layers(layers)
        with self._models.use(self._model(model)) as encoder:
            found = encoder.prompts(text, prompts, layers=wanted, **how)
        self._bounds.check_numbers(sum(one.shift.size for one in found.comparisons))
        return found.to_dict()

    def _check_list(self, texts: object, name: str, most: int) -> None:
        if not isinstance(texts, list):
            raise ActivationFlowError(f"{name} is {type(texts).__name__}; give a list of strings")
        self._bounds.check_many(len(texts), most, name)
        if not texts:
            raise ActivationFlowError(f"{name} is empty; give at least one")
        for place, text in enumerate(texts, 1):
            self._bounds.check_text(text, f"{name.removesuffix('s')} {place}")

    def _model(self, name: str) -> str:
        return self._models.check(self._bounds.check_text(name, "the name of the model"))


def _layers(spec: object) -> str | None:
    """As on the command line; empty is the usual one.

    Raises:
        ActivationFlowError: it is no string.
    """
    if isinstance(spec, int) and not isinstance(spec, bool):
        return str(spec)
    if not isinstance(spec, str):
        raise ActivationFlowError(f"layers is {spec!r}; give a string, such as 8, 6-9 or all")
    return spec.strip() or None


def _words(words: object) -> str | None:
    """How pieces are aggregated, as ``--words`` says it."""
    return "max" if _true(words, "words") else None


def _true(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise ActivationFlowError(f"{name} is {value!r}; give true or false")
    return value
