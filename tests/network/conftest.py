"""Networks small enough to be quick, with weights that hide no mistake."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from cnnlstm_cli.network.build import build
from cnnlstm_cli.specs import ModelSpec


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def small() -> Callable[..., keras.Model]:
    """build() with a small specification: `small(lookback, horizon, channels, **changes of the spec)`."""

    def make(lookback: int = 23, horizon: int = 5, channels: int = 1, seed: int = 3, **changes: float) -> keras.Model:
        spec = ModelSpec(**{"filters": 8, "kernel": 6, "reduction": 3, "units": 7, **changes})
        return build(spec, lookback, horizon, channels, seed=seed)

    return make


@pytest.fixture
def unequal(small: Callable[..., keras.Model], random: np.random.Generator) -> Callable[..., keras.Model]:
    """The same with random weights everywhere, so that no two can be swapped and no zero hides a path.

    Moving variances, which must be positive, get values around 1.
    """

    def make(*shape: int, **changes: float) -> keras.Model:
        model = small(*shape, **changes)
        for weight in model.weights:
            values = random.normal(0, 0.4, weight.shape)
            weight.assign(1 + np.abs(values) if weight.name == "moving_variance" else values)
        return model

    return make
