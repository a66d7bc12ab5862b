"""A published network, to forecast with: ONNX Runtime, never TensorFlow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.windows import Windows

BATCH = 256  # windows; of many more the cache holds too few, and memory grows
THREADS = 2


class Session:
    """A network in ONNX: (N, L, C) scaled lookbacks -> (N, H, C) scaled forecasts, in batches.

    A network that knows the calendar wants that of the steps ahead, (N, H, K'), as well.
    """

    def __init__(self, model: bytes) -> None:
        """Raises ValueError when it is no network, or one of operations that onnxruntime itself does not know."""
        import onnxruntime as ort  # here, so that looking at a run does not load it

        options = ort.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.log_severity_level = 4  # what goes wrong is raised; nothing of it belongs on the user's terminal
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - its errors have no common class of their own
            raise ValueError(" ".join(str(error).split())) from None
        self._inputs = [each.name for each in self._session.get_inputs()]

    @property
    def shape(self) -> tuple[int, ...]:
        """(L, H) of the graph."""
        return tuple(ends[0].shape[1] for ends in (self._session.get_inputs(), self._session.get_outputs()))

    def run(self, lookbacks: NDArray[np.float32], calendar: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """(N, L, C), (N, H, K') float32 -> (N, H, C) float32. A linear model alone has no use for a calendar."""
        given = (lookbacks,) if calendar is None else (lookbacks, calendar)
        parts = []
        for start in range(0, len(lookbacks), BATCH):
            some = {name: rows[start : start + BATCH] for name, rows in zip(self._inputs, given, strict=False)}
            try:
                parts.append(self._session.run(None, some)[0])
            except Exception as error:  # noqa: BLE001 - its errors have no common class of their own
                raise DataError(f"the network does not take what run.json says: {error}. Train again.") from None
        return np.concatenate(parts)

    def validate(self, windows: Windows) -> NDArray[np.float32]:
        """Forecasts of the validation windows, (C * windows, H) scaled, channel by channel as `make_windows` stacks.

        Only a batch of lookbacks is copied at a time.
        """
        rows, starts, calendar = np.arange(windows.lookback), windows.validation, windows.calendar
        known = None if calendar is None else calendar.features()
        parts = []
        for first in range(0, len(starts), BATCH):
            some = starts[first : first + BATCH]
            told = None if calendar is None else calendar.ahead(known, some + windows.lookback, windows.horizon)
            parts.append(self.run(windows.values[some[:, None] + rows], told))
        return np.concatenate(parts).transpose(2, 0, 1).reshape(-1, windows.horizon)
