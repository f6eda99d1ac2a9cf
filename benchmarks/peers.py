"""What others do to get token strengths out of a model, each defined once.

All do the whole job, from a file with a text a line to a Parquet file with a row a token (text_id,
token_index, token, strength at one layer), in float32 and as their makers show it:

- recipe: the paper's. One sentence at a time, every layer (``output_hidden_states=True``).
- batches: Hugging Face in batches of 32 in the order of the file, padded to the longest, every
  layer, because that is what ``output_hidden_states`` gives.
- sentence-transformers: ``encode(..., output_value="token_embeddings")``, which sorts by length and
  makes batches of 32 itself. It gives the last hidden state only, so the model is loaded without
  the layers above the one asked for: a trick that its users have to know. It gives vectors, and
  the pieces that they stand for must be asked of the tokenizer again.
- nnsight: the output of one block is saved, and ``tracer.stop()`` ends the pass there. Batches of
  32 in the order of the file.

A peer runs as a program of its own: it loads model and tokenizer, warms up on a few texts, does the
job by the clock, and prints one line of JSON. This file imports nothing of the project.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 32
AT_ONCE = 4096  # texts whose vectors sentence-transformers holds in memory

Found = Iterator[tuple[list[str], np.ndarray]]  # of each text, in order: pieces and strengths
Work = Callable[[list[str]], Found]


@dataclass(frozen=True)
class Peer:
    """One way of doing the work.

    Attributes:
        title: for people.
        load: (folder of a model, layer) -> the model, and what is done with texts.
        package: what it needs and this project has not; "" for none.
    """

    title: str
    load: Callable[[str, int], tuple[Any, Work]]
    package: str = ""


def recipe(folder: str, layer: int) -> tuple[Any, Work]:
    import torch

    model, tokenizer = hugging_face(folder)

    def work(texts: list[str]) -> Found:
        for text in texts:
            inputs = tokenizer(text, return_tensors="pt")
            with torch.no_grad():
                out = model(**inputs, output_hidden_states=True)
            pieces = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist())
            yield pieces, norms(out.hidden_states[layer][0])

    return model, work


def batches(folder: str, layer: int) -> tuple[Any, Work]:
    model, tokenizer = hugging_face(folder)

    def hidden(inputs: Any) -> Any:
        return model(**inputs, output_hidden_states=True).hidden_states[layer]

    return model, in_batches(tokenizer, hidden)


def nnsight(folder: str, layer: int) -> tuple[Any, Work]:
    from nnsight import NNsight

    model, tokenizer = hugging_face(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that BERT has modules called "output"
        traced = NNsight(model)

    def hidden(inputs: Any) -> Any:
        with traced.trace(**inputs) as tracer:
            states = traced.encoder.layer[layer - 1].output.save()
            tracer.stop()
        return states

    return model, in_batches(tokenizer, hidden)


def sentence_transformers(folder: str, layer: int) -> tuple[Any, Work]:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer

    # The length is the model's own: the folder of minilm would have texts cut at 256 tokens.
    cut = Transformer(folder, config_kwargs={"num_hidden_layers": layer}, max_seq_length=512)
    model = SentenceTransformer(modules=[cut], device="cpu")

    def work(texts: list[str]) -> Found:
        for first in range(0, len(texts), AT_ONCE):
            some = texts[first : first + AT_ONCE]
            vectors = model.encode(
                some, batch_size=BATCH, output_value="token_embeddings", show_progress_bar=False
            )
            for ids, states in zip(cut.tokenizer(some)["input_ids"], vectors, strict=True):
                yield cut.tokenizer.convert_ids_to_tokens(ids), norms(states)

    return cut.auto_model, work


PEERS = {
    "recipe": Peer("the paper's recipe", recipe),
    "batches": Peer("Hugging Face, batches of 32", batches),
    "sentence-transformers": Peer(
        "sentence-transformers", sentence_transformers, "sentence-transformers"
    ),
    "nnsight": Peer("nnsight, stopped at the layer", nnsight, "nnsight"),
}


def hugging_face(folder: str) -> tuple[Any, Any]:
    import torch
    import transformers

    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def in_batches(tokenizer: Any, hidden: Callable[[Any], Any]) -> Work:
    """Batches of 32 in the order of the texts, padded on the right; ``hidden`` runs one."""
    import torch

    def work(texts: list[str]) -> Found:
        for first in range(0, len(texts), BATCH):
            inputs = tokenizer(texts[first : first + BATCH], padding=True, return_tensors="pt")
            with torch.inference_mode():
                strengths = norms(hidden(inputs))
            lengths = inputs["attention_mask"].sum(dim=1).tolist()
            ids = inputs["input_ids"].tolist()
            for i, length in enumerate(lengths):
                yield tokenizer.convert_ids_to_tokens(ids[i][:length]), strengths[i][:length]

    return work


def norms(states: Any) -> np.ndarray:
    import torch

    return torch.linalg.vector_norm(states, dim=-1).numpy()


def write(found: Found, path: Path) -> int:
    """Writes a row a token; gives their number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tokens: list[str] = []
    strengths, lengths = [], []
    for pieces, values in found:
        tokens += pieces
        strengths.append(values)
        lengths.append(len(pieces))
    table = pa.table(
        {
            "text_id": np.repeat(np.arange(1, len(lengths) + 1), lengths),
            "token_index": np.concatenate([np.arange(n, dtype=np.int32) for n in lengths]),
            "token": tokens,
            "strength": np.concatenate(strengths),
        }
    )
    pq.write_table(table, path, compression="zstd")
    return len(tokens)


def run(peer: Peer, folder: str, layer: int, source: Path, out: Path) -> dict[str, Any]:
    """The job by the clock, once the model is loaded and warm."""
    model, work = peer.load(folder, layer)
    computed: list[int] = []  # tokens of every batch, padding included

    def count(module: Any, arguments: tuple[Any, ...]) -> None:
        computed.append(arguments[0].numel())

    model.embeddings.word_embeddings.register_forward_pre_hook(count)
    few = read(source)
    for _ in work(few[:: max(1, len(few) // BATCH)]):
        pass
    computed.clear()
    start = time.perf_counter()
    texts = read(source)
    tokens = write(work(texts), out)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "texts": len(texts),
        "tokens": tokens,
        "padding_share": 1 - tokens / sum(computed),
        "versions": {name: version(name) for name in ("torch", "transformers", "pyarrow")}
        | ({peer.package: version(peer.package)} if peer.package else {}),
    }


def read(source: Path) -> list[str]:
    """Not splitlines, which also cuts at characters that stand within texts."""
    return [text for text in source.read_text(encoding="utf-8").split("\n") if text.strip()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", choices=PEERS, required=True)
    parser.add_argument("--model", required=True, help="folder of a model and its tokenizer")
    parser.add_argument("--layer", type=int, required=True)
    parser.add_argument("--texts", type=Path, required=True, help="a text a line")
    parser.add_argument("--out", type=Path, required=True, help="the Parquet file")
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    result = run(PEERS[options.peer], options.model, options.layer, options.texts, options.out)
    print(json.dumps({"peer": options.peer, **result}))


if __name__ == "__main__":
    main()
