"""A model that has been identified -> its weights and tokenizer in memory, complete or refused.

The only file that calls transformers' loaders. Nothing is ever put in the place of a model, or of
a weight, that cannot be had.
"""

import copy
import importlib
import json
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from activation_flow import hub
from activation_flow.data import ActivationFlowError
from activation_flow.identity import Origin, Request
from activation_flow.slow import SlowTokenizer

# What the name of a class with a head ends in -> what a model of it is asked.
HEADS = {
    "ForMaskedLM": "mlm",
    "ForCausalLM": "next",
    "LMHeadModel": "next",
    "ForSequenceClassification": "classifier",
}
# Models pretrained with two heads at once are loaded with the one that is asked.
_TWO_HEADS = {"ForPreTraining": "mlm"}
_LOADERS = {
    "mlm": "AutoModelForMaskedLM",
    "next": "AutoModelForCausalLM",
    "classifier": "AutoModelForSequenceClassification",
}


def _options(request: Request, origin: Origin) -> dict[str, Any]:
    on_hub = not Path(origin.source).is_dir()
    options: dict[str, Any] = {
        "trust_remote_code": request.trust_remote_code,
        "local_files_only": request.local_files_only or not on_hub or not hub.within_reach(),
        "cache_dir": request.cache_dir,
        "token": request.token,
    }
    return {**options, "revision": origin.revision} if on_hub else options


def count_parameters(request: Request, origin: Origin) -> int:
    """How many parameters the model has, without loading one of them."""
    if request.live is not None:
        return sum(p.numel() for p in request.live[0].parameters())
    hub.no_telemetry()
    import torch
    from transformers import AutoConfig, AutoModel

    trust = request.trust_remote_code
    try:
        config = AutoConfig.from_pretrained(origin.source, **_options(request, origin))
        with torch.device("meta"):
            model = AutoModel.from_config(config, trust_remote_code=trust)
    except Exception as problem:  # configs hold anything, and fail in any way
        raise _cannot_load(origin, problem) from problem
    return sum(p.numel() for p in model.parameters())


def load(request: Request, origin: Origin) -> tuple[Any, Any]:
    """Model (float32, eval mode, safetensors unless pickle is allowed) and tokenizer.

    Raises:
        ActivationFlowError: they cannot be loaded, or the checkpoint lacks weights.
    """
    if request.live is not None:
        return request.live
    tokenizer = load_tokenizer(request, origin)
    return _load_base(request, origin, tokenizer), tokenizer


def _load_base(request: Request, origin: Origin, tokenizer: Any) -> Any:
    """The model without a head."""
    try:
        model, missing = _load_as("AutoModel", request, origin)
    except MemoryError:
        raise
    except Exception as problem:  # damaged files fail in any way
        raise _cannot_load(origin, problem) from problem
    check_complete(model, tokenizer, missing, origin)
    return model


def _load_as(kind: str, request: Request, origin: Origin) -> tuple[Any, set[str]]:
    """A model in eval mode by one of the Auto classes, and the weights its checkpoint lacks."""
    import torch
    import transformers

    with quiet():
        model, info = getattr(transformers, kind).from_pretrained(
            origin.source,
            dtype=torch.float32,
            attn_implementation=request.attn_implementation,
            use_safetensors=None if request.allow_pickle else True,
            output_loading_info=True,
            **_options(request, origin),
        )
    return model.eval(), set(info["missing_keys"])


def load_headed(request: Request, origin: Origin) -> tuple[Any, Any, str]:
    """The same as ``load``, with the head that the checkpoint names and has; else without one.

    Returns:
        The model, its tokenizer, and why the model has no head ("" where it has one, and for a
        live model, which is as it is).

    Raises:
        ActivationFlowError: as ``load``.
    """
    if request.live is not None:
        return (*request.live, "")
    tokenizer = load_tokenizer(request, origin)
    model, why = _load_head(request, origin)
    return _load_base(request, origin, tokenizer) if model is None else model, tokenizer, why


def _load_head(request: Request, origin: Origin) -> tuple[Any, str]:
    """The model with its head; or None, and why not."""
    from transformers import AutoConfig

    try:
        with quiet():
            config = AutoConfig.from_pretrained(origin.source, **_options(request, origin))
        name = (getattr(config, "architectures", None) or [""])[0]
        endings = (HEADS | _TWO_HEADS).items()
        kind = next((kind for ending, kind in endings if name.endswith(ending)), None)
        if kind is None or config.is_encoder_decoder:
            return None, f"its checkpoint is of class {name or 'unknown'}"
        model, missing = _load_as(_LOADERS[kind], request, origin)
    except MemoryError:
        raise
    except Exception as problem:  # other people's code fails in any way
        return None, f"its head cannot be loaded ({' '.join(str(problem).split())[:200]})"
    if missing:  # they were filled at random: such a head says nothing
        some = sorted(missing)[0]
        return (
            None,
            f"its checkpoint has no trained head ({len(missing)} weights are missing: {some} ...)",
        )
    return model, ""


