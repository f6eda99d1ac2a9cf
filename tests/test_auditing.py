"""Audits from end to end: what is told is what was measured, counted once, and the same again."""

import copy
from collections import Counter

import numpy as np
import pytest
from data_files import data_file
from sklearn.metrics import roc_auc_score

import activation_flow as af
from activation_flow import eager, frequency, material, norms
from activation_flow.audit_tables import NOT_TESTABLE, VERDICTS
from activation_flow.auditing import audit
from activation_flow.claims import DECLARED
from activation_flow.stats import auc
from activation_flow.words import find_words, kind_of_word

SENTENCES = [
    "The dog ran to the park, and the cat slept.",
    "Who is the man at the door?",
    "A red car stood before our house.",
    "I don't know why the story is slow!",
    "They walked along the river; it was cold.",
    "Birds sing in the garden: we listen.",
    "She reads a book of poems, or two.",
    "Is this the road to the village?",
    "He gave her the letter, but she left.",
    "The children play with a ball!",
    "We saw snow on the hills.",
    "Rain fell over the town; nobody cared.",
    "What did you buy at the market?",
    "My brother cooks rice and beans.",
    "The old clock on the wall stopped.",
    "Bread and butter: that is all.",
    "Can you hear the music from here?",
    "The train to the coast was late!",
    "An apple fell from the tree.",
    "He swims in the lake, she does not.",
    "The teacher wrote words on the board.",
    "Nobody told us about the storm.",
    "Her coat hangs behind the door.",
    "They sold the farm; we bought it.",
    "Is there milk in the fridge?",
    "The king and the queen sat down.",
    "Stars shine above the desert.",
    "You can see ships from the tower!",
    "The baker sells cakes: five of them.",
    "A storm broke the window of the shop.",
]
RUNNERS = ("dog", "cat", "man", "car", "bird", "tree", "king", "ship", "star", "road", "lake")
PAIRS = [
    (f"The {one} ran to the park.", f"The {two} ran to the park.")
    for one, two in zip(RUNNERS, [*RUNNERS[1:], RUNNERS[0]], strict=True)
]
QUICK = {"draws": 199, "sample": 8, "explained": 2, "perturbed": 2}


@pytest.fixture(scope="module")
def bert(tiny):
    return af.Encoder.from_pretrained(tiny("bert"), engine="torch", threads=1)


@pytest.fixture(scope="module")
def told():
    """The stages of the audit that follows."""
    return []


@pytest.fixture(scope="module")
def whole(bert, told):
    """An audit with all there is: blank, repeated and broken rows, copies, progress."""
    corpus = [*SENTENCES[:20], "", SENTENCES[3], *SENTENCES[20:], "\u200b", 3]
    return audit(bert, corpus, progress=lambda *stage: told.append(stage), **QUICK)


@pytest.fixture(scope="module")
def plain(bert):
    return audit(bert, SENTENCES, controls=False, **QUICK)


def without_costs(document, *names):
    """The document but for what was measured with a clock, and other names."""
    if isinstance(document, dict):
        left_out = ("seconds_per_1000_tokens", "created", *names)
        return {k: without_costs(v, *names) for k, v in document.items() if k not in left_out}
    if isinstance(document, list):
        return [without_costs(one, *names) for one in document]
    return document


def auc_within(results, row):
    """Content above function words at one layer, text by text."""
    wins = pairs = 0
    for one in results:
        of_kind = [one.strength[row][one.kind == kind] for kind in ("content", "function")]
        n = len(of_kind[0]) * len(of_kind[1])
        if n:
            wins, pairs = wins + n * auc(*of_kind), pairs + n
    return wins / pairs


def numbers(found):
    return {(row.score, row.layer): row.auc for row in found.scores}


