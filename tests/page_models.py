"""Models for the tests of the page: one that is open already, and counts how often it is used."""

import threading
from contextlib import contextmanager

from activation_flow.data import ActivationFlowError


class OneModel:
    """As app_models.Models, with an encoder made before; ``uses`` counts."""

    def __init__(self, encoder, default="minilm"):
        self.encoder, self.default, self.uses = encoder, default, 0
        self._lock = threading.Lock()

    def check(self, name):
        if name not in ("", self.default):
            raise ActivationFlowError(f"model {name!r} is not served here")
        return self.default

    @contextmanager
    def use(self, name):
        assert self.check(name) == self.default
        with self._lock:
            self.uses += 1
            yield self.encoder
