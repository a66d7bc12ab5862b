"""Occlusion against the closed form of a linear network, whose forecast moves by weights times what is changed."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from cnnlstm_cli import occlusion
from cnnlstm_cli.errors import DataError
from cnnlstm_cli.forecast import Session
from cnnlstm_cli.occlusion import occlude, on_scale_of, segments

L, H, C = 12, 3, 2
RANDOM = np.random.default_rng(5)
WEIGHTS = RANDOM.normal(size=(L, H)).astype(np.float32)
PARTS = np.array([[0, 2], [2, 7], [7, 12]])


def linear(weights: np.ndarray) -> Session:
    """(N, L, C) -> (N, H, C), each channel's rows times the weights (L, H)."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size, C])
        for name, size in (("lookback", L), ("forecast", H))
    ]
    node = helper.make_node("Einsum", ["lookback", "weights"], ["forecast"], equation="blc,lh->bhc")
    graph = helper.make_graph([node], "linear", ends[:1], ends[1:], [onnx.numpy_helper.from_array(weights, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return Session(model.SerializeToString())


def windows(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Lookbacks that differ in level and spread, and what came."""
    level, spread = RANDOM.normal(0, 5, (count, 1, C)), RANDOM.uniform(0.5, 3, (count, 1, C))
    rows = level + spread * RANDOM.normal(size=(count, L, C))
    return rows.astype(np.float32), RANDOM.normal(size=(count, H, C)).astype(np.float32)


def test_a_linear_network_moves_by_its_weights_times_the_difference():
    """Of two windows each is given the other's rows, on its own scale."""
    rows, came = windows(2)
    found = occlude(linear(WEIGHTS), rows, None, came, PARTS)
    exact = rows.astype(np.float64)
    scaled = (exact - exact.mean(axis=1, keepdims=True)) / exact.std(axis=1, keepdims=True)
    given = scaled[::-1] * exact.std(axis=1, keepdims=True) + exact.mean(axis=1, keepdims=True)
    error = np.einsum("nlc,lh->nhc", exact, WEIGHTS) - came
    assert found.error == pytest.approx(np.abs(error).mean(), rel=1e-5)
    for place, (first, end) in enumerate(PARTS):
        change = np.einsum("nlc,lh->nhc", (given - exact)[:, first:end], WEIGHTS[first:end])
        np.testing.assert_allclose(found.moved[place], np.abs(change).mean(axis=(0, 2)), rtol=1e-4)
        assert found.errors[place] == pytest.approx(np.abs(error + change).mean(), rel=1e-4)


def test_only_what_the_network_looks_at_moves_it(monkeypatch):
    weights = np.zeros((L, H), dtype=np.float32)
    weights[4] = 1
    rows, came = windows(40)
    found = occlude(linear(weights), rows, None, came, PARTS)
    assert (found.moved[[0, 2]] == 0).all()
    assert (found.moved[1] > 0.5).all()
    assert found.errors[0] == found.errors[2] == pytest.approx(found.error)
    monkeypatch.setattr(occlusion, "BATCH", 7)
    in_batches = occlude(linear(weights), rows, None, came, PARTS)
    np.testing.assert_allclose(in_batches.moved, found.moved, rtol=1e-6)
    np.testing.assert_allclose(in_batches.errors, found.errors, rtol=1e-6)


class Seen:
    """In the place of a session: keeps what it is given, and forecasts nothing."""

    def __init__(self) -> None:
        self.given: list[np.ndarray] = []

    def run(self, lookbacks: np.ndarray, calendar: np.ndarray | None) -> np.ndarray:
        assert calendar is None
        self.given.append(lookbacks)
        return np.zeros((len(lookbacks), H, C), dtype=np.float32)


def test_every_window_is_given_another_and_each_is_given_once():
    session, (rows, came) = Seen(), windows(30)
    occlude(session, rows, None, came, np.array([[0, L]]))
    whole, hidden = session.given
    np.testing.assert_array_equal(whole, rows)
    alike = np.array([[np.corrcoef(one[:, 0], other[:, 0])[0, 1] > 0.999 for other in rows] for one in hidden])
    assert not alike.diagonal().any()
    assert (alike.sum(axis=0) == 1).all()
    assert (alike.sum(axis=1) == 1).all()


def test_others_come_on_the_scale_of_the_window():
    (rows, _), (others, _) = windows(4), windows(4)
    others[2, :, 1] = 7  # flat
    moved = on_scale_of(rows, others)
    np.testing.assert_allclose(moved.mean(axis=1), rows.mean(axis=1), atol=1e-5)
    spread = rows.std(axis=1)
    spread[2, 1] = 0
    np.testing.assert_allclose(moved.std(axis=1), spread, rtol=1e-4, atol=1e-6)
    assert np.corrcoef(moved[0, :, 0], others[0, :, 0])[0, 1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("lookback", "seasons", "count", "oldest", "newest"),
    [
        (336, (24, 168), 14, [0, 24], [312, 336]),
        (50, (24,), 3, [0, 2], [26, 50]),
        (40, (24,), 20, [0, 2], [38, 40]),  # held less than twice
        (30, (), 30, [0, 1], [29, 30]),
        (2016, (24,), 28, [0, 72], [1944, 2016]),  # three seasons in one
        (1, (), 1, [0, 1], [0, 1]),
    ],
)
def test_segments_cover_the_lookback_from_the_newest_row_back(lookback, seasons, count, oldest, newest):
    found = segments(lookback, seasons)
    assert (len(found), found[0].tolist(), found[-1].tolist()) == (count, oldest, newest)
    assert (found[1:, 0] == found[:-1, 1]).all()


def test_one_window_has_no_other():
    rows, came = windows(1)
    with pytest.raises(DataError, match="one window alone"):
        occlude(linear(WEIGHTS), rows, None, came, PARTS)
