"""Files of items, .npz and .safetensors: written one item at a time, read array by array.

An item has a key, named arrays and one string; the file has a head, another string, known last.
What they mean is known in tensors. safetensors is imported only where it is used.
"""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np

from activation_flow.data import ActivationFlowError

# The types of .safetensors that are written, widest first, as the format's own writer orders
# them: so every array is aligned.
CODES = {"I64": np.dtype("<i8"), "F32": np.dtype("<f4"), "BOOL": np.dtype(bool)}
MAX_HEADER = 100_000_000  # bytes; readers of .safetensors refuse more
_ROOM_OF_OFFSETS = len("[999999999999999,999999999999999]},")


class NpzWriter:
    """A zip of .npy files. Not compressed: vectors shrink by 7 % only, at 26 MB/s (zlib, level 1).

    Holds in memory what a zip lists at its end.
    """

    def __init__(self, path: Path):
        self._zip = zipfile.ZipFile(path, "w")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self._zip.close()

    def expect(self, head: str) -> None:
        """A part of the head, as soon as it is known; there is room for any."""

    def add(self, key: str, arrays: Mapping[str, np.ndarray], about: str) -> None:
        """Write an item."""
        for name, array in arrays.items():
            self._write(f"{key}.{name}", array)
        self._write(f"{key}.about", np.array(about))

    def finish(self, head: str) -> None:
        """Write the head."""
        self._write("head", np.array(head))

    def _write(self, name: str, array: np.ndarray) -> None:
        # Its size is not told beforehand, and without force_zip64 would have to be below 4 GB.
        with self._zip.open(f"{name}.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, array, allow_pickle=False)


class SafetensorsWriter:
    """The header comes first, and is known last: until then the data stand in temporary files.

    One for each type, because arrays are ordered by type. Holds the header in memory.
    """

    def __init__(self, path: Path):
        self._path = path
        self._open = ExitStack()
        # Without a name: nothing of them stays, whatever happens to this process.
        self._data = {
            code: self._open.enter_context(tempfile.TemporaryFile(dir=path.parent))  # noqa: SIM115
            for code in CODES
        }
        self._entries: dict[str, list[tuple[bytes, int]]] = {code: [] for code in CODES}
        self._abouts: list[bytes] = []
        self._length = 100  # of the header, at most: the brackets, the head's name, the padding

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self._open.close()

    def expect(self, head: str) -> None:
        """A part of the head, as soon as it is known, so that it can be seen if there is room."""
        self._grow(len(json.dumps(head)) + 2)

    def add(self, key: str, arrays: Mapping[str, np.ndarray], about: str) -> None:
        """Write an item.

        Raises:
            ActivationFlowError: nobody could read the file, its header would be too long.
        """
        about_entry = f'"{key}":{json.dumps(about, ensure_ascii=False)}'.encode()
        self._grow(len(about_entry) + 1)
        self._abouts.append(about_entry)
        for name, array in arrays.items():
            code = next(code for code, dtype in CODES.items() if dtype == array.dtype)
            shape = ",".join(map(str, array.shape))
            entry = f'"{key}.{name}":{{"dtype":"{code}","shape":[{shape}],"data_offsets":'.encode()
            self._grow(len(entry) + _ROOM_OF_OFFSETS)
            self._entries[code].append((entry, array.nbytes))
            self._data[code].write(np.ascontiguousarray(array).data)

    def _grow(self, by: int) -> None:
        self._length += by
        if self._length > MAX_HEADER:
            raise ActivationFlowError(
                f"a .safetensors file has room for {MAX_HEADER:,} bytes of texts, tokens and "
                f"shapes, and {len(self._abouts):,} texts fill it: write .npz, which has no such "
                "limit, or fewer texts to a file"
            )

    def finish(self, head: str) -> None:
        """Write the header, and copy the data behind it."""
        with self._path.open("wb") as file:
            file.write(bytes(8))
            for piece in self._header(head):
                file.write(piece)
            file.write(b" " * (-file.tell() % 8))
            length = file.tell() - 8
            file.seek(0)
            file.write(length.to_bytes(8, "little"))
            file.seek(0, 2)
            for data in self._data.values():
                data.seek(0)
                shutil.copyfileobj(data, file, 2**20)

    def _header(self, head: str) -> Iterator[bytes]:
        text = json.dumps(head, ensure_ascii=False)
        yield f'{{"__metadata__":{{"activation_flow":{text}'.encode()
        for about in self._abouts:
            yield b"," + about
        yield b"}"
        offset = 0
        for entries in self._entries.values():
            for entry, size in entries:
                yield b",%b[%d,%d]}" % (entry, offset, offset + size)
                offset += size
        yield b"}"


class NpzReader:
    """Reads an array of a .npz file when it is asked for; the zip says if it is damaged."""

    def __init__(self, path: Path):
        self._zip = zipfile.ZipFile(path)

    def head(self) -> str:
        """The string of the file."""
        return str(self.array("head"))

    def about(self, key: str) -> str:
        """The string of an item."""
        return str(self.array(f"{key}.about"))

    def array(self, name: str) -> np.ndarray:
        """An array by the key of its item and its name."""
        with self._zip.open(f"{name}.npy") as member:
            found: np.ndarray = np.lib.format.read_array(member, allow_pickle=False)
            # The checksum is compared at the end, which a shape that was damaged does not reach.
            if member.read(1):
                raise ValueError(f"{name} is longer than its shape says")
        return found


class SafetensorsReader:
    """Reads an array of a .safetensors file when it is asked for; the header is in memory."""

    def __init__(self, path: Path):
        from safetensors import safe_open

        opened: Any = safe_open  # its stubs do not say what its methods give
        self._file = opened(str(path), framework="np")
        self._strings: dict[str, str] = self._file.metadata() or {}

    def head(self) -> str:
        """The string of the file."""
        return self._strings["activation_flow"]

    def about(self, key: str) -> str:
        """The string of an item."""
        return self._strings[key]

    def array(self, name: str) -> np.ndarray:
        """An array by the key of its item and its name."""
        found: np.ndarray = self._file.get_tensor(name)
        return found


Reader = NpzReader | SafetensorsReader
WRITERS: dict[str, type[NpzWriter] | type[SafetensorsWriter]] = {
    ".npz": NpzWriter,
    ".safetensors": SafetensorsWriter,
}
READERS: dict[str, type[Reader]] = {".npz": NpzReader, ".safetensors": SafetensorsReader}
