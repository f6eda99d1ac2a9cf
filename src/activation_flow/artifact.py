"""A model the user names -> an engine folder in the cache: find, load, convert, verify.

torch and transformers are imported only where a model has to be loaded; a warm start needs
neither. No formula and no model name lives here.
"""

import copy
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activation_flow import engine, folder, identity, loading, room
from activation_flow.data import ActivationFlowError
from activation_flow.folder import Damaged, EngineFolder
from activation_flow.slow import SlowTokenizer

if TYPE_CHECKING:
    from activation_flow.tap import Tap

log = logging.getLogger("activation_flow")

# Part of every key: raise it when what a folder holds changes.
FORMAT = 2
NO_LIMIT = 8192  # tokens, where neither tokenizer nor model has a limit
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class Model:
    """A model made ready.

    Attributes:
        label: how results name it.
        revision: the commit on the hub, or the hash of the weights.
        meta: what is known of it: n_layers, width, inputs, max_length, causal, ...
        tokenizer: the tokenizer's JSON, its own truncation and padding switched off; or, of a
            model that has only a slow one, that.
        folder: the engine folder, where there is one.
        tap: the loaded tap, where the graph is not what runs.
    """

    label: str
    revision: str
    meta: dict[str, Any]
    tokenizer: str | SlowTokenizer
    folder: EngineFolder | None
    tap: "Tap | None"


def prepare(request: identity.Request, use_graph: bool = True, rebuild: bool = False) -> Model:
    """The model, from the cache if it is there, else loaded, converted, verified and kept.

    Args:
        request: what the user named.
        use_graph: False loads the model for the eager engine and keeps nothing.
        rebuild: True when a file of the folder proved to be damaged.

    Raises:
        ActivationFlowError: the model cannot be found, loaded or measured.
    """
    origin = identity.identify(request)
    meddled = identity.meddled_with(request.live[0]) if request.live else ""
    if meddled and use_graph:
        log.warning("%s runs on the slower eager engine and is not kept: %s", origin.label, meddled)
    if meddled or not use_graph:
        return _eager(request, origin, None)
    path = path_of(request, origin)
    found = None if rebuild else _open(path, origin.label)
    if found is None:
        with folder.locked(path):
            # Another process may have built it while we waited.
            found = _open(path, whole=True)
            if found is None:
                log.info(
                    "Preparing %s: loading, converting and checking it. This is done once "
                    "(about 10 s for a small model) and kept in %s",
                    origin.label,
                    path.parent,
                )
                found = folder.create(path, lambda into: _build(request, origin, into))
    if found.meta["engine"] == "torch":
        log.warning("%s runs on the slower eager engine: %s", origin.label, found.meta["reason"])
        return _eager(request, origin, found)
    if found.meta["slow_tokenizer"]:
        return _with_slow_tokenizer(request, origin, found)
    text = found.file(TOKENIZER).read_text(encoding="utf-8")
    return Model(origin.label, origin.revision, found.meta, text, found, None)


def path_of(request: identity.Request, origin: identity.Origin) -> Path:
    """Where the engine folder of a model is, or would be."""
    key = identity.digest(FORMAT, origin.identity, request.attn_implementation)
    return folder.engines() / key


def _open(path: Path, label: str | None = None, whole: bool = False) -> EngineFolder | None:
    """The folder, if it is there, undamaged, and of this OpenVINO; says why not if ``label``."""
    try:
        found = EngineFolder(path)
        if not found.meta["slow_tokenizer"]:
            found.file(TOKENIZER)
        if whole:
            found.check()
        made_by, now = found.meta["versions"]["openvino"], engine.openvino().__version__
        if made_by != now:  # what was verified was that version
            raise Damaged(f"it was made by OpenVINO {made_by}, this is {now}")
        return found
    except FileNotFoundError:
        return None
    except Damaged as why:
        if label is not None:
            log.warning(
                "The engine folder of %s cannot be used (%s); building it again", label, why
            )
        return None


