"""What the chip can do in float32, measured: of multiply-adds alone, and of matrix products.

The first (peak.c, where there is a C compiler) is the bound that no program can pass; the second
is what the best library makes of it, and so the bound of a model, which is little but products.
Neither may be reached by computing in less than float32, as chips with bf16 units tempt to:
products are compared with those in float64.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import common
import numpy as np

SIZES = (1024, 2048, 4096)
SOURCE = Path(__file__).with_suffix(".c")
TOLERANCE = 1e-5  # relative; a product of bf16 numbers is 1e-3 away


class Peak:
    """The peaks, each the best of all measurements so far.

    Attributes:
        fma: FLOP/s of multiply-adds in registers; None where there is no C compiler.
        product: FLOP/s of the fastest large matrix product, by torch or OpenVINO.
    """

    def __init__(self, threads: int):
        self.fma: float | None = None
        self.product = 0.0
        self._threads = threads
        self._folder = tempfile.TemporaryDirectory(prefix="afn-peak-")
        self._program = _compiled(Path(self._folder.name))
        self._products = [
            (2 * size**3, make(size, threads)) for size in SIZES for make in (_torch, _openvino)
        ]

    def measure(self) -> None:
        """Measures both again."""
        for flop, product in self._products:
            self.product = max(self.product, *(flop / common.timed(product) for _ in range(3)))
        if self._program is not None:
            self.fma = max(self.fma or 0.0, *(self._fma() for _ in range(6)))

    def _fma(self) -> float:
        command = [str(self._program), str(self._threads), "100"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return 1e9 * float(done.stdout)


def _compiled(folder: Path) -> Path | None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    program = folder / "peak"
    flags = ["-O2", "-march=native", "-ffp-contract=fast", "-pthread"]
    done = subprocess.run([compiler, *flags, str(SOURCE), "-o", str(program)], capture_output=True)
    return None if done.returncode else program


def _torch(size: int, threads: int) -> Callable[[], object]:
    import torch

    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    a, b = torch.rand(size, size), torch.rand(size, size)
    product = torch.empty(size, size)
    torch.mm(a, b, out=product)
    _check("torch", product[:4].numpy(), a[:4].double().numpy() @ b.double().numpy())
    return lambda: torch.mm(a, b, out=product)


def _openvino(size: int, threads: int) -> Callable[[], object]:
    import openvino
    from openvino import opset13 as ops

    rng = np.random.default_rng(0)
    a, b = (rng.random((size, size), dtype=np.float32) for _ in range(2))
    # The second factor is a constant, as weights are, so that it is laid out once.
    given = ops.parameter([size, size], np.float32)
    graph = openvino.Model([ops.matmul(given, ops.constant(b), False, False)], [given])
    config = {
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
    }
    request = openvino.Core().compile_model(graph, "CPU", config).create_infer_request()
    request.infer([a], share_inputs=True)
    _check("openvino", request.get_output_tensor().data[:4], a[:4].astype(float) @ b)

    def product() -> None:
        request.infer([a], share_inputs=True, share_outputs=True)

    return product


def _check(library: str, found: np.ndarray, exact: np.ndarray) -> None:
    error = float(np.max(np.abs(found - exact) / exact))
    if error > TOLERANCE:
        raise RuntimeError(f"{library} does not compute in float32: its product is {error:.0e} off")
