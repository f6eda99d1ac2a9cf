"""The command ``afn prompts``: arguments -> library call -> print. No logic."""

from typing import Any

import click

from activation_flow import options, screen


@click.command("prompts")
@options.group(options.TEXTS)
@click.option(
    *("-p", "--prompt", "prompts"),
    multiple=True,
    metavar="PROMPT",
    help="To be compared; once for each, two at least (or one and --baseline).",
)
@click.option("--baseline", is_flag=True, help="Compare with the bare text, too.")
@click.option(
    "--template",
    default="{prompt} {text}",
    show_default=True,
    help="How they are put together; {{ and }} are braces.",
)
@click.option(
    "--align",
    default="text",
    show_default=True,
    help="text (the text's own tokens, by their characters), diff (longest common subsequence of "
    "all tokens) or position (index by index).",
)
@options.group(options.LAYERS)
@click.option(
    "--bucket-by",
    default="a",
    show_default=True,
    help="HIGH with the first prompt of a pair, a, with the second, b, or with either: union.",
)
@click.option("--top", type=click.IntRange(1), help="List the K largest shifts only.")
@options.group(options.KINDS, options.CUT, options.BUCKETS, options.MODEL, options.OUTPUT)
def prompts_command(
    texts: tuple[str, ...],
    file: str | None,
    prompts: tuple[str, ...],
    top: int | None,
    save: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """What each prompt before a TEXT moves, for every pair of prompts.

    The shift of the anchor (the cls token, if there is one) and of each of the text's own tokens;
    with several layers, where in depth the prompts act.
    """
    from activation_flow.encoder import Encoder
    from activation_flow.prompting import Prompting

    screen.check_output(save, as_json, top)
    if not prompts:
        raise click.UsageError(
            'give the prompts that are to be compared: -p "Summarize" -p "Translate to French"'
        )
    how = {name: settings[name] for name in ("template", "align", "bucket_by")}
    Prompting.of(prompts, settings["baseline"], **how)  # refused before a model is loaded
    given = screen.given([(text,) for text in texts], file)
    rows = list(given)
    model, rest = options.split(settings)
    encoder = Encoder.from_pretrained(model.pop("model"), **model)
    with screen.progress() as progress:
        results = encoder.prompts(
            [row.texts[0] for row in rows], prompts, errors="collect", progress=progress, **rest
        )
    results = results.renumber([row.number for row in rows], given.bad)
    alone = file is None and len(results) == 1 and not results.errors
    screen.deliver(results[0] if alone else results, results, given, save, as_json, top)
