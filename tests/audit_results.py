"""An audit as it might come out, made up: what terminal, charts, page and files are tried with.

The numbers are near those of a small post-LayerNorm encoder; the words are partly hostile.
"""

from dataclasses import replace
from typing import Any

from explained_results import faithful_rows, plausible_rows, probe_rows, stable_rows

from activation_flow.audit_tables import (
    NO_BETTER,
    NOT_SUPPORTED,
    NOT_TESTABLE,
    SUPPORTED,
    Claim,
    ConfoundRow,
    Control,
    Detail,
    Dimension,
    NormAtLayer,
    RatioRow,
    ScoreRow,
    ThresholdRow,
)
from activation_flow.data import Provenance
from activation_flow.result_audit import AuditResult

EVIL = '</script><img src=x onerror=document.title="hacked">'
HIDDEN = "\u202e[SEP]\x1b[31m"
LAYERS = tuple(range(7))
_NORM = (0.941, 0.874, 0.918, 0.902, 0.823, 0.861, 0.702)
SETTINGS = {
    **{"kinds": "list", "pairs": None, "sample": 400, "texts": 5000, "draws": 2000, "seed": 0},
    **{"frequency": "vocabulary", "controls": None, "text_column": "text", "format": None},
    **{"max_length": None, "layer": 4},
}
NONE = float("nan")


def audit_result(**changes: Any) -> AuditResult:
    """An audit of 732 texts at layer 4 of 6, every field filled; ``changes`` replace fields."""
    provenance = Provenance(
        model="minilm",
        revision="0" * 12,
        engine="openvino",
        precision="f32",
        n_layers=6,
        settings=SETTINGS,
        versions={"activation_flow": "0.1.0", "numpy": "2.2.0"},
    )
    made = AuditResult(
        provenance=provenance,
        layer=4,
        layers=LAYERS,
        claims=_claims(),
        scores=_scores(),
        controls=_controls(),
        norms=_norms(),
        dimensions=_dimensions(),
        thresholds=_thresholds(),
        ratios=_ratios(),
        confounds=_confounds(),
        faithful=faithful_rows(),
        plausible=plausible_rows(),
        probes=probe_rows(),
        stable=stable_rows(),
        counts={
            **{"texts": 732, "duplicates": 25, "failed": 1, "tokens": 15204, "content": 6120},
            **{"function": 4105, "punctuation": 1893, "special": 1464, "unknown": 1622},
            **{"types": 2417, "sample": 400, "pairs": 689},
            **{"explained": 100, "perturbed": 64, "rationales": 1131, "labels": 400},
        },
        notes=(
            "Kinds come from a list of English function words: on gold tags about 3 % of content "
            "and function words are told wrongly, which pulls every AUC towards 0.5.",
            "25 texts were there before and are left out.",
            f"text 17 has no result: it holds {EVIL}",
        ),
        input="sentences.txt",
    )
    return replace(made, **changes)


def hostile_result() -> AuditResult:
    """The same of a model, a corpus and tokens with names that break things; numbers missing."""
    made = audit_result()
    odd = {"interval": (NONE, NONE), "p": NONE}
    scores = [replace(row, title=HIDDEN + row.title, **odd) for row in made.scores]
    ratios = [replace(row, bucket=HIDDEN + row.bucket) for row in made.ratios]
    return replace(
        made,
        provenance=replace(made.provenance, model=EVIL, settings={**SETTINGS, EVIL: NONE}),
        scores=tuple(scores),
        ratios=tuple(ratios),
        dimensions=tuple(replace(row, kind=EVIL + HIDDEN) for row in made.dimensions),
        claims=tuple(
            replace(one, title=EVIL, sentence=HIDDEN + EVIL, interval=None) for one in made.claims
        ),
        controls=tuple(replace(row, control=EVIL, auc=NONE) for row in made.controls),
        faithful=tuple(
            replace(row, title=HIDDEN + row.title, output=EVIL, normalised_interval=(NONE, NONE))
            for row in made.faithful
        ),
        plausible=tuple(replace(row, title=EVIL, chance=NONE) for row in made.plausible),
        probes=tuple(
            replace(row, prompt=row.prompt and HIDDEN + EVIL + row.prompt) for row in made.probes
        ),
        stable=tuple(replace(row, change=EVIL + row.change, tau=NONE) for row in made.stable),
        input=EVIL,
    )


