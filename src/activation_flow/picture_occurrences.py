"""What the picture of a type in a run is made of: sentences, places, cells, legend; no statistics.

The same serve the terminal (report_occurrences.py) and the page (html_occurrences.py).
"""

import shlex
from collections.abc import Iterator
from dataclasses import replace

from activation_flow.picture import (
    Cells,
    Picture,
    outliers,
    picture_of,
    scale_of,
    token_text,
    visible,
)
from activation_flow.picture_summary import count_of, percent
from activation_flow.result_occurrences import Occurrences, Sentence
from activation_flow.results import StrengthResults


def title(found: Occurrences) -> str:
    """What was found, and how often."""
    form = token_text(found.searched[-1])
    if found.matched is None:
        return f"{token_text(found.asked)} does not occur"
    times = f"{count_of(found.n_places, 'time')} in {count_of(found.n_texts, 'text')}"
    pieces = found.n_tokens != found.n_places
    cut = f", {count_of(found.n_tokens, 'token')}" if pieces else ""
    return f"{form}, as a {_way(found)}: {times}{cut}"


def sentences(found: Occurrences, *, ways: bool = True) -> Iterator[str]:
    """How it was looked for, and where it stands.

    Args:
        found: what was found.
        ways: whether to say how to look for it in another way.
    """
    if not found.finished:
        done, many = found.shards
        yield f"This run is not finished: {done:,} of {many:,} shards are in these numbers."
    if found.matched is None:
        forms = " or ".join(map(token_text, found.searched))
        tried = " nor ".join(f"as a {way}" for way in found.ways)
        neither = "neither " if len(found.ways) > 1 else "not "
        yield (
            f"Looked for {forms}, {neither}{tried}: a token as the tokenizer writes it (##fold), a "
            "word whole and alone (it's, well-known)."
        )
        return
    if len(found.searched) > 1:
        yield (
            f"{token_text(found.asked)} does not occur; as no token of this run has a capital, "
            f"{token_text(found.searched[-1])} was looked for."
        )
    where = found.provenance.layer_name(found.layer)
    if found.percentile is not None:
        pieces = found.n_tokens != found.n_places
        lead = "The mean place of its pieces" if pieces else "Its mean place"
        high = "" if found.high_share is None else f"; {percent(found.high_share)} are HIGH"
        yield (
            f"{lead} among the tokens of its texts, 0 (weakest) to 100, at {where}: "
            f"{found.percentile:.1f}{high}."
        )
    if ways and found.matched.endswith("token") and "word" in found.ways:
        yield "As a token it is this type only; --as word (ways=['word']) looks for whole words."


def _way(found: Occurrences) -> str:
    return str(found.matched).rpartition(" ")[2]


def place(text: Sentence) -> str:
    """Where a text is from."""
    named = f" ({visible(text.id)})" if text.id is not None else ""
    where = "" if text.file is None else f"{visible(text.file)}, line {text.line:,}{named}"
    return where or f"text {text.text_id:,}{named}"


def cells(text: Sentence) -> Cells:
    """Its tokens, on a scale of its own."""
    result = text.strength
    place = scale_of([result], 1).fraction(result)
    return Cells(result, place, outliers(result), text.matched)


def hidden_line(found: Occurrences, shown: int, how: str = "top=K (--top K) shows more") -> str:
    """How many texts are not shown, and how to see them; "" where all are."""
    more = count_of(found.n_texts - shown, "more text")
    lower = f"{more}, in which it stands no higher; {how}"
    return lower if found.n_texts > shown else ""


def picture(found: Occurrences) -> Picture:
    """The texts; the legend is that of strengths, but that each has a scale of its own."""
    results = tuple(text.strength for text in found.texts)
    of = StrengthResults(results, found.provenance, (found.layer,))
    made = picture_of(of, texts=len(of), tokens=0, hint="")
    if not results:
        return made
    own = ("scale", "", "lowest to highest S of each text, which has a scale of its own")
    said = ("found", "outlined: ", "what was looked for")
    return replace(made, legend=(*(own if r[0] == "scale" else r for r in made.legend), said))


def command(found: Occurrences, path: str) -> str:
    """The command that finds it again, and writes a page."""
    words = ["afn", "find", str(found.path), "-l", str(found.layer), "--top", str(found.top)]
    if len(found.ways) == 1:
        words += ["--as", found.ways[0]]
    # What is looked for may begin like an option.
    words += ["--save", path, "--", found.asked]
    return " ".join(map(shlex.quote, words))
