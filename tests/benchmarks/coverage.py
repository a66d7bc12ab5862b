"""How often rows lie within the intervals, and how wide these are, beside those of the seasonal naive's errors.

    python -m tests.benchmarks.coverage FOLDER [--only bike_hour] [--quantile]

FOLDER holds ETTh1.csv (github.com/zhouhaoyi/ETDataset), m4_hourly_train.csv and m4_hourly_test.csv (columns id, step,
y, of github.com/Mcompetitions/M4-methods) and bike_hour.csv (the one in sample_data). Trained by the plain command on
all rows but those judged: ETTh1 on 11,520 of 14,400, M4 Hourly on all but the 48 hours of the competition, bike_hour on
four fifths. MSIS of M4 is the competition's: in units of each series' seasonal naive error. With --quantile each is
trained once more, so that a network learns the quantiles (train.intervals=quantile).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import cnnlstm_cli as c

LEVELS = (80, 95)
ETT_ROWS, ETT_KNOWN = 14_400, 11_520


def etth1(folder: Path) -> tuple[pd.DataFrame, int, dict[str, Any]]:
    """Rows, how many of each series are known, and the options of the training."""
    return pd.read_csv(folder / "ETTh1.csv")[:ETT_ROWS], ETT_KNOWN, {"horizon": 24}


def bike_hour(folder: Path) -> tuple[pd.DataFrame, int, dict[str, Any]]:
    """The same of bike_hour."""
    frame = pd.read_csv(folder / "bike_hour.csv")
    return frame, round(0.8 * len(frame)), {"target": "cnt", "horizon": 24}


def m4(folder: Path) -> tuple[pd.DataFrame, int, dict[str, Any]]:
    """The same of M4 Hourly: all but the last 48."""
    parts = [pd.read_csv(folder / f"m4_hourly_{part}.csv") for part in ("train", "test")]
    return pd.concat(parts), -48, {"id": "id", "horizon": 48}


DATA = {"ETTh1 24": etth1, "bike_hour": bike_hour, "M4 48": m4}


def main() -> None:
    """Prints the table, a row a forecaster."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=DATA, action="append")
    parser.add_argument("--quantile", action="store_true")
    given = parser.parse_args()
    kinds = ("local", "quantile") if given.quantile else ("local",)
    print("| data, steps | intervals of | " + " | ".join(f"{n} %: coverage | width | MSIS" for n in LEVELS) + " |")
    print("| --- | --- |" + " --- |" * 3 * len(LEVELS))
    for name in given.only or DATA:
        for forecaster, scores in beside(*DATA[name](given.folder), kinds).items():
            if f"coverage-{LEVELS[0]}" in scores:
                cells = [scores[f"{metric}-{level}"] for level in LEVELS for metric in ("coverage", "width", "msis")]
                shown = " | ".join(f"{cell:.3g}" if k % 3 else f"{cell:.1f}" for k, cell in enumerate(cells))
                print(f"| {name} | {forecaster} | {shown} |", flush=True)


def beside(
    frame: pd.DataFrame, known: int, options: dict[str, Any], kinds: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Scores of every forecaster, of the model with each kind of intervals, on the rows after the known ones."""
    first, *others = (judged(frame, known, {**options, "settings": {"train": {"intervals": kind}}}) for kind in kinds)
    learnt = {f"model, {kind}": each["model"] for kind, each in zip(kinds[1:], others, strict=True)}
    return {"model": first.pop("model"), **learnt, **first}


def judged(frame: pd.DataFrame, known: int, options: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The same of a single training."""
    named = options.get("id")
    rows = frame.groupby(named, sort=False).head if named else frame.head
    if named and known < 0:
        last = frame.groupby(named, sort=False).cumcount(ascending=False)
        past = frame[last >= -known]
    else:
        past = rows(known)
    with tempfile.TemporaryDirectory() as folder:
        run = c.train(past, Path(folder, "run"), **options)
        until = run.record.facts["data"]["last"] if known > 0 else known
        return c.backtest(frame, run.path, start=until).scores()


if __name__ == "__main__":
    main()
