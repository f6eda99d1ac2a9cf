"""From what was typed to what is shown: the answer of each view, and its pictures."""

from typing import Any

from activation_flow import app_compare, app_corpus, app_explore, app_steer
from activation_flow.app_answers import Answers
from activation_flow.app_inputs import Compare, Corpus, Explore, Inputs, Steer
from activation_flow.app_shown import Shown


def view(answers: Answers, given: Inputs) -> tuple[Any, Shown]:
    """The result that such inputs ask for, and what a person sees of it.

    Raises:
        ActivationFlowError: they ask for something that cannot be; it says what.
    """
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
