"""Run folders made by hand: random strengths, in whatever form is asked for.

The truth about them is the table of rows that comes along.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet
from scipy import stats

from activation_flow import strength as formulas

VOCABULARY = {
    "punctuation": [".", ",", "!"],
    "function": ["the", "of", "it's"],
    "content": ["dog", "##fold", 'a"b', "canada", "été", "NULL"],
    None: ["слово", "犬"],
}
SHIFTS = {"punctuation": -4.0, "function": -1.0, "content": 2.0, None: 0.0, "special": 5.0}


@dataclass
class Made:
    """A run on disk and the rows of which it was made.

    Attributes:
        path: the folder.
        tokens: a row for each token and layer; ``high`` as it must come out, for either scope.
        texts: a row for each text and layer, with ``threshold``.
        manifest: as written.
    """

    path: Path
    tokens: pd.DataFrame
    texts: pd.DataFrame
    manifest: dict[str, Any] = field(default_factory=dict)


def make_run(
    path: Path,
    *,
    texts: int = 60,
    shards: int = 3,
    layers: tuple[int, ...] = (3, 4),
    scope: str = "text",
    finished: bool = True,
    done: "range | tuple[int, ...] | None" = None,
    include_special: bool = False,
    tags: bool = False,
    vectors: tuple[int, ...] = (),
    kinds: str = "list",
    seed: int = 0,
    quantile: float = 0.75,
    method: str = "midpoint",
    loc: float = 12.0,
    scale: float = 2.0,
) -> Made:
    """Write a run folder; ``done`` are the shards of an unfinished one."""
    rng = np.random.default_rng(seed)
    token_rows: list[dict[str, Any]] = []
    text_rows: list[dict[str, Any]] = []
    for number in range(texts):
        rows, about = _text(rng, number, layers, include_special, (quantile, method), loc, scale)
        token_rows += rows
        text_rows += about
    tokens, about = pd.DataFrame(token_rows), pd.DataFrame(text_rows)
    if kinds == "none":
        tokens.loc[tokens.kind != "special", "kind"] = None
    taus = None
    if scope == "corpus":
        taus = {}
        for layer in layers:
            part = tokens[(tokens.layer == layer) & tokens["rank"].notna()].strength.to_numpy()
            taus[layer] = float(formulas.threshold(part[None], quantile, method)[0])
        of_layer = tokens.layer.map(taus)
        high = tokens.strength.astype(float) > of_layer
        tokens["high"] = [
            bool(h) if r else None for h, r in zip(high, tokens["rank"].notna(), strict=True)
        ]
        about["threshold"] = about.layer.map(taus)
    made = Made(path, tokens, about)
    _write(made, shards, scope, finished, done, tags, vectors, taus, rng)
    settings = {
        **{"quantile": quantile, "quantile_method": method, "threshold_scope": scope},
        **{"include_special": include_special, "kinds": kinds, "words": None},
        **{"max_length": 512, "stride": None, "truncate": False, "shard_size": 20},
    }
    counts = {
        **{"rows": texts + 2, "texts": texts, "tokens": int(about.n_tokens.sum() / len(layers))},
        **{"rejects": 2, "blank": 1, "computed": texts - 1},
        "threshold": taus and {str(k): tau for k, tau in taus.items()},
    }
    made.manifest = {
        **{"schema": "corpus/1", "model": "tiny", "revision": "abc", "engine": "openvino"},
        **{"precision": "f32", "n_layers": 6, "final_norm": False, "layers": list(layers)},
        **{"vectors": list(vectors), "settings": settings, "versions": {"numpy": "2"}},
        "files": [{"path": "a.txt", "format": "txt", "compression": "", "size": 9, "mtime_ns": 0}],
        "shards": [[0, 100 * k, 100 * (k + 1)] for k in range(shards)],
        "finished": counts if finished else None,
    }
    (path / "manifest.json").write_text(json.dumps(made.manifest), encoding="utf-8")
    return made


def _text(rng, number, layers, include_special, how, loc, scale):
    """The rows of one text: tokens, and one a layer about it."""
    n = int(rng.integers(1, 14))
    kinds = [list(VOCABULARY)[k] for k in rng.choice(len(VOCABULARY), n, p=[0.2, 0.3, 0.4, 0.1])]
    names = ["[CLS]", *(str(rng.choice(VOCABULARY[kind])) for kind in kinds), "[SEP]"]
    kinds = ["special", *kinds, "special"]
    part = np.array([include_special or kind != "special" for kind in kinds])
    base = np.array([SHIFTS[kind] for kind in kinds])
    s = (loc + scale * (base + rng.normal(0, 1, (len(layers), len(names))))).astype(np.float32)
    tau = formulas.threshold(s[:, part], *how)
    rank = formulas.rank(s, part)
    place = formulas.percentile(s, rank).astype(np.float32)
    bucket = formulas.bucket(s, tau, part)
    dropped = int(rng.integers(1, 9)) if number % 11 == 0 else 0
    rows, about = [], []
    for i, name in enumerate(names):
        tag = None if kinds[i] == "special" else str(rng.choice(["NOUN", "DET", "X"]))
        for k, layer in enumerate(layers):
            rows.append(
                {
                    **{"text_id": number + 1, "token_index": i, "token": name, "kind": kinds[i]},
                    **{"tag": tag, "layer": layer, "strength": s[k, i]},
                    "rank": int(rank[k, i]) or None,
                    "percentile": place[k, i],
                    "high": {"HIGH": True, "LOW": False, "": None}[str(bucket[k, i])],
                }
            )
    for k, layer in enumerate(layers):
        mine = s[k, part].astype(float)
        varied = np.ptp(mine) > 0
        about.append(
            {
                **{"text_id": number + 1, "file": "a.txt", "line": number + 1},
                **{"n_tokens": len(names), "n_windows": 1 + (number % 7 == 0)},
                **{"n_dropped": dropped, "layer": layer, "threshold": float(tau[k])},
                "mean": float(mine.mean()),
                "sd": float(mine.std(ddof=1)) if len(mine) > 1 else None,
                "skew": float(stats.skew(mine)) if varied else None,
            }
        )
    return rows, about


def _write(made, shards, scope, finished, done, tags, vectors, taus, rng) -> None:
    """The parts of the shards that are done; the rows of the others belong to no truth."""
    few = pa.dictionary(pa.int32(), pa.string())
    tokens = [
        *[("text_id", pa.int64()), ("token_index", pa.int32()), ("token", few)],
        *[("start", pa.int32()), ("end", pa.int32()), ("word", pa.int32()), ("kind", few)],
        *([("tag", few)] if tags else []),
        *[("layer", pa.int32()), ("strength", pa.float32()), ("rank", pa.int32())],
        *[("percentile", pa.float32())],
        *([("high", pa.bool_())] if scope == "text" else []),
    ]
    texts = [
        *[("text_id", pa.int64()), ("file", few), ("line", pa.int64()), ("n_tokens", pa.int32())],
        *[("n_windows", pa.int32()), ("n_dropped", pa.int64()), ("layer", pa.int32())],
        *([("threshold", pa.float64())] if scope == "text" else []),
        *[("mean", pa.float64()), ("sd", pa.float64()), ("skew", pa.float64())],
    ]
    chosen = set(range(shards) if done is None else done)
    shard = (made.texts.text_id - 1) % shards
    own = dict(zip(made.texts.text_id, shard, strict=True))
    for number in sorted(chosen):
        _part(
            made.path / "tokens",
            number,
            made.tokens[made.tokens.text_id.map(own) == number],
            tokens,
        )
        if vectors:
            rows = made.tokens[
                made.tokens.text_id.map(own).eq(number) & made.tokens.layer.isin(vectors)
            ]
            width = pa.list_(pa.float32(), 4)
            rows = rows.assign(vector=list(rng.normal(size=(len(rows), 4)).astype(np.float32)))
            fields = [*[tokens[k] for k in (0, 1)], ("layer", pa.int32()), ("vector", width)]
            _part(made.path / "vectors", number, rows, fields)
        _part(made.path / "texts", number, made.texts[shard == number], texts)
    made.tokens = made.tokens[made.tokens.text_id.map(own).isin(chosen)]
    made.texts = made.texts[shard.isin(chosen)]


def _part(folder: Path, number: int, rows: pd.DataFrame, fields: list[tuple[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    columns = {}
    for name, kind in fields:
        values = list(rows[name]) if name in rows else [None] * len(rows)
        clean = [None if not isinstance(v, np.ndarray) and pd.isna(v) else v for v in values]
        columns[name] = pa.array(clean, kind)
    table = pa.table(columns, schema=pa.schema(fields))
    parquet.write_table(table, folder / f"part-{number:05d}.parquet", compression="zstd")
