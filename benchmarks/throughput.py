"""Tokens per second: the paper's recipe, Hugging Face in batches, and this package.

All rivals do the whole job, from strings to the strengths of layer 8, on one model at bert-base
shape and with the same threads. "of peak" is the share of the chip's multiply-add peak: arithmetic
that blocks 1 to 8 need for these tokens, over time, over what a large float32 matrix product
reaches in the same run. Work that is wasted (padding, layers above 8) lowers it.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch

import activation_flow as af

LAYER = 8
BATCH = 32


@dataclass
class Rival:
    """One way of doing the work.

    Attributes:
        texts: what it works on; slow rivals get an evenly spaced part of the whole.
        work: does it, and returns the strengths of every text where that can be compared.
        padding: share of the tokens computed that are padding.
    """

    texts: list[str]
    work: Callable[[], list[np.ndarray] | None]
    padding: float = 0.0


def recipe(model: Any, tokenizer: Any, texts: Sequence[str]) -> list[np.ndarray]:
    """The paper's: one sentence at a time, every layer."""
    strengths = []
    for text in texts:
        with torch.no_grad():
            out = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        strengths.append(torch.linalg.vector_norm(out.hidden_states[LAYER][0], dim=-1).numpy())
    return strengths


def in_batches(model: Any, tokenizer: Any, texts: Sequence[str]) -> list[np.ndarray]:
    """Batches of 32 in the order of the list, padded to the longest, every layer."""
    strengths = []
    for first in range(0, len(texts), BATCH):
        batch = tokenizer(texts[first : first + BATCH], padding=True, return_tensors="pt")
        with torch.no_grad():
            out = model(**batch, output_hidden_states=True)
        norms = torch.linalg.vector_norm(out.hidden_states[LAYER], dim=-1).numpy()
        real = batch["attention_mask"].numpy().astype(bool)
        strengths += [norms[i][real[i]] for i in range(len(norms))]
    return strengths


def padding_share(counts: Sequence[int]) -> float:
    """Of batches of 32 in the order of the list."""
    batches = [counts[i : i + BATCH] for i in range(0, len(counts), BATCH)]
    return 1 - sum(counts) / sum(len(batch) * max(batch) for batch in batches)


def our_rivals(
    model: Any, tokenizer: Any, texts: list[str], threads: int, precision: str
) -> dict[str, Rival]:
    """The whole job, and the engine alone on texts that are tokenized already.

    Raises:
        ActivationFlowError: the chip does not have the precision.
    """
    encoder = af.Encoder.from_pretrained((model, tokenizer), precision=precision, threads=threads)
    encoded, _ = encoder.tokenize(texts)

    def whole() -> list[np.ndarray]:
        return [result.strength[0] for result in encoder.strength(texts, layers=LAYER)]

    return {
        f"afn {precision}": Rival(texts, whole),
        f"afn {precision}, engine alone": Rival(
            texts, lambda: common.run_all(encoder, encoded, LAYER)
        ),
    }


def assemble(
    texts: list[str], recipe_texts: int, threads: int
) -> tuple[dict[str, Rival], dict[str, str], Any, Any]:
    """Rivals by name, those that are missing with the reason, the model and the tokenizer."""
    model, tokenizer = common.bert_base()
    few = common.evenly(texts, recipe_texts)
    rivals = {
        "paper's recipe": Rival(few, lambda: recipe(model, tokenizer, few)),
        "Hugging Face, batches of 32": Rival(
            few,
            lambda: in_batches(model, tokenizer, few),
            padding_share(common.token_counts(tokenizer, few)),
        ),
    }
    rivals |= our_rivals(model, tokenizer, texts, threads, "f32")
    missing = {}
    try:
        rivals |= our_rivals(model, tokenizer, texts, threads, "bf16")
    except af.ActivationFlowError as problem:
        missing["afn bf16"] = f"not available on this chip: {problem}"
    return rivals, missing, model, tokenizer


def difference(strengths: list[np.ndarray], oracle: list[np.ndarray]) -> float:
    """Largest relative difference of any token's strength."""
    pairs = zip(strengths, oracle, strict=True)
    return max(float(np.max(np.abs(ours - theirs) / theirs)) for ours, theirs in pairs)


