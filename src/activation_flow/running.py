"""A whole corpus: planned, run shard by shard, here or on Ray, gone on with after any interruption.

Who calls ``run_shard`` is all that differs between here and Ray.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activation_flow import corpus, formats, grouping, manifest, part, shards, summary
from activation_flow.analysis import Buckets
from activation_flow.corpus import Counts, Job
from activation_flow.data import ActivationFlowError
from activation_flow.formats import Reading
from activation_flow.run import Run
from activation_flow.shards import Shard

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder

log = logging.getLogger("activation_flow")

SHARD_TEXTS = 8192
ON_ERROR = ("reject", "fail")

Done = Iterator[tuple[Shard, Counts]]


@dataclass(frozen=True)
class State:
    """How far a run is.

    Attributes:
        counts: of all that is done, before this start and since.
        fresh: of what was done since this start.
        seconds: since this start.
        shards: number of shards that are done.
        of_shards: number of all.
        share: part of the input that is done, by size, 0 to 1.
        fresh_share: part of the input that was done since this start.
        last: the shard that was just finished, and its counts; None between.
    """

    counts: Counts
    fresh: Counts
    seconds: float
    shards: int
    of_shards: int
    share: float
    fresh_share: float
    last: tuple[Shard, Counts] | None = None
