"""A prepared model on its way to another process, on this machine or another.

What is sent is where its engine folder is and what must stand in it; the folder is opened again
where it arrives, without torch, transformers or the hub. Who sends it stands elsewhere.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from activation_flow import __version__, artifact, engine, folder
from activation_flow.artifact import TOKENIZER
from activation_flow.data import ActivationFlowError
from activation_flow.engine import GRAPH, WEIGHTS, OpenVINOEngine
from activation_flow.folder import Damaged, EngineFolder, Packed
from activation_flow.runner import Runner, start


class Lacking(ActivationFlowError):
    """This machine has no engine folder of the model that can be used."""


@dataclass(frozen=True)
class Portable:
    """What is sent of a prepared model.

    Attributes:
        label: how results name it.
        revision: the commit on the hub, or the hash of the weights.
        path: of the engine folder where it was made ready; its last part is the key.
        checksums: of the files that make the numbers. A folder made elsewhere of the same model
            may give others in the last bits.
        versions: of the libraries that make them.
        precision: ``f32`` or ``bf16``.
        threads: None: all cores.
        batch_tokens: tokens in a batch.
    """

    label: str
    revision: str
    path: Path
    checksums: Mapping[str, str]
    versions: Mapping[str, str]
    precision: str
    threads: int | None
    batch_tokens: int

    @classmethod
    def of(cls, runner: Runner) -> "Portable":
        """What is to be sent of the model that this runs.

        Raises:
            ActivationFlowError: it cannot be sent: it is not its engine folder that runs.
        """
        prepared, kept, how = runner.prepared, runner.prepared.folder, runner.engine
        if not isinstance(how, OpenVINOEngine) or kept is None:
            why = "it runs on the eager engine"
        elif not isinstance(prepared.tokenizer, str):
            why = "its tokenizer is a slow one, which has no form that could be sent"
        else:
            return cls(
                label=prepared.label,
                revision=prepared.revision,
                path=kept.path.absolute(),
                checksums={name: kept.checksum(name) for name in (GRAPH, WEIGHTS, TOKENIZER)},
                versions=_versions(),
                precision=how.precision,
                threads=how.threads,
                batch_tokens=runner.batch_tokens,
            )
        raise ActivationFlowError(
            f"{prepared.label} cannot be sent to another process (by Ray, multiprocessing or "
            f"pickle): {why}"
        )

    def open(self, packed: Packed | None = None) -> Runner:
        """Make the model ready here.

        Args:
            packed: the files of its folder, which are kept here if it is not there.

        Raises:
            Lacking: there is no such folder here, and its files were not sent.
            ActivationFlowError: a library has another version here, or the model cannot run.
        """
        self._check_versions()
        try:
            found = self._find(packed)
            tokenizer = found.file(TOKENIZER).read_text(encoding="utf-8")
        except Damaged as why:
            self._lacking(str(why))
        except OSError as problem:
            raise ActivationFlowError(
                f"the engine folder of {self.label} cannot be kept on {platform.node()} in "
                f"{folder.engines()}: {problem.strerror or problem}"
            ) from problem
        model = artifact.Model(self.label, self.revision, found.meta, tokenizer, found, None)
        return Runner(
            model,
            lambda prepared: start(prepared, self.precision, "cpu", self.threads),
            lambda: self._lacking(f"{found.path} was altered"),
            self.batch_tokens,
        )

    def _check_versions(self) -> None:
        here = _versions()
        if apart := [name for name in here if here[name] != self.versions.get(name)]:
            raise ActivationFlowError(
                f"{self.label} was made ready with "
                + ", ".join(f"{name} {self.versions.get(name)}" for name in apart)
                + f", and {platform.node()} has "
                + ", ".join(f"{name} {here[name]}" for name in apart)
                + "; the numbers could differ: install the same versions everywhere"
            )

    def _find(self, packed: Packed | None) -> EngineFolder:
        """The folder, where it was, else in the cache of this machine, else made of its files."""
        own = folder.engines() / self.path.name
        problems = []
        for path in dict.fromkeys((self.path, own)):
            try:
                return self._opened(path, whole=packed is not None)
            except FileNotFoundError:
                problems.append(f"{path} is not there")
            except Damaged as why:
                problems.append(f"{path}: {why}")
        if packed is None:
            self._lacking("; ".join(problems))
        with folder.locked(own):
            try:  # another process may have made it while we waited
                return self._opened(own, whole=True)
            except (FileNotFoundError, Damaged):
                return folder.unpack(own, packed)

    def _opened(self, path: Path, whole: bool) -> EngineFolder:
        found = EngineFolder(path)
        if any(found.checksum(name) != known for name, known in self.checksums.items()):
            raise Damaged("it was made another time, or of another model")
        if whole:
            found.check()
        found.file(TOKENIZER)
        return found

    def _lacking(self, why: str) -> NoReturn:
        raise Lacking(
            f"there is no engine folder of {self.label} on {platform.node()} that can be used "
            f"({why}); load the model anew with from_pretrained or any afn command"
        )


def _versions() -> dict[str, str]:
    import numpy
    import tokenizers

    return {
        "activation_flow": __version__,
        "openvino": str(engine.openvino().__version__),
        "numpy": numpy.__version__,
        "tokenizers": tokenizers.__version__,
    }
