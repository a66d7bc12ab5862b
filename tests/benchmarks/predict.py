"""How long one forecast takes as a whole process, beside what its libraries alone take to load.

    python -m tests.benchmarks.predict [--data CSV] [--repeats 15]

Trains a run of the data (sample_data/bike_hour.csv, column cnt, unless told otherwise), then runs the commands in
turns, so that a busy moment of the machine falls on all of them alike, and prints the median of each and its ratio to
the first.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import SAMPLES


def measure(commands: dict[str, list[str]], repeats: int) -> dict[str, float]:
    """Median seconds of each command, run in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(repeats + 1):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if turn:  # the first turn only warms the disk's cache
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in seconds.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=str(SAMPLES / "bike_hour.csv"))
    parser.add_argument("--options", default="--target cnt --set train.epochs=1", help="for train")
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    python = sys.executable
    cnnlstm = [python, "-m", "cnnlstm_cli"]
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder, "run"))
        train = [*cnnlstm, "train", arguments.data, "--run", run, "-q", *arguments.options.split()]
        subprocess.run(train, check=True)
        commands = {
            "import pandas, onnxruntime": [python, "-c", "import pandas, onnxruntime"],
            "cnnlstm predict": [*cnnlstm, "predict", arguments.data, "--run", run],
            "cnnlstm inspect RUN": [*cnnlstm, "inspect", run],
            "import typer": [python, "-c", "import typer"],
            "cnnlstm --help": [*cnnlstm, "--help"],
        }
        medians = measure(commands, arguments.repeats)
    first = next(iter(medians.values()))
    print(f"Python {platform.python_version()}, {arguments.data}, {arguments.repeats} turns")
    for name, seconds in medians.items():
        print(f"{name:<28} {seconds * 1000:7.0f} ms {seconds / first:6.2f} x")


if __name__ == "__main__":
    main()
