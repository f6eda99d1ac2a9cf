"""From what was typed to what is shown: the answer of each view, and its pictures."""

from typing import Any

from activation_flow import app_compare, app_corpus, app_explore, app_steer
from activation_flow.app_answers import Answers
from activation_flow.app_inputs import Compare, Corpus, Explore, Inputs, Steer
from activation_flow.app_shown import Shown
from activation_flow.data import ActivationFlowError
from activation_flow.results import TextsFailed


def view(answers: Answers, given: Inputs) -> tuple[Any, Shown]:
    """The result that such inputs ask for, and what a person sees of it.

    Raises:
        ActivationFlowError: they ask for something that cannot be; it says what.
    """
    try:
        return _view(answers, given)
    except TextsFailed as problem:
        # There is one text, or one pair of them, so that its number would say nothing.
        raise ActivationFlowError(_why(problem.results.errors[0].reason)) from problem


def _why(reason: str) -> str:
    """Why there is no result, of what stands in the fields.

    >>> _why("text B: it has no token of its own (it is empty)")
    'Text B has no token of its own (it is empty): type a word or more.'
    """
    whole = (
        f"T{reason[1:]}" if reason.startswith(("text A: ", "text B: ")) else f"The text: {reason}"
    )
    said = whole.replace(": it ", " ", 1)
    return f"{said}: type a word or more." if "no token of its own" in said else said


def _view(answers: Answers, given: Inputs) -> tuple[Any, Shown]:
    match given:
        case Explore():
            explored = answers.explore(given)
            return explored, app_explore.shown(
                explored, given, longest=answers.longest(given.model)
            )
        case Compare():
            compared = answers.compare(given)
            layers = range(compared.provenance.n_layers + 1)
            return compared, app_compare.shown(
                compared, given, layers, longest=answers.longest(given.model)
            )
        case Steer():
            steered = answers.steer(given)
            return steered, app_steer.shown(steered, given, longest=answers.longest(given.model))
        case Corpus():
            if not given.run:
                return None, app_corpus.nothing()
            opened = answers.corpus(given)
            return opened, app_corpus.shown(opened, given)
    raise TypeError(f"there is no view of {type(given).__name__}")