def _with_slow_tokenizer(
    request: identity.Request, origin: identity.Origin, found: EngineFolder
) -> Model:
    """A slow tokenizer is loaded at every start: it has no form that could be kept and checked."""
    try:  # the hub need not be asked for what was fetched to make the folder
        tokenizer = loading.load_tokenizer(replace(request, local_files_only=True), origin)
    except ActivationFlowError:
        tokenizer = loading.load_tokenizer(request, origin)
    import transformers

    versions = {**found.meta["versions"], "transformers": transformers.__version__}
    meta = {**found.meta, "versions": versions}
    return Model(
        origin.label, origin.revision, meta, loading.usable(request, tokenizer), found, None
    )


def _eager(request: identity.Request, origin: identity.Origin, found: EngineFolder | None) -> Model:
    """The live tap, for the eager engine."""
    from activation_flow import tap as taps

    room.check_memory(loading.count_parameters(request, origin), origin.label, room.LOADING_FACTOR)
    model, tokenizer = loading.load(request, origin)
    if request.live is not None:  # the user's own object may be trained on, or moved
        model = copy.deepcopy(model).float().eval()
    with loading.quiet():
        tap = taps.make_tap(model, tokenizer.model_input_names)
        meta = found.meta if found else _describe(origin, tap, tokenizer, model)
    meta = {**meta, "engine": "torch"}
    return Model(
        origin.label, origin.revision, meta, loading.usable(request, tokenizer), found, tap
    )


def _build(request: identity.Request, origin: identity.Origin, into: Path) -> dict[str, Any]:
    """Write graph and tokenizer into a folder; returns the metadata."""
    from activation_flow import tap as taps

    parameters = loading.count_parameters(request, origin)
    room.check_memory(parameters, origin.label)
    room.check_disk(parameters, origin.label, into)
    model, tokenizer = loading.load(request, origin)
    if loading.is_fast(tokenizer):
        (into / TOKENIZER).write_text(loading.tokenizer_json(tokenizer), encoding="utf-8")
    default = getattr(model.config, "_attn_implementation", None)
    ladder = list(dict.fromkeys([default, "eager"]))
    reason = ""
    with loading.quiet():
        for attention in ladder:
            with taps.as_measured(model, attention) as measured:
                tap = taps.make_tap(measured, tokenizer.model_input_names)
                meta = _describe(origin, tap, tokenizer, measured)
                try:
                    engine.export_graph(tap, taps.feed(tap, _texts(tap, tokenizer, 2, 7)), into)
                    checked = verify(tap, engine.OpenVINOEngine(into), meta, tokenizer)
                    return {**meta, **checked, "engine": "openvino", "attention": attention}
                except (OSError, MemoryError):
                    raise  # says nothing of the model
                except Exception as problem:
                    # Whatever the converter throws, the eager engine is right; say why.
                    first_line = str(problem).strip().splitlines()[0:1] or [""]
                    reason = f"{type(problem).__name__}: {first_line[0]}"
                    log.info("no graph with %s attention: %s", attention, reason)
    for name in (engine.GRAPH, engine.WEIGHTS):
        (into / name).unlink(missing_ok=True)
    return {**meta, "engine": "torch", "reason": f"it could not be converted ({reason})"}


def _describe(origin: identity.Origin, tap: "Tap", tokenizer: Any, model: Any) -> dict[str, Any]:
    """What is learnt of a model by reading its config and running it."""
    import tokenizers
    import torch
    import transformers

    from activation_flow import tap as taps

    ids = _texts(tap, tokenizer, 1, 8)
    limits = [n for n in (tokenizer.model_max_length, taps.max_positions(model)) if n]
    n_layers, width = taps.depth_and_width(tap, ids)
    return {
        "format": FORMAT,
        "model": origin.label,
        "revision": origin.revision,
        "class": type(model).__name__,
        "n_layers": n_layers,
        "width": width,
        "vocabulary": _vocabulary(tap),
        "inputs": list(tap.inputs),
        "max_length": int(min([*limits, 10**9])) if min([*limits, 10**9]) < 10**9 else NO_LIMIT,
        "causal": taps.is_causal(tap, ids),
        "final_norm": taps.has_final_norm(tap, ids),
        "cls_id": tokenizer.cls_token_id,
        "slow_tokenizer": "" if loading.is_fast(tokenizer) else type(tokenizer).__name__,
        "window": taps.attention_window(model),
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "openvino": engine.openvino().__version__,
            "tokenizers": tokenizers.__version__,
        },
    }


