"""How far a run is: what was done before, what since, and about how long the rest will take."""

import time
from dataclasses import dataclass, field

from activation_flow.corpus import Counts
from activation_flow.shards import Shard


@dataclass
class State:
    """How far a run is.

    Attributes:
        shards: number of all shards.
        size: bytes of the input.
        before: what was done before this start.
        fresh: what was done since, in shards that are not done, too.
        done_shards: number of shards that are done.
        before_size: bytes of the shards that were done before this start.
        fresh_size: bytes of those that were done since.
        at_work: bytes of a shard at work that have been read, about.
        since: when it started, by ``time.perf_counter``.
        last: the shard that was finished just now, and its counts.
    """

    shards: int
    size: int
    before: Counts = field(default_factory=Counts)
    fresh: Counts = field(default_factory=Counts)
    done_shards: int = 0
    before_size: int = 0
    fresh_size: int = 0
    at_work: float = 0
    since: float = field(default_factory=time.perf_counter)
    last: tuple[Shard, Counts] | None = None

    def count_before(self, counts: Counts, size: int) -> None:
        """A shard was done before this start."""
        self.before.add(counts)
        self.before_size += size
        self.done_shards += 1

    def count(self, counts: Counts, at_work: float) -> None:
        """Some texts of a shard are done."""
        self.fresh.add(counts)
        self.at_work, self.last = at_work, None

    def count_shard(self, shard: Shard, counts: Counts, size: int) -> None:
        """A shard is done, all of whose texts were counted."""
        self.done_shards += 1
        self.fresh_size += size
        self.at_work, self.last = 0, (shard, counts)

    @property
    def seconds(self) -> float:
        """Since this start."""
        return time.perf_counter() - self.since

    @property
    def done_size(self) -> float:
        """Bytes of the input that are done with, about."""
        return self.before_size + self.fresh_size + self.at_work

    @property
    def seconds_left(self) -> float | None:
        """Until all is done, if it goes on as it went; None before anything is done."""
        fresh = self.fresh_size + self.at_work
        return self.seconds * (self.size - self.done_size) / fresh if fresh else None
