"""All rows that need no model: the tables', and what else the paper says of itself."""

from collections.abc import Iterator

import numpy as np

from activation_flow import paper_buckets, paper_layers, paper_shifts, paper_strengths
from activation_flow.paper import Row, claim, numbers, published, stated


def rows() -> Iterator[Row]:
    """All rows that need no model, in the paper's order."""
    yield from _formulas()
    yield from _one_layer_only()
    yield from paper_strengths.rows()
    yield from paper_layers.rows()
    yield _casing()
    yield from paper_shifts.rows()
    yield from _prompts()
    yield from paper_buckets.rows()
    yield from _conclusion()


def _formulas() -> Iterator[Row]:
    """What each formula leaves open, and what we took."""
    found = published()["formula"]
    taken = {
        "eq-1": "as written; strength.strength",
        "eq-2": "eq. 1 again",
        "eq-3": "midpoint, over the tokens of a text that are not special",
        "eq-4": "as written, strictly above; strength.bucket",
        "eq-5": "with its chance level k/n and an exact p; shift.concentration",
        "eq-6": "over aligned tokens; shift.shift",
    }
    notes = {
        "eq-2": "the same formula, numbered twice",
        "eq-3": "neither the percentile method nor the scope is given, nor whether special tokens "
        "take part; eq. 7 tells the method (see eq-7/tau)",
        "eq-4": "of n tokens with different strengths ⌈(n − 1)/4⌉ are HIGH under linear: "
        "2 of 6 is 33 %, 2 of 9 22 %, 3 of 10 30 %",
        "eq-5": "no chance level is given: k of n tokens chosen blindly hold k/n, not 0.5",
        "eq-6": "which token of A belongs to which of B is not said; the tables go index by index",
    }
    for name, about in found.items():
        open_ = name in ("eq-3", "eq-5", "eq-6")
        verdict = "not reported" if open_ else "arithmetic ok"
        yield Row(
            f"{name}/formula",
            about["place"],
            f"eq. {name.removeprefix('eq-')}",
            about["formula"],
            taken[name],
            verdict,
            notes.get(name, ""),
        )


def _one_layer_only() -> Iterator[Row]:
    """Section 2.4 takes one layer; Table 3 has two."""
    model = published()["model"]
    yield stated(
        "section-2.4/layer",
        model["only_layer_place"],
        "layers that are analysed",
        model["layer"],
        "8, 9",
        False,
        f"“{model['only_layer']}”; Table 3 and Figure 3 give layer 9, too",
    )


def _casing() -> Row:
    """An uncased model has no capital letters."""
    printed = [
        token
        for name in ("table-1", "table-2")
        for token in published()[name]["tokens"]
        if token.lower() in ("canada", "france")
    ]
    return stated(
        "casing",
        "Tables 1 to 3",
        "how the names of countries are printed",
        ", ".join(printed),
        ", ".join(token.lower() for token in printed),
        all(token.islower() for token in printed) or not any(token.islower() for token in printed),
        "the model is uncased and reads lower case; the tables print both",
    )


def _prompts() -> Iterator[Row]:
    """Section 3.2.3: which prompts the text names, and which its figures."""
    about = published()["prompts"]
    text, figures = about["prompts"], about["figures_prompts"]
    yield stated(
        "section-3.2.3/prompts",
        about["place"],
        "prompts of the text, and of Figures 4 to 7",
        ", ".join(text),
        ", ".join(figures),
        {*text} == {*figures},
        f"{len(text)} prompts in the text, {len(figures)} in the figures, and one of them in "
        "other words; how prompt and sentence are joined is not said",
    )


def _conclusion() -> Iterator[Row]:
    """Two words that the conclusion names; all that is printed of them is their shift."""
    table, about = published()["table-4"], published()["claim"]["truly-meaningful"]
    place, quote = claim("truly-meaningful")
    order = np.argsort(-numbers(table["shift"]))
    falling = [table["tokens_a"][i] for i in order]
    for token in about["tokens"]:
        yield Row(
            f"section-4/{token}",
            place,
            f"strength of “{token}”",
            None,
            f"rank {falling.index(token) + 1} of {len(falling)} by shift",
            "not reported",
            f"{quote}: no table gives its strength",
        )
