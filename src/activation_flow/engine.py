"""Run a tap: compiled by OpenVINO, or eagerly by torch. The only file that knows engines.

Both take texts of equal length only, so nothing is ever padded. Measured (docs/design.md): such
batches give, bit for bit, the numbers that each text gives alone (eager torch: but for the last
bits), and cost no speed.
"""

import hashlib
import logging
import os
import platform
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from activation_flow.data import ActivationFlowError, BatchIds, BatchNorms, BatchStates
from activation_flow.folder import BLOBS, Damaged, EngineFolder

if TYPE_CHECKING:
    from activation_flow.tap import Tap

log = logging.getLogger("activation_flow")

GRAPH = "graph.xml"
WEIGHTS = "graph.bin"


class Engine(Protocol):
    """Something that runs a tap.

    Attributes:
        name: ``openvino`` or ``torch``.
        precision: ``f32`` or ``bf16``.
    """

    name: str
    precision: str

    def run(
        self,
        inputs: Mapping[str, BatchIds],
        layers: Sequence[int],
        hidden: Sequence[int] = (),
    ) -> tuple[BatchNorms, BatchStates | None]:
        """Norms at ``layers``, and the hidden states at ``hidden``, of texts of equal length."""
        ...


def openvino() -> Any:
    """The openvino module, without its telemetry (a look-up of an analytics host)."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


class OpenVINOEngine:
    """A converted graph on the CPU; each set of outputs is compiled once and kept as a blob.

    Args:
        folder: an engine folder, or a plain folder with a graph (unchecked; no blob is kept).
        precision: ``f32`` or ``bf16``.
        threads: number of threads; None leaves it to OpenVINO (all cores).

    Raises:
        ActivationFlowError: bf16 on a processor without it.
    """

    name = "openvino"

    def __init__(
        self, folder: EngineFolder | Path, precision: str = "f32", threads: int | None = None
    ):
        self.precision, self.threads = precision, threads
        self._folder = folder if isinstance(folder, EngineFolder) else None
        self._graph_file = folder / GRAPH if isinstance(folder, Path) else None
        self._core = openvino().Core()
        self._compiled: dict[tuple[str, ...], Any] = {}
        self._graph: Any = None
        self._one_at_a_time = threading.Lock()
        # Set explicitly: on chips with bf16 that would be the default.
        self._config: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
        }
        if threads is not None:
            self._config["INFERENCE_NUM_THREADS"] = threads
        can = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and "BF16" not in can:
            raise ActivationFlowError(
                f"this processor ({self._processor()}) has no bf16 arithmetic; use precision f32"
            )

    def run(
        self,
        inputs: Mapping[str, BatchIds],
        layers: Sequence[int],
        hidden: Sequence[int] = (),
    ) -> tuple[BatchNorms, BatchStates | None]:
        """See Engine."""
        names = [f"norm_{k}" for k in layers] + [f"hidden_{k}" for k in hidden]
        with self._one_at_a_time:
            request = self._request(tuple(names))
            out = request.infer(dict(inputs))
            # Copies: the request's own buffers are overwritten by the next call.
            arrays = [np.array(out[i], dtype=np.float32) for i in range(len(names))]
        states = np.stack(arrays[len(layers) :]) if hidden else None
        return np.stack(arrays[: len(layers)]), states

    def _request(self, names: tuple[str, ...]) -> Any:
        if names not in self._compiled:
            compiled = self._load_blob(names) or self._compile(names)
            # Both are kept: the blob's memory map must outlive the request.
            self._compiled[names] = (compiled, compiled[0].create_infer_request())
        return self._compiled[names][1]

    def _compile(self, names: tuple[str, ...]) -> tuple[Any, Any]:
        if self._graph is None:
            self._graph = self._core.read_model(self._graph_file or self._checked_graph())
        by_name = {n: o for o in self._graph.outputs for n in o.get_names()}
        # Only these outputs: whatever lies above them is dead and removed by the compiler.
        results = [by_name[name].get_node() for name in names]
        graph = openvino().Model(results, self._graph.get_parameters(), "tap")
        model = self._core.compile_model(graph, "CPU", self._config)
        if self._folder is not None:
            try:
                blob = self._blob_name(names)
                self._folder.add(blob, lambda path: _write(path, model.export_model()))
            except (OSError, ActivationFlowError) as problem:
                # A full or read-only disk costs the next start 0.2 s, and no result.
                log.warning("the compiled model could not be kept: %s", problem)
        return model, None

    def _checked_graph(self) -> Path:
        assert self._folder is not None
        self._folder.file(WEIGHTS)
        return self._folder.file(GRAPH)

    def _load_blob(self, names: tuple[str, ...]) -> tuple[Any, Any] | None:
        blob = self._blob_name(names)
        if self._folder is None or not self._folder.has(blob):
            return None
        try:
            memory = np.memmap(self._folder.file(blob), dtype=np.uint8, mode="c")
            # Shared, not copied (which wants a writeable, hence copy-on-write, map).
            tensor = openvino().Tensor(np.asarray(memory), shared_memory=True)
            return self._core.import_model(tensor, "CPU", self._config), memory
        except (Damaged, RuntimeError) as problem:
            log.info("compiling again: the stored blob cannot be used (%s)", problem)
            return None

    def _blob_name(self, names: tuple[str, ...]) -> str:
        """Unique to outputs, options, OpenVINO version and processor: a blob fits no other."""
        about = (names, sorted(self._config.items()), openvino().__version__, self._processor())
        digest = hashlib.blake2b(repr(about).encode(), digest_size=8).hexdigest()
        return f"{BLOBS}{names[0]}-{len(names)}-{self.precision}-{digest}.blob"

    def _processor(self) -> str:
        name = str(self._core.get_property("CPU", "FULL_DEVICE_NAME"))
        try:  # virtual machines give many processors one name
            with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as info:
                flags = next((line for line in info if line.startswith(("flags", "Features"))), "")
        except OSError:
            flags = platform.processor()
        return f"{name}, features {hashlib.blake2b(flags.encode(), digest_size=4).hexdigest()}"


def export_graph(tap: "Tap", example: tuple[Any, ...], into: Path) -> None:
    """Convert a tap once, for texts of any number and length; writes graph.xml and graph.bin."""
    import torch

    ov = openvino()
    with torch.no_grad(), _no_telemetry():
        any_size = [ov.PartialShape([-1, -1])] * len(tap.inputs)
        graph = ov.convert_model(tap, example_input=example, input=any_size)
    if len(graph.inputs) != len(tap.inputs):
        raise RuntimeError(f"the graph takes {len(graph.inputs)} inputs, not {len(tap.inputs)}")
    for name, port in zip(tap.inputs, graph.inputs, strict=True):
        port.get_tensor().set_names({name})
    depth = len(graph.outputs) // 2
    for i, port in enumerate(graph.outputs):
        port.get_tensor().set_names({f"norm_{i}" if i < depth else f"hidden_{i - depth}"})
    ov.save_model(graph, into / GRAPH, compress_to_fp16=False)


@contextmanager
def _no_telemetry() -> Iterator[None]:
    """For users who imported openvino before us: its converter calls no host in a CI."""
    before = os.environ.get("CI")
    os.environ["CI"] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ["CI"]
        else:
            os.environ["CI"] = before


def _write(path: Path, blob: Any) -> None:
    with path.open("wb") as file:
        file.write(blob.getbuffer())


class TorchEngine:
    """The tap itself, eagerly in float32: the oracle, the fallback, and CUDA."""

    name = "torch"
    precision = "f32"

    def __init__(self, tap: "Tap", device: str = "cpu", threads: int | None = None):
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        self._device = torch.device(device)
        self._tap = tap.to(self._device)

    def run(
        self,
        inputs: Mapping[str, BatchIds],
        layers: Sequence[int],
        hidden: Sequence[int] = (),
    ) -> tuple[BatchNorms, BatchStates | None]:
        """See Engine."""
        import torch

        tensors = [torch.from_numpy(inputs[n]).to(self._device) for n in self._tap.inputs]
        with torch.inference_mode():
            out = self._tap(*tensors)
        depth = len(out) // 2
        norms = np.stack([out[k].cpu().numpy() for k in layers])
        states = np.stack([out[depth + k].cpu().numpy() for k in hidden]) if hidden else None
        return norms, states
