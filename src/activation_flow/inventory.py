"""What is kept on this machine: the engine folders and the copies downloaded from the hub."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from activation_flow import artifact, identity
from activation_flow.data import ActivationFlowError
from activation_flow.folder import BLOBS, UNFINISHED, Damaged, EngineFolder, engines, locked


@dataclass(frozen=True)
class Entry:
    """An engine folder.

    Attributes:
        model: as results name it.
        revision: commit, or hash of the weights.
        engine: openvino, or torch where the model could not be converted.
        created: time of making, UTC.
        graph: bytes of the graph and the rest.
        blobs: bytes of compiled blobs.
        download: bytes of the hub's own copy; 0 where there is none.
        path: the folder.
        state: "ok", or what is wrong with it.
    """

    model: str
    revision: str
    engine: str
    created: str
    graph: int
    blobs: int
    download: int
    path: str
    state: str = "ok"

    def age(self) -> str:
        """How long ago it was made, in words."""
        try:
            made = datetime.fromisoformat(self.created)
        except ValueError:
            return ""
        seconds = (datetime.now(UTC) - made).total_seconds()
        for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
            if seconds >= length:
                return f"{seconds / length:.0f} {unit}"
        return "now"


def list_folders() -> list[Entry]:
    """All engine folders, by model; damaged ones and what a killed build left behind, too."""
    home = engines()
    paths = [p for p in (home.iterdir() if home.is_dir() else ()) if p.is_dir()]
    downloads = _downloads() if paths else {}
    return sorted((_entry(p, downloads) for p in paths), key=lambda e: (e.model, e.revision))


def _entry(path: Path, downloads: dict[tuple[str, str], int]) -> Entry:
    try:
        if path.name.startswith(UNFINISHED):
            raise Damaged("unfinished: being made now, or its making was killed")
        folder = EngineFolder(path)
        meta, blobs = folder.meta, folder.size(BLOBS)
        return Entry(
            model=meta["model"],
            revision=meta["revision"],
            engine=meta["engine"],
            created=meta["created"],
            graph=folder.size() - blobs,
            blobs=blobs,
            download=downloads.get((meta["model"], meta["revision"]), 0),
            path=str(path),
        )
    except (Damaged, KeyError, FileNotFoundError) as why:
        state = str(why) if "unfinished" in str(why) else f"damaged: {why}"
        sizes = (f.stat().st_size for f in path.rglob("*") if f.is_file())
        return Entry("?", "", "", "", sum(sizes), 0, 0, str(path), state)


def _downloads() -> dict[tuple[str, str], int]:
    """Bytes of every model revision in the hub's cache."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return {}
    return {(r.repo_id, v.commit_hash): v.size_on_disk for r in repos for v in r.revisions}


def clear(model: str | None = None) -> tuple[int, int]:
    """Remove the engine folders of a model, or all of them.

    Args:
        model: as ``list_folders`` names it, or as ``from_pretrained`` takes it.

    Returns:
        Number of folders, and their bytes.

    Raises:
        ActivationFlowError: there is none of that name.
    """
    entries = list_folders()
    chosen = [e for e in entries if model is None or e.model == model]
    if model is not None and not chosen:
        # The same weights under another name, such as a copy of their folder.
        chosen = [e for e in entries if Path(e.path) == _path_of(model)]
    if model is not None and not chosen:
        known = ", ".join(sorted({e.model for e in entries})) or "none"
        raise ActivationFlowError(f"no engine folder of {model!r}; there are: {known}")
    for entry in chosen:
        path = Path(entry.path)
        with locked(path.with_name(path.name.removeprefix(UNFINISHED))):
            shutil.rmtree(path, ignore_errors=True)
    identity.forget(model)
    return len(chosen), sum(e.graph + e.blobs for e in chosen)


def _path_of(model: str) -> Path | None:
    request = identity.Request(name=model, local_files_only=True)
    try:
        return artifact.path_of(request, identity.identify(request))
    except ActivationFlowError:
        return None
