"""What the paper claims, and how each claim is put to the test: declared before any number is seen.

Words only. The tests are in claim_tests*.py, the verdicts in verdicts.py.
"""

from dataclasses import dataclass

ALPHA = 0.05  # of all primary tests together (Holm)
MARGIN = 0.01  # of AUC: what strength must add to frequency, length and place to be worth a word
CONSISTENTLY = 0.5  # a kind is "consistently" HIGH if more of its tokens are than are not
HIGH_PLACE = 75  # percentile: above the upper quartile of its text
FEWEST_TEXTS, FEWEST_TYPES = 10, 5  # texts that hold both kinds; word types of each kind
FEWEST_PROMPTS = 5  # besides the bare text: of 5! orders one is the most that they can say

_PERMUTED = (
    "p: how often the statistic is as large when the kinds are dealt out anew among the word "
    "types, every token of a type getting the same one. Compared is its distance from no effect "
    "over the root of the summed squares of what each type weighs in that deal: a deal that leaves "
    "few or frequent types on one side scatters more for no other reason."
)


@dataclass(frozen=True)
class Declared:
    """A claim and its primary test.

    Attributes:
        id: ``C1`` ...
        title: the claim, in a few words; {layer} stands for the layer's number.
        place: where the paper makes it.
        test: statistic, null and direction of the primary test.
        rule: how the verdict follows from it.
        effect_name: what the effect is.
        null: what it would be if there were nothing.
    """

    id: str
    title: str
    place: str
    test: str
    rule: str
    effect_name: str
    null: float


