"""How well the plain command forecasts rows that nothing was chosen on, beside baselines and published figures.

    python -m tests.benchmarks.accuracy FOLDER [--quick] [--only NAME ...] [--seeds 1]

FOLDER holds ETTh1.csv, exchange_rate.csv, bike_hour.csv, seattle_weather.csv, monthly_sunspots.csv,
air_passengers.csv, m4_hourly_train.csv and m4_hourly_test.csv; a file that is not there is passed over. ETTh1.csv is
from ETDataset (zhouhaoyi), exchange_rate.csv from multivariate-time-series-data (laiguokun), the M4 series from
M4-methods (Mcompetitions; here in long form: id, step, y), all on GitHub; the others are in sample_data or from the
Datasets repository of jbrownlee.

Everything goes through the public API: train on the rows known, then forecast every origin after them.

ETTh1     8,640 rows to train on, the next 2,880 to choose on, every window of the 2,880 after that; standardised by
          the training rows. The published protocol does not train on the rows it chose on: the rows "as published" are
          with train.refit=false, the others as by default. MSE/MAE
exchange  60/20/20 %, root relative squared error (Lai et al. 2018) over all columns at the last step ahead
M4        the competition's: sMAPE, MASE (season 24) and OWA against its Naive2 (18.383 and 2.395), over all series
others    the newest fifth is forecast at every origin; MASE by the shortest season. bike_hour at 40 origins

--quick leaves out ETTh1 beyond 96 steps, exchange beyond 3 and M4.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import cnnlstm_cli as c

PUBLISHED = {
    "ETTh1 24": "Informer .577/.549",
    "ETTh1 96": "PatchTST .370/.400, SegRNN .351/.392, DLinear .375/.399",
    "ETTh1 192": "PatchTST .413/.429, SegRNN .392/.414, DLinear .405/.416",
    "ETTh1 336": "PatchTST .422/.440, SegRNN .423/.433, DLinear .439/.443",
    "ETTh1 720": "PatchTST .447/.468, SegRNN .466/.472, DLinear .472/.490",
    "exchange 3": "LSTNet .0226",
    "exchange 6": "LSTNet .0280",
    "exchange 12": "LSTNet .0356",
    "exchange 24": "LSTNet .0449",
    "M4 hourly 48": "OWA: Doornik .410, ES-RNN .440, seasonal naive .627",
    "bike_hour cnt 24": "NHITS .817, LightGBM .872",
}
NAIVE2 = {"smape": 18.383, "mase": 2.395}
Cells = dict[str, str]


def etth1(folder: Path, seed: int, quick: bool) -> Iterator[tuple[str, Cells]]:
    """Every horizon; one member and the default by the published protocol, then the default with refitting."""
    path = folder / "ETTh1.csv"
    frame = pd.read_csv(path)
    deviation = frame.iloc[:8_640, 1:].std(ddof=0).to_numpy()
    for horizon in (24, 96) if quick else (24, 96, 192, 336, 720):
        scores = {}
        for name, train in (("one", one()), ("default, as published", {"refit": False}), ("default", {})):
            run, seconds = trained(
                frame[:11_520], horizon=horizon, validation=2_880, seed=seed, settings={"train": train}
            )
            with run as opened:
                done = c.backtest(frame[:14_400], opened.path, start=11_520)
            for forecaster, forecast in done.forecasts.items():
                off = (forecast - done.came.values) / deviation[done.came.column][:, None]
                scores[name if forecaster == "model" else forecaster] = f"{np.mean(off**2):.3f}/{np.mean(abs(off)):.3f}"
            scores["seconds"] = f"{seconds:.0f}"
        yield f"ETTh1 {horizon}", scores


def exchange(folder: Path, seed: int, quick: bool) -> Iterator[tuple[str, Cells]]:
    """Root relative squared error of the last step ahead."""
    frame = pd.read_csv(folder / "exchange_rate.csv")
    rows = len(frame)
    known, trained_on = int(rows * 0.8), int(rows * 0.6)
    for horizon in (3,) if quick else (3, 6, 12, 24):
        scores = {}
        for name, train in (("one", one()), ("default", {})):
            options = {"horizon": horizon, "validation": known - trained_on, "seed": seed}
            run, seconds = trained(frame[:known], settings={"train": train}, **options)
            with run as opened:
                done = c.backtest(frame, opened.path, start=known)
            came = done.came.values[:, -1]
            for forecaster, forecast in done.forecasts.items():
                off = np.sqrt(np.mean((forecast[:, -1] - came) ** 2)) / came.std()
                scores[name if forecaster == "model" else forecaster] = f"{off:.4f}"
            scores["seconds"] = f"{seconds:.0f}"
        yield f"exchange {horizon}", scores


def m4(folder: Path, seed: int, quick: bool) -> Iterator[tuple[str, Cells]]:
    """All series, one model, the competition's scores."""
    if quick:
        return
    frame = pd.read_csv(folder / "m4_hourly_train.csv")
    after = pd.read_csv(folder / "m4_hourly_test.csv")
    scores = {}
    for name, train in (("one", one()), ("default", {})):
        run, seconds = trained(frame, id="id", horizon=48, seed=seed, settings={"train": train})
        with run as opened:
            scores[name] = competition(frame, after, opened.predict(frame))
        scores["seconds"] = f"{seconds:.0f}"
    yield "M4 hourly 48", scores


