"""Sample paths: sums over their steps spread as sums of what came did, which steps drawn alone would not."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlstm_cli.evaluation.paths import MOST_NUMBERS, MOST_WINDOWS, drawn, whole_windows

H = 12


def test_windows_of_all_columns_stand_beside_each_other():
    random = np.random.default_rng(0)
    measured = random.standard_normal((7, H))
    column, row = np.array([0, 0, 0, 0, 1, 1, 1]), np.array([3, 5, 8, 9, 3, 8, 9])
    measured[3, 2] = np.nan  # column 0 from row 9
    found = whole_windows(measured, column, row)
    expected = np.stack([np.stack([measured[a], measured[b]], axis=1) for a, b in ((0, 4), (2, 5))])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


def test_of_very_many_some_from_first_to_last_are_kept():
    rows = np.arange(5_000)
    found = whole_windows(rows[:, None] * np.ones((1, H)), np.zeros(5_000, dtype=int), rows)
    assert len(found) == MOST_WINDOWS
    assert (found[0, 0, 0], found[-1, 0, 0]) == (0, 4_999)
    long = MOST_NUMBERS // 10
    assert len(whole_windows(np.ones((20, long)), np.zeros(20, dtype=int), np.arange(20))) == 10


def test_none_whole_leaves_none():
    assert whole_windows(np.full((2, H), np.nan), np.zeros(2, dtype=int), np.arange(2)).shape == (0, H, 1)


def test_sums_over_the_steps_spread_as_they_did():
    """Errors that add up as a random walk does: the sum's deviation is far above that of as many lone steps."""
    random = np.random.default_rng(1)
    came = random.standard_normal((4_000, H)).cumsum(axis=1)
    windows = whole_windows(came, np.zeros(4_000, dtype=int), np.arange(4_000))
    paths = drawn(windows, np.full((1, H, 1), 3.0), 5_000, seed=0)[:, 0, :, 0]
    assert paths.sum(axis=1).std() == pytest.approx(3 * came.sum(axis=1).std(), rel=0.06)
    alone = 3 * np.sqrt((came.std(axis=0) ** 2).sum())
    assert paths.sum(axis=1).std() > 2.5 * alone


def test_targets_stay_together_and_series_do_not():
    random = np.random.default_rng(2)
    both = random.standard_normal((500, H, 1)) * np.array([1.0, -1.0])
    paths = drawn(both, np.ones((2, 4, 2)), 2_000, seed=3)
    assert paths.shape == (2_000, 2, 4, 2)
    np.testing.assert_array_equal(paths[..., 0], -paths[..., 1])
    assert abs(np.corrcoef(paths[:, 0, 0, 0], paths[:, 1, 0, 0])[0, 1]) < 0.1
    np.testing.assert_array_equal(paths, drawn(both, np.ones((2, 4, 2)), 2_000, seed=3))
