"""How memory and time of a training grow with the rows and with the lookback.

    python -m tests.benchmarks.growth [--rows 10000 100000 1000000 10000000] [--lookbacks 96 2016] [--epochs 1]

Whole processes: peak memory of `cnnlstm train` (one network of so many epochs, not refitted) beside what pandas takes
to read the same file, and what TensorFlow takes to be imported. The data are two columns by the minute, 35 bytes a row.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.processes import Cost, cost, minutes

SHORT = ("--members", "1", "--set", "train.refit=false")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10**4, 10**5, 10**6, 10**7])
    parser.add_argument("--lookbacks", type=int, nargs="+", default=[96, 2016])
    parser.add_argument("--epochs", type=int, default=1)
    arguments = parser.parse_args()
    empty = cost([sys.executable, "-c", "import tensorflow"])
    print(f"import tensorflow: {told(empty)}\n")
    print("| rows | lookback | as float32, MiB | pandas.read_csv | cnnlstm train |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for rows in arguments.rows:
            data = minutes(Path(folder, "data.csv"), rows)
            read = cost([sys.executable, "-c", f"import pandas; pandas.read_csv({str(data)!r})"])
            for lookback in arguments.lookbacks:
                command = [sys.executable, "-m", "cnnlstm_cli", "train", str(data), "--run", f"{folder}/run", "-q"]
                options = [*SHORT, "--set", f"train.epochs={arguments.epochs}", "--lookback", str(lookback)]
                found = cost([*command, *options])
                print(
                    f"| {rows:,} | {lookback:,} | {rows * 8 / 2**20:.1f} | {told(read)} | {told(found)} |", flush=True
                )


def told(found: Cost) -> str:
    """Memory and time in words."""
    return f"{found.memory:,.0f} MiB, {found.seconds:.1f} s"


if __name__ == "__main__":
    main()
