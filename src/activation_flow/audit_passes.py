"""Everything that an audit measures, in order: what is not asked for is left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from activation_flow import (
    audit_explained,
    audit_marked,
    audit_measured,
    audit_pairs,
    audit_slow,
    prompt_gains,
    salient,
    source,
    stable,
)
from activation_flow.audit_data import Score, Watch
from activation_flow.audit_explained import Explained
from activation_flow.audit_files import Files
from activation_flow.audit_marked import OfMarked
from activation_flow.audit_measured import Measured
from activation_flow.audit_options import Options
from activation_flow.audit_pairs import Moved
from activation_flow.audit_slow import Slow
from activation_flow.material import Material
from activation_flow.prompt_gains import Probed
from activation_flow.salient import SalientUnits
from activation_flow.stable import Stable

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded


@dataclass(frozen=True, eq=False, kw_only=True)
class Got:
    """All that was measured; None: it was not asked for."""

    measured: Measured
    slow: Slow
    explained: Explained | None
    marked: OfMarked | None
    salient: SalientUnits | None
    moved: Moved | None
    probed: Probed | None
    stable: Stable | None


@dataclass(frozen=True)
class Passes:
    """The passes over the texts, one after the other."""

    encoder: "Encoder"
    found: Material
    files: Files
    options: Options
    layers: tuple[int, ...]
    main: int
    watch: Watch

    def run(self) -> Got:
        """All of them that are asked for."""
        options, needed = self.options, self.options.needed
        measured = audit_measured.measured(
            self.encoder,
            self.found,
            self.layers,
            self.main,
            variants="variants" in needed,
            seed=options.seed,
            watch=self.watch,
        )
        slow = self._slow(measured)
        marked = self._marked()
        return Got(
            measured=measured,
            slow=slow,
            explained=self._explained(measured, slow) if "explained" in needed else None,
            marked=marked,
            salient=self._salient(measured, marked),
            moved=self._moved(),
            probed=self._probed(),
            stable=self._stable(measured, slow) if "stability" in needed else None,
        )

    def _slow(self, measured: Measured) -> Slow:
        parts = {audit_slow.NORMS, audit_slow.ATTENTION, audit_slow.COPIES} & self.options.needed
        asked = audit_slow.Asked(
            layers=self.layers,
            main=self.main,
            sample=self.options.sample,
            seed=self.options.seed,
            controls=self.options.controls,
            norms=measured.fast.norms,
            parts=frozenset(parts),
        )
        return audit_slow.slow(self.encoder, measured.encoded, measured.tokens, asked, self.watch)

    def _explained(self, measured: Measured, slow: Slow) -> Explained:
        asked = audit_explained.Asked(
            main=self.main,
            explained=self.options.explained,
            perturbed=self.options.perturbed,
            seed=self.options.seed,
        )
        return audit_explained.explain(
            self.encoder,
            measured.encoded,
            measured.tokens,
            measured.words,
            [*measured.fast.scores, *slow.scores],
            asked,
            slow.chosen,
            self.watch,
        )

    def _marked(self) -> OfMarked | None:
        parts = self.options.parts
        # A list of words goes before marks, so that C11 alone would measure them for nothing.
        for_nothing = "C6" not in parts and self.files.salient is not None
        if self.files.marked is None or for_nothing:
            return None
        return audit_marked.judge(
            self.encoder,
            self.files.marked,
            self.found,
            self.options,
            self.layers,
            self.main,
            self.watch,
        )

    def _salient(self, measured: Measured, marked: OfMarked | None) -> SalientUnits | None:
        """A list goes before marks: it was made for it."""
        if "C11" not in self.options.parts:
            return None
        if self.files.salient is not None:
            return salient.of_list(
                self.files.salient,
                source.shown(str(self.options.salient)),
                measured.encoded,
                measured.tokens,
                measured.words,
                measured.fast.scores,
                self.main,
            )
        return None if marked is None else salient.of_marks(marked, self.main)

    def _moved(self) -> Moved | None:
        """How far tokens move between the texts of the pairs."""
        if self.files.pairs is None:
            return None
        return audit_pairs.moved(
            self.encoder,
            self.files.pairs,
            self.main,
            frequency=self.found.frequencies.of,
            max_length=self.found.settings["max_length"],
            progress=lambda done, n: self.watch("pairs", done, n),
        )

    def _probed(self) -> Probed | None:
        if self.files.labelled is None:
            return None
        return prompt_gains.probe_all(
            self.encoder,
            self.files.labelled,
            self.options.asked_prompts,
            layers=self.layers,
            main=self.main,
            template=self.options.template,
            max_length=self.found.settings["max_length"],
            seed=self.options.seed,
            draws=self.options.draws,
            progress=self.watch,
        )

    def _stable(self, measured: Measured, slow: Slow) -> Stable:
        texts = [measured.encoded[k].text.text for k in slow.chosen]
        return stable.stable(
            self.encoder,
            texts,
            self.layers,
            self.main,
            beside=self._attention_of,
            paraphrases=self.files.paraphrases,
            max_length=self.found.settings["max_length"],
            seed=self.options.seed,
            progress=lambda done, n: self.watch("changed texts", done, n),
        )

    def _attention_of(self, texts: "Sequence[Encoded]") -> Score:
        stage = "attention of changed texts"
        self.watch(stage, 0, len(texts))
        return audit_slow.attention_of(
            self.encoder, texts, lambda done, n: self.watch(stage, done, n)
        )
