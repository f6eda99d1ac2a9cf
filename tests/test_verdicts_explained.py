"""Verdicts on strength as an explanation and on prompts: every branch of C6, C10 and C11."""

from dataclasses import replace

import pytest
from made_explained import AHEAD, made_faithful, made_plausible, made_probes
from test_verdicts import ALL, details_of, judged, outcome

from activation_flow.audit_tables import NO_BETTER, NOT_SUPPORTED, SUPPORTED
from activation_flow.claim_tests_better import Better
from activation_flow.claims import DECLARED
from activation_flow.verdicts import claims

BEHIND, UNSURE = (-0.2, (-0.3, -0.1)), (0.1, (0.0, 0.2))


def better(tested=None, faithful=None, plausible=None, measure="faithfulness", **lacking):
    tested = tested or outcome(0.2, 0.1, 0.3)
    return replace(
        ALL,
        better=Better(tested=tested, measure=measure, means=(), lacking=lacking),
        faithful=made_faithful(**(faithful or {})),
        plausible=() if plausible is None else made_plausible(**plausible),
    )


@pytest.mark.parametrize("rival", ["gradient_input", "integrated", "frequency", "layer_0_norm"])
@pytest.mark.parametrize("lead", [BEHIND, UNSURE])
def test_c6_asks_for_gradients_frequency_and_layer_0_in_each_measure(rival, lead):
    assert judged(better(plausible={}), "C6")[0] == SUPPORTED
    title = next(row.title for row in made_faithful() if row.score == rival)
    verdict, told = judged(better(faithful={rival: lead}), "C6")
    assert verdict == NO_BETTER
    assert told.endswith(f"not shown to be better than {title}.")
    verdict, told = judged(better(plausible={rival: lead}), "C6")
    assert (verdict, told.endswith(f"better than {title} (plausibility).")) == (NO_BETTER, True)
    verdict, told = judged(better(faithful={rival: lead}, plausible={rival: lead}), "C6")
    assert (verdict, told.endswith(f"better than {title}.")) == (NO_BETTER, True)


def test_c6_asks_nothing_of_what_is_no_rival():
    assert judged(better(faithful={"random": BEHIND}), "C6")[0] == SUPPORTED


def without(rows, *scores, why=None):
    """Rows of which some say why they are missing; or, without a reason, are not there."""
    gone = {"missing": why, "difference": None, "difference_interval": None, "norm": None}
    said = [replace(row, **gone) if row.score in scores else row for row in rows]
    return tuple(row for row in said if why or row.score not in scores)


RIVALS = [
    *("gradient_input", "gradient_norm", "integrated", "integrated_second"),
    *("frequency", "layer_0_norm"),
]


@pytest.mark.parametrize("rival", RIVALS)
@pytest.mark.parametrize("why", ["no memory", None])
def test_c6_is_not_supported_beside_a_rival_that_was_not_compared(rival, why):
    found = better(plausible={})
    title = next(row.title for row in found.faithful if row.score == rival)
    said = why or "it was not measured"
    verdict, told = judged(replace(found, plausible=without(found.plausible, rival, why=why)), "C6")
    assert verdict == NO_BETTER
    assert told.endswith(f"but could not be compared with {title} (plausibility: {said}).")
    verdict, told = judged(replace(found, faithful=without(found.faithful, rival, why=why)), "C6")
    assert verdict == NO_BETTER
    assert told.endswith(f"but could not be compared with {title} (faithfulness: {said}).")
    neither = replace(
        found,
        faithful=without(found.faithful, rival, why=why),
        plausible=without(found.plausible, rival, why=why),
    )
    verdict, told = judged(neither, "C6")
    assert verdict == NO_BETTER
    name = title if why else told.split("compared with ")[1].split(" (it ")[0]
    assert told.endswith(f"but could not be compared with {name} ({said}).")


def test_c6_names_all_that_was_not_compared_and_what_is_not_beaten():
    found = better(faithful={"gradient_norm": UNSURE, "integrated_second": (None, None)})
    rows = without(found.faithful, "gradient_input", "integrated", why="no memory")
    assert judged(replace(found, faithful=rows), "C6")[1].endswith(
        "It is better than attention, but is not shown to be better than norm of the gradient; it "
        "could not be compared with gradient × input or integrated gradients (no memory) or "
        "integrated gradients, second baseline (no text has both)."
    )


