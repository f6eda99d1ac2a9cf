"""The object users hold: a model made ready, and what can be asked of it.

No formula: strengths, thresholds and the like are composed in analysis; batches are the runner's.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import tokenizers

from activation_flow import __version__, artifact, identity, lengths, tokens
from activation_flow.data import (
    ActivationFlowError,
    Failure,
    Hidden,
    Provenance,
    Strength,
    resolve_layers,
)
from activation_flow.engine import Engine
from activation_flow.folder import Packed
from activation_flow.portable import Portable
from activation_flow.result_hidden import HiddenResults, HiddenStates
from activation_flow.result_prompts import PromptsResult, PromptsResults
from activation_flow.result_shift import ShiftResult, ShiftResults
from activation_flow.results import LayersResult, StrengthResult, StrengthResults
from activation_flow.runner import BATCH_TOKENS, Runner, start
from activation_flow.tokens import Encoded

ENGINES = ("auto", "openvino", "torch")
DTYPES = {"float32": "f32", "bfloat16": "bf16"}


class Encoder:
    """A model made ready to be looked into. Make one with ``from_pretrained``.

    Attributes:
        model: its name, as results give it.
        revision: the commit on the hub, or the hash of the weights.
        n_layers: number of blocks; layers run from 0 (embeddings) to this.
        width: numbers in a hidden state.
        max_length: the longest input, special tokens included.
        engine: ``openvino`` or ``torch``.
        precision: ``f32`` or ``bf16``.
        causal: True if no token sees a later one.
        cls_id: vocabulary number of the tokenizer's cls token, if it has one.
    """

    def __init__(self, runner: Runner, request: identity.Request | None = None):
        self._runner, self._request = runner, request
        prepared, meta = runner.prepared, runner.prepared.meta
        kept = prepared.tokenizer
        self._tokenizer = tokenizers.Tokenizer.from_str(kept) if isinstance(kept, str) else kept
        self.model = prepared.label
        self.revision = prepared.revision
        self.n_layers: int = meta["n_layers"]
        self.width: int = meta["width"]
        self.max_length: int = meta["max_length"]
        self.causal: bool = meta["causal"]
        self.cls_id: int | None = meta["cls_id"]
        self.engine = runner.engine.name
        self.precision = runner.engine.precision

    @classmethod
    def from_pretrained(
        cls,
        model: Any,
        tokenizer: Any = None,
        *,
        revision: str | None = None,
        cache_dir: str | None = None,
        local_files_only: bool = False,
        token: str | None = None,
        trust_remote_code: bool = False,
        dtype: Any = None,
        device: Any = None,
        attn_implementation: str | None = None,
        allow_pickle: bool = False,
        precision: str | None = None,
        engine: str = "auto",
        threads: int | None = None,
        batch_tokens: int = BATCH_TOKENS,
    ) -> "Encoder":
        """Make a model ready: from the cache, or by loading, converting and checking it once.

        Args:
            model: a name on the Hugging Face hub, a folder, ``"minilm"`` (embedded), a live
                model, or a live ``(model, tokenizer)``. A live model is read as it is now; what
                is trained into it later is not seen. It is left as it was.
            tokenizer: of a live model, where it is not given with it.
            revision: branch, tag or commit on the hub.
            cache_dir: where the hub's files are kept (default: ``HF_HOME``).
            local_files_only: do not ask the hub.
            token: for private models (default: ``HF_TOKEN``).
            trust_remote_code: run the code that a repository brings.
            dtype: float32 or bfloat16; the same as ``precision``. Weights are loaded in float32.
            device: ``"cpu"``, or a torch device such as ``"cuda"`` (eager torch).
            attn_implementation: as in transformers; default: the model's own.
            allow_pickle: load pickled weights, which can run any code.
            precision: ``f32`` (default) or ``bf16``, on processors that have it.
            engine: ``openvino``, ``torch`` (eager), or ``auto``.
            threads: default: all cores.
            batch_tokens: tokens in a batch.

        Raises:
            ActivationFlowError: the model cannot be found, reached, loaded or measured; the
                message says what to do. Nothing is ever substituted.
        """
        if engine not in ENGINES:
            raise ActivationFlowError(f"engine {engine!r} is not one of {', '.join(ENGINES)}")
        precision = _precision(precision, dtype)
        device = str(device or "cpu")
        eager = engine == "torch" or device != "cpu"
        if engine == "openvino" and eager:
            raise ActivationFlowError(f"the engine openvino runs on the CPU, not on {device}")
        if eager and precision != "f32":
            raise ActivationFlowError("precision bf16 runs on the CPU's openvino engine only")
        if threads is not None and threads < 1:
            raise ActivationFlowError(f"threads {threads} is not at least 1")
        model = os.fspath(model) if isinstance(model, os.PathLike) else model
        request = identity.Request(
            name=model if isinstance(model, str) else "",
            live=_live(model, tokenizer),
            revision=revision,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            token=token,
            trust_remote_code=trust_remote_code,
            attn_implementation=attn_implementation,
            allow_pickle=allow_pickle,
        )

        def make_engine(prepared: artifact.Model) -> Engine:
            return start(prepared, precision, device, threads)

        prepared = artifact.prepare(request, use_graph=not eager)
        if engine == "openvino" and prepared.tap is not None:
            raise ActivationFlowError(
                f"{prepared.label} cannot run on openvino: {prepared.meta['reason']}"
            )

        def again() -> artifact.Model:
            return artifact.prepare(request, rebuild=True)

        return cls(Runner(prepared, make_engine, again, batch_tokens), request)

    def __repr__(self) -> str:
        return (
            f"Encoder({self.model!r}, {self.n_layers} layers, max_length={self.max_length}, "
            f"engine={self.engine!r}, precision={self.precision!r})"
        )

    @property
    def portable(self) -> Portable:
        """What is sent of it to another process.

        Raises:
            ActivationFlowError: it cannot be sent: it runs on the eager engine, or has a slow
                tokenizer.
        """
        return Portable.of(self._runner)

    @classmethod
    def from_portable(cls, portable: Portable, packed: Packed | None = None) -> "Encoder":
        """The encoder where it was sent to; ``packed``, for a machine that has not its folder."""
        return cls(portable.open(packed))

    def pack(self) -> Packed:
        """The files of its engine folder, for machines that have not got it."""
        return self._runner.pack()

    @property
    def origin(self) -> tuple[identity.Request | None, artifact.Model]:
        """How it was asked for (None: it came from another process), and what became of that."""
        return self._request, self._runner.prepared

    def __reduce__(self) -> tuple[Any, ...]:
        return Encoder.from_portable, (self.portable,)

    def provenance(self, settings: dict[str, Any]) -> Provenance:
        """Head of a result of this encoder."""
        return Provenance(
            model=self.model,
            revision=self.revision,
            engine=self.engine,
            precision=self.precision,
            n_layers=self.n_layers,
            final_norm=self._runner.prepared.meta["final_norm"],
            settings=settings,
            versions={
                **self._runner.prepared.meta["versions"],
                "activation_flow": __version__,
                "numpy": np.__version__,
                "tokenizers": tokenizers.__version__,
            },
        )

    def layers_from(self, spec: "int | str | Sequence[int] | None") -> tuple[int, ...]:
        """The layers that a user means; see ``data.resolve_layers``."""
        return resolve_layers(spec, self.n_layers)

    @overload
    def strength(
        self, texts: str, text_pair: str | None = None, **options: Any
    ) -> StrengthResult: ...
    @overload
    def strength(
        self, texts: Sequence[str], text_pair: Sequence[str] | None = None, **options: Any
    ) -> StrengthResults: ...
    def strength(
        self,
        texts: "str | Sequence[str]",
        text_pair: "str | Sequence[str] | None" = None,
        **options: Any,
    ) -> "StrengthResult | StrengthResults":
        """Strength, rank, threshold, bucket and kind of every token (paper eqs. 1-4).

        One text gives one result, a list gives a list. Options: see ``analysis.strength``.
        """
        from activation_flow import analysis

        return analysis.strength(self, texts, text_pair, **options)

    def layers(
        self,
        texts: "str | Sequence[str]",
        text_pair: "str | Sequence[str] | None" = None,
        **options: Any,
    ) -> LayersResult:
        """Strength at every layer in one pass, and per kind the mean rank percentile.

        ``layers="8,9"`` sets two layers side by side. Options: see ``analysis.layers``.
        """
        from activation_flow import analysis

        return analysis.layers(self, texts, text_pair, **options)

    @overload
    def shift(self, a: str, b: str, **options: Any) -> ShiftResult: ...
    @overload
    def shift(self, a: Sequence[str], b: Sequence[str], **options: Any) -> ShiftResults: ...
    def shift(
        self, a: "str | Sequence[str]", b: "str | Sequence[str]", **options: Any
    ) -> "ShiftResult | ShiftResults":
        """How far each token moves from text a to text b (paper eqs. 5-6, 8-11).

        Two texts give one result, two lists give a list. Options: see ``analysis_shift.shift``.
        """
        from activation_flow import analysis_shift

        return analysis_shift.shift(self, a, b, **options)

    @overload
    def prompts(self, texts: str, prompts: Sequence[str], **options: Any) -> PromptsResult: ...
    @overload
    def prompts(
        self, texts: Sequence[str], prompts: Sequence[str], **options: Any
    ) -> PromptsResults: ...
    def prompts(
        self, texts: "str | Sequence[str]", prompts: Sequence[str], **options: Any
    ) -> "PromptsResult | PromptsResults":
        """What each prompt before a text moves, pair by pair of prompts (paper 3.2.3).

        One text gives one result, a list gives a list. Options: see ``analysis_prompts.prompts``.
        """
        from activation_flow import analysis_prompts

        return analysis_prompts.prompts(self, texts, prompts, **options)

    @overload
    def hidden_states(self, texts: str, **options: Any) -> HiddenStates: ...
    @overload
    def hidden_states(self, texts: Sequence[str], **options: Any) -> HiddenResults: ...
    def hidden_states(
        self, texts: "str | Sequence[str]", **options: Any
    ) -> "HiddenStates | HiddenResults":
        """The hidden state of every token, [layers tokens width], with its tokens.

        One text gives one result, a list gives a list. Options: see
        ``analysis_hidden.hidden_states``.
        """
        from activation_flow import analysis_hidden

        return analysis_hidden.hidden_states(self, texts, **options)

    def tokenize(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        kinds: str = "list",
        max_length: int | None = None,
        stride: int | None = None,
        long: str = "windows",
    ) -> tuple[list[Encoded], list[Failure]]:
        """Tokens, words, kinds and windows of many texts.

        Args:
            texts: the texts.
            pairs: a second segment for each of them.
            kinds: where kinds come from: "list" or "none".
            max_length: longest input, special tokens included; at most the model's own.
            stride: tokens that neighbouring windows of a long text share; default half.
            long: what becomes of a long text: "windows", "cut" or "refused".

        Returns:
            The texts that can be run, and the others with the reason.

        Raises:
            ActivationFlowError: an option is out of range, or the model takes no pairs.
        """
        return tokens.encode_all(
            self._tokenizer,
            texts,
            pairs,
            lengths.limits(self.max_length, max_length, stride, long),
            vocabulary=self._runner.prepared.meta["vocabulary"],
            kinds=kinds,
        )

    def vocabulary(self) -> dict[str, int]:
        """The number of every token of the tokenizer, added and special ones too.

        Raises:
            ActivationFlowError: the tokenizer has no list of its tokens.
        """
        try:
            return dict(self._tokenizer.get_vocab())
        except NotImplementedError as problem:
            raise ActivationFlowError(
                f"the tokenizer of {self.model} has no list of its tokens"
            ) from problem

    def run(
        self, encoded: Sequence[Encoded], layers: Sequence[int], hidden: Sequence[int] = ()
    ) -> Iterator[tuple[int, Strength, Hidden | None]]:
        """Strength at ``layers``, and the hidden states at ``hidden``; see ``Runner.run``."""
        return self._runner.run(encoded, layers, hidden)


def _live(model: Any, tokenizer: Any) -> tuple[Any, Any] | None:
    if isinstance(model, str):
        if tokenizer is not None:
            raise ActivationFlowError("a tokenizer is taken with a live model only, not a name")
        return None
    if tokenizer is None:
        if not isinstance(model, tuple) or len(model) != 2:
            raise ActivationFlowError("a live model needs its tokenizer: give (model, tokenizer)")
        model, tokenizer = model
    if not hasattr(model, "named_parameters") or not hasattr(tokenizer, "model_input_names"):
        raise ActivationFlowError(
            "from_pretrained takes a name, a folder, or a live model and tokenizer of "
            f"transformers, not {type(model).__name__} and {type(tokenizer).__name__}"
        )
    return model, tokenizer


def _precision(precision: str | None, dtype: Any) -> str:
    """``precision`` and ``dtype`` say the same thing in two languages."""
    name = str(dtype).removeprefix("torch.")
    if dtype is not None and name not in DTYPES:
        raise ActivationFlowError(f"dtype {name} is not one of float32, bfloat16")
    wanted = precision or DTYPES.get(name, "f32")
    if wanted not in DTYPES.values():
        raise ActivationFlowError(f"precision {wanted!r} is not one of f32, bf16")
    if dtype is not None and wanted != DTYPES[name]:
        raise ActivationFlowError(f"dtype {name} and precision {wanted} contradict each other")
    return wanted
