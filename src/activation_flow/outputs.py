"""What a model is asked about a text, and its answer: one number F, and the text's embedding.

Of a masked-language head, the log-probability of words that are masked; of a next-word head, that
of each token after those before it; of a classifier, the logit of the class that it gives the
unchanged text; an only logit with the sign that it has there. Without a head F = e·e₀/‖e₀‖, e the
mean over all tokens of h/‖h‖ at the last layer and e₀ that of the unchanged text, held fixed.
(The cosine of the two would do as little as any measure that is at its maximum where nothing is
changed: its gradient is 0 there.)
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import headed_passes
from activation_flow.data import BatchIds, Ids, Mask
from activation_flow.heads import Headed
from activation_flow.tokens import Encoded

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    PerText = Float[np.ndarray, "texts"]
    Vectors = Float[np.ndarray, "texts width"]
    Vector = Float[np.ndarray, "width"]
else:
    PerText = Vectors = Vector = np.ndarray

FOLDS = 3
HELD_OUT = 0.3
_COSINE = "1 − cosine of the embedding (mean of h/‖h‖)"
NAMES = {
    "mlm": ("log-probability of held-out words", _COSINE),
    "classifier": ("logit of the predicted class", _COSINE),
    "next": ("log-probability of the last words", _COSINE),
    "embedding": (_COSINE, "1 − cosine of the mean hidden state"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """What is asked about one text.

    Attributes:
        ids: as the model reads them: of a masked-language model the held-out words are masked.
        type_ids: segment numbers.
        free: tokens that may be changed: of a word, and not asked for.
        target_at: places whose token's log-probability is asked; none of a classifier or an
            embedding.
        target_ids: these tokens.
        target_class: of a classifier, the class that it gives the unchanged text.
        sign: -1 of a classifier whose only logit is negative, else 1: times it, F is high where
            the model is sure of what it says of the unchanged text.
        toward: of an embedding, e₀/‖e₀‖.
    """

    ids: Ids
    type_ids: Ids
    free: Mask
    target_at: Ids
    target_ids: Ids
    target_class: int | None = None
    sign: int = 1
    toward: Vector | None = None


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model says about texts of equal length.

    Attributes:
        f: [texts] log-probability or logit; None without a head.
        unit: [texts width], mean over all tokens of h/‖h‖ at the last layer.
        mean: [texts width], mean of h.
    """

    f: PerText | None
    unit: Vectors
    mean: Vectors


def questions(headed: Headed, one: Encoded, unit: Ids) -> tuple[Question, ...]:
    """What is asked to tell how much each token does; none where nothing can be asked.

    Of a masked-language model the words are dealt in turn into three folds, and one question
    asks for the words of each fold: every word is free in the others. Of the other models
    there is one question in which all words are free.

    Args:
        headed: the model.
        one: the text.
        unit: [tokens] of the text, the number of the word of each token, -1 of none.
    """
    words = np.unique(unit[unit >= 0])
    if headed.kind != "mlm":
        question = _plain(headed, one, unit, np.arange(1, len(unit)))
        return (question,) if headed.kind != "next" or len(question.target_at) else ()
    folds = [words[k::FOLDS] for k in range(FOLDS)]
    return tuple(_masked(headed, one, unit, fold) for fold in folds if len(fold))


def held_out(headed: Headed, one: Encoded, unit: Ids, seed: int) -> Question:
    """What is asked when words are removed: what is asked for is never removed.

    Of a masked-language model about 30 % of the words, drawn by the seed and the text itself; of a
    next-word model the last 30 %; of the others all words are free. At least one word is asked
    for and one is free; of a single word nothing is asked.
    """
    words = np.unique(unit[unit >= 0])
    if headed.kind not in ("mlm", "next"):
        return _plain(headed, one, unit, np.arange(0))
    n = min(max(1, round(HELD_OUT * len(words))), len(words) - 1) if len(words) else 0
    if headed.kind == "mlm":
        random = np.random.default_rng([seed, *one.text.ids.tolist()])
        return _masked(headed, one, unit, random.permutation(words)[:n])
    last = np.isin(unit, words[len(words) - n :])
    last[0] = False  # nothing comes before it
    return _plain(headed, one, np.where(last, -1, unit), np.flatnonzero(last))


def _masked(headed: Headed, one: Encoded, unit: Ids, asked: Ids) -> Question:
    """All pieces of the words that are asked for are masked."""
    held = np.isin(unit, asked)
    return Question(
        ids=np.where(held, headed.blank_id, one.text.ids),
        type_ids=one.type_ids,
        free=(unit >= 0) & ~held,
        target_at=np.flatnonzero(held),
        target_ids=one.text.ids[held],
    )


