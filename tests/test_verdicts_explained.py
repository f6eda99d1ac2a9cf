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


def better(tested=None, faithful=None, plausible=None, measure="faithfulness"):
    return replace(
        ALL,
        better=Better(tested=tested or outcome(0.2, 0.1, 0.3), measure=measure, means=()),
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


def test_c6_leaves_out_a_rival_that_cannot_be_had():
    found = better(faithful={"integrated": (None, None)})
    assert judged(found, "C6")[0] == NO_BETTER  # nobody can say how far ahead
    rows = [
        replace(row, missing="its model has no rows") if row.score == "integrated" else row
        for row in found.faithful
    ]
    assert judged(replace(found, faithful=tuple(rows)), "C6")[0] == SUPPORTED


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
        (c10(), SUPPORTED, "ρ is 0.800 over 5 prompts (0.300 to 0.900)."),
        (c10(helps=False), NO_BETTER, "no prompt is shown to help at all."),
        (c10(outcome(0.8, -0.1, 0.9)), NOT_SUPPORTED, "that may be chance."),
        (c10(outcome(0.8, 0.3, 0.9, p=0.2)), NOT_SUPPORTED, "that may be chance."),
        (c10(outcome(-0.8, -0.9, 0.3, p=0.9)), NOT_SUPPORTED, "no more than chance gives."),
        (c10(outcome(-0.8, -0.9, -0.3, p=0.9)), NOT_SUPPORTED, "further help less."),
    ],
)
def test_c10(found, verdict, words):
    assert judged(found, "C10")[0] == verdict
    assert words in judged(found, "C10")[1]


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
        (salient(), SUPPORTED, "in 70 of 100 pairs (0.600 to 0.800); chance gives 50, and the emb"),
        (salient(interval=(0.0, 0.3)), NO_BETTER, "but in the embeddings it is so in 55."),
        (salient(interval=None), NO_BETTER, "but in the embeddings it is so in 55."),
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
