"""How the plain command does on any files, beside the best baseline: on those that nothing here was fitted to.

    python -m tests.benchmarks.others FILE.csv [FILE.csv,id=symbol,target=price ...]

The newest fifth of a file (of its shortest series) is forecast at every origin by what was trained on the rows before
it; MASE by the shortest season. A pair behind a file is an option of `train`.

Which baseline is the best is known afterwards only, so a second table has the geometric mean of our error beside each
kind of baseline over the files that it forecasts; of several seasonal naive ones that of the shortest season.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import cnnlstm_cli as c

HINDSIGHT = "the best of them, known afterwards"


def early(frame: pd.DataFrame, series: str | None) -> tuple[pd.DataFrame, int]:
    """The rows to train on, and how many are left out of each series."""
    parts = [part for _, part in frame.groupby(series, sort=False)] if series else [frame]
    newest = min(map(len, parts)) // 5
    return pd.concat([part[:-newest] for part in parts]), newest


def measure(given: str) -> tuple[list[str], dict[str, float]]:
    """A row of the table, and our error divided by that of each baseline. Raises CnnlstmError."""
    path, *pairs = given.split(",")
    options: dict[str, Any] = dict(pair.split("=", 1) for pair in pairs)
    frame = pd.read_csv(path, dtype=str)
    known, newest = early(frame, options.get("id"))
    with tempfile.TemporaryDirectory() as folder:
        train, whole = Path(folder, "known.csv"), Path(folder, "whole.csv")
        known.to_csv(train, index=False)
        frame.to_csv(whole, index=False)
        started = time.perf_counter()
        run = c.train(train, Path(folder, "run"), **options)
        seconds = time.perf_counter() - started
        scores = {name: each["mase"] for name, each in c.backtest(whole, run.path, start=-newest).scores().items()}
    ours = scores.pop("model")
    best = min(scores, key=scores.__getitem__)
    record = run.record
    told = [Path(path).stem, f"{len(frame):,}", str(record.lookback), str(record.horizon), f"{seconds:.0f}"]
    cells = [*told, f"{ours:.3f}", f"{best} {scores[best]:.3f}", f"{100 * (ours / scores[best] - 1):+.1f} %"]
    return cells, {name: ours / score for name, score in scores.items()} | {HINDSIGHT: ours / scores[best]}


def means(beside: Sequence[dict[str, float]]) -> Iterator[str]:
    """Rows of the second table."""
    kinds: dict[str, list[float]] = {}
    for ratios in beside:
        first: dict[str, float] = {}
        for name, ratio in ratios.items():
            first.setdefault(name.rstrip(" 0123456789"), ratio)
        for kind, ratio in first.items():
            kinds.setdefault(kind, []).append(ratio)
    for kind, found in kinds.items():
        better = sum(ratio < 1 for ratio in found)
        yield f"| {kind} | {len(found)} | {better} | {100 * (np.exp(np.nanmean(np.log(found))) - 1):+.1f} % |"


def main() -> None:
    """Print the table, a row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE.csv[,option=value]")
    columns = ("file", "rows", "lookback", "horizon", "seconds", "model", "best baseline", "beside it")
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    beside: list[dict[str, float]] = []
    for given in parser.parse_args().files:
        try:
            row, ratios = measure(given)
            beside.append(ratios)
        except c.CnnlstmError as error:
            row = [Path(given.split(",")[0]).stem, *[""] * 6, str(error)]
        print(f"| {' | '.join(row)} |", flush=True)
    print("\n| baseline | files | ours is better on | beside it, on average |\n| --- | --- | --- | --- |")
    print(*means(beside), sep="\n")


if __name__ == "__main__":
    main()