def _claim(id: str, title: str, verdict: str, effect: Any, **more: Any) -> Claim:
    value, low, high = effect or (None, None, None)
    given = {
        "place": "section 3.1.4",
        "test": "kinds permuted among word types, 2,000 draws; one-sided, above chance",
        "rule": "supported if Holm's p < .05 and the interval lies above chance",
        "effect_name": "AUC within texts",
        "null": 0.5,
        "n": {"texts": 720, "types": 2210, "content": 6120, "function": 4105},
        "p": 0.0005,
        "p_holm": 0.004,
        "sentence": "",
        "details": (),
        "method": "kinds permuted among word types, 2,000 draws, seed 0",
    }
    interval = None if effect is None else (low, high)
    return Claim(
        id=id, title=title, verdict=verdict, effect=value, interval=interval, **given | more
    )


def _claims() -> tuple[Claim, ...]:
    return (
        _claim(
            "C1",
            "Content words are stronger than function words",
            SUPPORTED,
            (0.823, 0.79, 0.856),
            sentence="Of a content word and a function word of the same text, the content word is "
            "the stronger one in 82 of 100 cases; by chance it would be 50.",
            details=(
                Detail(
                    name="the same of a copy with shuffled weights",
                    value=0.513,
                    interval=(0.468, 0.559),
                    null=0.5,
                    note="seed 0",
                ),
                Detail(name="pooled over texts", value=0.801),
                Detail(name="attention received", value=None, note="the model hides its attention"),
            ),
        ),
        _claim(
            "C2",
            "Strength says more than frequency, length and place",
            NO_BETTER,
            (0.0031, 0.0008, 0.0054),
            effect_name="ΔAUC",
            null=0.0,
            sentence="Content words are told apart by how rare, how long and where they are; "
            "strength adds 0.003 to an AUC of 0.953, less than the 0.01 that was asked for.",
            details=(Detail(name="AUC without strength", value=0.953, interval=(0.94, 0.965)),),
        ),
        _claim(
            "C3",
            "Layer 4 stands out among the layers",
            NO_BETTER,
            (-0.046, -0.066, -0.026),
            effect_name="AUC above the mean of the other layers",
            null=0.0,
            p=0.61,
            p_holm=1.0,
            sentence="Layer 0, which has seen no context, tells content words from function words "
            "better than layer 4 does (0.941 against 0.823).",
        ),
        _claim(
            "C4",
            "Content words are consistently HIGH",
            NOT_SUPPORTED,
            (0.412, 0.387, 0.437),
            effect_name="P(HIGH | content)",
            sentence="41 of 100 content words are HIGH: more than the 25 of chance, but most are "
            "not.",
        ),
        _claim(
            "C5",
            "HIGH tokens carry most of the shift (R_H)",
            NO_BETTER,
            (0.052, 0.031, 0.073),
            effect_name="R_H − k/n",
            null=0.0,
            n={"pairs": 689, "tokens": 11204},
            sentence="All of the surplus is in the replaced word itself; tokens that stayed as "
            "they were hold what chance gives.",
        ),
        _claim(
            "C6",
            "Strength explains better than attention",
            NO_BETTER,
            (0.082, 0.051, 0.113),
            effect_name="norm − attention",
            null=0.0,
            sentence="Words of a high norm matter more to the model than those that attention "
            "points at, but gradients find these words better.",
            details=(
                Detail(name="faithfulness, norm − gradients", value=-0.028, interval=(-0.06, 0.01)),
            ),
        ),
        _claim(
            "C7",
            "[CLS] is high, punctuation low, [SEP] lowest",
            NOT_SUPPORTED,
            (0.774, 0.74, 0.808),
            sentence="Punctuation is weaker than words and [SEP] the weakest token of 97 % of the "
            "texts, but [CLS] stands in the middle, not on top.",
        ),
        _claim(
            "C8",
            "Strengths are skewed to the right",
            NOT_SUPPORTED,
            (-1.204, -1.291, -1.117),
            effect_name="mean skewness g1",
            null=0.0,
            p=1.0,
            p_holm=1.0,
            sentence="It is the other way round: a few tokens are much weaker than the rest.",
        ),
        _claim(
            "C9",
            "Layer 4 favours content more than layer 5",
            NOT_TESTABLE,
            None,
            effect_name="z of layer 4 − z of layer 5",
            null=None,
            p=None,
            p_holm=None,
            n={},
            sentence="Layer 5 was not measured, so nothing can be said.",
        ),
        _claim(
            "C10",
            "Prompts that shift a text more make its labels easier to read",
            NOT_SUPPORTED,
            (0.6, -0.31, 0.89),
            effect_name="ρ of shift and gain",
            null=0.0,
            n={"prompts": 6, "texts": 400},
            p=0.121,
            p_holm=0.242,
            sentence="Of six prompts, those that shift more help a little more; chance would give "
            "as much once in eight.",
        ),
        _claim(
            "C11",
            "Sentiment words are stronger than other content words",
            NOT_SUPPORTED,
            (0.518, 0.487, 0.549),
            effect_name="AUC at equal frequency",
            p=0.112,
            p_holm=0.242,
            sentence="At equal frequency a sentiment word is the stronger one in 52 of 100 cases.",
        ),
    )


