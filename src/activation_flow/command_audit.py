"""The command ``afn audit``: arguments -> library call -> print. No logic."""

import logging
import re
from pathlib import Path
from typing import Any

import click

from activation_flow import audit_defaults, audit_parts, options, screen
from activation_flow.data import ActivationFlowError
from activation_flow.templates import DEFAULT

log = logging.getLogger("activation_flow")

COUNT = click.IntRange(1)


@click.command("audit")
@click.argument("corpus", metavar="INPUT")
@click.option(
    *("-l", "--layer"), help="The one that the claims are about: 8, -1. Default: two thirds."
)
@click.option(
    "--kinds",
    help="list (English function words), gold (tags of .conllu), spacy:MODEL or none. Default: "
    "gold if all INPUT is .conllu, else list.",
)
@click.option(
    "--pairs",
    metavar="FILE",
    help="Pairs of texts for R_H, or -. Default: a word of each text replaced by another of its "
    "kind.",
)
@click.option(
    "--rationales",
    metavar="FILE",
    help="Words that people marked: .jsonl of words and rationale (0/1), e-SNLI's .csv, or -. For "
    "C6 and C11.",
)
@click.option(
    "--salient", metavar="FILE", help="Words that should stand out, one a line, or -. For C11."
)
@click.option(
    "--labels",
    metavar="FILE",
    help="Labelled texts: .jsonl .csv .tsv of text and label, or -. For C10.",
)
@click.option(
    *("-p", "--prompt", "prompts"),
    multiple=True,
    help="An instruction put before every labelled text; give at least five. Default: "
    f"{len(audit_defaults.PROMPTS)} of them.",
)
@click.option(
    "--template", default=DEFAULT, show_default=True, help="Prompt and labelled text together."
)
@click.option(
    "--paraphrases",
    metavar="FILE",
    help="Pairs of texts that mean the same, for stability: .jsonl .csv .tsv of a and b, or -.",
)
@click.option(
    "--only",
    metavar="PARTS",
    help=f"A part of the audit, as C1,C6: {', '.join(audit_parts.PARTS)}. Normalisation: of what "
    "the norm is made; stability: what is left of its order where a text changes a little.",
)
@click.option(
    "--sample",
    type=COUNT,
    default=audit_defaults.SAMPLE,
    show_default=True,
    help="Texts for attention and other slow scores.",
)
@click.option(
    "--explained",
    type=COUNT,
    default=audit_defaults.EXPLAINED,
    show_default=True,
    help="Texts for gradients and occlusion, of INPUT and of --rationales.",
)
@click.option(
    "--perturbed",
    type=COUNT,
    default=audit_defaults.PERTURBED,
    show_default=True,
    help="Of these, texts from which words are removed, for C6.",
)
@click.option(
    "--texts",
    type=COUNT,
    default=audit_defaults.TEXTS,
    show_default=True,
    help="At most so many; else a sample.",
)
@click.option(
    "--frequency",
    default=audit_defaults.FREQUENCY,
    show_default=True,
    metavar="SOURCE",
    help="Of tokens: vocabulary (rank), corpus (counts of INPUT) or a FILE of counts.",
)
@click.option(
    "--draws",
    type=COUNT,
    default=audit_defaults.DRAWS,
    show_default=True,
    help="Of every permutation test.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn."
)
@click.option(
    "--controls/--no-controls",
    default=None,
    help="Copies of the model with shuffled weights, or none. Default: of a model of up to "
    f"{audit_defaults.SMALL // 10**6} million parameters.",
)
@click.option("--text-column", default="text", show_default=True, help="Holds the texts.")
@click.option("--format", help="Of INPUT, where its ending does not say it; of -, default txt.")
@click.option("--max-length", type=int, help="Tokens of an input; a longer text is windowed.")
@click.option("--all", "everything", is_flag=True, help="Print the exploratory sweeps, too.")
@options.group(options.MODEL, options.OUTPUT)
def audit_command(
    corpus: str, everything: bool, save: str | None, as_json: bool, **settings: Any
) -> None:
    """Does strength mean anything on this model and these texts? A verdict for each claim.

    INPUT is read as by `afn corpus`: .txt (a text a line) .jsonl .csv .tsv .parquet .conllu; a
    folder or a pattern of these; or - for standard input. Content above function words? Beyond
    frequency, length and position? This layer more than others? Does R_H beat chance? Does the
    model's output hang on strong words, do people mark them, more than by attention or gradients?
    Each by one test declared beforehand, with baselines, controls and intervals.
    """
    screen.check_output(save, as_json, None)
    settings["prompts"] = settings["prompts"] or None
    _check_inputs(corpus, settings)
    from activation_flow import report_audit, screen_audit
    from activation_flow.audit_options import Options
    from activation_flow.auditing import audit
    from activation_flow.encoder import Encoder

    model, how = options.split(settings)
    try:
        asked = Options(**how)
        asked.check_input(corpus)  # before a model is loaded
    except ActivationFlowError as problem:
        raise ActivationFlowError(_as_options(str(problem))) from problem
    for note in asked.notes:
        log.warning("%s", _as_options(note))
    encoder = Encoder.from_pretrained(model.pop("model"), **model)
    with screen_audit.watching() as watch:
        found = audit(encoder, corpus, progress=watch, **how)
    not_saved = None
    if save is not None:
        try:
            found.save(save)
            log.info("Saved %s", save)
        except ActivationFlowError as problem:  # what was computed is printed first
            not_saved = problem
    if as_json:
        screen.print_json(found.to_dict())
    else:
        report_audit.print_terminal(found, screen.console(), everything=everything)
    if not_saved is not None:
        raise not_saved


def _as_options(message: str) -> str:
    """A message with options as they are typed.

    >>> _as_options("labels is for C10, which only='C1' leaves out")
    "--labels is for C10, which --only='C1' leaves out"
    """
    typed = {str(one.name): max(one.opts, key=len) for one in audit_command.params}
    return re.sub(r"\b([a-z_]+)(?=[:=]| is for )", lambda m: typed.get(m[1], m[1]), message)


def _check_inputs(corpus: str, settings: dict[str, Any]) -> None:
    """Refuse files that are not there before a model is loaded.

    Raises:
        ActivationFlowError: there is no such file, or none whose format is known.
    """
    from activation_flow import finding

    if corpus != "-":
        finding.find_files(corpus, settings["format"])
    not_files: dict[str, tuple[str | None, ...]] = {
        **dict.fromkeys(audit_defaults.FILES, (None, "-")),
        "frequency": ("vocabulary", "corpus"),
    }
    for name, others in not_files.items():
        file: Any = settings.get(name, others[0])
        if file not in others and not Path(file).expanduser().is_file():
            raise ActivationFlowError(f"--{name}: there is no file {file}")
