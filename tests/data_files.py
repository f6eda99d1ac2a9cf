"""The shared test data, which is no part of the project."""

import os
from pathlib import Path

import pytest


def data_file(name: str) -> Path:
    """A file of the shared test data; without it, a skip, and on CI a failure."""
    default = Path(__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get("AFN_TEST_DATA", default)) / name
    if not path.exists():
        reason = f"{path} is absent; AFN_TEST_DATA names the folder that holds {name}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