def test_strengths_are_those_of_the_encoder(bert, whole):
    results = bert.strength(SENTENCES, layers="all")
    of_norm = {row.layer: row for row in whole.scores if row.role == "strength"}
    assert [*of_norm] == [*whole.layers] == [0, 1, 2, 3]
    for layer, row in of_norm.items():
        assert row.auc == pytest.approx(auc_within(results, layer), abs=1e-4)
    claim = whole.claim("C1")
    assert (whole.layer, claim.effect) == (2, pytest.approx(of_norm[2].auc))
    assert claim.n["texts"] == of_norm[2].texts
    high = np.concatenate([one.bucket[2][one.kind == "content"] == "HIGH" for one in results])
    assert whole.claim("C4").effect == pytest.approx(high.mean())


def test_everything_is_counted(bert, whole):
    counts = whole.counts
    assert counts["rows"] == len(SENTENCES) + 4
    assert (counts["blank"], counts["duplicates"], counts["rejected"], counts["refused"]) == (
        (1,) * 4
    )
    assert counts["texts"] == len(SENTENCES)
    kinds = Counter(np.concatenate([one.kind for one in bert.strength(SENTENCES)]).tolist())
    assert {kind: counts[kind] for kind in kinds} == kinds
    assert sum(kinds.values()) == counts["tokens"]
    assert (counts["sample"], counts["pairs_asked"]) == (8, 8)
    lost = counts["pairs_failed"] + counts["pairs_same"]
    assert counts["pairs"] + lost == counts["pairs_asked"]
    for what in ("blank rows", "stood there before", "not a string", "U+200B"):
        assert any(what in note for note in whole.notes)


def test_claims_are_judged(whole):
    assert [*whole.verdicts] == [one.id for one in DECLARED]
    tested = [claim for claim in whole.claims if claim.verdict != NOT_TESTABLE]
    # Of too few pairs, and texts; of files that were not given.
    untested = [claim.id for claim in whole.claims if claim not in tested]
    assert untested == ["C5", "C6", "C10", "C11"]
    for claim in tested:
        assert claim.verdict in VERDICTS
        assert claim.p <= claim.p_holm <= 1
        assert claim.p_holm <= len(tested) * claim.p + 1e-12
        assert claim.interval[0] <= claim.effect <= claim.interval[1]
    assert min(claim.p_holm / claim.p for claim in tested) >= 1
    assert {control.control for control in whole.controls} == {
        "shuffled weights",
        "random score",
        "normalised state",
    }
    assert whole.provenance.settings["controls"] is None  # as it was asked
    for row in whole.scores:
        assert (row.auc is None) == bool(row.missing)


def test_progress_rises(whole, told):
    stages = [*dict.fromkeys(stage for stage, *_ in told)]
    assert stages == [
        *("reading", "strengths", "norms", "attention", "shuffled copies"),
        *("gradients", "occlusion", "removing words", "pairs", "changed texts"),
        *("attention of changed texts", "tests"),
    ]
    for stage in stages:
        done = [k for name, k, n in told if name == stage and n]
        assert done == sorted(done)
        (last,) = {n for name, _, n in told if name == stage and n}
        assert done[-1] == last


def test_the_same_again_and_from_a_file(bert, plain, tmp_path):
    document = without_costs(plain.to_dict())
    assert without_costs(audit(bert, SENTENCES, controls=False, **QUICK).to_dict()) == document
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(SENTENCES) + "\n")
    of_file = audit(bert, path, controls=False, **QUICK)
    assert of_file.input == str(path)
    assert plain.input == ""
    other = without_costs(of_file.to_dict(), "input", "command")
    assert other == without_costs(plain.to_dict(), "input", "command")


def test_seeds_matter(bert, plain):
    other = audit(bert, SENTENCES, controls=False, seed=1, **QUICK)
    assert numbers(other)["random", None] != numbers(plain)["random", None]
    assert other.claim("C1").effect == plain.claim("C1").effect
    assert other.claim("C1").p != plain.claim("C1").p
    assert [row.note for row in other.ratios] != [row.note for row in plain.ratios] or (
        other.ratios != plain.ratios
    )
    assert other.provenance.settings["seed"] == 1