def load_tokenizer(request: Request, origin: Origin) -> Any:
    """The tokenizer of transformers, fast where there is such a one; of a live model, its own.

    Raises:
        ActivationFlowError: it cannot be loaded, or there is none.
    """
    if request.live is not None:
        return request.live[1]
    hub.no_telemetry()
    from transformers import AutoTokenizer

    try:
        with quiet():
            options = _options(request, origin)
            tokenizer = AutoTokenizer.from_pretrained(origin.source, **options)
    except MemoryError:
        raise
    except Exception as problem:  # damaged files fail in any way
        raise _cannot_load_tokenizer(origin, problem) from problem
    # Where the files are missing, transformers makes a fast one of special tokens and "▁".
    if is_fast(tokenizer) and len({*tokenizer.get_vocab()} - {*tokenizer.all_special_tokens}) < 2:
        raise ActivationFlowError(f"{origin.label} holds no tokenizer (tokenizer.json)")
    return tokenizer


def is_fast(tokenizer: Any) -> bool:
    """True for a tokenizer that library ``tokenizers`` can run without transformers."""
    return getattr(tokenizer, "backend_tokenizer", None) is not None


def tokenizer_json(tokenizer: Any) -> str:
    """A fast tokenizer as JSON, with its own truncation and padding switched off."""
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    return json.dumps({**parts, "truncation": None, "padding": None}, ensure_ascii=False)


def usable(request: Request, tokenizer: Any) -> str | SlowTokenizer:
    """A tokenizer of transformers in the form that the encoder takes."""
    if is_fast(tokenizer):
        return tokenizer_json(tokenizer)
    if request.live is not None:  # the user's own object may be changed
        try:
            tokenizer = copy.deepcopy(tokenizer)
        except Exception as problem:  # it may hold anything, a module or an open file too
            raise ActivationFlowError(
                f"the tokenizer {type(tokenizer).__name__} cannot be copied ({problem}); save it "
                "and its model with save_pretrained, and give the folder"
            ) from problem
    return SlowTokenizer(tokenizer)


def _cannot_load_tokenizer(origin: Origin, problem: Exception) -> ActivationFlowError:
    # What transformers says where a vocabulary file is missing.
    if re.search("NoneType|instantiate the backend|model_file or model_proto", str(problem)):
        return ActivationFlowError(f"{origin.label} holds no tokenizer, or not all files of it")
    # Without sentencepiece, transformers tries to read its files as those of tiktoken, or knows no
    # class for the model. An older protobuf than sentencepiece was made for is no better than none.
    if re.search(r"(?i)sentencepiece|protobuf|tiktoken|to build an AutoTokenizer", str(problem)):
        try:
            importlib.import_module("sentencepiece.sentencepiece_model_pb2")
        except Exception as missing:
            return ActivationFlowError(
                f"the tokenizer of {origin.label} is a file of sentencepiece, which takes the "
                f"libraries sentencepiece and protobuf ({str(missing)[:200]}); install them with "
                'pip install "activation-flow[sentencepiece]"'
            )
        if "tiktoken" in str(problem):
            return ActivationFlowError(
                f"the tokenizer of {origin.label} cannot be read: its .model file is damaged or "
                "incomplete, or one of tiktoken (then: pip install tiktoken)"
            )
    return _cannot_load(origin, problem, "the tokenizer of ")


def _cannot_load(origin: Origin, problem: Exception, what: str = "") -> ActivationFlowError:
    text = " ".join(str(problem).split())
    here = Path(origin.source)
    if here.is_dir() and not [*here.glob("*.safetensors"), *here.glob("*.bin")]:
        return ActivationFlowError(f"the folder {here} holds no weights (model.safetensors)")
    if isinstance(problem, OSError) and "safetensors" in text:
        return ActivationFlowError(
            f"{origin.label} has no safetensors weights, and pickled weights can run any code "
            "when they are loaded; if you trust the source, allow them with --allow-pickle"
        )
    if "trust_remote_code" in text:
        return ActivationFlowError(
            f"{origin.label} brings its own code; if you trust the source, allow it with "
            "--trust-remote-code"
        )
    return ActivationFlowError(
        f"{what}{origin.label} cannot be loaded: {type(problem).__name__}: {text[:300]}"
    )


def check_complete(model: Any, tokenizer: Any, missing: set[str], origin: Origin) -> None:
    """Refuse a checkpoint whose gaps, filled at random, would reach the hidden states.

    A missing pooler is harmless; a missing layer is not. Decided by changing the gaps.

    Raises:
        ActivationFlowError: names the missing weights.
    """
    gaps = [p for name, p in model.named_parameters() if name in missing]
    if not gaps:
        return
    import torch

    from activation_flow import tap as taps

    tap = taps.make_tap(model, tokenizer.model_input_names)
    ids = torch.arange(8)[None]
    with torch.no_grad():
        before = tap(*taps.feed(tap, ids))
        for p in gaps:
            p.add_(1.0)
        after = tap(*taps.feed(tap, ids))
        for p in gaps:
            p.sub_(1.0)
    if not all(torch.equal(a, b) for a, b in zip(before, after, strict=True)):
        some = ", ".join(sorted(missing)[:3])
        raise ActivationFlowError(
            f"the weights of {origin.label} are incomplete: {len(missing)} are missing ({some}, "
            "...), and the hidden states depend on them"
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Loaders, converters and tracers warn about what is then checked here."""
    import transformers

    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    bars = transformers.logging.is_progress_bar_enabled() and not sys.stderr.isatty()
    if bars:
        transformers.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers.logging.set_verbosity(verbosity)
        if bars:
            transformers.logging.enable_progress_bar()
