"""What is seen of faithfulness, plausibility, prompts and stability; and of an audit without."""

import inspect
import io
import json
import re
import shlex
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from audit_results import EVIL, SETTINGS, audit_result, hostile_result
from explained_results import PROMPTS
from pictures import data, texts
from rich.console import Console

from activation_flow import (
    document_audit,
    drawing,
    html_audit,
    labelled,
    prompt_gains,
    rationales,
    report_audit,
)
from activation_flow.data import ActivationFlowError
from activation_flow.document_audit import LATER
from activation_flow.explanation_tables import FaithfulRow
from activation_flow.picture_audit import effect_text
from activation_flow.picture_counts import BESIDE, sizes
from activation_flow.picture_explained import listed
from activation_flow.sentences_explained import TITLES, cost_line, explained_definitions
from activation_flow.verdicts_better import RIVALS

FOUND = audit_result()
WITHOUT = audit_result(**dict.fromkeys(LATER, ()))
GONE = "not available: attention rollout (the architecture hides its attention)"


def printed(found: Any = FOUND, width: int = 100, **how: Any) -> str:
    """The report, one space between words."""
    out = io.StringIO()
    report_audit.print_terminal(found, Console(file=out, width=width, highlight=False), **how)
    return " ".join(out.getvalue().split())


def part(read: str, name: str) -> str:
    """What is said below one of the titles."""
    rest = read[read.index(TITLES[name]) :]
    ends = [*TITLES.values(), "Controls:"]
    return rest[: min(rest.index(end) for end in ends if end in rest and end != TITLES[name])]


def page(found: Any) -> str:
    """The sections of the page of an audit; without figures, which take seconds."""
    return "".join(html_audit._parts(document_audit.known(found), {}))


def words(found: Any) -> str:
    """What is read of it."""
    return " ".join(unescape(re.sub("<[^>]*>", " ", page(found))).split())


