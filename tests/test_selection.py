from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from activation_flow import selection
from activation_flow.data import ActivationFlowError
from activation_flow.selection import corpus_threshold, order_statistics
from activation_flow.strength import QUANTILE_METHODS, threshold


@st.composite
def sizes_and_quantiles(draw: st.DrawFn) -> tuple[int, float]:
    """Also quantiles that fall on a value, between two, and at the borders."""
    n = draw(st.integers(1, 2000) | st.integers(1, 9))
    k = draw(st.integers(0, n))
    on_a_value = [k / n, min((k + 0.5) / n, 1.0), k / max(n - 1, 1) if k < n else 1.0]
    special = st.sampled_from([0.0, 1.0, 0.25, 0.5, 0.75, 1e-300, 1 - 2**-53, *on_a_value])
    return n, draw(special | st.floats(0, 1))


class TestOrderStatistics:
    @pytest.mark.parametrize("method", QUANTILE_METHODS)
    @given(of=sizes_and_quantiles(), seed=st.integers(0, 99), digits=st.sampled_from([0, 1, 7]))
    @settings(max_examples=300)
    def test_two_values_make_numpys_quantile_bit_for_bit(
        self, method: str, of: tuple[int, float], seed: int, digits: int
    ) -> None:
        n, quantile = of
        values = np.random.default_rng(seed).normal(20, 5, n).round(digits).astype(np.float32)
        x = np.sort(values.astype(np.float64))
        lower, upper, weight = order_statistics(n, quantile, method)
        assert 0 <= lower <= upper <= min(lower + 1, n - 1)
        assert 0 <= weight <= 1
        made = np.quantile([x[lower], x[upper]], weight)
        assert made == np.quantile(x, quantile, method=method)

    @pytest.mark.parametrize("method", QUANTILE_METHODS)
    def test_at_the_borders_it_is_the_first_or_the_last_value(self, method: str) -> None:
        for n in (1, 2, 3, 10):
            for quantile, place in ((0.0, 0), (1.0, n - 1)):
                lower, upper, weight = order_statistics(n, quantile, method)
                assert (upper if weight == 1 else lower) == place
                assert weight in (0, 1)


def parts(folder: Path, *tables: tuple[np.ndarray, np.ndarray, np.ndarray]) -> list[Path]:
    """Files of ``tokens``: layer, strength, and whether the token takes part."""
    paths = []
    for number, (layer, strength, part) in enumerate(tables):
        columns = {
            "layer": pa.array(layer, pa.int32()),
            "strength": pa.array(strength, pa.float32()),
            "rank": pa.array(np.ones(len(part)), pa.int32(), mask=~part),
        }
        paths.append(folder / f"part-{number:05d}.parquet")
        parquet.write_table(pa.table(columns), paths[-1])
    return paths


def random_parts(rng: np.random.Generator, draw: str) -> list[tuple[np.ndarray, ...]]:
    found = []
    for n in (700, 1, 0, 400):
        layer = rng.choice([0, 4, 12], n)
        strength = {
            "normal": lambda n=n: rng.normal(20, 3, n),
            "tied": lambda n=n: rng.integers(3, 7, n).astype(float),
            "one far": lambda n=n: np.where(rng.random(n) < 0.01, 1e6, rng.normal(20, 3, n)),
            "all scales": lambda n=n: 10.0 ** rng.uniform(-38, 38, n),
            "the same": lambda n=n: np.full(n, 0.1),
        }[draw]()
        found.append((layer, strength.astype(np.float32), rng.random(n) < 0.8))
    return found


def expected(tables: list[tuple[np.ndarray, ...]], quantile: float, method: str) -> dict:
    layer, strength, part = (np.concatenate(column) for column in zip(*tables, strict=True))
    return {
        k: threshold(strength[None, part & (layer == k)], quantile, method)[0]
        for k in np.unique(layer[part])
    }


class TestCorpusThreshold:
    @pytest.mark.parametrize("draw", ["normal", "tied", "one far", "all scales", "the same"])
    @pytest.mark.parametrize(("bins", "few"), [(2**14, 2**20), (2, 0), (7, 30)])
    def test_it_is_numpys_quantile_of_all_bit_for_bit(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw: str, bins: int, few: int
    ) -> None:
        monkeypatch.setattr(selection, "BINS", bins)
        monkeypatch.setattr(selection, "FEW", few)
        rng = np.random.default_rng(bins)
        tables = random_parts(rng, draw)
        paths = parts(tmp_path, *tables)
        for method, quantile in (("midpoint", 0.75), ("linear", rng.random()), ("hazen", 0.3)):
            found = corpus_threshold(paths, quantile, method)
            assert found == expected(tables, quantile, method)
            assert {type(k) for k in found} == {int}

    @pytest.mark.parametrize("method", QUANTILE_METHODS)
    def test_every_method(self, tmp_path: Path, method: str) -> None:
        tables = random_parts(np.random.default_rng(5), "normal")
        paths = parts(tmp_path, *tables)
        for quantile in (0.0, 0.5, 1.0):
            assert corpus_threshold(paths, quantile, method) == expected(tables, quantile, method)

    def test_where_no_token_takes_part_there_is_none(self, tmp_path: Path) -> None:
        nothing = np.zeros(3, dtype=bool)
        assert corpus_threshold(parts(tmp_path, (np.ones(3), np.ones(3), nothing))) == {}
        assert corpus_threshold([]) == {}

    def test_a_damaged_part_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "part-00000.parquet"
        path.write_bytes(b"PAR1 not")
        with pytest.raises(ActivationFlowError, match=r"cannot be found.*part-00000"):
            corpus_threshold([path])
