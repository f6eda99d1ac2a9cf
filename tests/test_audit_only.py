"""Parts of an audit, each alone: what is measured, told, saved, and made again by its command."""

import json
import shlex

import numpy as np
import pytest
from marked_files import labels, rationales, written
from test_auditing import PAIRS, SENTENCES, without_costs

import activation_flow as af
from activation_flow import cli
from activation_flow.audit_parts import CLAIMS, PARTS
from activation_flow.audit_tables import NOT_TESTABLE, VERDICTS
from activation_flow.auditing import audit
from activation_flow.command_audit import audit_command
from activation_flow.data import ActivationFlowError

FEW = SENTENCES[:14]
QUICK = {"sample": 4, "explained": 2, "perturbed": 2, "draws": 19}
PLAIN = {"norm", "layer_0_norm", "frequency", "length", "position", "subword", "random"}
VARIANTS = {"centred", "standardised", "type_residual", "update", "whitened", "without_outliers"}
ATTENTION = {"attention", "rollout"}
COPIES = {"shuffled weights"}
GRADIENTS = {
    *("gradient_input", "gradient_input_signed", "gradient_norm", "occlusion"),
    *("integrated", "integrated_signed", "integrated_second"),
}
NORMS = {"before_norm", "embedding_row", "normalised"}
# Of each part: scores beside the plain ones, tables, controls.
ALONE = {
    "C1": (VARIANTS | ATTENTION, (), {*COPIES, "random score"}),
    "C2": (VARIANTS | ATTENTION, ("confounds",), {*COPIES, "random score"}),
    "C3": (set(), (), set()),
    "C4": (set(), ("thresholds",), COPIES),
    "C5": (set(), ("ratios",), set()),
    "C6": (ATTENTION | GRADIENTS, ("faithful",), set()),
    "C7": (set(), (), COPIES),
    "C8": (set(), (), set()),
    "C9": (set(), (), COPIES),
    "C10": (set(), (), set()),
    "C11": (set(), (), set()),
    "normalisation": (VARIANTS | NORMS, ("norms", "dimensions"), {"normalised state"}),
    "stability": (set(), ("stable",), set()),
}
TABLES = (
    *("norms", "dimensions", "thresholds", "ratios", "confounds"),
    *("faithful", "plausible", "probes", "stable"),
)


@pytest.fixture(scope="module")
def bert(tiny):
    return af.Encoder.from_pretrained(tiny("bert"), engine="torch", threads=1)


def test_every_part_is_here():
    assert (*ALONE,) == PARTS


@pytest.mark.parametrize("part", PARTS)
def test_a_part_alone(bert, part, tmp_path):
    found = audit(bert, FEW, only=part.lower(), **QUICK)
    scores, tables, controls = ALONE[part]
    assert {row.score for row in found.scores} == PLAIN | scores
    assert {name for name in TABLES if getattr(found, name)} == {*tables}
    assert {control.control for control in found.controls} == controls
    ran = {"C2": ["C1", "C2"]}.get(part, [part] if part in CLAIMS else [])
    assert [*found.verdicts] == ran
    assert found.provenance.settings["only"] == part.lower()
    for claim in found.claims:
        assert claim.p_holm == pytest.approx(min(1, len(ran) * claim.p)) if claim.p else True
    assert part not in ("C10", "C11") or {*found.verdicts.values()} == {NOT_TESTABLE}
    path = tmp_path / "a.json"
    found.save(path)
    assert af.load(path).to_dict() == found.to_dict()
    assert found.claims or "No claim was asked for." in repr(found)
    assert found.claims or "verdict" not in repr(found)


