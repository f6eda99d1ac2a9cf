"""Tokens per second from a text file to Parquet: this package and its peers.

All rivals do one job on one model with the same threads: a file with a text a line is read, and the
strength of every token at one layer is written as Parquet (zstd). Ours is ``run_corpus``, which
also writes places, words, kinds, ranks and buckets of the tokens and a table of the texts; the
peers (peers.py) write text, place, piece and strength. "engine alone" is our engine on texts that
are tokenized already, its numbers dropped: what there is to win around it.

Loading models and warming up are not counted. Texts are the paper's 732 and UD-EWT's test part,
each once, repeated with a number behind for rivals that would be done too soon; slow ones get an
evenly spaced part. No two texts are alike: that we compute identical ones once gains nothing here.

"of peak" is the share of the chip's float32 peak (peak.py): arithmetic that the blocks up to the
layer need for these tokens, over time, over what multiply-adds alone reach in the same run ("of
product": over the fastest large matrix product). Work that is wasted (padding, layers above) lowers
it. bf16 has a peak of its own, and none here.
"""

import argparse
import gc
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import common
import numpy as np
from peak import Peak
from peers import PEERS
from rivals import Plan, Rival, Strengths, ours, peers

import activation_flow as af

# Layer, and texts for the peers: what they do in 5 to 20 seconds.
MODELS = {"bert-base": (8, 704), "minilm": (4, 2688)}


def difference(found: Strengths, oracle: Strengths) -> float | None:
    """Largest relative difference of any token's strength; None without texts in common."""
    if not found or not oracle:
        return None
    return max(float(np.max(np.abs(found[k] - s) / s)) for k, s in oracle.items())


