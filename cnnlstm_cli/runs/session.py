"""A published network, to forecast with: ONNX Runtime, never TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.runs.graph import nodes
from cnnlstm_cli.runs.published import content
from cnnlstm_cli.series.windows import Windows

BATCH = 256  # windows; of many more the cache holds too few, and memory grows
THREADS = 2
MOST_NODES = 100_000  # of a network; 64 members of 8 blocks and layers have a tenth of it


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

    @classmethod
    def published(cls, path: Path, sha256: str, shape: tuple[int, int, int]) -> Session:
        """The network in a file of a version.

        Raises DataError when that is not the one that was published, or it is none of `shape` (L, H, C).
        """
        model = content(path, sha256)
        try:
            if nodes(model) > MOST_NODES:
                raise ValueError(f"it has over {MOST_NODES:,} nodes")
            session = cls(model)
        except ValueError as error:
            raise DataError(f"{path} holds no network to forecast with: {error}. Train again.") from None
        if session.shape != shape:
            raise DataError(
                f"{path} is of lookback, horizon and columns {session.shape}, run.json says {shape}: one of them was "
                "changed. Train again, or name another version."
            )
        return session

    @property
    def shape(self) -> tuple[int, ...]:
        """(L, H, C) of the graph."""
        first, last = (ends[0].shape for ends in (self._session.get_inputs(), self._session.get_outputs()))
        return (*first[1:2], *last[1:])

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

    def alone(self, lookbacks: NDArray[np.float32], calendar: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """(N, L, C), (N, H, K') float32 -> (Q, N, H, C) float32: each column as a series of its own, of a network that
        forecasts one, or Q quantiles of it."""
        count, rows, columns = lookbacks.shape
        calendar = None if calendar is None else calendar.repeat(columns, axis=0)
        made = self.run(lookbacks.transpose(0, 2, 1).reshape(count * columns, rows, 1), calendar)
        return made.reshape(count, columns, *made.shape[1:]).transpose(3, 0, 2, 1)

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
