"""How well the plain command forecasts rows that nothing was chosen on, beside baselines and published figures.

    python -m tests.benchmarks.accuracy FOLDER [--quick] [--only NAME ...] [--horizons 24 96] [--seeds 1]

FOLDER holds ETTh1.csv, exchange_rate.csv, bike_hour.csv, seattle_weather.csv, monthly_sunspots.csv,
air_passengers.csv, m4_hourly_train.csv and m4_hourly_test.csv; a file that is not there is passed over. ETTh1.csv is
from ETDataset (zhouhaoyi), exchange_rate.csv from multivariate-time-series-data (laiguokun), the M4 series from
M4-methods (Mcompetitions; here in long form: id, step, y), all on GitHub; the others are in sample_data or from the
Datasets repository of jbrownlee.

Everything goes through the public API: train on the rows known, then forecast every origin after them. "One member" is
one network, alone, its mean and standard deviation over `--seeds`; "default" is the plain command.

ETTh1     forecast is every window of rows 11,520 to 14,400; standardised by the first 8,640 rows, MSE/MAE. The
          published protocol trains on those 8,640 and chooses on the next 2,880: so do "one member" and "as published";
          the default makes what it likes of all 11,520
exchange  60/20/20 %, root relative squared error (Lai et al. 2018) over all columns at the last step ahead
M4        the competition's: OWA against its Naive2 (sMAPE 18.383, MASE 2.395) / sMAPE / MASE, over all series
others    the newest fifth is forecast at every origin; MASE by the shortest season. bike_hour at 40 origins

--quick leaves out ETTh1 beyond 96 steps, exchange beyond 3 and M4.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import cnnlstm_cli as c
from cnnlstm_cli.evaluation.metrics import naive_scale

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
    "M4 48": "OWA: Doornik .410, ES-RNN .440, seasonal naive .627",
    "bike_hour": "NHITS .817, LightGBM .872",
}
NAIVE2 = {"smape": 18.383, "mase": 2.395}
HORIZONS = {"ETTh1": (24, 96, 192, 336, 720), "exchange": (3, 6, 12, 24), "M4": (48,)}
QUICK = {"ETTh1": (24, 96), "exchange": (3,), "M4": ()}
ONE = {"members": 1, "linear": False}
Scores = dict[str, tuple[float, ...]]  # forecaster -> its figures


def etth1(folder: Path, horizon: int, seeds: int) -> tuple[Scores, float]:
    """Mean squared and absolute errors."""
    frame = pd.read_csv(folder / "ETTh1.csv")
    deviation = frame.iloc[:8_640, 1:].std(ddof=0).to_numpy()

    def judge(run: c.Run) -> Scores:
        done = c.backtest(frame[:14_400], run.path, start=11_520)
        off = {
            name: (f - done.came.values) / deviation[done.came.column][:, None] for name, f in done.forecasts.items()
        }
        return {name: (float(np.mean(each**2)), float(np.mean(abs(each)))) for name, each in off.items()}

    published = {"horizon": horizon, "validation": 2_880}
    found = one_member(frame[:11_520], judge, seeds, {**ONE, "refit": False}, **published)
    with trained(frame[:11_520], train={"refit": False}, **published) as (run, _):
        found[AS_PUBLISHED] = judge(run)["model"]
    with trained(frame[:11_520], horizon=horizon) as (run, seconds):
        return {**judge(run), **found}, seconds


def exchange(folder: Path, horizon: int, seeds: int) -> tuple[Scores, float]:
    """Root relative squared error of the last step ahead."""
    frame = pd.read_csv(folder / "exchange_rate.csv")
    known, trained_on = int(len(frame) * 0.8), int(len(frame) * 0.6)

    def judge(run: c.Run) -> Scores:
        done = c.backtest(frame, run.path, start=known)
        came = done.came.values[:, -1]
        off = {name: np.sqrt(np.mean((f[:, -1] - came) ** 2)) / came.std() for name, f in done.forecasts.items()}
        return {name: (float(each),) for name, each in off.items()}

    found = one_member(frame[:known], judge, seeds, ONE, horizon=horizon, validation=known - trained_on)
    with trained(frame[:known], horizon=horizon) as (run, seconds):
        return {**judge(run), **found}, seconds


def m4(folder: Path, horizon: int, seeds: int) -> tuple[Scores, float]:
    """All series, one model, the competition's scores."""
    frame, after = (pd.read_csv(folder / f"m4_hourly_{part}.csv") for part in ("train", "test"))

    def judge(run: c.Run) -> Scores:
        done = c.backtest(pd.concat([frame, after]), run.path, start=-horizon)
        scale = np.array([naive_scale(frame.loc[frame["id"] == name, "y"].to_numpy(), 24) for name in done.table.ids])
        came = done.came.values
        return {name: competition(f, came, scale[done.came.series]) for name, f in done.forecasts.items()}

    found = one_member(frame, judge, seeds, ONE, id="id", horizon=horizon)
    with trained(frame, id="id", horizon=horizon) as (run, seconds):
        return {**judge(run), **found}, seconds


