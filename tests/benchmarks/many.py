"""How memory and time of a training, and of a forecast of all, grow with the number of series.

    python -m tests.benchmarks.many [--series 100 1000 10000] [--rows 200] [--epochs 1]

Whole processes: `cnnlstm train` (one network of so many epochs, not refitted) and `cnnlstm predict` of daily series of
so many rows each, on scales of their own, beside what pandas takes to read the same file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from tests.benchmarks.growth import SHORT, told
from tests.benchmarks.processes import cost


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=1)
    arguments = parser.parse_args()
    print("| series | rows | file, MiB | pandas.read_csv | cnnlstm train | cnnlstm predict |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for count in arguments.series:
            data, run = daily(Path(folder, "data.csv"), count, arguments.rows), f"{folder}/run-{count}"
            command = [sys.executable, "-m", "cnnlstm_cli"]
            read = cost([sys.executable, "-c", f"import pandas; pandas.read_csv({str(data)!r})"])
            options = [*SHORT, "--set", f"train.epochs={arguments.epochs}", "--id", "id", "-q"]
            trained = cost([*command, "train", str(data), "--run", run, *options])
            forecast = cost([*command, "predict", str(data), "--run", run, "-q", "-o", f"{folder}/forecast.csv"])
            size = data.stat().st_size / 2**20
            rows = f"{count * arguments.rows:,}"
            print(
                f"| {count:,} | {rows} | {size:.0f} | {told(read)} | {told(trained)} | {told(forecast)} |", flush=True
            )


def daily(path: Path, series: int, rows: int) -> Path:
    """A file of so many weekly patterns, each on a scale of its own, with noise."""
    random = np.random.default_rng(0)
    level, size = random.lognormal(3, 2, (2, series, 1))
    days = np.arange(rows)
    values = level + size * (np.sin(days * 2 * np.pi / 7) + 0.3 * random.standard_normal((series, rows)))
    stamps = np.datetime_as_string(np.datetime64("2024-01-01") + days)
    names = [f"shop-{number:05d}" for number in range(series)]
    frame = pd.DataFrame({"id": np.repeat(names, rows), "day": np.tile(stamps, series), "y": values.ravel().round(3)})
    frame.to_csv(path, index=False)
    return path


if __name__ == "__main__":
    main()