def test_c6_by_one_measure_asks_the_other_nothing_and_says_so():
    few = "3 texts have a number; it takes 10"
    found = better(plausible={"integrated": BEHIND}, faithful={}, plausibility=few)
    verdict, told = judged(found, "C6")
    assert verdict == SUPPORTED
    assert f"That is by faithfulness alone (plausibility: {few})." in told
    assert "precision" not in told
    found = better(plausible={}, measure="plausibility", faithfulness="it cannot be asked")
    verdict, told = judged(replace(found, faithful=()), "C6")
    assert verdict == SUPPORTED
    assert "That is by plausibility alone (faithfulness: it cannot be asked)." in told
    assert "Removing" not in told
    assert "alone" not in judged(better(plausible={}), "C6")[1]


def test_c6_tells_both_numbers_over_the_texts_that_both_have():
    found = better(plausible={"attention": (-0.036, (-0.1, 0.0))})
    plausible = [
        replace(row, precision=0.418, norm=0.382, chance=0.32, compared=400)
        if row.score == "attention"
        else replace(row, precision=0.378, chance=0.318, texts=1000)
        for row in found.plausible
    ]
    faithful = [
        replace(row, normalised=0.51, norm=0.71, compared=38) if row.score == "attention" else row
        for row in found.faithful
    ]
    found = replace(found, plausible=tuple(plausible), faithful=tuple(faithful))
    told = judged(found, "C6")[1]
    assert "precision of 0.382, attention with 0.418; chance gives 0.320." in told
    assert "by 0.710, where" in told
    assert "attention it is 0.510, in" in told
    of = {detail.name.split(",")[0]: detail.note for detail in details_of(found, "C6")}
    assert of["faithfulness: norm less attention received"] == "38 texts"
    assert of["plausibility: norm less attention received"] == "400 texts"


@pytest.mark.parametrize(
    ("tested", "words"),
    [
        (outcome(0.2, -0.1, 0.5), "That strength leads may be chance, by plausibility."),
        (outcome(0.2, 0.1, 0.5, p=0.5), "That strength leads may be chance, by plausibility."),
        (outcome(-0.2, -0.5, 0.1, p=0.9), "Strength does not lead, by plausibility."),
        (outcome(-0.2, -0.5, -0.1, p=1.0), "Attention is better, by plausibility."),
    ],
)
def test_c6_is_not_supported(tested, words):
    found = better(tested=tested, plausible={}, measure="plausibility")
    verdict, told = judged(found, "C6")
    assert (verdict, told.endswith(words)) == (NOT_SUPPORTED, True)
    alone = replace(found, plausible=())
    assert ", by" not in judged(alone, "C6")[1]


def test_c6_tells_both_measures_and_the_one_that_its_effect_is_of():
    found = better(plausible={}, measure="plausibility")
    (claim,) = [claim for claim in claims(found) if claim.id == "C6"]
    assert claim.effect_name == "norm − attention, plausibility"
    assert "moves the model's output by 0.700" in claim.sentence
    assert "attention it is 0.500, in random order 0.500" in claim.sentence
    assert "precision of 0.600, attention with 0.400; chance gives 0.330" in (claim.sentence)
    names = [detail.name for detail in claim.details]
    assert "faithfulness: norm less attention received, mean of all layers" in names
    assert "plausibility: norm less norm at layer 0 (embeddings)" in names
    assert not any(name.endswith("less norm") for name in names)
    assert {(detail.value, detail.interval) for detail in claim.details} == {AHEAD}


def test_c6_tells_attention_over_all_layers_and_strength_at_its_own():
    found = better(plausible={})
    faithful = [
        replace(row, layer=2, normalised=0.111)
        for row in found.faithful
        if row.score == "attention"
    ]
    plausible = [
        replace(row, layer=layer, precision=0.111)
        for row in found.plausible
        for score, layer in (("attention", 2), ("norm", 1))
        if row.score == score
    ]
    more = replace(
        found,
        faithful=(*found.faithful, *faithful),
        plausible=(*plausible, *found.plausible, *plausible),
    )
    assert judged(more, "C6") == judged(found, "C6")


def c10(tested=None, **probes):
    return replace(ALL, prompted=tested or outcome(0.8, 0.3, 0.9), probes=made_probes(**probes))