def measure(plan: Plan, texts: list[str], model: Path, folder: Path) -> dict[str, Any]:
    """All rows, the peaks and what is missing, as one JSON document."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(model)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    rivals, missing, versions = peers(plan, texts, model, folder)
    for precision in ("f32", "bf16"):
        try:
            rivals |= ours(plan, texts, model, folder, precision)
        except af.ActivationFlowError as problem:
            missing[f"afn {precision}"] = f"not available on this chip: {problem}"
    peak = Peak(plan.threads)
    # What was tokenized for the engine alone is not to be walked through by a collection.
    gc.collect()
    gc.freeze()
    work = {name: rival.work for name, rival in rivals.items()}
    work["peak"] = lambda: common.timed(peak.measure)
    seconds, disturbed = common.take_turns(work, plan.rounds, plan.threads)
    rows = []
    for name, rival in rivals.items():
        counts = common.token_counts(tokenizer, rival.texts)
        flop = common.needed_flop(counts, config, plan.layer)
        rows.append(row(name, rival, counts, seconds[name], flop, peak))
    compare(rows, rivals)
    return {
        "benchmark": "throughput",
        "model": plan.model,
        **common.machine(plan.threads),
        "peers": versions,
        "disturbed": disturbed,
        "rounds": plan.rounds,
        "layer": plan.layer,
        "n_layers": config.num_hidden_layers,
        "peak_gflops": None if peak.fma is None else peak.fma / 1e9,
        "product_gflops": peak.product / 1e9,
        "rows": rows,
        "missing": missing,
    }


def row(
    name: str, rival: Rival, counts: list[int], seconds: common.Seconds, flop: int, peak: Peak
) -> dict[str, Any]:
    """What is known of a rival by itself."""
    time, tokens = common.summary(seconds), sum(counts)
    rate = flop / time["median"] if rival.precision == "f32" else None
    return {
        "name": name,
        "kind": rival.kind,
        "precision": rival.precision,
        "texts": len(counts),
        "tokens": tokens,
        "seconds": time,
        "tokens_per_second": tokens / time["median"],
        "slowest": tokens / time["max"],
        "fastest": tokens / time["min"],
        "padding_share": rival.padding,
        "share_of_peak": rate / peak.fma if rate and peak.fma else None,
        "share_of_product": rate / peak.product if rate else None,
    }


def compare(rows: list[dict[str, Any]], rivals: dict[str, Rival]) -> None:
    """Adds to each row what it is beside others: the recipe, the best peer, the engine alone."""
    by_name = {row["name"]: row for row in rows}
    recipe = by_name.get(PEERS["recipe"].title)
    best = max((r for r in rows if r["kind"] == "peer"), key=rate, default=None)
    oracle = rivals[recipe["name"]].found if recipe else {}
    for row in rows:
        row["ratio"] = rate(row) / rate(recipe) if recipe else None
        row["ratio_of_fastest"] = row["fastest"] / recipe["fastest"] if recipe else None
        row["ratio_to_best_peer"] = rate(row) / rate(best) if best else None
        engine = by_name.get(f"{row['name']}, engine alone")
        row["share_of_engine"] = rate(row) / rate(engine) if engine else None
        row["difference"] = difference(rivals[row["name"]].found, oracle)


def rate(row: dict[str, Any]) -> float:
    return float(row["tokens_per_second"])


def shown(number: float | None, form: str) -> str:
    return "" if number is None else format(number, form)


def report(result: dict[str, Any]) -> None:
    print(common.headline(result))
    fma = shown(result["peak_gflops"], ".0f") or "no C compiler, so unknown"
    print(
        f"{result['model']} shape, layer {result['layer']} of {result['n_layers']}, "
        f"{result['texts']}; float32 peak: {fma} GFLOP/s, fastest matrix product "
        f"{result['product_gflops']:.0f}\n"
    )
    header = (
        "rival,texts,tokens,tokens/s,lowest,highest,x recipe,of highest,x best peer,padding,"
        "of peak,of product,of engine,difference"
    )
    table = [
        [
            row["name"],
            f"{row['texts']:,}",
            f"{row['tokens']:,}",
            f"{row['tokens_per_second']:,.0f}",
            f"{row['slowest']:,.0f}",
            f"{row['fastest']:,.0f}",
            shown(row["ratio"], ".2f"),
            shown(row["ratio_of_fastest"], ".2f"),
            shown(row["ratio_to_best_peer"], ".2f"),
            f"{row['padding_share']:.1%}",
            shown(row["share_of_peak"], ".0%"),
            shown(row["share_of_product"], ".0%"),
            shown(row["share_of_engine"], ".1%"),
            shown(row["difference"], ".0e"),
        ]
        for row in result["rows"]
    ]
    common.show(header.split(","), table)
    for name, reason in result["missing"].items():
        print(f"{name}: skipped, {reason}")
    print('\n"x recipe", "x best peer", "of engine": of the medians; "of highest": of the fastest')
    print("rounds. difference: the largest of any token's strength to the recipe's, relative.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="bert-base")
    parser.add_argument("--texts", type=Path, help="a text a line (default: see above)")
    parser.add_argument("--peer-texts", type=int, help="texts for the peers")
    parser.add_argument("--seconds", type=float, default=5, help="least work a round for ours")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=common.cores())
    parser.add_argument("--quick", action="store_true", help="one round, few texts")
    parser.add_argument("--json", action="store_true", help="one document on standard output")
    options = parser.parse_args()
    layer, peer_texts = MODELS[options.model]
    peer_texts, seconds, rounds = options.peer_texts or peer_texts, options.seconds, options.rounds
    if options.texts:
        texts, source = list(dict.fromkeys(common.read_texts(options.texts))), str(options.texts)
    else:
        texts, source = common.corpus_texts()
    if options.quick:
        texts, peer_texts, seconds, rounds = common.evenly(texts, 384), 96, 0, 1
    plan = Plan(options.model, layer, peer_texts, seconds, rounds, options.threads)
    print("making the models ready (a minute) ...", file=sys.stderr)
    with common.throwaway_cache(), tempfile.TemporaryDirectory(prefix="afn-benchmark-") as folder:
        model = common.model_folder(options.model, Path(folder))
        result = {"texts": source, **measure(plan, texts, model, Path(folder))}
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        report(result)


if __name__ == "__main__":
    main()
