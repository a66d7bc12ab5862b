"""A training that was cut off goes on from its checkpoint, and ends to the bit as if it had not been."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from cnnlstm_cli.network import checkpoint
from cnnlstm_cli.network.fit import Fit, fit
from cnnlstm_cli.series.windows import Windows
from cnnlstm_cli.specs import TrainSpec

Make = Callable[..., keras.Model]
DROPS = {"conv_dropout": 0.2, "recurrent_dropout": 0.2, "dropout": 0.2}


@pytest.fixture(autouse=True)
def _every_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)


@pytest.fixture
def waves(random: np.random.Generator) -> Windows:
    series = np.sin(np.arange(400) * np.pi / 6) + random.normal(0, 0.1, 400)
    return Windows(series.astype(np.float32)[:, None], 23, 5, np.arange(250), np.arange(300, 370))


def losses(fitted: Fit) -> list[tuple[int, float, float]]:
    return [(epoch.number, epoch.loss, epoch.validation) for epoch in fitted.history]


def stopping(epochs: int) -> Callable[..., None]:
    """Ctrl-C in the middle of the epoch after so many."""
    seen: list[int] = []

    def on_step(_: int, __: int, epoch: Any) -> None:
        seen.append(epoch.number if epoch else 0)
        if seen.count(epochs) == 2:
            raise KeyboardInterrupt

    return on_step


@pytest.mark.parametrize("optimizer", ["nadam", "sgd"])
@pytest.mark.parametrize("epochs", [1, 4, 6])
def test_it_ends_to_the_bit_as_one_that_was_not_cut_off(
    small: Make, waves: Windows, tmp_path: Path, epochs: int, optimizer: str
) -> None:
    spec = TrainSpec(epochs=7, optimizer=optimizer, seed=5)  # type: ignore[arg-type]
    whole, cut = small(**DROPS), small(**DROPS)
    wanted = fit(whole, waves, spec)
    with pytest.raises(KeyboardInterrupt):
        fit(cut, waves, spec, on_step=stopping(epochs), checkpoint=tmp_path / "it.npz")
    again = small(**DROPS)
    resumed = fit(again, waves, spec, checkpoint=tmp_path / "it.npz")
    assert (losses(resumed), resumed.best) == (losses(wanted), wanted.best)
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert all(a.seconds < b.seconds for a, b in zip(resumed.history, resumed.history[1:], strict=False))


def test_one_that_was_finished_is_not_trained_again(small: Make, waves: Windows, tmp_path: Path) -> None:
    spec, path = TrainSpec(epochs=3), tmp_path / "it.npz"
    first, second = small(), small()
    wanted = fit(first, waves, spec, checkpoint=path)
    steps: list[int] = []
    assert fit(second, waves, spec, checkpoint=path, on_step=lambda step, *_: steps.append(step)) == wanted
    assert len(steps) == 1
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2_000])


def _of_another_network(path: Path) -> None:
    kept = dict(np.load(path))
    np.savez(path, allow_pickle=False, **{**kept, "variable_0": np.zeros((2, 2))})


def _of_objects(path: Path) -> None:
    kept = dict(np.load(path))
    np.savez(path, **{**kept, "told": np.array({"history": []}, dtype=object)})


@pytest.mark.parametrize("harm", [_cut_short, _of_another_network, _of_objects, Path.unlink])
def test_what_is_no_checkpoint_of_it_is_passed_over(
    small: Make, waves: Windows, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    spec, path = TrainSpec(epochs=2), tmp_path / "it.npz"
    wanted = fit(small(), waves, spec, checkpoint=path)
    harm(path)
    steps: list[int] = []
    assert losses(fit(small(), waves, spec, checkpoint=path, on_step=lambda step, *_: steps.append(step))) == losses(
        wanted
    )
    assert len(steps) > 2
