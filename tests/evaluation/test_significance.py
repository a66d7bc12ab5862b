"""The test of equal accuracy against loops written from its paper, tables of Student's t, and how often it errs."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from cnnlstm_cli.evaluation.significance import diebold_mariano, students_tails


@pytest.mark.parametrize(
    ("t", "freedom", "tails"),
    [
        (12.706, 1, 0.05),
        (4.303, 2, 0.05),
        (9.925, 2, 0.01),
        (3.182, 3, 0.05),
        (2.571, 5, 0.05),
        (2.228, 10, 0.05),
        (3.169, 10, 0.01),
        (1.812, 10, 0.10),
        (2.045, 29, 0.05),
        (2.660, 60, 0.01),
        (1.980, 120, 0.05),
        (1.960, 1_000_000, 0.05),
    ],
)
def test_students_tails_are_those_of_the_tables(t, freedom, tails):
    assert students_tails(t, freedom) == pytest.approx(tails, rel=3e-3)
    assert students_tails(-t, freedom) == students_tails(t, freedom)


def test_students_tails_are_the_area_under_its_density():
    for freedom in (3, 4, 17):
        x = np.linspace(1.3, 2000, 4_000_001)
        size = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
        area = 2 * np.trapezoid(size * (1 + x**2 / freedom) ** (-(freedom + 1) / 2), x)
        assert students_tails(1.3, freedom) == pytest.approx(area, abs=1e-6)
    assert students_tails(0, 7) == 1
    assert students_tails(1e12, 7) == pytest.approx(0, abs=1e-15)


def by_hand(differential, rows, horizon):
    """The statistic from the formulas of both papers, pair by pair."""
    n, mean = len(differential), sum(differential) / len(differential)
    at = {row: value - mean for row, value in zip(rows, differential, strict=True)}
    stride = min([horizon, *(b - a for a, b in pairwise(rows))])
    h = math.ceil(horizon / stride)

    def autocovariance(lag):
        return sum(value * at[row + lag] for row, value in at.items() if row + lag in at) / n

    variance = autocovariance(0) + 2 * sum(autocovariance(lag) for lag in range(1, horizon))
    if variance <= 0:
        variance = autocovariance(0) + 2 * sum((1 - k / horizon) * autocovariance(k) for k in range(1, horizon))
    return mean / math.sqrt(variance / n) * math.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)


@pytest.mark.parametrize(("horizon", "stride"), [(1, 1), (3, 1), (7, 1), (7, 3), (4, 6)])
def test_the_statistic_is_that_of_the_papers_formulas(horizon, stride):
    random = np.random.default_rng(horizon)
    rows = np.delete(np.arange(80), [11, 12, 40]) * stride + 5  # some are missing
    differential = random.normal(0.1, 1, len(rows)) + 0.8 * np.sin(rows / 9)
    found = diebold_mariano(differential, rows, horizon)
    assert found.statistic == pytest.approx(by_hand(differential.tolist(), rows.tolist(), horizon))
    assert found.mean == pytest.approx(differential.mean())
    assert found.horizons == 77 // math.ceil(horizon / stride)
    assert found.p == pytest.approx(students_tails(found.statistic, found.horizons - 1))


def test_of_one_step_ahead_it_is_students_own():
    found = diebold_mariano(np.array([1.0, 2, 3, 4]), np.arange(4), 1)
    assert found.statistic == pytest.approx(2.5 / (math.sqrt(5 / 3) / 2))
    assert found.p == pytest.approx(0.030466, abs=1e-6)  # 1 - 2/pi (a + tan a / (1 + tan^2 a)), tan a = sqrt 5


def test_where_the_rectangular_kernel_is_negative_it_is_bartletts():
    differential = np.array([1.0, -1] * 10) + np.linspace(0, 0.6, 20)
    found = diebold_mariano(differential, np.arange(20), 2)
    assert found.kernel == "Bartlett"
    assert found.statistic == pytest.approx(by_hand(differential.tolist(), list(range(20)), 2))
    assert diebold_mariano(differential, np.arange(20), 1).kernel == "rectangular"


def test_swapped_it_changes_only_its_sign():
    differential, rows = np.random.default_rng(3).normal(0.3, 1, 50), np.arange(50)
    one, other = diebold_mariano(differential, rows, 4), diebold_mariano(-differential, rows, 4)
    assert (one.mean, one.statistic, one.p) == (-other.mean, -other.statistic, other.p)


def test_the_same_losses_show_no_difference_and_few_show_nothing():
    same = diebold_mariano(np.zeros(30), np.arange(30), 3)
    assert (same.statistic, same.p) == (None, 1.0)
    few = diebold_mariano(np.linspace(5, 6, 23), np.arange(23), 12)
    assert (few.statistic, few.p, few.horizons) == (None, None, 1)
    assert diebold_mariano(np.ones(1), np.array([7]), 1).p is None


def share_called(origins, horizon, count, seed):
    """In how many of `count` simulations equal forecasters, whose windows overlap, are told apart at 5 %."""
    random, called = np.random.default_rng(seed), 0
    for _ in range(count):
        shocks = random.normal(size=origins + horizon - 1)
        differential = np.convolve(shocks, np.ones(horizon) / horizon, "valid")
        called += diebold_mariano(differential, np.arange(origins), horizon).p < 0.05
    return called / count


@pytest.mark.parametrize(("origins", "horizon"), [(30, 1), (100, 4)])
def test_equal_forecasters_are_told_apart_as_seldom_as_is_said(origins, horizon):
    count = 600
    error = math.sqrt(0.05 * 0.95 / count)
    assert share_called(origins, horizon, count, seed=1) == pytest.approx(0.05, abs=3 * error)


def test_nor_much_more_often_from_few_windows_that_do_not_overlap():
    assert share_called(60, 12, 600, seed=2) < 0.09  # with n - 1 degrees of freedom 0.13
    assert share_called(41, 12, 600, seed=3) < 0.08  # 0.17
