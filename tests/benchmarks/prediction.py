"""How long a forecast takes, as a whole process and in bulk, and how much memory; beside Keras and bare imports.

    python -m tests.benchmarks.prediction [--repeats 15] [--rows 10000000] [--m4 FOLDER]

--rows  of the large file, which is written to a temporary folder (35 bytes a row), and of which as plain file, through
        a pipe and as .gz only the end should matter
--m4    a folder with m4_hourly_train.csv (414 series of the M4 competition, github.com/Mcompetitions/M4-methods)
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests import SAMPLES
from tests.benchmarks.processes import Cost, cost, in_turns, minutes

PYTHON = sys.executable
CNNLSTM = [PYTHON, "-m", "cnnlstm_cli"]
FIRST = "import pandas, onnxruntime"
SMALL_ROWS = 10_000
KERAS = """
import json, sys
import numpy as np, pandas as pd, keras, cnnlstm_cli.network.lstm
from pathlib import Path
folder = next(Path(sys.argv[2], "versions").iterdir())
facts = json.loads((folder / "run.json").read_text())
scaler, rows = facts["scalers"][""], facts["spec"]["data"]["lookback"]
values = pd.read_csv(sys.argv[1])[facts["spec"]["data"]["target"]].to_numpy()[-rows:]
scaled = ((values - scaler["mean"]) / scaler["scale"]).T[:, :, None].astype(np.float32)
model = keras.models.load_model(folder / "members" / "0.keras")
ahead = model.predict(scaled, verbose=0)
print(ahead[:, :, 0].T * scaler["scale"] + scaler["mean"])
"""


def trained(data: Path, run: Path, *options: str) -> Path:
    """A run of one network, without a calendar, so that Keras can do the same with two lines."""
    quick = ["--set", "train.epochs=1", "--set", "train.refit=false", "--set", "train.linear=false", "--members", "1"]
    command = [*CNNLSTM, "train", str(data), "--run", str(run), "-q", *quick, "--set", "model.calendar=none", *options]
    cost(command)
    return run


def single(folder: Path, repeats: int) -> None:
    """One forecast from a small file, cold."""
    data = minutes(folder / "small.csv", SMALL_ROWS)
    run = trained(data, folder / "small")
    commands = {
        FIRST: [PYTHON, "-c", FIRST],
        "cnnlstm predict": [*CNNLSTM, "predict", str(data), "--run", str(run)],
        "keras load_model, predict": [PYTHON, "-c", KERAS, str(data), str(run)],
        "cnnlstm inspect RUN": [*CNNLSTM, "inspect", str(run)],
        "import typer": [PYTHON, "-c", "import typer"],
        "cnnlstm --help": [*CNNLSTM, "--help"],
        "cnnlstm --version": [*CNNLSTM, "--version"],
    }
    table("process", in_turns(commands, repeats))


def large(folder: Path, rows: int, repeats: int) -> None:
    """The same run on a file of very many rows."""
    small, run = folder / "small.csv", folder / "small"
    big = minutes(folder / "big.csv", rows)
    packed = folder / "big.csv.gz"
    with big.open("rb") as source, gzip.open(packed, "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target)
    predict = [*CNNLSTM, "predict", "--run", str(run)]
    both = in_turns({f"{SMALL_ROWS:,} rows": [*predict, str(small)], f"{rows:,} rows": [*predict, str(big)]}, repeats)
    once = {"the same, through a pipe": cost([*predict, "-"], big), "the same, as .gz": cost([*predict, str(packed)])}
    table(f"predict, {big.stat().st_size / 1e6:,.0f} MB", {**both, **once})


def many(folder: Path, m4: Path | None, repeats: int) -> None:
    """All series of a panel in one call, beside one series."""
    if m4 is None:
        return
    data = m4 / "m4_hourly_train.csv"
    run = trained(data, folder / "m4", "--id", "id", "--horizon", "48")
    one = folder / "one.csv"
    lines = data.read_text(encoding="utf-8").splitlines(keepends=True)
    one.write_text("".join([lines[0], *(line for line in lines if line.startswith(lines[1].split(",")[0] + ","))]))
    predict = [*CNNLSTM, "predict", "--run", str(run)]
    table(
        "predict, M4 Hourly", in_turns({"1 series": [*predict, str(one)], "414 series": [*predict, str(data)]}, repeats)
    )


def bulk(folder: Path, repeats: int) -> None:
    """Windows a second of the published network, through ONNX and through Keras, in one process."""
    import keras  # here, because it takes seconds

    import cnnlstm_cli as c
    import cnnlstm_cli.network.lstm

    run = c.Run.open(trained(SAMPLES / "bike_hour.csv", folder / "bike", "--target", "cnt"))
    session, model = run.session, keras.models.load_model(run.folder / "members" / "0.keras")
    windows = np.random.default_rng(0).normal(size=(17_500, session.shape[0], 1)).astype(np.float32)
    ways = {
        "keras predict": lambda: model.predict(windows, verbose=0),
        "keras predict, batch_size=1024": lambda: model.predict(windows, batch_size=1024, verbose=0),
        "ONNX, as here": lambda: session.run(windows),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    pace = {name: len(windows) / statistics.median(taken[1:]) for name, taken in seconds.items()}
    print("| 17,500 windows of bike_hour | windows a second | |\n| --- | --- | --- |")
    for name, found in pace.items():
        print(f"| {name} | {found:,.0f} | {found / pace['keras predict']:.2f} x |")
    print()


def table(what: str, costs: dict[str, Cost]) -> None:
    """Seconds and memory, and their ratios to the first."""
    first = next(iter(costs.values()))
    print(f"| {what} | ms | | peak MiB | |\n| --- | --- | --- | --- | --- |")
    for name, found in costs.items():
        ratio, more = found.seconds / first.seconds, found.memory / first.memory
        print(f"| {name} | {found.seconds * 1000:,.0f} | {ratio:.2f} x | {found.memory:,.0f} | {more:.2f} x |")
    print(flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--m4", type=Path)
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, medians of {arguments.repeats} turns\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        single(folder, arguments.repeats)
        large(folder, arguments.rows, arguments.repeats)
        many(folder, arguments.m4, arguments.repeats)
        bulk(folder, min(arguments.repeats, 5))


if __name__ == "__main__":
    main()