def competition(frame: pd.DataFrame, after: pd.DataFrame, made: pd.DataFrame) -> str:
    """OWA (sMAPE, MASE): errors of each series' 48 hours, averaged over the series."""
    smapes, mases = [], []
    for name, actual in after.groupby("id", sort=False):
        forecast = made.loc[made["id"] == name, "y"].to_numpy()
        past, came = frame.loc[frame["id"] == name, "y"].to_numpy(), actual["y"].to_numpy()
        smapes.append(np.mean(200 * abs(forecast - came) / (abs(forecast) + abs(came))))
        mases.append(np.mean(abs(forecast - came)) / np.mean(abs(past[24:] - past[:-24])))
    smape, mase = np.mean(smapes), np.mean(mases)
    owa = (smape / NAIVE2["smape"] + mase / NAIVE2["mase"]) / 2
    return f"{owa:.3f} ({smape:.2f}, {mase:.3f})"


def single(name: str, folder: Path, seed: int, **options: Any) -> Iterator[tuple[str, Cells]]:
    """The newest fifth of a file, forecast at every origin, or at 40 where there would be thousands; MASE."""
    frame = pd.read_csv(folder / f"{name}.csv")
    if name == "bike_hour":
        frame["instant"] = range(1, len(frame) + 1)  # a damaged cell in some copies
    known = len(frame) - len(frame) // 5
    scores = {}
    horizon = 0
    for label, train in (("one", one()), ("default", {})):
        run, seconds = trained(frame[:known], settings={"train": train}, seed=seed, **options)
        with run as opened:
            whole = c.backtest(frame, opened.path, start=-(len(frame) // 5))
            stride = max(1, len(np.unique(whole.origins)) // 40) if name == "bike_hour" else 1
            done = c.backtest(frame, opened.path, start=-(len(frame) // 5), stride=stride)
        horizon = done.horizon
        for forecaster, metrics in done.scores().items():
            scores[label if forecaster == "model" else forecaster] = f"{metrics['mase']:.3f}"
        scores["seconds"] = f"{seconds:.0f}"
    target = f" {options['target']}" if options else ""
    yield f"{name}{target} {horizon}", scores


def one() -> dict[str, Any]:
    """The settings of a single network, otherwise the default."""
    return {"members": 1}


class Opened:
    """A run in a folder that is gone when it is done with."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.run: c.Run | None = None

    def __enter__(self) -> c.Run:
        assert self.run
        return self.run

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()


def trained(frame: pd.DataFrame, **options: Any) -> tuple[Opened, float]:
    """A run trained on a frame, and the seconds that took."""
    opened, started = Opened(), time.perf_counter()
    opened.run = c.train(frame, Path(opened.folder.name, "run"), **options)
    return opened, time.perf_counter() - started


CASES = {
    "ETTh1": etth1,
    "exchange": exchange,
    "M4": m4,
    "bike_hour": lambda folder, seed, _: single("bike_hour", folder, seed, target="cnt"),
    "seattle_weather": lambda folder, seed, _: single("seattle_weather", folder, seed),
    "monthly_sunspots": lambda folder, seed, _: single("monthly_sunspots", folder, seed),
    "air_passengers": lambda folder, seed, _: single("air_passengers", folder, seed),
}
FILES = {"exchange": "exchange_rate", "M4": "m4_hourly"}
FIRST = ("one", "default, as published", "default")


def main() -> None:
    """Print the table, a row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seeds", type=int, default=1, help="a row for each")
    arguments = parser.parse_args()
    print(
        "| data, steps | one member | default, as published | default | baselines | published | seconds |", flush=True
    )
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    here = [name for name in arguments.only if list(arguments.folder.glob(f"{FILES.get(name, name)}*.csv"))]
    for name in here:
        for seed in range(arguments.seeds):
            for label, scores in CASES[name](arguments.folder, seed, arguments.quick):
                baselines = ", ".join(f"{k} {v}" for k, v in scores.items() if k not in (*FIRST, "seconds"))
                cells = [scores.get(k, "") for k in FIRST]
                shown = [label, *cells, baselines, PUBLISHED.get(label, ""), scores["seconds"]]
                print("| " + " | ".join(shown) + " |", flush=True)


if __name__ == "__main__":
    main()
