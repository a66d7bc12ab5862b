"""Our default beside neuralforecast's LSTM and NHITS as they come: seconds to train, and the error reached.

    python -m tests.benchmarks.rivals [DATA.csv --target COLUMN] [--horizon 24] [--origins 40] [--steps N]

neuralforecast is installed with the extra `bench`. All are trained on the first four fifths of the rows, with the same
lookback, and forecast from `--origins` places evenly over the rest; rows that are missing are filled by a straight line
for all of them. Its models keep their defaults (1,000 steps); --steps shortens them, to see that this runs. Ours is
the plain command, and once more with a quarter of their fastest's time as its limit.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

with contextlib.suppress(ImportError):
    import triton  # noqa: F401  # which PyTorch's CUDA builds load later: after TensorFlow that crashes

import numpy as np
import pandas as pd

import cnnlstm_cli as c
from cnnlstm_cli.evaluation.metrics import naive_scale
from cnnlstm_cli.series.reader import read_training
from cnnlstm_cli.specs import DataSpec
from tests import SAMPLES

SHARE = 0.8


def ours(frame: pd.DataFrame, known: int, origins: np.ndarray, horizon: int, **how: Any) -> tuple[float, np.ndarray]:
    """Seconds, and the forecasts (origins, H)."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = c.train(frame[:known], Path(folder, "run"), horizon=horizon, **how)
        seconds = time.perf_counter() - started
        done = c.backtest(frame, run.path, start=known)
    return seconds, done.forecasts["model"][origins - known]


def theirs(
    kind: str, frame: pd.DataFrame, known: int, origins: np.ndarray, horizon: int, lookback: int, steps: int | None
) -> tuple[float, np.ndarray]:
    """The same of a model of neuralforecast."""
    from neuralforecast import NeuralForecast, models

    quiet = {"enable_progress_bar": False, "logger": False, "enable_model_summary": False}
    given = {"max_steps": steps} if steps else {}
    model = getattr(models, kind)(h=horizon, input_size=lookback, **given, **quiet)
    whole = pd.DataFrame({"unique_id": "y", "ds": frame["time"], "y": frame["y"]})
    forecaster = NeuralForecast([model], freq="h")
    started = time.perf_counter()
    forecaster.fit(whole[:known])
    seconds = time.perf_counter() - started
    forecasts = [forecaster.predict(whole[:origin])[kind].to_numpy() for origin in origins]
    return seconds, np.stack(forecasts)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", default=str(SAMPLES / "bike_hour.csv"))
    parser.add_argument("--target", default="cnt")
    parser.add_argument("--horizon", type=int, default=24)
    parser.add_argument("--origins", type=int, default=40)
    parser.add_argument("--steps", type=int)
    arguments = parser.parse_args()
    table = read_training(arguments.data, DataSpec(target=(arguments.target,)))
    values = pd.Series(table.values[:, 0]).interpolate().to_numpy()
    frame = pd.DataFrame({"time": table.times, "y": values})
    known, horizon = int(SHARE * len(frame)), arguments.horizon
    origins = np.linspace(known, len(frame) - horizon, arguments.origins).astype(int)
    came = values[origins[:, None] + np.arange(horizon)]
    season = table.schema.frequency.suggested_seasons()[0]
    scale = naive_scale(values[:known], season)

    def tell(name: str, seconds: float, made: np.ndarray) -> None:
        print(f"| {name} | {seconds:.1f} | {np.abs(made - came).mean() / scale:.3f} |", flush=True)

    print(f"| {Path(arguments.data).name}, {arguments.target}, {horizon} steps | seconds to train | MASE |")
    print("| --- | --- | --- |")
    lookback = c.inspect(frame[:known], horizon=horizon)["lookback"]
    tell("cnnlstm, default", *ours(frame, known, origins, horizon))
    times = []
    for kind in ("NHITS", "LSTM"):
        seconds, made = theirs(kind, frame, known, origins, horizon, lookback, arguments.steps)
        tell(f"neuralforecast {kind}", seconds, made)
        times.append(seconds)
    limit = max(1.0, min(times) / 4)  # what comes after it takes its part of the third
    tell(f"cnnlstm, --time-limit {limit:.0f}", *ours(frame, known, origins, horizon, time_limit=limit))


if __name__ == "__main__":
    main()
