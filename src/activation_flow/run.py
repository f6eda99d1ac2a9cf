"""A run folder, opened: what it is, what of it is done, and any question about it. Only reads.

docs/corpora.md says what is in the folder.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activation_flow import manifest, occurrences, summary_shift, summary_texts
from activation_flow import summary as statistics
from activation_flow.data import (
    ActivationFlowError,
    NoSuchLayer,
    Provenance,
    main_layer,
    resolve_layers,
)
from activation_flow.database import ask, connect, double, parquet
from activation_flow.part import part_path
from activation_flow.result_occurrences import How, Occurrences
from activation_flow.result_shift_summary import ShiftSummary
from activation_flow.result_summary import HISTOGRAM, TABLE, TEXTS, Summary
from activation_flow.table_columns import schema

if TYPE_CHECKING:
    import pyarrow
    from duckdb import DuckDBPyConnection

log = logging.getLogger("activation_flow")

AGAIN = "run the same afn corpus command again to finish it"
PIECE = 2**26  # bytes of Parquet, about five million rows, whose sums of texts are held at once
COUNTS = ("rows", "rejects", "blank", "computed")


class Run:
    """A corpus run on disk.

    Attributes:
        path: its folder.
        manifest: what is in its manifest.json.
        provenance: model, engine, settings and versions.
        layers: those whose strengths it holds.
    """

    def __init__(self, path: str | Path):
        """Reads the manifest.

        Raises:
            ActivationFlowError: there is no such folder, or it is not a run.
        """
        self.path = Path(path).expanduser().resolve()
        found = manifest.load(self.path)
        if found is None:
            made = "afn corpus INPUT --out DIR makes one"
            raise ActivationFlowError(
                f"{self.path} is not a run: it has no {manifest.NAME} ({made})"
                if self.path.is_dir()
                else f"there is no folder {self.path}"
            )
        self.manifest = found
        self.layers: tuple[int, ...] = tuple(self.manifest["layers"])
        self.provenance = Provenance(**{f.name: self.manifest[f.name] for f in fields(Provenance)})

    @property
    def finished(self) -> bool:
        """All shards are done, and counted."""
        return self.manifest["finished"] is not None

    @property
    def compares(self) -> bool:
        """It holds shifts, not strengths: between two texts, or between prompts."""
        return "tables" in self.manifest

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of its tables; a shard is done when its part of the last one is there."""
        if self.compares:
            return tuple(self.manifest["tables"])
        return (*(("vectors",) if self.manifest["vectors"] else ()), "tokens", "texts")

    @property
    def done(self) -> tuple[int, ...]:
        """Numbers of the shards that are done at this moment, from 0."""
        found = (
            re.fullmatch(r"part-(\d{5,})\.parquet", name) for name in self._names(self.tables[-1])
        )
        numbers = (int(match[1]) for match in found if match)
        return tuple(sorted(n for n in numbers if n < len(self.manifest["shards"])))

    @property
    def rejects(self) -> Path:
        """The file with a line for each row that has no result; made when the run finishes."""
        return self.path / manifest.REJECTS

    def __repr__(self) -> str:
        many = len(self.manifest["shards"])
        state = "finished" if self.finished else f"{len(self.done):,} of {many:,} shards done"
        layers = ", ".join(map(str, self.layers))
        return (
            f"Run({str(self.path)!r}): {self.provenance.model}, layers {layers} of "
            f"{self.provenance.n_layers}, {state}"
        )

    def sql(self, query: str) -> "pyarrow.Table":
        """The answer to a question in SQL (DuckDB), over the run's ``tables``.

        Raises:
            ActivationFlowError: DuckDB refuses the query, or the run cannot be read.
        """
        with self.stream(query) as reader:
            return reader.read_all()

    @contextmanager
    def stream(self, query: str) -> "Iterator[pyarrow.RecordBatchReader]":
        """The same, row by row as it is computed, so that an answer of any size fits in memory.

        Raises:
            ActivationFlowError: see ``sql``.
        """
        done = self._told_of()
        with self._open("cannot be read", done) as connection:
            yield ask(connection, query)

    def summary(
        self,
        layers: "int | str | Sequence[int] | None" = None,
        *,
        min_count: int = 5,
        top: int = 10,
        types: Sequence[str] = (),
    ) -> Summary | ShiftSummary:
        """Statistics per layer: of each kind of token, of types of token, and of texts.

        Of a run that compares: per layer and pair of prompts, means over texts with intervals, and
        how far each kind of token moves; it takes none of the options but ``layers``.

        Args:
            layers: 8, "6-9", a list; default all that the run holds.
            min_count: occurrences that a type of token must have to be among the strongest or
                weakest.
            top: so many of the strongest and of the weakest types.
            types: these types besides, as the tokenizer writes them: "canada", "##fold".

        Raises:
            ActivationFlowError: the run does not hold a layer, a number is less than 1, or the
                run cannot be read.
        """
        chosen = self.layers_from(layers)
        options: dict[str, Any] = {
            "min_count": min_count,
            "top": top,
            "types": list(dict.fromkeys(types)),
        }
        if self.compares and options != {"min_count": 5, "top": 10, "types": []}:
            raise ActivationFlowError(
                f"{self.path} compares texts: types of token (--type, --top, --min-count) are "
                "those of runs of strengths"
            )
        done = self._covered()
        with self._open("cannot be summarized", done) as connection:
            if self.compares:
                return self._of_shifts(connection, chosen, done)
            return self._of_strengths(connection, chosen, done, options)

    def occurrences(
        self,
        token: str,
        layer: int | str | None = None,
        *,
        top: int = 20,
        ways: Sequence[How] = occurrences.WAYS,
    ) -> Occurrences:
        """Where a type of token, or a word, occurs, and the texts in which it stands highest.

        Args:
            token: a type as the tokenizer writes it ("canada", "##fold"), or a word that it may
                have cut ("connoisseur"). What the run's model never tells apart, capitals, need
                not be right.
            layer: one; default, of those that the run holds, the one nearest to two thirds of the
                depth.
            top: so many texts at most come along, token by token.
            ways: as what it is looked for: the first of these as which it occurs.

        Raises:
            ActivationFlowError: the run compares texts, does not hold the layer, or cannot be read;
                or an option is not valid.
        """
        if self.compares:
            raise ActivationFlowError(
                f"{self.path} compares texts: types of token are looked for in runs of strengths"
            )
        occurrences.check(token, ways, top)
        wanted = main_layer(self.layers, self.provenance) if layer is None else layer
        chosen, *more = self.layers_from(wanted)
        if more:
            raise ActivationFlowError(f"layer is {layer!r}: give one layer")
        done = self._told_of()
        with self._open("cannot be searched", done) as connection:
            found = occurrences.find(
                connection, token, chosen, ways=ways, top=top, head=self.provenance
            )
        return Occurrences(
            provenance=self.provenance,
            path=self.path,
            shards=(len(done), len(self.manifest["shards"])),
            layer=chosen,
            asked=token,
            ways=tuple(ways),
            top=top,
            **found,
        )

    def _of_strengths(
        self,
        connection: "DuckDBPyConnection",
        chosen: tuple[int, ...],
        done: Sequence[int],
        options: dict[str, Any],
    ) -> Summary:
        pieces = self._pieces(connection, done)
        table = statistics.statistics(connection, chosen, pieces=pieces, **options)
        spread = statistics.histogram(connection, chosen)
        texts = summary_texts.of_texts(connection, chosen)
        return Summary(
            provenance=self.provenance,
            layers=chosen,
            shards=(len(done), len(self.manifest["shards"])),
            path=self.path,
            manifest=self.manifest,
            counts=summary_texts.counts(connection, chosen[0]) | self._finished(*COUNTS),
            options=options,
            table=table.select([*TABLE]).cast(schema(TABLE)),
            texts=texts.select([*TEXTS]).cast(schema(TEXTS)),
            histogram=spread.cast(schema(HISTOGRAM)),
        )

    def _of_shifts(
        self, connection: "DuckDBPyConnection", chosen: tuple[int, ...], done: Sequence[int]
    ) -> ShiftSummary:
        prompts = tuple(self.provenance.settings.get("prompts", ()))
        counts = summary_shift.counts(connection, chosen[0])
        return ShiftSummary(
            provenance=self.provenance,
            layers=chosen,
            shards=(len(done), len(self.manifest["shards"])),
            path=self.path,
            manifest=self.manifest,
            counts=counts | self._finished("tokens", *COUNTS),
            prompts=prompts,
            anchors=summary_shift.anchors(connection),
            table=summary_shift.statistics(connection, chosen, prompts),
        )

    def _finished(self, *names: str) -> dict[str, int | None]:
        """Counts that only a finished run knows."""
        finished = self.manifest["finished"] or {}
        return {name: finished.get(name) for name in names}

    def layers_from(self, spec: "int | str | Sequence[int] | None") -> tuple[int, ...]:
        """The layers that a user means, of those that the run holds.

        Raises:
            ActivationFlowError: it does not hold one of them.
        """
        if spec is None or spec == "all":
            return self.layers
        try:
            chosen = resolve_layers(spec, self.provenance.n_layers)
            missing = [layer for layer in chosen if layer not in self.layers]
        except NoSuchLayer as problem:  # which layers the model has is no help here
            missing = [problem.layer]
        if missing:
            *most, last = map(str, self.layers)
            held = f"layers {', '.join(most)} and {last}" if most else f"layer {last}"
            raise ActivationFlowError(f"{self.path}: this run holds {held}, not {missing[0]}")
        return chosen

    @contextmanager
    def _open(self, problem: str, done: Sequence[int]) -> "Iterator[DuckDBPyConnection]":
        """A database with views over these shards."""
        with connect(f"{self.path} {problem}") as connection:
            for table in self.tables:
                source = parquet([part_path(self.path, table, number) for number in done])
                columns = self._columns(connection, table, source)
                connection.execute(f"CREATE VIEW {table} AS SELECT {columns} FROM {source}")
            yield connection

    def _pieces(self, connection: "DuckDBPyConnection", done: Sequence[int]) -> list[str]:
        """Views that are ``tokens`` together, of some shards each: no text is in two of them."""
        pieces: list[list[Path]] = []
        room = 0
        for path in (part_path(self.path, "tokens", number) for number in done):
            size = path.stat().st_size
            if size > room:
                pieces.append([])
                room = PIECE
            pieces[-1].append(path)
            room -= size
        for number, paths in enumerate(pieces):
            source = parquet(paths)
            columns = self._columns(connection, "tokens", source)
            connection.execute(f"CREATE VIEW piece_{number} AS SELECT {columns} FROM {source}")
        return [f"piece_{number}" for number in range(len(pieces))]

    def _columns(self, connection: "DuckDBPyConnection", table: str, source: str) -> str:
        """All, and those that only a τ over all texts gives, where they stand in other runs."""
        if self._scope == "text" or table == "vectors":
            return "*"
        # In quotes, as "end" is a word of SQL.
        names = [f'"{row[0]}"' for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()]
        taus = self.manifest["finished"]["threshold"] or {}
        cases = " ".join(f"WHEN {layer} THEN {double(tau)}" for layer, tau in taus.items())
        tau = f"CASE layer {cases} END" if cases else double(None)
        if table == "tokens":
            names.append(f"CASE WHEN rank IS NOT NULL THEN strength::DOUBLE > {tau} END AS high")
        else:
            names.insert(names.index('"layer"') + 1, f"{tau} AS threshold")
        return ", ".join(names)

    def _covered(self) -> tuple[int, ...]:
        """The shards that a question is about: all that are done at this moment.

        Raises:
            ActivationFlowError: none is done, a part is missing, or τ is not known yet.
        """
        done, many = self.done, len(self.manifest["shards"])
        if not self.finished and self._scope == "corpus":
            raise ActivationFlowError(
                f"{self.path}: {len(done):,} of {many:,} shards are done, and τ over all texts is "
                f"known when all are; {AGAIN}"
            )
        if not done:
            why = f"no shard of this run is done; {AGAIN}" if many else "this run holds no text"
            raise ActivationFlowError(f"{self.path}: {why}")
        for table in self.tables:
            names = self._names(table)
            for number in range(many) if self.finished else done:
                gone = part_path(self.path, table, number)
                if gone.name not in names:
                    raise ActivationFlowError(f"{gone} is missing; {AGAIN}")
        return done

    def _told_of(self) -> tuple[int, ...]:
        """The same, and a warning where these are not all."""
        done = self._covered()
        if not self.finished:
            many = len(self.manifest["shards"])
            log.warning(
                "%s is not finished: %d of %d shards are in this", self.path, len(done), many
            )
        return done

    @property
    def _scope(self) -> str:
        return str(self.provenance.settings["threshold_scope"])

    def _names(self, table: str) -> set[str]:
        folder = self.path / table
        return {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
