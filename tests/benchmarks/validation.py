"""How the default does against its baselines on the validation rows (the newest fifth), and how long it trains.

    python -m tests.benchmarks.validation [CSV[,option=value...] ...]

Trains each file with nothing but the options given (sample_data's three files unless told otherwise) and prints a row
each: mean absolute errors in standard deviations of the training rows. ETTh1.csv is from the repository ETDataset of
zhouhaoyi, exchange_rate.csv from multivariate-time-series-data of laiguokun, the M4 series from M4-methods of
Mcompetitions (in long form: id, step, y), all on GitHub.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import cnnlstm_cli as c
from tests.conftest import SAMPLES

DEFAULT = [f"{SAMPLES}/bike_hour.csv,target=cnt", f"{SAMPLES}/seattle_weather.csv", f"{SAMPLES}/air_passengers.csv"]


def row(case: str) -> list[str]:
    """Train one case; the cells of its row."""
    path, *pairs = case.split(",")
    options = {key: int(value) if value.isdigit() else value for key, _, value in (p.partition("=") for p in pairs)}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = c.train(path, Path(folder, "run"), **options)
        facts = c.inspect(run.path)
    scores = facts["validation"]
    naive = [f"{name.split()[-1]}: {score['mae']:.4f}" for name, score in scores.items() if name.startswith("seasonal")]
    return [
        " ".join([Path(path).name, *pairs]),
        str(facts["horizon"]),
        f"{scores['model']['mae']:.4f}",
        f"{scores['last value']['mae']:.4f}",
        ", ".join(naive) or "-",
        f"{facts['skill']['percent']:+.1f} % ({facts['skill']['against']})",
        f"{time.perf_counter() - started:.0f} s",
    ]


def main() -> None:
    """Print the table, a row as soon as it is there."""
    if "--help" in sys.argv:
        print(__doc__)
        return
    print("| data | horizon | cnnlstm | last value | seasonal naive | less error than the best baseline | training |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for case in sys.argv[1:] or DEFAULT:
        print("| " + " | ".join(row(case)) + " |", flush=True)


if __name__ == "__main__":
    main()