@pytest.mark.parametrize("part", ["normalisation", "stability"])
def test_pages_tables_and_charts_of_a_part(bert, part, tmp_path):
    found = audit(bert, FEW, only=part, **QUICK)
    for name in ("a.html", "a.csv"):
        found.save(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 100
    assert len(found.to_pandas()) == len(found.scores)
    drawn = {"normalisation": ["layers", "dimensions"], "stability": ["layers", "stable"]}[part]
    for name in ("claims", "layers", "stable", "faithful", "prompts", "ratios", "dimensions"):
        if name in drawn:
            found.chart(name)
        else:
            with pytest.raises(ActivationFlowError, match=f"nothing to draw in chart '{name}'"):
                found.chart(name)
    beside = {(row.score, row.missing) for row in found.stable}
    assert beside == ({("norm", ""), ("attention", "")} if part == "stability" else set())
    assert ("changed_typo" in found.counts) == (part == "stability")
    found.chart()
    page = (tmp_path / "a.html").read_text("utf-8")
    assert found._repr_html_()
    assert "No claim was asked for" in page


def test_holm_is_over_those_that_ran(bert):
    many = {**QUICK, "draws": 999}
    both = audit(bert, SENTENCES, only="C8,c4", controls=False, **many)
    whole = audit(bert, SENTENCES, only=CLAIMS[:9], controls=False, **{**many, "sample": 12})
    assert [*both.verdicts] == ["C4", "C8"]
    small, large = sorted(both.claims, key=lambda claim: claim.p)
    assert small.p_holm == pytest.approx(min(1, 2 * small.p))
    assert large.p_holm == pytest.approx(max(small.p_holm, large.p))
    tested = sorted(claim.p for claim in whole.claims if claim.verdict != NOT_TESTABLE)
    for claim in both.claims:
        other = whole.claim(claim.id)
        assert (claim.effect, claim.p) == (other.effect, other.p)
        rank = tested.index(other.p)
        steps = [(len(tested) - k) * p for k, p in enumerate(tested[: rank + 1])]
        assert other.p_holm == pytest.approx(min(1, max(steps)))


def test_draws_are_warned_of_by_the_claims_that_ran(bert):
    def warned(only):
        notes = audit(bert, FEW, only=only, **QUICK).notes
        return [note for note in notes if "a permutation test cannot" in note]

    assert (len(warned("C7")), warned("stability")) == (1, [])


# again


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """A saved tiny BERT, texts, and files beside them."""
    model, tokenizer = tiny("bert")
    at = tmp_path_factory.mktemp("again")
    model.save_pretrained(at / "model")
    tokenizer.save_pretrained(at / "model")
    written(at / "texts.txt", FEW)
    rationales(at / "marked.jsonl", SENTENCES[:5])
    labels(at / "labels.jsonl", SENTENCES[:12])
    written(at / "words.txt", ["door", "house"])
    written(at / "same.jsonl", (json.dumps({"a": a, "b": b}) for a, b in PAIRS))
    return at


@pytest.mark.parametrize(
    "asked",
    [
        {"only": "C11,stability", "salient": "words.txt", "paraphrases": "same.jsonl"},
        {"only": "C6", "rationales": "marked.jsonl", "explained": 1, "perturbed": 1},
        {
            "only": "C10",
            "labels": "labels.jsonl",
            "prompts": ["-x, now", "Say it's so", "Three", "Four", "Five"],
            "template": "{prompt}: {text}",
        },
    ],
)
def test_the_command_makes_an_equal_audit(folder, asked):
    encoder = af.Encoder.from_pretrained(str(folder / "model"), engine="torch", threads=1)
    asked = {k: str(folder / v) if (folder / str(v)).is_file() else v for k, v in asked.items()}
    found = audit(encoder, folder / "texts.txt", **{**QUICK, **asked})
    words = shlex.split(found.command)
    assert words[:2] == ["afn", "audit"]
    given = dict(audit_command.make_context("audit", words[2:], **cli.WIDE).params)
    expected = {**QUICK, **asked, "model": str(folder / "model"), "engine": "torch"}
    assert {name: given[name] for name in expected if name != "prompts"} == {
        name: value for name, value in expected.items() if name != "prompts"
    }
    assert [*given["prompts"]] == asked.get("prompts", [])
    names = (*QUICK, *asked, "kinds", "controls", "seed", "frequency", "texts", "template")
    taken = {name: given[name] for name in names}
    again = audit(encoder, given["corpus"], **{**taken, "prompts": taken.get("prompts") or None})
    assert without_costs(again.to_dict()) == without_costs(found.to_dict())
    assert again.command == found.command


# labels


def test_labels_are_read_under_every_prompt(bert, tmp_path):
    path = labels(tmp_path / "labels.jsonl", SENTENCES)
    five = ["Summarize", "Translate", "Say", "Ask", "Answer"]
    told = []
    options = {**QUICK, "only": "C10", "labels": path}
    found = audit(bert, FEW, prompts=five, progress=lambda *s: told.append(s), **options)
    expected = {
        (prompt, layer, vector)
        for prompt in (None, *five)
        for layer in found.layers
        for vector in ("anchor", "mean")
    }
    assert len(found.probes) == len(expected)
    assert {(row.prompt, row.layer, row.vector) for row in found.probes} == expected
    for row in found.probes:
        assert (row.texts, row.chance) == (30, 0.5)
        assert (row.gain is None) == (row.shift is None) == (row.prompt is None)
    anchors = {
        row.prompt: row
        for row in found.probes
        if (row.layer, row.vector) == (found.layer, "anchor") and row.prompt
    }
    claim = found.claim("C10")
    assert (claim.verdict in VERDICTS, claim.verdict != NOT_TESTABLE) == (True, True)
    ranks = [
        np.array([getattr(anchors[prompt], name) for prompt in five]) for name in ("shift", "gain")
    ]
    from scipy.stats import spearmanr

    assert claim.effect == pytest.approx(spearmanr(*ranks).statistic)
    # What is counted of labelled texts is not what is counted of the audited ones.
    assert (found.counts["texts"], found.counts["rows"]) == (len(FEW), len(FEW))
    assert (found.counts["labels"], found.counts["labels_labels"]) == (30, 2)
    assert [*dict.fromkeys(stage for stage, *_ in told)] == [
        *("reading", "strengths", "prompts", "probes", "tests")
    ]
    for stage in ("prompts", "probes"):
        done = [k for name, k, _ in told if name == stage]
        assert done == sorted(done)
        assert done[-1] == next(n for name, _, n in told if name == stage)
    short = audit(bert, FEW, prompts=five, max_length=8, **options)
    assert short.counts["labels_unread"] > 0 == found.counts["labels_unread"]


def test_labels_of_one_kind_cannot_be_told_apart(bert, tmp_path):
    path = labels(tmp_path / "labels.jsonl", SENTENCES, "a")
    found = audit(bert, FEW, only="C8,C10", labels=path, **QUICK)
    assert found.claim("C10").sentence.startswith(
        f"Not testable: {path}: 'a' has 30 texts; it takes two labels"
    )
    assert found.claim("C8").verdict in VERDICTS
    assert (found.probes, found.counts["texts"]) == ((), len(FEW))