def test_without_kinds(bert):
    most = {"draws": 199, "sample": 12, "only": "C1,C2,C3,C4,C5,C7,C8,C9"}
    found = audit(bert, SENTENCES, kinds="none", controls=False, **most)
    for claim in found.claims:
        if claim.id in ("C5", "C8"):
            assert claim.verdict != NOT_TESTABLE
            assert claim.p_holm <= 2 * claim.p
        else:
            assert claim.verdict == NOT_TESTABLE
            assert "no token is known to be" in claim.sentence
            assert (claim.effect, claim.p, claim.p_holm) == (None, None, None)
    assert {row.auc for row in found.scores} == {None}
    assert all(row.missing for row in found.scores)
    assert (found.counts.get("content", 0), found.counts["unknown"] > 0) == (0, True)
    found.to_dict()


def conllu(sentence):
    """A sentence with tags that are the wrong way round: function words are nouns."""
    lines = [f"# text = {sentence}"]
    forms = []
    for begin, end in find_words(sentence):
        tag = {"function": "NOUN", "content": "ADP"}.get(kind_of_word(sentence[begin:end]), "PUNCT")
        forms.append((begin, end, tag))
    covered = {k for begin, end, _ in forms for k in range(begin, end)}
    for k, letter in enumerate(sentence):
        if k not in covered and not letter.isspace():
            forms.append((k, k + 1, "PUNCT"))
    for number, (begin, end, tag) in enumerate(sorted(forms), start=1):
        space = "_" if sentence[end : end + 1].isspace() else "SpaceAfter=No"
        fields = [str(number), sentence[begin:end], "_", tag, *"_____", space]
        lines.append("\t".join(fields))
    return "\n".join([*lines, "", ""])


def test_gold_kinds(bert, plain, tmp_path):
    path = tmp_path / "texts.conllu"
    path.write_text("".join(map(conllu, SENTENCES)))
    found = audit(bert, path, controls=False, **QUICK)
    assert found.provenance.settings["kinds"] == "gold"
    assert found.counts["content"] == plain.counts["function"]
    assert found.counts["function"] == plain.counts["content"]
    assert found.claim("C1").effect == pytest.approx(1 - plain.claim("C1").effect)
    assert found.claim("C9").effect == pytest.approx(-plain.claim("C9").effect)
    assert found.claim("C8").effect == pytest.approx(plain.claim("C8").effect)


