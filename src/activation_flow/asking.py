"""What a user asks of a run -> what is measured, and which columns are read.

Contradictions are refused. Reads nothing, and computes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from activation_flow.analysis import Buckets
from activation_flow.blocks import Measure
from activation_flow.data import ActivationFlowError
from activation_flow.formats import Reading
from activation_flow.measure_shift import PairMeasure, PromptMeasure
from activation_flow.measure_strength import StrengthMeasure
from activation_flow.part_shifts import ShiftLayout
from activation_flow.part_strengths import StrengthLayout
from activation_flow.prompting import Prompting
from activation_flow.two_texts import Comparing

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder

Layers = int | str | Sequence[int] | None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of the texts of a run; see ``running.run_corpus``."""

    layers: Layers = None
    vectors: Layers = None
    buckets: Buckets
    keep_text: bool = False
    words: str | None = None
    stride: int | None = None
    pairs: str | Sequence[str] | None = None
    prompts: Sequence[str] | None = None
    baseline: bool = False
    template: str | None = None
    align: str | None = None
    bucket_by: str | None = None

    @property
    def comparing(self) -> dict[str, str]:
        """How texts are compared, as far as it was said."""
        how = {"align": self.align, "bucket_by": self.bucket_by}
        return {name: value for name, value in how.items() if value is not None}


def reading(asked: Asked, text_column: str, id_column: str | None) -> Reading:
    """The columns that are read.

    Raises:
        ActivationFlowError: a pair does not take these.
    """
    if asked.pairs is None:
        return Reading(text_column, id_column)
    given = asked.pairs.split(",") if isinstance(asked.pairs, str) else asked.pairs
    names = [name.strip() if isinstance(name, str) else "" for name in given]
    if len(names) != 2 or not all(names):
        raise ActivationFlowError(
            f"--pairs {asked.pairs}: give the names of two columns, such as premise,hypothesis"
        )
    if names[0] == names[1]:
        raise ActivationFlowError(f"--pairs names {names[0]!r} twice; a pair takes two columns")
    if text_column != Reading.text_column:
        raise ActivationFlowError("--pairs names the columns of texts: leave out --text-column")
    return Reading(names[0], id_column, names[1])


def measure(encoder: "Encoder", asked: Asked) -> Measure:
    """What is measured.

    Raises:
        ActivationFlowError: options contradict each other, or are not valid.
    """
    _refuse(asked)
    layers = encoder.layers_from(asked.layers)
    common: dict[str, Any] = {
        **{"layers": layers, "buckets": asked.buckets, "keep_text": asked.keep_text}
    }
    if asked.prompts:
        how = asked.comparing if asked.template is None else {"template": asked.template}
        prompting = Prompting.of(asked.prompts, asked.baseline, **{**asked.comparing, **how})
        return PromptMeasure(ShiftLayout(**common, prompts=prompting.prompts), prompting)
    if asked.pairs is not None:
        return PairMeasure(ShiftLayout(**common), Comparing(**asked.comparing, words=asked.words))
    vectors = () if asked.vectors is None else encoder.layers_from(asked.vectors)
    layout = StrengthLayout(**common, vectors=vectors, width=encoder.width)
    return StrengthMeasure(layout, words=asked.words, stride=asked.stride)


def _refuse(asked: Asked) -> None:
    """Options that do not go together, before anything is read."""
    prompted, paired = bool(asked.prompts), asked.pairs is not None
    if prompted and paired:
        raise ActivationFlowError("--pairs and --prompt are two ways to compare: leave out one")
    alone = "of one text is compared with nothing: give --prompt, or --pairs"
    of_prompts = "is for --prompt"
    compared = "is for strengths, and here texts are compared: leave it out"
    wrong = {
        f"--align {asked.align} {alone}": asked.align and not (prompted or paired),
        f"--bucket-by {asked.bucket_by} {alone}": asked.bucket_by and not (prompted or paired),
        f"--baseline {of_prompts}": asked.baseline and not prompted,
        f"--template {of_prompts}": asked.template is not None and not prompted,
        f"--vectors {compared}": asked.vectors is not None and (prompted or paired),
        f"--stride {compared}": asked.stride is not None and (prompted or paired),
        "--words is not for --prompt, where tokens are pieces: leave it out": (
            asked.words is not None and prompted
        ),
    }
    for reason, is_so in wrong.items():
        if is_so:
            raise ActivationFlowError(reason)
