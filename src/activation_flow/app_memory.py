"""What Gradio keeps in memory, bounded: answers that nobody fetches, values of sessions.

Gradio bounds both by the number of sessions only, and one answer may take a hundred megabytes.
Knows Gradio by the names of its attributes; one that is not there any more bounds nothing.
"""

import asyncio
from collections import OrderedDict
from typing import Any

UNREAD = 64_000_000  # bytes, as JSON, of answers that wait to be fetched; five times that in memory
SESSIONS = 2_000  # that may be waited for


def bound(blocks: Any) -> None:
    """Set the bounds of a page that is mounted.

    Args:
        blocks: Gradio's Blocks.
    """
    queue = getattr(blocks, "_queue", None)
    if queue is not None and hasattr(queue, "pending_messages_per_session"):
        ids = getattr(queue, "pending_event_ids_session", {})
        queue.pending_messages_per_session = Unread(ids)
    if (holder := getattr(blocks, "state_holder", None)) is not None:
        holder.session_data = _Sessions(holder.session_data)


class Unread(OrderedDict[str, "Letters"]):
    """Messages by session, as Gradio's queue has them; those that wait longest are let go.

    Attributes:
        weight: bytes of answers that wait.
    """

    def __init__(self, ids: dict[str, set[str]], most: int = UNREAD, sessions: int = SESSIONS):
        """Holds none; ``ids`` are the events of each session, let go with it."""
        super().__init__()
        self._ids, self._most, self._sessions = ids, most, sessions
        self._waiting: OrderedDict[str, int] = OrderedDict()  # what came first stands first
        self.weight = 0

    def __setitem__(self, session: str, queue: asyncio.Queue[Any]) -> None:
        """A session begins; what stands in its place is asked by its own queue."""
        self.let_go(session)
        if len(self) >= self._sessions:
            self.let_go(next(iter(self)))
        super().__setitem__(session, Letters(self, session))

    def changed(self, session: str, by: int) -> None:
        """So many bytes more wait, or fewer."""
        self._waiting[session] = self._waiting.get(session, 0) + by
        self.weight += by
        if not self._waiting[session]:
            del self._waiting[session]
        while self.weight > self._most and len(self._waiting) > 1:
            self.let_go(next(iter(self._waiting)))

    def let_go(self, session: str) -> None:
        """Forget a session; who asks for it is told that there is none."""
        self.weight -= self._waiting.pop(session, 0)
        if self.pop(session, None) is not None:
            self._ids.pop(session, None)


class Letters(asyncio.Queue[Any]):
    """Messages of a session, weighed."""

    def __init__(self, unread: Unread, session: str):
        """Holds none."""
        super().__init__()
        self._unread, self._session = unread, session

    def put_nowait(self, item: Any) -> None:
        """A message comes."""
        size = _weight(item)
        super().put_nowait((size, item))
        self._change(size)

    def get_nowait(self) -> Any:
        """A message is fetched."""
        size, item = super().get_nowait()
        self._change(-size)
        return item

    def _change(self, size: int) -> None:
        if size and self._unread.get(self._session) is self:
            self._unread.changed(self._session, size)


class _Sessions(OrderedDict[str, Any]):
    """Sessions, without the values of what they call.

    Gradio keeps them, inputs and outputs, for links that this page does not offer.
    """

    def __setitem__(self, name: str, session: Any) -> None:
        if hasattr(session, "_update_value_in_config"):
            session._update_value_in_config = _no_value
        super().__setitem__(name, session)


def _no_value(_key: int, _value: Any) -> None:
    pass


def _weight(message: Any) -> int:
    """Bytes of an answer as JSON; 0 of other messages."""
    output = getattr(message, "output", None)
    if not output:
        return 0
    import orjson

    return len(orjson.dumps(output, default=str, option=orjson.OPT_NON_STR_KEYS))