class TestTerminal:
    def test_short_tables_best_first(self) -> None:
        faithful = part(printed(), "faithful")
        assert "64 texts; output: log-probability of the words that are left" in faithful
        assert "integrated gradients 0.622 [0.598, 0.646] −0.079 [−0.099, −0.059] 0.378" in faithful
        assert "norm 0.543 [0.519, 0.567] – 0.457 0.143" in faithful
        order = [faithful.index(name) for name in ("occlusion (each", "rarity", "attention rec")]
        assert order == sorted(order)
        assert "norm, layer 6" not in faithful
        assert GONE in faithful
        assert faithful.count("integrated gradients") == 1  # of the main output only
        assert "21 more rows: --all" in faithful

    def test_what_people_marked(self) -> None:
        read = part(printed(), "plausible")
        assert "1,131 texts; AP of a random order: 0.348" in read
        assert "norm 0.441 [0.411, 0.471] – 0.341 0.321" in read
        assert "rarity (−log f) 0.455 [0.425, 0.485] −0.014 [−0.034, 0.006] 0.355" in read
        assert GONE in read

    def test_chances_and_texts_that_differ_get_columns(self) -> None:
        first, *rest = FOUND.plausible
        odd = replace(first, chance=0.31, texts=900)
        read = part(printed(replace(FOUND, plausible=(odd, *rest)), 140), "plausible")
        assert "AP of a random order" not in read
        assert "0.433 [0.403, 0.463] 0.310 0.008 [−0.012, 0.028] 0.333 0.313 900" in read

    def test_prompts_are_those_of_the_anchor_at_the_layer_of_the_claims(self) -> None:
        read = part(printed(), "probes")
        assert "400 texts; anchor vector, layer 4 of 6; the most frequent label is that" in read
        assert "none: the bare text 0.711 [0.671, 0.751] – –" in read
        assert "Sentiment analysis. 0.723 [0.683, 0.763] 0.012 [−0.003, 0.027] 4.650" in read
        assert read.index("Sentiment analysis.") < read.index("The weather is nice.")
        assert "mean vector" not in read

    def test_changes_at_the_layer_of_the_claims_beside_the_embeddings(self) -> None:
        read = part(printed(), "stable")
        assert "typo 4 0.640 [0.620, 0.660] 0.540 [0.510, 0.570] 0.161 0.0 %" in read
        assert "typo 0 0.690" in read
        assert "typo 2 " not in read
        assert "not available: paraphrase (no --paraphrases were given)" in read

    def test_all_has_every_row_in_a_table_for_each_output_vector_and_layer(self) -> None:
        read = printed(everything=True)
        assert read.count("output: ") == 3
        assert "removed words are deleted; compr. and suffic. in its own units" in read
        assert read.count(" vector, layer ") == 4
        assert part(read, "faithful").count("norm, layer 6") == 3
        assert "norm, layer 6 0.372" in part(read, "plausible")
        assert "typo 2 " in read
        assert "more rows" not in read

    def test_nothing_is_said_of_what_was_not_measured(self) -> None:
        read = printed(WITHOUT, everything=True)
        assert not [title for title in TITLES.values() if title in read]

    def test_where_all_is_missing_the_reason_is_said(self) -> None:
        gone = tuple(row for row in FOUND.faithful if row.missing)
        found = replace(FOUND, faithful=gone, plausible=FOUND.plausible[-1:])
        assert GONE in part(printed(found), "faithful")
        assert GONE in part(printed(found), "plausible")
        assert "Not available: attention rollout (the archi" in words(found)
        with pytest.raises(ActivationFlowError, match="nothing to draw in chart 'faithful'"):
            found.chart("faithful")

    def test_outputs_without_bounds_are_in_their_own_units(self) -> None:
        rows = tuple(replace(row, main=True) for row in FOUND.faithful if not row.main)
        read = part(printed(replace(FOUND, faithful=rows)), "faithful")
        assert "norm 1.543 [1.519, 1.567] – 1.057" in read
        assert "random orders" not in read

    def test_the_norm_and_random_numbers_are_never_left_out(self) -> None:
        rows = [row for row in FOUND.faithful if row.main]
        few = [row for row in rows if row.score in ("norm", "random", "occlusion", "standardised")]
        assert [row.score for row in listed(few, 3)] == ["occlusion", "norm", "random"]
        elsewhere = replace(few[1], layer=0, difference=0.01)  # the norm, but not that of C6
        assert listed([elsewhere, *few], 3) == [elsewhere, few[1], few[3]]
        assert listed(rows[-1:]) == []
        assert len(listed(rows, 50)) == len(rows) - 1

    def test_nor_is_what_c6_sets_beside_it(self) -> None:
        first, *_, last = [row for row in FOUND.plausible if not row.missing and row.layer != 6]
        many = [replace(first, score=f"s{n}", precision=0.9 - n / 100) for n in range(20)]
        asked = [replace(last, score=name) for name in ("attention", *RIVALS)]
        shown = listed([*many, *asked])
        assert len(shown) == 12
        assert shown[-len(asked) :] == asked

    def test_of_equal_rows_one_goes_first(self) -> None:
        one = next(row for row in FOUND.plausible if row.score == "integrated")
        twin = replace(one, score="integrated_signed", title="signed")
        worse = replace(one, score="worse", precision=0.1)
        assert listed([twin, one, worse], 2) == [one, worse]
        assert listed([replace(one, score="a"), replace(one, score="b"), worse], 2)[1] == worse
        assert listed([twin, one], 2) == [twin, one]

    def test_the_norm_on_the_same_texts_where_texts_differ(self) -> None:
        first, *rest = FOUND.plausible
        odd = replace(first, texts=100, chance=0.31, norm=0.4567, compared=99)
        found = replace(FOUND, plausible=(odd, *rest))
        assert "norm's" in part(printed(found, 120), "plausible")
        assert "0.433 [0.403, 0.463] 0.310 0.457 0.008" in part(printed(found, 120), "plausible")
        assert "0.457 0.008" in part(printed(found, 80, everything=True), "plausible")
        assert "0.008 [−0.012, 0.028] 0.457 99 " in words(found)
        assert "0.457" not in part(printed(), "plausible")

    def test_at_80_columns_each_is_one_table(self) -> None:
        first, *rest = FOUND.plausible
        found = replace(FOUND, plausible=(replace(first, texts=100, chance=0.3, norm=0.4), *rest))
        read = printed(found, 80)
        assert part(read, "plausible").count("score ") == 1
        assert "AP [95 %] chance norm − it [95 %] texts" in part(read, "plausible")
        assert part(read, "stable").count("change layer") == 1
        assert part(read, "stable").startswith(f"{TITLES['stable']} 400 texts change layer τ")

    def test_texts_of_changes_are_told_once(self) -> None:
        odd = [replace(row, texts=374) if row.change == "typo" else row for row in FOUND.stable]
        read = part(printed(replace(FOUND, stable=tuple(odd))), "stable")
        assert "400 texts; typo 374 change" in read

    def test_what_is_of_all_layers_says_so(self) -> None:
        row = replace(FOUND.stable[0], score="attention", title="attention received", layer=None)
        found = replace(FOUND, stable=(*FOUND.stable, row))
        assert "case, attention received all 0.930" in part(printed(found, 120), "stable")
        assert "case attention received all 0.930" in words(found)
        assert "case, attention received, all layers" in texts(found.chart("stable"))

    def test_notes_are_told_once(self) -> None:
        found = replace(FOUND, notes=("the same", "another", "the same"))
        assert printed(found).count("the same another") == 1
        assert "the same another the same" not in printed(found)
        assert page(found).count("<li>the same</li>") == 1

    def test_the_gap_is_told_once_in_a_row(self) -> None:
        said = "completeness gap 1.2 %"
        assert said in words(FOUND)
        noted = tuple(
            row if row.gap is None else replace(row, note=f"50 steps; {said}; over 9 texts")
            for row in FOUND.scores
        )
        assert f"{said}; over 9 texts; {said}" not in words(replace(FOUND, scores=noted))
        assert words(replace(FOUND, scores=noted)).count(said) == words(FOUND).count(said)

    def test_the_embeddings_are_told_once(self) -> None:
        norm = next(row for row in FOUND.plausible if row.score == "norm")
        found = replace(FOUND, plausible=(*FOUND.plausible, replace(norm, layer=0)))
        assert "norm, layer 0" not in part(printed(found), "plausible")
        assert "norm, layer 0" in part(printed(found, everything=True), "plausible")

    def test_counts_have_words(self) -> None:
        of_texts = {"texts": 5, "perturbed": 1, "sample": 5, "tokens": 9}
        of_labels = {
            **{"rows": 51, "blank": 0, "without_label": 1, "repeated": 2, "two_labels": 1},
            **{"distinct": 48, "rare": 1, "unread": 0, "texts": 47, "labels": 2, "unsettled": 0},
        }
        marked = {"rows": 60, "duplicates": 1, "unmarked": 3, "distinct": 60}
        counts = of_texts | {"labels": 47, **{f"labels_{k}": n for k, n in of_labels.items()}}
        counts |= {"rationales": 60, **{f"rationales_{k}": n for k, n in marked.items()}}
        found = replace(FOUND, counts=counts)
        assert [*sizes(found)] == [
            "texts: 5 texts, 5 texts in the sample of slow scores, 1 text from which words are "
            "removed",
            "tokens: 9 tokens",
            "rationales: 60 texts; 1 text that stood there before, 3 texts without a marked word",
            "labels: 47 texts of 51 rows; 1 row without a label, 2 rows of a text that stood there "
            "before, 1 text with two labels, 48 different texts, 1 text of a label that is too "
            "rare, 2 different labels",
        ]
        changed = {"changed_final_period": 1, "changed_typo": 9, "paraphrases": 1}
        assert [*sizes(replace(FOUND, counts=changed))] == [
            "stability: 1 text with a changed final period, 9 texts with a typo, 1 pair of a text "
            "and its paraphrase"
        ]
        nothing_slow = replace(found, scores=(), norms=(), controls=())
        assert "slow" not in "".join(sizes(nothing_slow))

    def test_every_count_of_a_file_has_words(self, tmp_path: Path) -> None:
        rows = [{"words": ["so", "good"], "rationale": [0, 1]}]
        (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (tmp_path / "l.csv").write_text("text,label\na,b\n")
        read = {
            "rationales": rationales.read(str(tmp_path / "m.jsonl"), texts=9).counts,
            "labels": labelled.read(str(tmp_path / "l.csv")).counts,
        }
        assert len(read["labels"]) > 8
        assert len(read["rationales"]) > 6
        for group, counts in read.items():
            assert {*counts} - {"rows", "texts"} <= {*BESIDE[group]}, group
        told = re.findall(r'"(\w+)": ', inspect.getsource(prompt_gains.probe_all))
        assert {"unread", "unsettled"} <= {*told} <= {*BESIDE["labels"], "texts"}


class TestParts:
    def test_of_stability_alone_no_claims_and_no_scores(self) -> None:
        found = replace(WITHOUT, stable=FOUND.stable, claims=(), norms=(), controls=())
        assert found.scores
        for read in (printed(found), printed(found, everything=True), words(found)):
            assert "No claim was asked for. Stability" in read
            for gone in ("p Holm", "Scores", "The norm takes", "draws, seed"):
                assert gone not in read, gone
        assert "verdict" not in repr(found)
        assert "afn-claims" not in page(found)

    def test_scores_where_a_claim_rests_on_them(self) -> None:
        found = replace(WITHOUT, norms=(), claims=(FOUND.claim("C6"),))
        assert "Scores, layer 4" in printed(found)
        assert "Scores" not in printed(replace(found, claims=(FOUND.claim("C10"),)))

    def test_one_empty_line_between_parts(self) -> None:
        out = io.StringIO()
        report_audit.print_terminal(FOUND, Console(file=out, width=100, highlight=False))
        lines = [line.strip() for line in out.getvalue().split("\n")]
        assert not [n for n in range(1, len(lines) - 2) if not lines[n] and not lines[n + 1]]
        titled = [*TITLES.values(), "Scores, layer 4 of 6 (exploratory)", "Notes"]
        assert not [title for title in titled if lines[lines.index(title) - 1]]


class TestCost:
    SAID = "The norm takes 0.21 s per 1,000 tokens in the audit's engine; in the live model "

    def test_attention_and_the_dearest(self) -> None:
        said = "attention received 3.94 s (19 times), integrated gradients, the dearest, 37.8 s ("
        assert f"{self.SAID}{said}180 times)." in printed()
        assert f"{self.SAID}{said}180 times)." in words(FOUND)

    def test_one_that_is_both(self) -> None:
        scores = tuple(row for row in FOUND.scores if row.score != "integrated")
        said = cost_line(replace(FOUND, scores=scores))
        assert said == f"{self.SAID}attention received, the dearest, 3.94 s (19 times)."

    def test_what_shares_the_pass_of_the_norm_is_not_compared(self) -> None:
        norm = next(row for row in FOUND.scores if row.role == "strength" and row.layer == 4)
        base = replace(norm, role="baseline", layer=None)
        cheap = [
            replace(base, score="layer_0_norm", seconds_per_1000_tokens=0.3),
            replace(base, score="embedding_row", seconds_per_1000_tokens=0.001),
            replace(base, score="before_norm", role="variant", seconds_per_1000_tokens=0.4),
            replace(base, score="of_the_same_pass"),
        ]
        assert cost_line(replace(FOUND, scores=(norm, *cheap))) == ""

    @pytest.mark.parametrize("known", [{"norm"}, {"attention", "integrated"}, set()])
    def test_nothing_where_there_is_nothing_to_compare(self, known: set[str]) -> None:
        scores = tuple(
            row if row.score in known else replace(row, seconds_per_1000_tokens=None)
            for row in FOUND.scores
        )
        assert cost_line(replace(FOUND, scores=scores)) == ""


class TestPage:
    def test_every_number_has_a_place(self) -> None:
        read = words(FOUND)
        for title in ("Faithfulness", "Plausibility", "Prompts and labels", "Stability"):
            assert f" {title} " in read
        for faithful in FOUND.faithful:
            if not faithful.missing:
                for value, ends in (
                    (faithful.comprehensiveness, faithful.comprehensiveness_interval),
                    (faithful.sufficiency, faithful.sufficiency_interval),
                ):
                    assert effect_text(value, ends) in read
        for marked in FOUND.plausible:
            assert effect_text(marked.precision, marked.interval) in read or marked.missing
        for probe in FOUND.probes:
            assert effect_text(probe.accuracy, probe.interval) in read
        for change in FOUND.stable:
            assert effect_text(change.jaccard, change.jaccard_interval) in read or change.missing
        assert "midpoint rule, 50 steps; completeness gap 1.2 %" in read
        assert "not available: no --paraphrases were given" in read
        assert "upper and lower case exchanged" in read
        for term, said in explained_definitions(FOUND):
            assert f"{term} {said}" in read

    def test_terms_are_of_what_is_there(self) -> None:
        names = [term for term, _ in explained_definitions(FOUND)]
        assert len(names) == len({*names}) == 13
        assert [term for term, _ in explained_definitions(WITHOUT)] == ["completeness gap"]
        only = replace(WITHOUT, stable=FOUND.stable, scores=())
        assert [term for term, _ in explained_definitions(only)] == ["Kendall's τ", "Jaccard index"]
        assert "Faithfulness" not in words(WITHOUT)

    def test_prompts_of_users_are_no_markup(self) -> None:
        html = page(FOUND)
        assert PROMPTS[4][0] == "</script><b>prompt</b>"
        assert "</script><b>" not in html
        assert "&lt;/script&gt;&lt;b&gt;prompt" in html

    def test_a_part_of_an_audit_is_a_page_too(self) -> None:
        none = {name: () for name in document_audit.ROWS if name not in ("claims", "probes")}
        part = audit_result(**{**none, "claims": (FOUND.claim("C10"),)})
        read = words(part)
        assert "Of 1 claim, 1 is not supported." in read
        assert "Prompts and labels" in read
        assert "Exploratory, but for the norm" not in read
        assert "Exploratory, but for the norm" not in part._repr_html_()
        assert "Of 1 claim, 1 is not supported." in printed(part)
        assert drawing.spec(part.chart()) == drawing.spec(part.chart("claims"))


class TestCharts:
    def test_marks_and_lines_are_the_rows(self) -> None:
        held: list[tuple[str, list[Any], Any]] = [
            (
                "faithful",
                [r for r in FOUND.faithful if r.main and not r.missing and r.layer != 6],
                lambda r: (r.normalised, *r.normalised_interval),
            ),
            (
                "plausible",
                [r for r in FOUND.plausible if not r.missing and r.layer != 6],
                lambda r: (r.precision, *r.interval),
            ),
            (
                "stable",
                [r for r in FOUND.stable if not r.missing and r.layer != 2],
                lambda r: (r.tau, *r.tau_interval),
            ),
            (
                "prompts",
                [r for r in FOUND.probes if (r.layer, r.vector) == (4, "anchor") and r.prompt],
                lambda r: (r.gain, *r.gain_interval),
            ),
        ]
        for name, those, value in held:
            drawn = {
                (row.get("gain", row.get("value")), row["low"], row["high"])
                for row in data(FOUND.chart(name), "low")
            }
            assert {value(row) for row in those} <= drawn, name

    def test_chance_is_beside_them(self) -> None:
        lines = {"faithful": (0.497, "random order"), "plausible": (0.348, "chance")}
        for name, (null, said) in lines.items():
            assert data(FOUND.chart(name), "null") == [{"null": null, "said": said}]
        assert [row["chance"] for row in data(FOUND.chart("stable"), "chance")] == [0.161] * 8

    def test_chances_that_differ_are_beside_each_row(self) -> None:
        first, *rest = FOUND.plausible
        chart = replace(FOUND, plausible=(replace(first, chance=0.31, texts=100), *rest)).chart(
            "plausible"
        )
        strokes = [row["chance"] for row in data(chart, "chance")]
        assert sorted(strokes) == [0.31] + [0.348] * (len(strokes) - 1)
        assert len(strokes) == 9
        assert not data(chart, "null")
        drawn = texts(chart)
        assert any("100 to 1,131 texts" in text for text in drawn)
        assert "occlusion (each word masked) (100 texts)" in drawn
        assert "norm" in drawn

    def test_every_prompt_has_its_number(self) -> None:
        drawn = texts(FOUND.chart("prompts"))
        numbers = [text for text in drawn if text in [*"123456"]]
        assert sorted(numbers[-6:]) == [*"123456"]
        assert "</script><b>prompt</b>" in drawn
        assert any(
            text.startswith("C10 not supported: ρ of shift and gain 0.600") for text in drawn
        )

    def test_texts_of_users_are_data_only(self) -> None:
        found = hostile_result()
        for name in ("faithful", "plausible", "prompts"):
            chart = found.chart(name)
            assert "<img" not in drawing.svg(chart)
            assert "\u202e" not in "".join(texts(chart))
        assert any(EVIL[:9] in text for text in texts(chart))
        with pytest.raises(ActivationFlowError, match="nothing to draw"):
            found.chart("stable")  # no τ


class TestDocument:
    def test_an_older_document_has_none_of_it(self) -> None:
        document = FOUND.to_dict()
        for name in LATER:
            del document[name]
        for row in document["scores"]:
            del row["gap"]
        back = document_audit.from_dict(json.loads(json.dumps(document)))
        assert {name: getattr(back, name) for name in LATER} == dict.fromkeys(LATER, ())
        assert {row.gap for row in back.scores} == {None}
        assert "Stability" not in words(back)

    def test_intervals_are_pairs_again_and_what_is_no_number_is_none(self) -> None:
        nan = float("nan")
        odd = replace(FOUND.faithful[0], normalised=nan, difference_interval=(0.1, nan))
        back = document_audit.known(replace(FOUND, faithful=(odd,)))
        row = back.faithful[0]
        assert isinstance(row, FaithfulRow)
        assert (row.normalised, row.difference_interval) == (None, None)
        assert row.comprehensiveness_interval == odd.comprehensiveness_interval
        assert back.probes == FOUND.probes
        assert back.stable == FOUND.stable

    def test_the_gap_is_a_column(self) -> None:
        gaps = FOUND.to_arrow().column("gap").to_pylist()
        assert [gap for gap in gaps if gap is not None] == [0.0121]


class TestCommand:
    def test_all_that_was_given_stands_in_it(self) -> None:
        given = {
            **{"rationales": "marked words.jsonl", "labels": "labels.csv", "salient": "words.txt"},
            **{"paraphrases": "p.csv", "template": "{text} {prompt}", "explained": 7},
            **{"perturbed": 5, "only": "C6,C10"},
        }
        prompts = [None, "-x", 'It\'s "new"', ""]
        settings = {**SETTINGS, **given, "prompts": prompts}
        found = audit_result(provenance=replace(FOUND.provenance, settings=settings))
        asked = shlex.split(found.command)
        for name, value in given.items():
            assert asked[asked.index(f"--{name}") + 1] == str(value)
        assert [word for word in asked if word.startswith("--prompt")] == [
            *("--prompt=-x", '--prompt=It\'s "new"', "--prompt=")
        ]
        assert asked[-1] == "sentences.txt"

    @pytest.mark.parametrize("name", ["rationales", "labels", "salient", "paraphrases"])
    def test_of_standard_input(self, name: str) -> None:
        settings = {**SETTINGS, name: "-"}
        found = audit_result(provenance=replace(FOUND.provenance, settings=settings))
        assert found.command.split("\n")[1].startswith("# - is standard input")

    def test_of_what_is_preset_nothing_stands_in_it(self) -> None:
        preset = {"prompts": [], "template": "{prompt} {text}", "explained": 100, "only": None}
        settings = {**SETTINGS, **preset, "perturbed": 64, "labels": None}
        found = audit_result(provenance=replace(FOUND.provenance, settings=settings))
        assert found.command == FOUND.command