def _score(name: str, title: str, role: str, layer: int | None, auc: Any, **more: Any) -> ScoreRow:
    given = {
        "interval": None if auc is None else (auc - 0.031, auc + 0.028),
        "pooled": None if auc is None else auc - 0.012,
        "p": None if auc is None else 0.0003 if abs(auc - 0.5) > 0.05 else 0.42,
        "p_bh": None if auc is None else 0.0006 if abs(auc - 0.5) > 0.05 else 0.45,
        "tokens": 0 if auc is None else 10225,
        "texts": 0 if auc is None else 720,
        "seconds_per_1000_tokens": None,
        "top_share": None,
        "note": "",
        "missing": "",
    }
    return ScoreRow(score=name, title=title, role=role, layer=layer, auc=auc, **given | more)


def _scores() -> tuple[ScoreRow, ...]:
    rows = []
    for layer, auc in zip(LAYERS, _NORM, strict=True):
        share = {"top_share": (0.083, 0.171), "seconds_per_1000_tokens": 0.21}
        rows.append(_score("norm", "norm", "strength", layer, auc, **share))
        for name, title, less in (
            ("centred", "norm from the mean", 0.012),
            ("standardised", "norm of standardised dimensions", 0.087),
            ("whitened", "whitened norm", 0.15),
        ):
            rows.append(_score(name, title, "variant", layer, auc - less, **share))
        if layer:
            update = _score("update", "norm of what the block adds", "variant", layer, auc - 0.21)
            rows.append(replace(update, seconds_per_1000_tokens=0.43))
            before, pre = "norm before the norm module", 0.07 + 0.05 * layer
            rows.append(
                _score(
                    "before_norm",
                    before,
                    "variant",
                    layer,
                    pre,
                    top_share=(1, 1),
                )
            )
            attention = (0.61, 0.58, 0.44, 0.39, 0.42, 0.47)[layer - 1]
            received = _score("attention", "attention received", "baseline", layer, attention)
            rows.append(replace(received, seconds_per_1000_tokens=3.94, note="400 texts; mean"))
        else:
            missing = "there is no block before layer 0"
            rows.append(_score("update", "block's update", "variant", layer, None, missing=missing))
    rows += [
        _score(
            *("frequency", "rarity (−log f)", "baseline", None, 0.948),
            seconds_per_1000_tokens=0.0004,
            note="rank in the vocabulary",
        ),
        _score("layer_0_norm", "norm at layer 0 (embeddings)", "baseline", None, 0.941),
        _score("subword", "is a later piece of a word", "baseline", None, 0.541),
        _score("length", "length", "baseline", None, 0.934),
        _score(
            *("integrated", "integrated gradients", "baseline", None, 0.702),
            seconds_per_1000_tokens=37.8,
            gap=0.0121,
            note="midpoint rule, 50 steps",
        ),
        _score("position", "position in the text", "baseline", None, 0.523),
        _score("random", "random numbers", "control", None, 0.499, note="200 draws, seed 0"),
        _score(
            *("rollout", "attention rollout", "baseline", 4, None),
            missing="the architecture hides its attention",
        ),
    ]
    return tuple(rows)


def _controls() -> tuple[Control, ...]:
    return (
        Control(
            control="shuffled weights",
            score="norm",
            layer=4,
            auc=0.513,
            interval=(0.468, 0.559),
            passed=True,
            note="each weight tensor shuffled in place, seed 0",
        ),
        Control(
            control="random score",
            score="random",
            layer=None,
            auc=0.499,
            interval=(0.493, 0.505),
            passed=True,
            note="200 draws",
        ),
        Control(
            control="normalised state",
            score="normalised",
            layer=4,
            auc=0.561,
            interval=(0.531, 0.592),
            passed=False,
            note="‖z‖ is √d for every token",
        ),
        *(
            Control(
                control="shuffled weights",
                score="norm",
                layer=layer,
                auc=0.5 + 0.01 * layer,
                interval=(0.45 + 0.01 * layer, 0.55 + 0.01 * layer),
                passed=True,
                note="the same at other layers",
            )
            for layer in (0, 2)
        ),
        Control(
            control="shuffled weights",
            score="claims C1, C4",
            layer=4,
            auc=None,
            interval=None,
            passed=True,
            note="6 tests, the smallest p after Holm",
            p=0.21,
        ),
        Control(
            control="shuffled weights",
            score="attention",
            layer=None,
            auc=None,
            interval=None,
            passed=None,
            note="not measured",
        ),
    )


