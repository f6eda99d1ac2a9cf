"""Small changes of texts: what each leaves as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_flow.perturbed_texts import CHANGES, PREFIX, changes
from activation_flow.words import find_words

WORDS = [
    "the",
    "A",
    "dogs",
    "aaaa",
    "noon",
    "UNFOLDS",
    "don't",
    "слово",
    "42",
    "1234",
    "été",
    "x-y",
]
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.lists(st.sampled_from([*WORDS, "!", ".", "...", "İ", "ß", "\n"])).map(" ".join),
)


def found(text: str, seed: int = 0) -> dict[str, str]:
    return {name: changed for name, changed, _ in changes(text, seed)}


@given(TEXTS, st.integers(0, 3))
def test_every_change_is_one_and_a_small_one(text, seed):
    named = [name for name, *_ in changes(text, seed)]
    assert named == [name for name in CHANGES if name in named]
    own = found(text, seed)
    assert own == found(text, seed)
    assert text not in own.values()
    assert own["prefix"] == PREFIX + text
    if "case" in own:
        assert own["case"] in (text.lower(), text.upper())
    else:
        assert text == text.lower() == text.upper()
    if "final period" in own:
        longer, shorter = sorted((own["final period"], text), key=len, reverse=True)
        at = len(longer.rstrip()) - 1
        assert longer[at] in ".!?"
        assert longer[:at] + longer[at + 1 :] == shorter
    else:
        assert text.strip() in (".", "!", "?")
    if "typo" in own:
        check_typo(text, own["typo"])


def check_typo(text: str, changed: str) -> None:
    first, second = [
        at for at, both in enumerate(zip(text, changed, strict=True)) if len({*both}) > 1
    ]
    assert second == first + 1
    assert (text[first], text[second]) == (changed[second], changed[first])
    assert text[first : second + 1].isalpha()
    ((start, end),) = [word for word in find_words(text) if word[0] <= first < word[1]]
    assert start < first
    assert second < end - 1
    assert sum(map(str.isalpha, text[start:end])) >= 4


@pytest.mark.parametrize(
    ("text", "name", "changed"),
    [
        ("The Dog ran.", "case", "the dog ran."),
        ("the dog ran.", "case", "THE DOG RAN."),
        ("42 + 1", "case", None),
        ("Is it? ", "final period", "Is it "),
        ("So ...", "final period", "So .."),
        ("So\n", "final period", "So.\n"),
        (" ! ", "final period", None),
        ("a word", "typo", "a wrod"),
        ("aaaa noon, 1234 the abba", "typo", None),
        ("WoOd", "typo", None),
        ("", "prefix", "Well, "),
    ],
)
def test_changes_of_texts(text, name, changed):
    assert found(text).get(name) == changed


def test_the_seed_draws_the_word_and_its_letters():
    text = "Wonderful mornings beside silent rivers"
    drawn = {found(text, seed)["typo"] for seed in range(60)}
    assert len(drawn) > 15
    assert {
        k
        for one in drawn
        for k, (a, b) in enumerate(zip(text.split(), one.split(), strict=True))
        if a != b
    } == {*range(5)}


def test_what_was_done_is_told():
    told = {name: what for name, _, what in changes("The dogs ran.", seed=7)}
    assert told == {
        "case": "in lower case",
        "final period": "the last mark of .!? removed",
        "prefix": "'Well, ' put before",
        "typo": "two neighbouring inner letters of a word of 4 or more exchanged (seed 7)",
    }
    assert [what for *_, what in changes("a dog")] == [
        "in upper case",
        "a period added",
        told["prefix"],
    ]