def _vocabulary(tap: "Tap") -> int:
    """Number of rows in the model's embedding."""
    try:
        return int(tap.model.get_input_embeddings().num_embeddings)  # type: ignore[operator]
    except (AttributeError, NotImplementedError) as problem:
        raise ActivationFlowError(
            f"{type(tap.model).__name__} has no table with one embedding for each token; it "
            "cannot be measured"
        ) from problem


def _texts(tap: "Tap", tokenizer: Any, texts: int, tokens: int) -> Any:
    """Seeded random ids [texts tokens], none of them special."""
    import torch

    size = _vocabulary(tap)
    special = set(tokenizer.all_special_ids)
    usable = torch.tensor([i for i in range(min(size, len(tokenizer))) if i not in special])
    generator = torch.Generator().manual_seed(tokens)
    return usable[torch.randint(len(usable), (texts, tokens), generator=generator)]


def verify(
    tap: "Tap", graph: engine.Engine, meta: dict[str, Any], tokenizer: Any
) -> dict[str, Any]:
    """Compare a fresh graph with the eager model: every layer, norms and vectors, many lengths.

    Texts of 1 token up to twice the widest attention window, alone and three at once.

    Returns:
        what was checked, for the metadata.

    Raises:
        RuntimeError: the graph is further off than max(1e-5, 10 x eager's own difference between
            a text alone and the same text in a batch), relative, or has a non-finite value.
    """
    longest = min(meta["max_length"], max(64, 2 * meta["window"] + 9), 1100)
    lengths = [n for n in (1, 2, 7, 8, 16, 33) if n < longest] + [longest]
    worst, bound = 0.0, 1e-5
    for length in lengths:
        difference, own = _compare(tap, graph, _texts(tap, tokenizer, 3, length), meta["n_layers"])
        worst, bound = max(worst, difference), max(bound, 10 * own)
        if not difference <= bound:
            raise RuntimeError(
                f"the graph differs from the eager model by {difference:.1e} "
                f"(bound {bound:.1e}) on texts of {length} tokens"
            )
    return {"verified": {"lengths": lengths, "difference": worst, "bound": bound}}


def _compare(tap: "Tap", graph: engine.Engine, ids: Any, n_layers: int) -> tuple[float, float]:
    import numpy as np

    from activation_flow import tap as taps

    eager = engine.TorchEngine(tap)

    def run(which: engine.Engine, texts: Any) -> Any:
        fed = zip(tap.inputs, taps.feed(tap, texts), strict=True)
        inputs = {name: tensor.numpy() for name, tensor in fed}
        every = range(n_layers + 1)
        return which.run(inputs, every, hidden=every)

    (norms, states), (truth_norms, truth) = run(graph, ids), run(eager, ids)
    alone = np.concatenate([run(eager, ids[i : i + 1])[1] for i in range(len(ids))], axis=1)
    size = np.linalg.norm(truth, axis=-1).clip(min=1e-30)

    def apart(a: Any, b: Any) -> float:
        gap = np.linalg.norm(a - b, axis=-1) / size
        return float(gap.max()) if np.isfinite(gap).all() else float("inf")

    in_norm = np.abs(norms - truth_norms) / size
    worst_norm = float(in_norm.max()) if np.isfinite(in_norm).all() else float("inf")
    return max(apart(states, alone), worst_norm), apart(truth, alone)
