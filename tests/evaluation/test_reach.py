"""How far back: from curves whose answer can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlstm_cli.evaluation.reach import agreement, by_segment, decay, flow, reach


@pytest.mark.parametrize(
    ("curve", "share", "newest"),
    [
        ([0, 0, 0, 1], 0.9, 1),
        ([1, 0, 0, 0], 0.9, 4),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 0.9, 9),
        ([1, 1, 1, 1], 0.5, 2),
        ([5, 3, 2], 0.5, 2),
        ([0, 0], 0.9, 0),
    ],
)
def test_the_newest_that_carry_a_share(curve, share, newest):
    assert reach(np.array(curve, dtype=float), share) == newest


@pytest.mark.parametrize(
    ("oldest", "newest", "said"),
    [
        (0.0, 1.0, "vanishes"),
        (0.0019, 1.0, "vanishes"),
        (0.0021, 1.0, "fades"),
        (0.11, 1.0, "carries"),
        (499.0, 1.0, "carries"),
        (501.0, 1.0, "explodes"),
        (1.0, 0.0, "none"),
    ],
)
def test_what_becomes_of_the_gradient_on_its_way_back(oldest, newest, said):
    curve = np.array([oldest, 17.0, newest])
    assert flow(curve) == said
    assert np.isnan(decay(curve)) if said == "none" else decay(curve) == oldest / newest


def test_segments_are_summed():
    assert by_segment(np.arange(7.0), np.array([[0, 1], [1, 4], [4, 7]])).tolist() == [0, 6, 15]


def test_rank_correlation_is_by_spearmans_formula_and_blind_to_scale():
    one, other = np.array([3.0, 1.0, 4.0, 1.5, 9.0]), np.array([0.2, 0.3, 0.1, 0.5, 0.6])
    ranks, others = np.array([3, 1, 4, 2, 5]), np.array([2, 3, 1, 4, 5])
    assert agreement(one, other) == pytest.approx(1 - 6 * ((ranks - others) ** 2).sum() / (5 * 24))
    assert agreement(one, np.exp(one)) == pytest.approx(1)
    assert agreement(one, -(one**3)) == pytest.approx(-1)


def test_equal_values_share_their_rank():
    assert agreement(np.array([1.0, 1, 2, 3]), np.array([1.0, 2, 3, 4])) == pytest.approx(np.sqrt(0.9))


@pytest.mark.parametrize("one", [[1.0, 2.0], [1.0, 1.0, 1.0]])
def test_too_little_to_rank(one):
    assert np.isnan(agreement(np.array(one), np.arange(float(len(one)))))