def _norms() -> tuple[NormAtLayer, ...]:
    kinds = {"content": 12.8, "function": 10.9, "punctuation": 9.6, "[CLS]": 11.1, "[SEP]": 7.4}
    before = {"content": 14.1, "function": 21.3, "punctuation": 24.0, "[CLS]": 17.0, "[SEP]": 44.2}
    rows = [
        NormAtLayer(
            layer=layer,
            layout="post-LayerNorm",
            module=f"encoder.layer.{layer - 1}.output.LayerNorm",
            level=13.44 + 0.1 * layer,
            error=3.1e-7,
            strength={kind: value + 0.2 * layer for kind, value in kinds.items()},
            before=before,
        )
        for layer in LAYERS[1:]
    ]
    first = NormAtLayer(
        layer=0, layout="unknown", strength=kinds, note="no module gives this hidden state"
    )
    return (first, *rows)


def _dimensions() -> tuple[Dimension, ...]:
    shares = {
        "content": ((223, 0.12, 0.31), (127, 0.06, 0.2), (51, 0.03, 1.13)),
        "function": ((223, 0.34, 0.31), (127, 0.21, 0.2), (300, 0.02, 0.84)),
        "punctuation": ((223, 0.41, 0.31), (127, 0.2, 0.2), (8, 0.02, None)),
        "[SEP]": ((223, 0.59, 0.31), (127, 0.24, 0.2), (94, 0.01, 0.66)),
    }
    return tuple(
        Dimension(layer=4, kind=kind, dim=dim, share=share, gamma=gamma, typical=0.69)
        for kind, rows in shares.items()
        for dim, share, gamma in rows
    )


def _thresholds() -> tuple[ThresholdRow, ...]:
    rows = []
    for scope, more in (("text", 0.0), ("corpus", 0.02)):
        for quantile in (0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95):
            for method in ("midpoint", "linear"):
                recall = min(1.0, 1.42 * (1 - quantile)) + more
                rows.append(
                    ThresholdRow(
                        **{"quantile": quantile, "method": method, "scope": scope},
                        **{"special": False, "strict": True, "high": round(10225 * (1 - quantile))},
                        **{"precision": 0.68 + 0.25 * quantile, "base_rate": 0.598},
                        **{"recall": recall, "interval": (1.3, 1.45), "p": 0.0004, "p_bh": 0.001},
                        excess=0.05 * quantile,
                    )
                )
    empty = {"high": 0, "precision": None, "recall": None, "interval": None, "p": None}
    return (*rows, replace(rows[0], quantile=0.999, **empty, p_bh=None, excess=None))


def _ratios() -> tuple[RatioRow, ...]:
    excess = {
        "all": {"HIGH": 0.052, "rarest": 0.081, "nearest": 0.442, "random": 0.001},
        "replaced": {"HIGH": 0.17, "rarest": 0.23, "nearest": 0.48, "random": -0.003},
        "unchanged": {"HIGH": -0.012, "rarest": 0.005, "nearest": 0.061, "random": 0.0},
    }
    rows = [
        RatioRow(
            bucket=bucket,
            tokens=tokens,
            distance=distance,
            ratio=0.25 + value,
            chance=0.25,
            excess=value,
            interval=(value - 0.02, value + 0.02),
            pairs=689,
        )
        for distance in ("shift", "cosine", "standardised")
        for tokens, values in excess.items()
        for bucket, value in values.items()
    ]
    nothing = {"ratio": None, "chance": None, "excess": None, "interval": None, "pairs": 0}
    return (*rows, replace(rows[0], bucket="LOW", **nothing))


def _confounds() -> tuple[ConfoundRow, ...]:
    def row(group: str, name: str, value: float | None, null: float, **more: Any) -> ConfoundRow:
        ends = None if value is None else (value - 0.015, value + 0.014)
        given = {"interval": ends, "kept": None, "n": 10225, "note": ""}
        return ConfoundRow(group=group, name=name, value=value, null=null, **given | more)

    return (
        row("alone", "frequency (rarer above)", 0.948, 0.5),
        row("alone", "length (longer above)", 0.934, 0.5),
        row("alone", "position (later above)", 0.523, 0.5),
        row("alone", "sub-word (later pieces above)", 0.541, 0.5),
        row("stratified", "AUC within frequency tenths, within texts", 0.631, 0.5, kept=0.18),
        row("matched", "content against its match by frequency, same text", 0.588, 0.5, kept=0.09),
        row("partial", "kind and strength, given log frequency", 0.114, 0.0, note="Spearman"),
        row("correlation", "strength with log frequency", -0.61, 0.0, note="Spearman"),
        row("correlation", "strength with position", None, 0.0, note="too few tokens"),
    )
