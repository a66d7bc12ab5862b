"""Retraining as a series grows: from the published networks (`--warm-start`) and anew, seconds and error.

    python -m tests.benchmarks.warm [--first 2012-06] [--months 6]

bike_hour.csv, cnt, 24 steps. A run is trained on the rows before the first month. Then each month's rows come: one run
goes on from its networks, another is trained anew, a third stays as it is; all forecast the month after from every
hour of it, nothing of which they have seen.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import cnnlstm_cli as c
from tests import SAMPLES

WAYS = {"anew": {}, "warm start": {"warm_start": True}, "left as it is": None}


def main() -> None:
    """Prints the table, a row a month."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", default="2012-06", help="month whose rows come first")
    parser.add_argument("--months", type=int, default=6)
    given = parser.parse_args()
    months = pd.period_range(given.first, periods=given.months, freq="M").strftime("%Y-%m")
    print("| rows until the end of | " + " | ".join(f"{way}: seconds | mae" for way in WAYS) + " |")
    print("| --- |" + " --- |" * 2 * len(WAYS))
    with tempfile.TemporaryDirectory() as folder:
        table = np.array(rows(Path(folder), list(months)))
    print(f"| mean | {' | '.join(cells(table.mean(axis=0)))} |")


def rows(folder: Path, months: list[str]) -> list[np.ndarray]:
    """(ways x 2,) seconds and error of each month, printed as they come."""
    frame = pd.read_csv(SAMPLES / "bike_hour.csv", dtype=str)
    month = frame["dteday"].str[:7]
    start = slice_of(frame, month < months[0], folder)
    for way in WAYS:
        c.train(start, folder / way, target="cnt", horizon=24)
    found = []
    for now in months:
        data = slice_of(frame, month <= now, folder)
        later = slice_of(frame, month <= str(pd.Period(now) + 1), folder)
        made: list[float] = []
        for way, options in WAYS.items():
            began = time.perf_counter()
            if options is not None:
                c.train(data, folder / way, target="cnt", horizon=24, **options)
            seconds = time.perf_counter() - began
            known = f"{frame['dteday'][month <= now].iloc[-1]} 23:00"
            made += [seconds, c.backtest(later, folder / way, start=known).scores()["model"]["mae"]]
        found.append(np.array(made))
        print(f"| {now} | {' | '.join(cells(found[-1]))} |", flush=True)
    return found


def slice_of(frame: pd.DataFrame, chosen: pd.Series, folder: Path) -> Path:
    """Some of the rows as a file of their own."""
    path = folder / f"{int(chosen.sum())}.csv"
    frame[chosen].to_csv(path, index=False)
    return path


def cells(numbers: np.ndarray) -> list[str]:
    return [f"{number:.1f}" for number in numbers]


if __name__ == "__main__":
    main()
