"""The claims of the paper about its corpus (sections 2.2.1, 2.5, 3.1.4), counted over a run.

Counts only: each number stands without an interval, and none is a test. Questions go to the run in
SQL, and to its summary.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from activation_flow.paper import Row, claim, counted, measured, number_of, published
from activation_flow.paper_model import NO_KINDS
from activation_flow.paper_places import Probe
from activation_flow.result_summary import Summary

if TYPE_CHECKING:
    from activation_flow.run import Run

ARTICLES = ("a", "an", "the")  # of the determiners, those that are never anything else
TOP, MIDDLE = 75, 50  # percentiles: above the upper quartile of its text, above its middle

_LOWEST = """
SELECT count(*) AS texts, avg((last = least)::INT) AS share FROM (
  SELECT max_by(strength, token_index) AS last, min(strength) AS least,
         max_by(kind, token_index) AS kind
  FROM tokens WHERE layer = {layer} GROUP BY text_id
) WHERE kind = 'special'
"""
_ARTICLES = """
SELECT count(*) AS tokens, avg(percentile) AS percentile FROM tokens
WHERE layer = {layer} AND kind = 'function' AND lower(ltrim(token, 'Ġ▁')) IN {words}
"""


def rows(probe: Probe, run: "Run") -> Iterator[Row]:
    """All rows of this file."""
    morphemes = published()["claim"]["top-ranks"]["morphemes"]
    summary = run.summary(probe.main, types=morphemes)
    assert isinstance(summary, Summary)  # of a run of strengths
    yield _size(run)
    yield from _content(probe, summary)
    yield from _morphemes(probe, summary)
    yield from _specials(probe, run, summary)
    yield from _structural(probe, run, summary)
    yield from _skew(probe, summary)


def _size(run: "Run") -> Row:
    about = published()["corpus"]
    query = "SELECT count(DISTINCT text_id) AS n, count(DISTINCT text) AS distinct_ FROM texts"
    (found,) = run.sql(query).to_pylist()
    same = number_of(about["sentences"]) == found["n"]
    return Row(
        "section-2.5/sentences",
        about["place"],
        "sentences of the corpus",
        about["sentences"],
        found["n"],
        "matches" if same else "differs",
        f"{found['distinct_']} of them different; the paper names no corpus, it seems "
        f"to be {about['source']}",
    )


def _content(probe: Probe, summary: "Summary") -> Iterator[Row]:
    """Are HIGH tokens content words, and content words HIGH?"""
    row = _row(summary, probe, "kind", "content")
    found = row if row is not None and row["lift"] is not None else None
    where, quote = claim("content-ranks")
    yield counted(
        "section-3.1.4/content-ranks",
        where,
        f"P(content | HIGH) / P(content) at {probe.name(probe.main)}",
        "frequently",
        None if found is None else found["lift"],
        None if found is None else found["lift"] > 1,
        NO_KINDS
        if found is None
        else f"{quote}: {_percent(found['share_of_high'])} of the HIGH tokens, "
        f"{_percent(found['base_rate'])} of all",
        of=probe.of,
    )
    where, quote = claim("consistently-high")
    yield counted(
        "section-3.1.4/content-high",
        where,
        f"content tokens that are HIGH at {probe.name(probe.main)}, %",
        "consistently",
        None if found is None else 100 * found["high_share"],
        None if found is None else found["high_share"] > 0.5,
        NO_KINDS
        if found is None
        else f"{quote} (more than half of them); a bucket of a quarter of the tokens cannot hold "
        f"them all: mean percentile {found['percentile']:.1f}",
        of=probe.of,
    )


def _morphemes(probe: Probe, summary: "Summary") -> Iterator[Row]:
    """The three examples of section 3.1.4."""
    where, quote = claim("top-ranks")
    about = published()["claim"]["top-ranks"]
    for token, word in zip(about["morphemes"], about["from"], strict=True):
        found = _row(summary, probe, "type", token)
        seen = found is not None and found["tokens"] > 0
        percentile = found["percentile"] if found and seen else None
        note = (
            f"{quote}: mean percentile {TOP} or more; n = {found['tokens']} (“{word}”), "
            f"{_percent(found['high_share'])} HIGH"
            if found and seen
            else "this model's tokenizer does not make this piece of this corpus"
        )
        yield counted(
            f"section-3.1.4/{token}",
            where,
            f"mean percentile of {token} at {probe.name(probe.main)}",
            "top ranks",
            percentile,
            None if percentile is None else percentile >= TOP,
            note,
            of=probe.of,
        )


def _specials(probe: Probe, run: "Run", summary: "Summary") -> Iterator[Row]:
    """Where [CLS] stands, and how often the last token is the weakest."""
    first = "SELECT token, kind FROM tokens WHERE token_index = 0 LIMIT 1"
    (begin,) = run.sql(first).to_pylist()
    where, quote = claim("cls-high")
    found = _row(summary, probe, "special", begin["token"]) if begin["kind"] == "special" else None
    percentile = None if found is None else found["percentile"]
    here = "" if begin["token"] == "[CLS]" or found is None else f" (here {begin['token']})"
    yield counted(
        "section-3.1.4/cls",
        where,
        f"mean percentile of [CLS]{here} at {probe.name(probe.main)}",
        "consistently high",
        percentile,
        None if percentile is None else percentile >= TOP,
        f"{quote}: {TOP} or more, among the tokens of its text"
        if found
        else "this model's tokenizer has no such token",
        of=probe.of,
    )
    (last,) = run.sql(_LOWEST.format(layer=probe.main)).to_pylist()
    yield measured(
        "section-3.1.4/sep",
        where,
        f"texts in which [SEP] is the weakest token at {probe.name(probe.main)}, %",
        None,
        None if last["share"] is None else 100 * last["share"],
        f"of {last['texts']} texts that end with a special token",
        of=probe.of,
    )


def _structural(probe: Probe, run: "Run", summary: "Summary") -> Iterator[Row]:
    """Punctuation and articles."""
    where, quote = claim("punctuation-low")
    marks = _row(summary, probe, "kind", "punctuation")
    query = _ARTICLES.format(layer=probe.main, words=ARTICLES)
    (articles,) = run.sql(query).to_pylist()
    about: dict[str, tuple[str, dict[str, Any]]] = {
        "punctuation": ("punctuation", marks or {"percentile": None, "tokens": 0}),
        "determiners": (f"articles ({', '.join(ARTICLES)})", articles),
    }
    for name, (what, found) in about.items():
        percentile: float | None = found["percentile"]
        note = f"{quote}: below {MIDDLE}; {found['tokens']} tokens"
        yield counted(
            f"section-3.1.4/{name}",
            where,
            f"mean percentile of {what} at {probe.name(probe.main)}",
            "lower",
            percentile,
            None if percentile is None else percentile < MIDDLE,
            note if percentile is not None else "there are none",
            of=probe.of,
        )


def _skew(probe: Probe, summary: "Summary") -> Iterator[Row]:
    """Are the strengths of a text right-skewed?"""
    where, quote = claim("right-skewed")
    (found,) = (row for row in summary.texts.to_pylist() if row["layer"] == probe.main)
    share = found["right_skewed"]
    yield counted(
        "section-2.2.1/right-skewed",
        where,
        f"texts whose strengths are right-skewed at {probe.name(probe.main)}, %",
        "typically",
        None if share is None else 100 * share,
        None if share is None else share > 0.5,
        f"{quote}: more than half of the texts; mean skew {found['mean_skew']:.2f}"
        if share is not None
        else "no text has a skew",
        of=probe.of,
    )
    yield measured(
        "section-2.2.1/pooled-skew",
        where,
        f"skew of all tokens together at {probe.name(probe.main)}",
        None,
        found["pooled_skew"],
        "special tokens left out",
        of=probe.of,
    )


def _row(summary: "Summary", probe: Probe, section: str, name: str) -> dict[str, Any] | None:
    rows = summary.rows(section, probe.main)
    return next((row for row in rows if row["name"] == name), None)


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.0f} %"
