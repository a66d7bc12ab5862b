"""What a cluster gives: tasks a minute, efficiency, bytes moved and memory, with one worker and with two.

    python -m tests.benchmarks.scale FOLDER [--series 200] [--folds 20] [--workers 1 2] [--quick]

FOLDER holds m4_hourly_train.csv (M4-methods of Mcompetitions on GitHub, in long form: id, step, y) and bike_hour.csv
(in sample_data). `dask scheduler` and `dask worker` are started on loopback, as a user would, a thread each, and

    cnnlstm train m4.csv --run DIR --per id -H 48 --cluster tcp://...
    cnnlstm backtest bike_hour.csv -t cnt --folds 20 --cluster tcp://...

are run as whole processes. Efficiency is against the first number of workers: 1 means that twice as many do twice as
much. Moved are the bytes that went over the loopback interface; memory is the peak of the largest worker. --quick
takes one small network for each training, which shows what the cluster costs, not what trainings do.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tests.clusters import cluster, computing

QUICK = ("train.epochs=2", "train.members=1", "train.refit=false", "train.linear=false", "model.filters=8")


@dataclass(frozen=True)
class Measured:
    """Of one command on one cluster."""

    seconds: float
    moved: float
    memory: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--folds", type=int, default=20)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    settings = [part for each in QUICK for part in ("--set", each)] if arguments.quick else []
    print("| work | workers | seconds | tasks a minute | efficiency | moved, MiB | a worker's memory, MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        data = first_series(arguments.folder / "m4_hourly_train.csv", arguments.series, Path(folder, "m4.csv"))
        bike = str(arguments.folder / "bike_hour.csv")
        works = {
            f"{arguments.series} series of M4 Hourly, --per id": (
                arguments.series,
                ("train", str(data), "--per", "id", "-H", "48"),
            ),
            f"{arguments.folds} folds of bike_hour": (
                arguments.folds,
                ("backtest", bike, "-t", "cnt", "--folds", str(arguments.folds)),
            ),
        }
        for name, (tasks, command) in works.items():
            alone = 0.0
            for workers in arguments.workers:
                own = ("--run", f"{folder}/run-{workers}") if command[0] == "train" else ()
                found = measured((*command, *own, *settings), workers)
                alone = alone or found.seconds * arguments.workers[0]
                figures = (
                    f"{found.seconds:.0f}",
                    f"{60 * tasks / found.seconds:.1f}",
                    f"{alone / (workers * found.seconds):.2f}",
                    f"{found.moved:.0f}",
                    f"{found.memory:.0f}",
                )
                print(f"| {name} | {workers} | {' | '.join(figures)} |", flush=True)


def first_series(path: Path, count: int, out: Path) -> Path:
    """The first so many series of a file, in one of their own."""
    frame = pd.read_csv(path)
    frame[frame["id"].isin(frame["id"].unique()[:count])].to_csv(out, index=False)
    return out


def measured(command: tuple[str, ...], workers: int) -> Measured:
    """One command on a cluster of its own, of so many workers."""
    with cluster(workers) as there:
        before, started = _moved(), time.perf_counter()
        program = [sys.executable, "-m", "cnnlstm_cli", *command, "--cluster", there.address, "-q"]
        subprocess.run(program, check=True, stdout=subprocess.DEVNULL)
        seconds, moved = time.perf_counter() - started, _moved() - before
        peaks = [_peak(number) for worker in there.workers for number in computing(worker)]
        return Measured(seconds, moved / 2**20, max(peaks) / 2**20)


def _moved() -> int:
    """Bytes that have come in over loopback, as Linux tells it."""
    found = re.search(r"^\s*lo:\s*(\d+)", Path("/proc/net/dev").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def _peak(process: int) -> int:
    """Bytes that a process has held at most."""
    found = re.search(r"^VmHWM:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()
