"""Plain words of the views."""

import pytest

from activation_flow import app_words


@pytest.mark.parametrize(
    ("quantile", "said"),
    [
        (0.75, "the strongest quarter"),
        (0.9, "the strongest tenth"),
        (0.8, "the strongest fifth"),
        (0.5, "the strongest half"),
        (0.6, "the 0.6 quantile"),
        (0.0, "the 0 quantile"),
        (1.0, "the 1 quantile"),
    ],
)
def test_the_border_of_high_is_named_truly(quantile: float, said: str) -> None:
    assert app_words.border({"quantile": quantile}) == said
