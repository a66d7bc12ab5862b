"""What covariates that are known ahead are worth: bike_hour with its weather and days off, and without.

    python -m tests.benchmarks.covariates [FILE]

FILE is sample_data/bike_hour.csv. Trained by the plain command on the first four fifths of the rows, scored on every
origin in the last. The weather is what it turned out to be: a forecast of it would be worth less.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd

import cnnlstm_cli as c

KNOWN = ["temp", "hum", "windspeed", "weathersit", "workingday", "holiday"]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=Path("sample_data/bike_hour.csv"))
    frame = pd.read_csv(parser.parse_args().file)
    print("| bike_hour, cnt, 24 steps | seconds to train | mae | mase | pinball | 80 %: coverage | width |")
    print("| --- |" + " --- |" * 6)
    for name, known in (("alone", []), ("with weather and days off known ahead", KNOWN)):
        with tempfile.TemporaryDirectory() as folder:
            run = c.train(frame[: round(0.8 * len(frame))], Path(folder, "run"), target="cnt", horizon=24, known=known)
            facts = run.record.facts
            scores = c.backtest(frame, run.path, start=facts["data"]["last"]).scores()["model"]
        cells = [f"{scores[metric]:.3g}" for metric in ("mae", "mase", "pinball", "coverage-80", "width-80")]
        print(f"| {name} | {facts['seconds']:.0f} | " + " | ".join(cells) + " |", flush=True)
        for covariate, each in facts["covariates"].items():
            print(f"| {covariate} shuffled: {100 * (each['shuffled'] / each['mae'] - 1):+.1f} % error |" + " |" * 6)


if __name__ == "__main__":
    main()
