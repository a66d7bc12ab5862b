"""What `tune` finds beside the plain command, on validation rows and on rows that nothing was chosen on.

    python -m tests.benchmarks.tuning FOLDER [--only bike_hour ETTh1] [--seconds 600]

FOLDER holds bike_hour.csv and ETTh1.csv, as for the benchmark of accuracy, whose rows and origins these are: of
bike_hour the newest fifth is forecast at 40 origins (MASE), of ETTh1, 24 steps ahead, every window of rows 11,520 to
14,400 (mean absolute error in deviations). `--seconds` is for each search with its final training.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import cnnlstm_cli as c

CASES: dict[str, dict[str, Any]] = {"bike_hour": {"target": "cnt"}, "ETTh1": {"horizon": 24}}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seconds", type=float, default=600)
    arguments = parser.parse_args()
    print("| data | settings | seconds | trials | validation mae | test |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in arguments.only:
        frame, known = rows_of(name, pd.read_csv(arguments.folder / f"{name}.csv"))
        with tempfile.TemporaryDirectory() as folder:
            for kind in ("plain", "tuned"):
                started, path, trials = time.perf_counter(), Path(folder, kind), ""
                if kind == "plain":
                    run = c.train(frame[:known], path, **CASES[name])
                else:
                    made = c.tune(frame[:known], path, trials=1_000, time_limit=arguments.seconds, **CASES[name])
                    run, trials = made.run, str(len(made.trials))
                seconds = time.perf_counter() - started
                validation = run.record.facts["validation"]["model"]["mae"]
                test = judged(name, frame, known, path)
                print(f"| {name} | {kind} | {seconds:.0f} | {trials} | {validation:.4f} | {test:.4f} |", flush=True)


def rows_of(name: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The rows, and how many of them are known."""
    if name == "ETTh1":
        return frame[:14_400], 11_520
    frame["instant"] = range(1, len(frame) + 1)  # a damaged cell in some copies
    return frame, len(frame) - len(frame) // 5


def judged(name: str, frame: pd.DataFrame, known: int, run: Path) -> float:
    """The error on what came after."""
    if name == "ETTh1":
        done = c.backtest(frame, run, start=known)
        deviation = frame.iloc[:8_640, 1:].std(ddof=0).to_numpy()[done.came.column][:, None]
        return float(np.mean(np.abs(done.forecasts["model"] - done.came.values) / deviation))
    stride = len(np.unique(c.backtest(frame, run, start=known - len(frame)).origins)) // 40
    return float(c.backtest(frame, run, start=known - len(frame), stride=stride).scores()["model"]["mase"])


if __name__ == "__main__":
    main()