def competition(forecast: np.ndarray, came: np.ndarray, scale: np.ndarray) -> tuple[float, float, float]:
    """OWA, sMAPE, MASE of (series, 48 hours): errors of each series' hours, averaged over the series."""
    smape = float(np.mean(200 * abs(forecast - came) / (abs(forecast) + abs(came))))
    mase = float(np.mean(abs(forecast - came).mean(axis=1) / scale))
    return (smape / NAIVE2["smape"] + mase / NAIVE2["mase"]) / 2, smape, mase


def single(name: str, folder: Path, seeds: int, **options: Any) -> tuple[Scores, float]:
    """The newest fifth of a file, forecast at every origin, or at 40 where there would be thousands; MASE."""
    frame = pd.read_csv(folder / f"{name}.csv")
    if name == "bike_hour":
        frame["instant"] = range(1, len(frame) + 1)  # a damaged cell in some copies
    newest = len(frame) // 5

    def judge(run: c.Run) -> Scores:
        done = c.backtest(frame, run.path, start=-newest)
        if name == "bike_hour":
            done = c.backtest(frame, run.path, start=-newest, stride=len(np.unique(done.origins)) // 40)
        return {forecaster: (metrics["mase"],) for forecaster, metrics in done.scores().items()}

    found = one_member(frame[:-newest], judge, seeds, ONE, **options)
    with trained(frame[:-newest], **options) as (run, seconds):
        return {**judge(run), **found}, seconds


ONE_MEMBER, AS_PUBLISHED = "one member", "default, as published"


def one_member(
    frame: pd.DataFrame, judge: Callable[[c.Run], Scores], seeds: int, train: dict[str, Any], **options: Any
) -> Scores:
    """One network's figures, and where there are several seeds their deviations after them."""
    found = []
    for seed in range(seeds):
        with trained(frame, train=train, seed=seed, **options) as (run, _):
            found.append(judge(run)["model"])
    means, deviations = np.mean(found, axis=0), np.std(found, axis=0, ddof=min(1, seeds - 1))
    return {ONE_MEMBER: (*map(float, means), *(map(float, deviations) if seeds > 1 else ()))}


@contextmanager
def trained(frame: pd.DataFrame, train: dict[str, Any] | None = None, **options: Any) -> Iterator[tuple[c.Run, float]]:
    """A run trained on a frame, gone when it is done with, and the seconds that took."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = c.train(frame, Path(folder, "run"), settings={"train": train or {}}, **options)
        yield run, time.perf_counter() - started


CASES: dict[str, Callable[[Path, int, int], tuple[Scores, float]]] = {
    "ETTh1": etth1,
    "exchange": exchange,
    "M4": m4,
    "bike_hour": lambda folder, _, seeds: single("bike_hour", folder, seeds, target="cnt"),
    "seattle_weather": lambda folder, _, seeds: single("seattle_weather", folder, seeds),
    "monthly_sunspots": lambda folder, _, seeds: single("monthly_sunspots", folder, seeds),
    "air_passengers": lambda folder, _, seeds: single("air_passengers", folder, seeds),
}
FILES = {"exchange": "exchange_rate", "M4": "m4_hourly"}
DIGITS = {"exchange": 4}
COLUMNS = ("data, steps", ONE_MEMBER, AS_PUBLISHED, "default", "baselines", "published", "seconds")


def main() -> None:
    """Print the table, a row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--horizons", nargs="+", type=int, help="of ETTh1 and exchange, only these")
    parser.add_argument("--seeds", type=int, default=1, help="of the one member")
    arguments = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}", flush=True)
    for name in arguments.only:
        if not list(arguments.folder.glob(f"{FILES.get(name, name)}*.csv")):
            continue
        for horizon in (QUICK if arguments.quick else HORIZONS).get(name, (0,)):
            if arguments.horizons and horizon and horizon not in arguments.horizons:
                continue
            scores, seconds = CASES[name](arguments.folder, horizon, arguments.seeds)
            print(f"| {' | '.join(row(name, horizon, scores))} | {seconds:.0f} |", flush=True)


def row(name: str, horizon: int, scores: Scores) -> list[str]:
    """The cells of the table but for the seconds."""
    digits = DIGITS.get(name, 3)
    label = f"{name} {horizon}" if horizon else name
    count = len(scores["model"])
    shown = {k: "/".join(f"{figure:.{digits}f}" for figure in figures[:count]) for k, figures in scores.items()}
    spread = "/".join(f"{figure:.{digits}f}" for figure in scores[ONE_MEMBER][count:])
    ours = shown.pop("model")
    first = [shown.pop(ONE_MEMBER) + (f" ± {spread}" if spread else ""), shown.pop(AS_PUBLISHED, ""), ours]
    return [label, *first, ", ".join(f"{k} {v}" for k, v in shown.items()), PUBLISHED.get(label, "")]


if __name__ == "__main__":
    main()
