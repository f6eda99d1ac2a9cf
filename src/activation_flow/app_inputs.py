"""What a person has typed and chosen in each view of the page, and nothing that follows from it.

These are what a link holds; see app_link.
"""

from dataclasses import dataclass

QUANTILE = 0.75  # as in analysis.Buckets


@dataclass(frozen=True, kw_only=True)
class Explore:
    """One text, layer by layer.

    Attributes:
        text: typed.
        model: a name that ``Encoder.from_pretrained`` takes; "" is the one the page began with.
        layer: that is looked at; None is two thirds of the depth.
        quantile: of S that makes τ.
        words: pieces are aggregated to words.
    """

    text: str = "Who is the prime minister of Canada?"
    model: str = ""
    layer: int | None = None
    quantile: float = QUANTILE
    words: bool = False


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Two texts, aligned.

    Attributes:
        a: the first text.
        b: the second.
        model: see ``Explore``.
        layer: see ``Explore``.
        quantile: of S that makes τ, and so R_H.
        words: words are compared, not pieces.
        align: ``diff`` or ``position``.
    """

    a: str = "Enjoying a beautiful day at the park!"
    b: str = "Enjoying a beautiful walk at the beach!"
    model: str = ""
    layer: int | None = None
    quantile: float = QUANTILE
    words: bool = False
    align: str = "diff"


@dataclass(frozen=True, kw_only=True)
class Steer:
    """A text under several prompts.

    Attributes:
        text: typed.
        prompts: each once, in order.
        baseline: the bare text is compared, too, and stands first.
        model: see ``Explore``.
        layer: that the matrix and the tokens are of; the depth curve is of all.
        quantile: of S that makes τ.
        a: place of the first prompt of the chosen pair (the bare text is 0 if ``baseline``).
        b: place of the second.
    """

    text: str = "The weather is nice today."
    prompts: tuple[str, ...] = ("Summarize", "Translate to French", "Classify sentiment")
    baseline: bool = False
    model: str = ""
    layer: int | None = None
    quantile: float = QUANTILE
    a: int = 0
    b: int = 1


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A run folder.

    Attributes:
        run: path of the folder.
        layer: that the tables are of; None is the one nearest to two thirds of the
            depth.
        find: a type of token, or a word, whose sentences are shown; "" for none.
    """

    run: str = ""
    layer: int | None = None
    find: str = ""


Inputs = Explore | Compare | Steer | Corpus
VIEWS: dict[str, type[Inputs]] = {
    "explore": Explore,
    "compare": Compare,
    "steer": Steer,
    "corpus": Corpus,
}


def view_of(inputs: Inputs) -> str:
    """The name of the view that such inputs belong to."""
    return next(name for name, kind in VIEWS.items() if isinstance(inputs, kind))
