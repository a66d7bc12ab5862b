"""How fast the published network trains here, beside the same layers under plain `model.fit`, and in PyTorch.

    python -m tests.benchmarks.speed [--rows 17420] [--repeats 5] [--quick]

The template cuts its windows into NumPy arrays and calls `model.fit(x, y, batch_size=32)`, as its readers do; it is
written down here with nothing of this package, and so is PyTorch's, which is left out where PyTorch (the extra `bench`)
is not installed: its LSTM knows no dropout inside the recurrence. Random rows of 20 features, 21 looked back, one step
ahead. Epochs are taken in turns in one process, so that a busy moment of the machine falls on all alike; medians of
their samples a second. Compilation counts for none of them. --quick is small, and only shows that it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from typing import Any

with contextlib.suppress(ImportError):
    import torch
    import triton  # noqa: F401  # which PyTorch's CUDA builds load later: after TensorFlow that crashes

import keras
import numpy as np
from keras import layers

from cnnlstm_cli.config import spec_from
from cnnlstm_cli.network.build import build
from cnnlstm_cli.network.fit import fit
from cnnlstm_cli.series.windows import Windows

LOOKBACK, FEATURES, JUDGED = 21, 20, 32


def template() -> keras.Model:
    """The published answer's network, in its own order, ready for `fit`."""
    rows = keras.Input((LOOKBACK, FEATURES))
    x = layers.Conv1D(10, 3, padding="causal", use_bias=False, kernel_initializer="lecun_normal")(rows)
    x = layers.AlphaDropout(0.1)(layers.Activation("selu")(layers.BatchNormalization(scale=False)(x)))
    gate = layers.Dense(2, "relu", use_bias=False, kernel_initializer="he_normal")(layers.GlobalAveragePooling1D()(x))
    gate = layers.Dense(10, "sigmoid", use_bias=False, kernel_initializer="he_normal")(gate)
    x = layers.Multiply()([x, layers.Reshape((1, 10))(gate)])
    x = layers.LSTM(16, recurrent_dropout=0.2)(x)
    model = keras.Model(rows, layers.Dense(FEATURES)(x))
    model.compile("nadam", "mse")
    return model


def by_template(values: np.ndarray, batch: int) -> Callable[[], float]:
    """A call that trains one epoch and returns its seconds."""
    cut = np.lib.stride_tricks.sliding_window_view(values, LOOKBACK + 1, axis=0).transpose(0, 2, 1)
    x, y = np.ascontiguousarray(cut[:, :-1]), np.ascontiguousarray(cut[:, -1])
    model = template()

    def epoch() -> float:
        started = time.perf_counter()
        model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
        return time.perf_counter() - started

    epoch()
    return epoch


def by_us(values: np.ndarray, batch: int, **settings: object) -> Callable[[], float]:
    """The same for the preset `answer`."""
    given = {"model": settings, "train": {"batch_size": batch, "epochs": 2}}
    spec = spec_from({}, given, "answer")
    model = build(spec.model, LOOKBACK, 1, FEATURES, seed=0)
    starts = np.arange(len(values) - LOOKBACK)
    windows = Windows(values, LOOKBACK, 1, starts, starts[:JUDGED])

    def epoch() -> float:
        first, second = fit(model, windows, spec.train).history  # TensorFlow still arranges its graph in the first
        return second.seconds - first.seconds

    return epoch


def by_torch(values: np.ndarray, batch: int) -> Callable[[], float]:
    """The template in PyTorch, windows cut from the rows by index. Raises ImportError without PyTorch."""
    from torch import nn  # here, because it is optional

    class Net(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.norm = nn.Conv1d(FEATURES, 10, 3, bias=False), nn.BatchNorm1d(10)
            self.bend = nn.Sequential(nn.SELU(), nn.AlphaDropout(0.1))
            self.gate = nn.Sequential(
                nn.Linear(10, 2, bias=False), nn.ReLU(), nn.Linear(2, 10, bias=False), nn.Sigmoid()
            )
            self.recurrent, self.head = nn.LSTM(10, 16, batch_first=True), nn.Linear(16, FEATURES)

        def forward(self, x: Any) -> Any:
            x = self.bend(self.norm(self.convolution(nn.functional.pad(x.transpose(1, 2), (2, 0)))))
            x = (x * self.gate(x.mean(2))[:, :, None]).transpose(1, 2)
            return self.head(self.recurrent(x)[0][:, -1])

    net, rows = Net(), torch.from_numpy(values)
    optimizer, loss = torch.optim.NAdam(net.parameters(), 1e-3), nn.MSELoss()
    ahead = torch.arange(LOOKBACK + 1)

    def epoch() -> float:
        started = time.perf_counter()
        for starts in torch.randperm(len(values) - LOOKBACK).split(batch):
            windows = rows[starts[:, None] + ahead]
            optimizer.zero_grad()
            loss(net(windows[:, :-1]), windows[:, -1]).backward()
            optimizer.step()
        return time.perf_counter() - started

    epoch()
    return epoch


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=17_420)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rows, arguments.repeats = 1_000, 1
    values = np.random.default_rng(0).normal(size=(arguments.rows, FEATURES)).astype(np.float32)
    cases: dict[str, Callable[[], float]] = {}
    for batch in (32,) if arguments.quick else (32, 256):
        cases[f"template, model.fit, batch {batch}"] = by_template(values, batch)
        cases[f"preset answer, batch {batch}"] = by_us(values, batch)
        cases[f"preset answer, spatial dropout, batch {batch}"] = by_us(values, batch, dropout_shape="spatial")
        with contextlib.suppress(ImportError):
            cases[f"PyTorch, batch {batch}"] = by_torch(values, batch)
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(arguments.repeats):
        for name, epoch in cases.items():
            seconds[name].append(epoch())
    pace = {name: (arguments.rows - LOOKBACK) / statistics.median(taken) for name, taken in seconds.items()}
    print("| training | samples a second | against the template, same batch | against it at batch 32 |")
    print("| --- | --- | --- | --- |")
    slow = pace["template, model.fit, batch 32"]
    for name, samples in pace.items():
        same = pace[f"template, model.fit, batch {name.split()[-1]}"]
        print(f"| {name} | {samples:,.0f} | {samples / same:.2f} x | {samples / slow:.2f} x |")


if __name__ == "__main__":
    main()
