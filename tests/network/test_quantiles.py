"""The network of quantiles: which output is which, how it starts, and that it learns the quantiles asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlstm_cli.network import checkpoint
from cnnlstm_cli.network.export import export
from cnnlstm_cli.network.fit import OnStep
from cnnlstm_cli.network.quantiles import learn, pinball, quantile_network
from cnnlstm_cli.runs.session import Session
from cnnlstm_cli.series.calendar import Calendar
from cnnlstm_cli.series.windows import Windows
from cnnlstm_cli.specs import ModelSpec, TrainSpec

L, H = 12, 3
SHARES = (0.025, 0.1, 0.9, 0.975)
NORMAL = (-1.96, -1.2816, 1.2816, 1.96)
SPEC = ModelSpec(filters=4, kernel=4, units=4, **dict.fromkeys(("conv_dropout", "recurrent_dropout", "dropout"), 0.0))


def noise(rows: int, deviation: np.ndarray | float = 1.0) -> Windows:
    values = np.random.default_rng(0).standard_normal(rows) * deviation
    starts = np.arange(rows - L - H)
    return Windows(values.astype(np.float32)[:, None], L, H, starts, starts[:0])


def test_the_loss_is_that_of_the_paper():
    random = np.random.default_rng(1)
    made, came = random.standard_normal((5, H, 4)), random.standard_normal((5, H, 1))
    expected = np.empty_like(made)
    for (b, h, q), forecast in np.ndenumerate(made):
        missed = came[b, h, 0] - forecast
        expected[b, h, q] = SHARES[q] * missed if missed > 0 else (1 - SHARES[q]) * -missed
    np.testing.assert_allclose(pinball(SHARES)((made - came).astype(np.float32)), expected, rtol=1e-5)


def test_each_step_and_quantile_has_its_own_output():
    """In a network that is but its skip, of which each column is another."""
    model = quantile_network(replace(SPEC, normalisation="none"), noise(40), SHARES, None, seed=0)
    long = model.get_layer("cnn_lstm")
    for weight in long.weights:
        weight.assign(np.zeros(weight.shape))
    weights = np.random.default_rng(2).standard_normal((L, 4 * H)).astype(np.float32)
    long.get_layer("skip").set_weights([weights])
    rows = np.random.default_rng(3).standard_normal((5, L, 1)).astype(np.float32)
    made = np.asarray(model(rows))
    assert made.shape == (5, H, 4)
    for h in range(H):
        for q in range(4):
            np.testing.assert_allclose(made[:, h, q], rows[:, :, 0] @ weights[:, q * H + h], rtol=1e-4)


def test_all_quantiles_begin_as_the_linear_model():
    weights = np.random.default_rng(4).standard_normal((L, H))
    model = quantile_network(
        replace(SPEC, normalisation="standard", start="linear"), noise(40), SHARES, weights, seed=0
    )
    rows = np.random.default_rng(5).standard_normal((5, L, 1)).astype(np.float32)
    mean, deviation = rows.mean(axis=1), rows.std(axis=1)
    expected = mean + ((rows[:, :, 0] - mean) / deviation) @ weights * deviation
    np.testing.assert_allclose(model(rows), np.repeat(expected[:, :, None], 4, axis=2), rtol=1e-3, atol=1e-5)


def test_it_learns_the_quantiles_of_noise_by_the_hour(tmp_path: Path):
    """Of deviation 1 in every other step, .1 between, as the calendar alone tells; and ONNX answers alike."""
    rows = 1_500
    even = np.arange(rows) % 2 == 0
    windows = noise(rows, np.where(even, 1.0, 0.1))
    clock = np.where(even, np.datetime64("2024-01-01T00"), np.datetime64("2024-01-01T12")).astype("datetime64[ns]")
    windows = replace(windows, calendar=Calendar.of(clock, "day", np.empty((rows, 0), np.float32), (), ()))
    spec = replace(SPEC, normalisation="none", skip=False)
    train = TrainSpec(epochs=8, batch_size=64, learning_rate=0.02)
    model = learn(spec, windows, train, SHARES, None, on_step=lambda *_: None)
    assert export(model, tmp_path / "quantiles.onnx") < 1e-4
    session = Session((tmp_path / "quantiles.onnx").read_bytes())
    assert session.shape == (L, H, 4)
    starts = np.arange(200)
    made = session.validate(replace(windows, validation=starts)).reshape(4, 200, H)
    loud = even[starts[:, None] + L + np.arange(H)]
    for z, learnt in zip(NORMAL, made, strict=True):
        assert learnt[loud].mean() == pytest.approx(z, abs=0.25)
        assert learnt[~loud].mean() == pytest.approx(z / 10, abs=0.06)


def test_cut_off_it_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its checkpoint, to the same weights as one that was let alone."""
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    spec, train = replace(SPEC, dropout=0.3), TrainSpec(epochs=4)

    def cut_off(*told: Any) -> None:
        if told[2] and told[2].number == 3:
            raise KeyboardInterrupt

    def trained(on_step: OnStep, path: Path | None) -> list[np.ndarray]:
        return list(learn(spec, noise(200), train, SHARES, None, on_step=on_step, checkpoint=path).get_weights())

    with pytest.raises(KeyboardInterrupt):
        trained(cut_off, tmp_path / "kept.npz")
    told: list[int] = []
    again = trained(lambda step, *_: told.append(step), tmp_path / "kept.npz")
    assert min(told) > 0, "it began anew"
    for one, other in zip(trained(lambda *_: None, None), again, strict=True):
        np.testing.assert_array_equal(one, other)