DECLARED = (
    Declared(
        id="C1",
        title="Content words are stronger than function words",
        place="3.1.3, 3.1.4",
        test="AUC within texts: of all pairs of a content and a function token of one text, the "
        f"share in which the content token is stronger, ties half; above 0.5. {_PERMUTED}",
        rule="supported: p after Holm below 0.05 and the interval above 0.5; no better than its "
        "baseline: so, but copies of the model with shuffled weights, where there are any, do as "
        "well (the interval of the difference holds 0, or is below it); other baselines are told "
        "beside it and change no verdict; else not supported.",
        effect_name="AUC within texts",
        null=0.5,
    ),
    Declared(
        id="C2",
        title="Strength says more than frequency, length and place",
        place="1.3, 2.2",
        test="Two logistic models of the kind (content or function), fitted on four fifths of the "
        "texts and judged on the rest: log f, (log f)², length, sub-word and place in the text, "
        "without and with strength; f by the source of frequencies that was asked for. Effect: "
        "what strength adds to the AUC within texts. p: score test of strength in the model "
        "without it, kinds drawn anew per word type from that model.",
        rule=f"supported: p after Holm below 0.05, the interval above 0, and at least {MARGIN} "
        "gained; no better than its baseline: content words are stronger (p and interval of C1), "
        "but not this; else not supported.",
        effect_name="gain in AUC",
        null=0.0,
    ),
    Declared(
        id="C3",
        title="Layer {layer} stands out among the layers",
        place="1.2, 1.4, 2.4",
        test="For every layer, its AUC within texts (as in C1) less the mean of the others'. "
        "Effect: that of the layer asked about. p: that of the largest of all layers, studentised, "
        "under equal layers with the covariance found over texts and word types (max-T).",
        rule="supported: p after Holm below 0.05, and this layer is the largest, over all texts "
        "and in either half of them; no better than its baseline: the embeddings, layer 0, do at "
        "least as well; else not supported.",
        effect_name="AUC above the other layers",
        null=0.0,
    ),
    Declared(
        id="C4",
        title="Content words are consistently HIGH",
        place="3.1.4, 3.3",
        test="Recall: the share of content tokens that are HIGH, above what labels dealt out "
        f"blindly give. {_PERMUTED}",
        rule="supported: p after Holm below 0.05, the interval above 0.5 (more of them are HIGH "
        "than are not), and as many of the rarest tokens hold fewer of them (the interval of the "
        "paired difference is above 0; asked where frequencies are known); no better than its "
        "baseline: p after Holm below 0.05, but the rarest tokens do as well (that interval holds "
        "0, or is below it); else not supported.",
        effect_name="share of content tokens that are HIGH",
        null=0.0,  # replaced by the share of HIGH among content and function tokens
    ),
    Declared(
        id="C5",
        title="HIGH tokens carry most of the shift (R_H)",
        place="2.2.1, 3.3",
        test="Mean over pairs of texts of R_H − k/n, over aligned tokens that are not special; "
        "above 0. p: of its t over texts and word types at once.",
        rule="supported: p after Holm below 0.05 and the interval above 0, that of the unchanged "
        "tokens alone, too, and the rarest and the nearest tokens, as many, hold less (where that "
        "can be told); no better than its baseline: above chance over all tokens, but one of these "
        "fails; else not supported.",
        effect_name="R_H above chance",
        null=0.0,
    ),
    Declared(
        id="C6",
        title="Strength explains better than attention",
        place="1.1, 3.1.4, 4",
        test="Two paired differences, the norm's less that of attention received (mean of all "
        "layers), of the same texts. Faithfulness: comprehensiveness, the mean over k = 1 .. ⌈n/2⌉ "
        "of how far the model's output moves when the first k of n words are removed, from 0 (the "
        "lowest that random orders give) to 1 (the highest). Plausibility, where --rationales "
        "gives words that people marked: average precision. Each above 0; p: of its t over texts "
        "and word types at once. Where there are both, both must hold: effect and p are those of "
        "the one with the larger p. Where one of them cannot be tested (in fewer than "
        f"{FEWEST_TEXTS} texts, say), it is the other alone, and that is told.",
        rule="supported: p after Holm below 0.05 and the interval above 0, and, in each of the "
        "measures tested, better than gradients, integrated gradients, frequency and layer 0, too "
        "(the interval of the difference above 0); no better than its baseline: better than "
        "attention, but not than one of these, or one of these could not be compared; else not "
        "supported.",
        effect_name="norm − attention",
        null=0.0,
    ),
    Declared(
        id="C7",
        # As the paper has it; an audit names the parts it tests, as its model spells them.
        title="[CLS] is high, punctuation low, [SEP] lowest",
        place="3.1.3, 3.1.4",
        test="AUC within texts of content and function tokens above punctuation; above 0.5. "
        f"{_PERMUTED}",
        rule="supported: p after Holm below 0.05 and the interval above 0.5, and, where there are "
        f"such tokens, the median place of the tokenizer's cls token is above the {HIGH_PLACE}th "
        "percentile of its text's tokens that are not special, and the special token that ends "
        "most texts, the cls token left aside, is the weakest token of most texts that have it; "
        "else not supported.",
        effect_name="AUC of words above punctuation",
        null=0.5,
    ),
    Declared(
        id="C8",
        title="Strengths are skewed to the right",
        place="2.2.1",
        test="Mean over texts of the skewness of the strengths in it, special tokens left out; "
        "above 0. p: of its t over texts and word types at once.",
        rule="supported: p after Holm below 0.05 and the interval above 0; else not supported.",
        effect_name="mean skewness within texts",
        null=0.0,
    ),
    Declared(
        id="C9",
        title="Layer {layer} favours content more than layer {next}",
        place="3.1.3, Table 3",
        test="Strengths as z-scores within each layer; the difference of the two layers, for every "
        "token; its mean over all pairs of a content and a function token of one text, content "
        f"less function; above 0. {_PERMUTED}",
        rule="supported: p after Holm below 0.05 and the interval above 0; else not supported.",
        effect_name="content − function, in standard deviations",
        null=0.0,
    ),
    Declared(
        id="C10",
        title="Prompts that shift a text more make its labels easier to read",
        place="3.2.3, 4",
        test=f"With --labels and at least {FEWEST_PROMPTS} prompts, on the anchor's vector at the "
        "layer of the claims. Gain of a prompt: accuracy of a logistic probe under it less that "
        "on the bare text, cross-validated, the same folds for all. Effect: Spearman's ρ over the "
        "prompts between the mean shift of the anchor from the bare text and the gain; above 0. "
        "p: share of the orders of the prompts with as large a ρ, all orders where they are few.",
        rule="supported: p after Holm below 0.05 and the interval (texts drawn anew) above 0; no "
        "better than its baseline: so, but no prompt has a gain whose interval is above 0 (95 % "
        "each, not adjusted for how many prompts there are); else not supported.",
        effect_name="ρ of shift and gain",
        null=0.0,
    ),
    Declared(
        id="C11",
        title="Sentiment words are stronger than other content words",
        place="1.4",
        test="With --salient, a list of words, over the audited texts, or with --rationales, the "
        "marked content words: AUC over pairs of a salient and another content word of the same "
        "tenth of frequency, by strength in standard deviations of its text; above 0.5. p: of its "
        "t over texts and word types at once.",
        rule="supported: p after Holm below 0.05 and the interval above 0.5, and not merely as the "
        "embeddings have it: at layer 0 the same is lower (the interval of the difference above "
        "0); no better than its baseline: above 0.5, but layer 0 does as well; else not supported.",
        effect_name="AUC at equal frequency",
        null=0.5,
    ),
)