def measure(texts: list[str], recipe_texts: int, rounds: int, threads: int) -> dict[str, Any]:
    """All rows, the peak and what is missing, as one JSON document."""
    torch.set_num_threads(threads)
    rivals, missing, model, tokenizer = assemble(texts, recipe_texts, threads)
    strengths = {name: rival.work() for name, rival in rivals.items()}  # warms up, too
    peaks = [common.matmul_peak()]
    work: dict[str, Callable[[], object]] = {name: rival.work for name, rival in rivals.items()}
    work["peak"] = lambda: peaks.append(common.matmul_peak())
    seconds, disturbed = common.take_turns(work, rounds, threads)
    rows = []
    oracle = strengths["paper's recipe"]
    for name, rival in rivals.items():
        counts = common.token_counts(tokenizer, rival.texts)
        time, found = common.summary(seconds[name]), strengths[name]
        if found is not None and len(found) != len(oracle):
            found = common.evenly(found, len(oracle))
        flop = common.needed_flop(counts, model.config, LAYER)
        rows.append(
            {
                "name": name,
                "texts": len(counts),
                "tokens": sum(counts),
                "seconds": time,
                "tokens_per_second": sum(counts) / time["median"],
                "slowest": sum(counts) / time["max"],
                "fastest": sum(counts) / time["min"],
                "padding_share": rival.padding,
                "share_of_peak": flop / time["median"] / max(peaks),
                "difference": None if found is None else difference(found, oracle),
            }
        )
    for row in rows:
        row["ratio"] = row["tokens_per_second"] / rows[0]["tokens_per_second"]
        row["ratio_of_fastest"] = row["fastest"] / rows[0]["fastest"]
    return {
        "benchmark": "throughput",
        **common.machine(threads),
        "disturbed": disturbed,
        "rounds": rounds,
        "layer": LAYER,
        "peak_gflops": max(peaks) / 1e9,
        "rows": rows,
        "missing": missing,
    }


def report(result: dict[str, Any], source: str) -> None:
    print(common.headline(result))
    print(
        f"bert-base shape, layer {LAYER} of 12, {source}; "
        f"a float32 matrix product reaches {result['peak_gflops']:.0f} GFLOP/s\n"
    )
    header = "rival,texts,tokens,tokens/s,lowest,highest,x recipe,of highest,padding,of peak"
    table = [
        [
            row["name"],
            f"{row['texts']}",
            f"{row['tokens']}",
            f"{row['tokens_per_second']:,.0f}",
            f"{row['slowest']:,.0f}",
            f"{row['fastest']:,.0f}",
            f"{row['ratio']:.2f}",
            f"{row['ratio_of_fastest']:.2f}",
            f"{row['padding_share']:.1%}",
            f"{row['share_of_peak']:.0%}",
            "" if row["difference"] is None else f"{row['difference']:.0e}",
        ]
        for row in result["rows"]
    ]
    common.show([*header.split(","), "difference"], table)
    for name, reason in result["missing"].items():
        print(f"{name}: {reason}")
    print('\n"x recipe": of the medians; "of highest": of the fastest rounds.')
    print("difference: the largest of any token's strength to the recipe's, relative.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=Path, help="a text a line (default: the paper's corpus)")
    parser.add_argument("--recipe-texts", type=int, default=120, help="texts for Hugging Face")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=common.cores())
    parser.add_argument("--quick", action="store_true", help="one round, few texts")
    parser.add_argument("--json", action="store_true", help="one document on standard output")
    options = parser.parse_args()
    if options.texts:
        texts, source = common.read_texts(options.texts), str(options.texts)
    else:
        texts, source = common.paper_texts()
    if options.quick:
        texts, options.recipe_texts, options.rounds = common.evenly(texts, 192), 32, 1
    print("converting a model at bert-base shape (half a minute) ...", file=sys.stderr)
    with common.throwaway_cache():
        result = measure(texts, options.recipe_texts, options.rounds, options.threads)
    if options.json:
        print(json.dumps({"texts": source, **result}, indent=2))
    else:
        report(result, source)


if __name__ == "__main__":
    main()