@pytest.mark.parametrize(
    ("found", "verdict", "words"),
    [
        (c10(), SUPPORTED, "5 prompts (0.300 to 0.900 with other texts); of their"),
        (c10(helps=False), NO_BETTER, "no prompt is shown to help at all."),
        (c10(), SUPPORTED, "; of their orders fewer than 1 in 100 give as much. "),
        (c10(outcome(0.8, -0.1, 0.9)), NOT_SUPPORTED, "with other texts it may be gone: that may"),
        (c10(outcome(0.8, 0.3, 0.9, p=0.2)), NOT_SUPPORTED, "20 in 100 give as much: that may be"),
        (c10(outcome(0.8, 0.3, 0.9, p=0.046)), SUPPORTED, "orders 5 in 100 give as much. "),
        (c10(outcome(-0.8, -0.9, 0.3, p=0.9)), NOT_SUPPORTED, "no more than chance gives."),
        (c10(outcome(-0.8, -0.9, -0.3, p=0.9)), NOT_SUPPORTED, "further help less."),
    ],
)
def test_c10(found, verdict, words):
    assert judged(found, "C10")[0] == verdict
    assert words in judged(found, "C10")[1]


def test_c10_tells_that_other_claims_leave_no_room():
    found = c10(outcome(0.647, 0.32, 1.0, p=0.046))
    beside = replace(found, content=replace(found.content, p=0.9))
    (claim,) = [claim for claim in claims(beside, ("C1", "C10")) if claim.id == "C10"]
    assert (claim.verdict, claim.p_holm) == (NOT_SUPPORTED, pytest.approx(0.092))
    assert (
        "(0.320 to 1.000 with other texts); of their orders 5 in 100 give as much, more than the "
        "other claims leave room for: that may be chance."
    ) in claim.sentence


def test_c10_tells_the_best_prompt_beside_the_bare_text():
    _, told = judged(c10(gains=(-0.1, 0.05, 0.2, 0.0, 0.1)), "C10")
    assert (
        "60.0 % of the labels are read (the most frequent is 55.0 %), under “Prompt 3” 80" in told
    )
    names = [detail.name for detail in details_of(c10(gains=(0.0, 0.1)), "C10")]
    assert names == [
        "share of labels read from the bare text",
        "gain under “Prompt 2”",
        "gain under “Prompt 1”",
    ]


def test_c10_is_about_the_anchor_at_the_layer_of_the_claims():
    other = made_probes(gains=(0.3, 0.3, 0.3, 0.3, 0.3), layer=1)
    mean = tuple(replace(row, vector="mean") for row in made_probes(gains=(0.3,) * 5))
    found = replace(c10(helps=False), probes=(*other, *mean, *made_probes(helps=False)))
    assert judged(found, "C10")[0] == NO_BETTER


def salient(tested=None, difference=0.15, interval=(0.05, 0.25)):
    values = {"difference": difference, "difference_interval": interval}
    tested = tested or outcome(0.7, 0.6, 0.8)
    return replace(ALL, salient=replace(ALL.salient, tested=tested, **values))


@pytest.mark.parametrize(
    ("found", "verdict", "words"),
    [
        (salient(), SUPPORTED, "in 70 of 100 pairs (60 to 80); chance gives 50, and the emb"),
        (salient(interval=(0.0, 0.3)), NO_BETTER, "but in the embeddings it is so in 55."),
        (salient(interval=None), NO_BETTER, "but in the embeddings it is so in 55."),
        (salient(outcome(0.47, 0.443, 0.498)), NOT_SUPPORTED, "in 47 of 100 pairs (44 to 49.8)"),
        (salient(outcome(0.6, 0.5, 0.7)), NOT_SUPPORTED, "that may be chance."),
        (salient(outcome(0.6, 0.55, 0.7, p=0.2)), NOT_SUPPORTED, "that may be chance."),
        (salient(outcome(0.4, 0.3, 0.6, p=0.9)), NOT_SUPPORTED, "no more than chance gives."),
        (salient(outcome(0.4, 0.3, 0.45, p=0.9)), NOT_SUPPORTED, "the other way round."),
    ],
)
def test_c11(found, verdict, words):
    assert judged(found, "C11")[0] == verdict
    assert words in judged(found, "C11")[1]
    assert "Of a word that people marked and another content word" in judged(found, "C11")[1]


def test_only_what_is_asked_for_is_told_and_adjusted_for():
    found = claims(ALL, ("C1", "C9", "stability"))
    assert [claim.id for claim in found] == ["C1", "C9"]
    assert {claim.p_holm for claim in found} == {0.002}
    assert len(claims(ALL)) == len(DECLARED) == 11
    # C2's verdict looks at C1, which comes with it.
    assert [claim.verdict for claim in claims(ALL, ("C1", "C2"))] == [SUPPORTED] * 2