def _plain(headed: Headed, one: Encoded, unit: Ids, targets: Ids) -> Question:
    """The text as it is; ``targets`` are asked of a next-word model only."""
    import torch

    ids, at = one.text.ids, targets if headed.kind == "next" else targets[:0]
    target_class = toward = None
    sign = 1
    if headed.kind in ("classifier", "embedding"):
        with torch.no_grad():
            out = headed_passes.run(headed, ids[None], one.type_ids[None])
        if headed.kind == "classifier":
            target_class = int(out.logits[0].argmax())
            sign = -1 if out.logits.shape[-1] == 1 and float(out.logits[0, 0]) < 0 else 1
        else:
            e = out.hidden_states[-1].double()
            e = (e / _norm(e)).mean(dim=1)[0]
            toward = (e / _norm(e)).numpy()
    return Question(
        ids=ids,
        type_ids=one.type_ids,
        free=unit >= 0,
        target_at=at,
        target_ids=ids[at],
        target_class=target_class,
        sign=sign,
        toward=toward,
    )


def ask(
    headed: Headed, question: Question, ids: BatchIds, type_ids: BatchIds, target_at: BatchIds
) -> Answer:
    """The answers for changed texts of one length; keeps no gradients.

    Args:
        headed: the model.
        question: about the unchanged text.
        ids: [texts tokens].
        type_ids: likewise.
        target_at: [texts targets], where the tokens that are asked for stand now.

    Raises:
        ActivationFlowError: the model cannot be asked.
    """
    import torch

    size = headed_passes.at_once(headed, ids.shape[1])
    f: list[np.ndarray] = []
    unit: list[np.ndarray] = []
    mean: list[np.ndarray] = []
    with torch.no_grad():
        for k in range(0, len(ids), size):
            some = slice(k, k + size)
            out = headed_passes.run(headed, ids[some], type_ids[some])
            h = out.hidden_states[-1].double()
            unit.append((h / _norm(h)).mean(dim=1).numpy())
            mean.append(h.mean(dim=1).numpy())
            if headed.kind != "embedding":
                f.append(_head(headed, question, out, target_at[some]).numpy())
    return Answer(np.concatenate(f) if f else None, np.concatenate(unit), np.concatenate(mean))


def differentiable(headed: Headed, question: Question, rows: "Tensor") -> "Tensor":
    """F [texts] of the text with other rows of the word embedding, [texts tokens width].

    The ids reach the model as they are, since some models count positions by them.

    Raises:
        ActivationFlowError: the model cannot be asked.
    """
    import torch

    ids = np.broadcast_to(question.ids, rows.shape[:2])
    type_ids = np.broadcast_to(question.type_ids, rows.shape[:2])
    with headed_passes.replaced(headed, ids, rows):
        out = headed_passes.run(headed, ids, type_ids)
    if headed.kind == "embedding":
        h = out.hidden_states[-1].double()
        found: Tensor = (h / _norm(h)).mean(dim=1) @ torch.from_numpy(question.toward)
        return found
    target_at = np.broadcast_to(question.target_at, (len(rows), len(question.target_at)))
    return _head(headed, question, out, target_at)


def distance(before: Answer, after: Answer) -> tuple[PerText, PerText]:
    """How far changed texts are from the unchanged one: by the main and by the second measure.

    They are called as in ``NAMES``.

    Args:
        before: of the unchanged text, alone.
        after: of changed ones.
    """
    by_unit = _from_cosine(before.unit, after.unit)
    if before.f is None or after.f is None:
        return by_unit, _from_cosine(before.mean, after.mean)
    return before.f - after.f, by_unit


def _from_cosine(a: Vectors, b: Vectors) -> PerText:
    """1 − cos of each vector of b with the one of a.

    >>> _from_cosine(np.array([[2.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 3.0]]))
    array([0., 1.])
    """
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    found: PerText = 1 - (b @ a[0]) / np.maximum(lengths, np.finfo(float).tiny)
    return found


def _head(headed: Headed, question: Question, out: Any, target_at: BatchIds) -> "Tensor":
    """[texts], what the head says."""
    import torch

    if headed.kind == "classifier":
        found: Tensor = out.logits[:, question.target_class].double()
        return question.sign * found
    # The prediction of a token stands at the token before it, in a model that reads onwards.
    if headed.kind == "next" and (target_at < 1).any():
        raise ValueError("a token that nothing comes before cannot be asked for")
    at = torch.from_numpy(target_at - (headed.kind == "next"))
    logits = out.logits[torch.arange(len(at))[:, None], at]
    asked = torch.from_numpy(np.array(question.target_ids)).expand(at.shape)
    found = logits.log_softmax(dim=-1).gather(2, asked[..., None])[..., 0]
    return found.double().mean(dim=1)


def _norm(h: "Tensor") -> "Tensor":
    """Euclidean norm, for division."""
    found: Tensor = h.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    return found