def test_pairs_of_a_file(bert, tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("a,b\n" + "".join(f"{a},{b}\n" for a, b in [*PAIRS, PAIRS[0]]))
    found = audit(
        bert, SENTENCES, pairs=str(path), controls=False, **{**QUICK, "draws": 20, "sample": 20}
    )
    assert found.counts["pairs"] == len(PAIRS)
    shifts = [bert.shift(a, b, layers=2, kinds="list") for a, b in PAIRS]
    usable = [one for one in shifts if one.high_share and one.high_share < 1]
    excess = np.mean([one.high_ratio - one.high_share for one in usable])
    claim = found.claim("C5")
    assert claim.verdict != NOT_TESTABLE
    assert claim.effect == pytest.approx(excess, abs=1e-4)
    assert (claim.n["pairs"], claim.n["pairs"] + claim.n["left out"]) == (len(usable), len(PAIRS))
    assert found.provenance.settings["pairs"] == str(path)
    assert any("with 20 draws a permutation test cannot" in note for note in found.notes)


def test_pairs_of_tokens_whose_frequency_nobody_knows(bert, tmp_path):
    (tmp_path / "pairs.jsonl").write_text('{"a": "red car", "b": "red cat"}\n')
    (tmp_path / "counts.txt").write_text("the 40\nto 9\n")
    options = {"pairs": str(tmp_path / "pairs.jsonl"), "frequency": str(tmp_path / "counts.txt")}
    found = audit(bert, SENTENCES, controls=False, **options, **QUICK)
    assert any("no token of the pairs is known" in note for note in found.notes)
    row = next(row for row in found.scores if row.score == "frequency")
    assert row.title == "rarity by counts of counts.txt"


def test_decoders(tiny):
    """No token frames a text of GPT-2, and its last layer is taken after the final norm."""
    model, tokenizer = copy.deepcopy(tiny("gpt2"))
    from tokenizers import processors

    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch", threads=1)
    found = audit(encoder, SENTENCES, controls=False, **QUICK)
    assert (found.layers, found.layer, found.counts.get("special", 0)) == ((0, 1, 2), 2, 0)
    assert found.claim("C9").sentence == (
        "Not testable: the layer above it is taken after the final norm."
    )
    assert "punctuation is weaker" in found.claim("C7").sentence.lower()
    assert "percentile" not in found.claim("C7").sentence
    with pytest.raises(af.ActivationFlowError, match="cannot be set beside the other layers"):
        audit(encoder, SENTENCES, layer=3)


def test_a_decoder_whose_texts_are_framed(tiny):
    encoder = af.Encoder.from_pretrained(tiny("llama"), engine="torch", threads=1)
    found = audit(encoder, SENTENCES, layer=1, **QUICK)
    assert (found.layers, found.layer) == ((0, 1, 2), 1)
    assert "<s> stands at percentile" in found.claim("C7").sentence
    assert found.claim("C9").verdict != NOT_TESTABLE
    assert {row.layout for row in found.norms} == {"pre-RMSNorm"}


def test_the_last_layer_of_an_encoder_has_none_above_it(bert):
    found = audit(bert, SENTENCES, layer=-1, controls=False, **QUICK)
    assert found.layer == 3
    assert found.claim("C9").sentence == "Not testable: there is no layer above it."


def test_layer_0_moves_nothing_but_what_was_replaced(bert):
    found = audit(bert, SENTENCES, layer=0, controls=False, **{**QUICK, "draws": 20})
    assert found.claim("C3").verdict in VERDICTS
    assert found.claim("C5").sentence.endswith(".")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"layer": "all"}, "an audit is about one layer, and 'all' names 4"),
        ({"layer": 9}, "9"),
        ({"kinds": "nope"}, "kinds"),
        ({"sample": 0}, "sample=0 is not at least 1"),
        ({"draws": 0}, "draws=0 is not at least 1"),
        ({"seed": -1}, "seed=-1 is not at least 0"),
        ({"texts": 0}, "texts=0 is not at least 1"),
        ({"max_length": 1}, "has room for 1"),
        ({"frequency": "no_such_file.tsv"}, "no_such_file"),
        ({"pairs": "no_such_file.csv"}, "no_such_file"),
        ({"corpus": "no_such_file.txt"}, "no_such_file"),
        ({"corpus": "-", "pairs": "-"}, "cannot both be standard input"),
        ({"corpus": []}, "no text"),
        ({"corpus": ["", "\u200b"]}, "no text in it that can be read"),
    ],
)
def test_what_is_refused(bert, options, why):
    corpus = options.pop("corpus", SENTENCES)
    with pytest.raises(af.ActivationFlowError, match=why):
        audit(bert, corpus, **options)


def test_one_text_and_texts_that_are_all_the_same(bert):
    found = audit(bert, [SENTENCES[0]] * 5, controls=False, draws=5)
    assert {*found.verdicts.values()} == {NOT_TESTABLE}
    assert (found.counts["texts"], found.counts["duplicates"]) == (1, 4)
    found.to_dict()
    assert all(claim.sentence.startswith("Not testable: ") for claim in found.claims)


def test_the_embedded_model_on_the_papers_texts(minilm):
    texts = data_file("paper-corpus/paper_corpus.txt").read_text().splitlines()[:40]
    found = audit(minilm, texts, controls=False, **{**QUICK, "sample": 15})
    results = minilm.strength(texts, layers="all")
    for row in found.scores:
        if row.role == "strength":
            assert row.auc == pytest.approx(auc_within(results, row.layer), abs=1e-4)
    assert found.layer == 4
    assert found.claim("C1").effect > 0.85
    assert found.claim("C8").effect < 0  # skewed to the left
    assert found.verdicts["C3"] != "supported"
    assert "[CLS]" not in found.claim("C1").sentence


