"""The options that commands share, each written once, in groups by what they are about."""

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Any], Any]


def group(*those: Decorator) -> Decorator:
    """Several options as one decorator, shown in this order."""

    def add(command: Any) -> Any:
        for option in reversed(those):
            command = option(command)
        return command

    return add


TEXTS = group(
    click.argument("texts", metavar="TEXT...", nargs=-1),
    click.option("-f", "--file", metavar="FILE", help="Texts from a file, one a line; - is stdin."),
)
LAYERS = click.option(
    *("-l", "--layer", "layers"), help="8, 6-9, -1, all. Default: two thirds of the depth."
)
TEXT_PAIR = click.option(
    "--text-pair", multiple=True, metavar="TEXT", help="A second segment; once for each text."
)
TOP = click.option("--top", type=click.IntRange(1), help="List the K strongest tokens only.")
KINDS = click.option(
    "--kinds", default="list", show_default=True, help="list (English function words) or none."
)
WORDS = group(
    click.option("--words", is_flag=True, help="Aggregate the tokenizer's pieces to words."),
    click.option(
        "--words-by", help="The same, by max (default), mean, sum, first or l2 of the pieces."
    ),
)
CUT = group(
    click.option("--max-length", type=int, help="Tokens of an input. Default: all that fit."),
    click.option("--truncate", is_flag=True, help="Cut longer texts, and say what was dropped."),
)
LENGTH = group(
    click.option(
        "--max-length", type=int, help="Tokens of an input; a longer text is read in windows."
    ),
    click.option("--stride", type=int, help="Tokens that windows share. Default: half."),
    click.option(
        "--truncate", is_flag=True, help="No windows: cut longer texts, and say what was dropped."
    ),
)
BUCKETS = group(
    click.option(
        "--quantile", type=float, default=0.75, show_default=True, help="Of S, that makes τ."
    ),
    click.option(
        "--quantile-method", default="midpoint", show_default=True, help="Any numpy method."
    ),
    click.option(
        "--threshold-scope",
        default="text",
        show_default=True,
        help="τ of each text, or one over all: text or corpus.",
    ),
    click.option("--include-special", is_flag=True, help="Special tokens count in τ and ranks."),
)
COMPARED = group(
    click.option(
        "--pairs", metavar="A,B", help="Columns of two texts: measure the shift from A to B."
    ),
    click.option(
        *("--prompt", "prompts"),
        multiple=True,
        metavar="P",
        help="Put before every text: measure what it moves. May be given often.",
    ),
    click.option("--baseline", is_flag=True, help="Compare prompts with the bare text, too."),
    click.option("--template", help="Prompt and text as one. Default: '{prompt} {text}'."),
    click.option(
        "--align", help="Of pairs, diff or position; of prompts, text (default), diff or position."
    ),
    click.option("--bucket-by", help="HIGH in a (default), in b, or in either: union."),
)
MODEL = group(
    click.option(
        *("-m", "--model"),
        default="bert-base-uncased",
        envvar="AFN_MODEL",
        show_default=True,
        show_envvar=True,
        help="A name on the Hugging Face hub, a folder, or minilm (embedded).",
    ),
    click.option("--revision", help="Branch, tag or commit on the hub."),
    click.option("--precision", default="f32", show_default=True, help="f32 or bf16."),
    click.option("--engine", default="auto", show_default=True, help="auto, openvino or torch."),
    click.option(
        "--batch-tokens",
        type=click.IntRange(1),
        default=1024,
        show_default=True,
        help="Tokens in a batch.",
    ),
    click.option("--threads", type=click.IntRange(1), help="Default: all cores."),
    click.option(
        "--allow-pickle", is_flag=True, help="Load pickled weights; they can run any code."
    ),
    click.option(
        "--trust-remote-code", is_flag=True, help="Run the code that a repository brings."
    ),
)
OF_MODEL = (
    *("model", "revision", "precision", "engine", "batch_tokens", "threads"),
    *("allow_pickle", "trust_remote_code"),
)


def save(about: str) -> Decorator:
    """Where the result goes; which files there can be differs."""
    return click.option("--save", metavar="PATH", help=about)


SAVE = save("Write to a .json .csv .parquet .html .png or .svg file.")
JSON = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else."
)
DEBUG = click.option("--debug", is_flag=True, help="Show the traceback of an error.")
OUTPUT = group(SAVE, JSON, DEBUG)


def split(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of ``Encoder.from_pretrained``, and those of its methods."""
    rest = {name: value for name, value in settings.items() if name != "debug"}
    model = {name: rest.pop(name) for name in OF_MODEL}
    if "words" in rest:
        by = rest.pop("words_by")
        rest["words"] = by or ("max" if rest["words"] else None)
    return model, rest
