"""Building and fitting a network where there is not memory enough for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from cnnlstm_cli.errors import UsageError


@contextlib.contextmanager
def enough_memory() -> Iterator[None]:
    """Turns the want of it into a UsageError."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise UsageError(
            "there is not enough memory for a network of this size. Take fewer model.filters or model.units, a smaller "
            "train.batch_size, or a shorter --lookback."
        ) from None