def test_anchors_on_a_treebank(minilm):
    """AUCs over all texts that were found before this code was written."""
    path = str(data_file("ud-ewt/en_ewt-ud-test.conllu"))
    found = material.gather(minilm, path, texts=500)
    tokens = found.tokens
    layers = (0, 1, 2, 3, 4, 5)
    one, other = tokens.kind == "content", tokens.kind == "function"

    def pooled(values):
        known = (one | other) & np.isfinite(values)
        return roc_auc_score(one[known], values[known])

    results = minilm.strength([one.text.text for one in found.encoded], layers=(0, 4))
    first, fourth = np.concatenate([one.strength for one in results], axis=1)
    assert pooled(first) == pytest.approx(0.941, abs=0.02)
    assert pooled(fourth) == pytest.approx(0.887, abs=0.02)
    counts = str(data_file("freq/bert-base-uncased_rank_count_ids.txt"))
    log_f = frequency.source(counts, tokens.id, minilm).of(tokens.id, tokens.kind == "special")
    assert pooled(-log_f) == pytest.approx(0.948, abs=0.02)
    chosen = material.stratified(tokens, found.encoded, 150, 0)
    sampled = eager.sample(found.encoded, tokens, chosen.tolist())
    with eager.opened(minilm, "eager") as tap:
        explained = norms.explain(minilm, tap, sampled, layers, 4)
    before = {s.layer: s.values for s in explained.scores if s.name == "before_norm"}
    for layer, expected in zip(layers[1:], (0.066, 0.130, 0.186, 0.159, 0.138), strict=True):
        assert pooled(before[layer]) == pytest.approx(expected, abs=0.05)


def test_texts_whose_hidden_states_are_not_finite_are_left_out_of_everything(tiny, plain):
    model, tokenizer = copy.deepcopy(tiny("bert"))
    seen = [{*ids} for ids in tokenizer(SENTENCES)["input_ids"]]
    often = Counter(number for ids in seen for number in ids)
    broken = min(number for number, n in often.items() if n == 2)
    model.embeddings.word_embeddings.weight.data[broken] = np.nan
    encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch", threads=1)
    found = audit(encoder, SENTENCES, controls=False, **QUICK)
    assert found.counts["failed"] == 2
    assert found.counts["texts"] == found.counts["distinct"] - 2
    whole = [text for text, ids in zip(SENTENCES, seen, strict=True) if broken not in ids]
    expected = audit(encoder, whole, controls=False, **QUICK)
    of_texts = ("texts", "tokens", "types", "content", "function", "punctuation", "special")
    assert {n: found.counts[n] for n in of_texts} == {n: expected.counts[n] for n in of_texts}
    frequency = next(row for row in found.scores if row.score == "frequency")
    assert frequency.title == "rarity by vocabulary rank"
    assert found.claim("C1").effect == pytest.approx(expected.claim("C1").effect)
    assert found.claim("C1").n["texts"] < plain.claim("C1").n["texts"]
    assert any("hidden states are not finite" in note for note in found.notes)
    model.embeddings.word_embeddings.weight.data[:] = np.nan
    encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch", threads=1)
    with pytest.raises(af.ActivationFlowError, match="no text has finite hidden states"):
        audit(encoder, SENTENCES)


def test_a_model_in_which_all_tokens_are_as_strong(tiny):
    """Freshly made LayerNorms give the norm √d to every token."""
    model, tokenizer = copy.deepcopy(tiny("bert"))
    for name, parameter in model.named_parameters():
        if "LayerNorm" in name:
            parameter.data[:] = float(name.endswith("weight"))
    encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch", threads=1)
    found = audit(encoder, SENTENCES, **{**QUICK, "sample": 20})
    assert {*found.verdicts.values()} <= {"not supported", "not testable", *VERDICTS[1:2]}
    assert found.claim("C1").effect == pytest.approx(0.5, abs=0.05)
    for claim in found.claims:
        assert "nan" not in claim.sentence
    found.to_dict()
