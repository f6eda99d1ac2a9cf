"""What a layer costs: everything above the layer that is asked for is not computed.

One batch of about 1,000 tokens, tokenized beforehand, engine alone; the layers take turns. The
embeddings and the norm cost something too, so layer 2 of 6 takes a little more than a third.
"""

import argparse
import json
import sys
from collections import Counter
from functools import partial
from typing import Any

import common
import torch

import activation_flow as af

TOKENS = 1024


def one_batch(encoder: Any, texts: list[str]) -> tuple[list[Any], int]:
    """Texts of the commonest length, repeated to fill a batch, tokenized; and that length."""
    encoded, _ = encoder.tokenize(texts)
    length = Counter(len(item.text) for item in encoded).most_common(1)[0][0]
    alike = [item.text.text for item in encoded if len(item.text) == length]
    n = TOKENS // length
    batch, _ = encoder.tokenize((alike * n)[:n])
    return batch, length


def measure(
    name: str, encoder: Any, layers: tuple[int, ...], texts: list[str], rounds: int, threads: int
) -> dict[str, Any]:
    """Milliseconds a batch for each layer, and the ratio to the highest of them."""
    batch, length = one_batch(encoder, texts)
    work = {f"layer {layer}": partial(common.run_all, encoder, batch, layer) for layer in layers}
    for piece in work.values():
        piece()  # compiles and warms up
    timed = {name: partial(common.timed, piece) for name, piece in work.items()}
    seconds, disturbed = common.take_turns(timed, rounds, threads)
    rows = []
    for layer in layers:
        ms = {key: 1000 * value for key, value in common.summary(seconds[f"layer {layer}"]).items()}
        rows.append({"layer": layer, "ms": ms})
    for row in rows:
        row["ratio"] = row["ms"]["median"] / rows[-1]["ms"]["median"]
    return {
        "model": name,
        "texts": len(batch),
        "tokens": len(batch) * length,
        "rows": rows,
        "disturbed": disturbed,
    }


def report(result: dict[str, Any]) -> None:
    print(common.headline(result))
    for model in result["models"]:
        print(f"\n{model['model']}: one batch of {model['texts']} texts, {model['tokens']} tokens")
        top = model["rows"][-1]["layer"]
        table = [
            [
                f"layer {row['layer']}",
                *(f"{row['ms'][key]:.1f}" for key in ("median", "min", "max")),
                f"{row['ratio']:.2f}",
                f"{row['layer'] / top:.2f}",
            ]
            for row in model["rows"]
        ]
        against = f"to layer {top}"
        common.show(["", "ms a batch", "lowest", "highest", against, "blocks"], table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=common.cores())
    parser.add_argument("--quick", action="store_true", help="three rounds, minilm only")
    parser.add_argument("--json", action="store_true", help="one document on standard output")
    options = parser.parse_args()
    turns = (3 if options.quick else options.rounds, options.threads)
    torch.set_num_threads(options.threads)
    texts, source = common.paper_texts()
    load = partial(af.Encoder.from_pretrained, threads=options.threads)
    with common.throwaway_cache():
        models = [measure("minilm, 6 layers", load("minilm"), (2, 4, 6), texts, *turns)]
        if not options.quick:
            print("converting a model at bert-base shape (half a minute) ...", file=sys.stderr)
            base = load(common.bert())
            models.append(measure("bert-base shape, 12 layers", base, (4, 8, 12), texts, *turns))
    result = {
        "benchmark": "early_exit",
        "texts": source,
        **common.machine(options.threads),
        "disturbed": max(model["disturbed"] for model in models),
        "rounds": turns[0],
        "models": models,
    }
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        report(result)


if __name__ == "__main__":
    main()
