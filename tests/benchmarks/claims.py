"""What the advice on CNN-LSTMs says, and what comes out here: one change at a time, on data nobody trained on.

    python -m tests.benchmarks.claims ETTh1.csv bike_hour.csv,target=cnt [--quick] [--seeds 3] [--jobs 2]
                                      [--results FILE.jsonl]

Starts from the published network (`--preset answer`) and from the default, makes each change of the list below alone,
trains with every seed, and prints a table for each start, and one of the changes alone: mean absolute errors in
standard deviations of the training rows, 24 steps ahead, on validation rows (which chose the best epoch) and on test
rows (which chose nothing), seconds an epoch on one core, and a verdict. Of ETTh1 the rows are the usual 8,640 / 2,880 /
2,880; of other files the newest fifth is the test part and the newest fifth of the rest the validation part. ETTh1.csv
is from the repository ETDataset of zhouhaoyi on GitHub; bike_hour.csv is in sample_data.

The verdict: better or worse where validation and test both moved the same way by more than twice the standard error of
the difference; its spread is pooled over all changes of one start on one file. Else it is noise, or mixed. The default
is taken as one network with all its dropouts (.1, .2, .3), without calendar, race and refitting, so that a change is
not lost in an average. With --results every training is kept as it ends, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnnlstm_cli.config import spec_from
from cnnlstm_cli.planning import lay_windows, settle
from cnnlstm_cli.series.reader import read_training
from cnnlstm_cli.series.windows import joined

HORIZON = 24
BORDERS = {"ETTh1.csv": (8_640, 11_520, 14_400)}  # training, validation and test end here (Zhou et al. 2021)
BATCH = 2_048
RAW = "raw rows into a batch normalisation"  # the one change that is no setting: the product always standardises


@dataclasses.dataclass(frozen=True)
class Claim:
    """A sentence of the advice and the changes that test it, as settings from either start; None: does not apply."""

    advice: str
    change: str
    answer: Mapping[str, Any] | None
    default: Mapping[str, Any] | None


def both(advice: str, change: str, **settings: Any) -> Claim:
    """A change that is the same from either start."""
    return Claim(advice, change, settings, settings)


def keys(**settings: Any) -> dict[str, Any]:
    """Settings of one start."""
    return settings


PLAIN_RELU = keys(activation="relu", dropout_kind="plain")
CLAIMS = (
    Claim("standardise beforehand, instead of BN on the input", RAW, keys(raw=True), None),
    both("BN on the convolution: before or after the activation", "after", conv_norm="after"),
    both("", "none", conv_norm="none"),
    both("BN works in LSTMs", "in the cell", recurrent_norm="batch"),
    both("BN right after the last LSTM may add noise", "there", recurrent_norm="output"),
    Claim(
        "Dropout before or after the LSTM, or both",
        "neither",
        keys(conv_dropout=0.0),
        keys(conv_dropout=0.0, dropout=0.0),
    ),
    Claim("", "before only", {}, keys(dropout=0.0)),
    Claim("", "after only", keys(conv_dropout=0.0, dropout=0.1), keys(conv_dropout=0.0)),
    Claim("", "both", keys(dropout=0.1), {}),
    Claim(
        "spatial dropout beats elementwise",
        "spatial; from `default` elementwise",
        keys(dropout_shape="spatial"),
        keys(dropout_shape="elementwise"),
    ),
    Claim(
        "recurrent_dropout rather than Dropout on an LSTM; both may be used",
        "Dropout instead",
        keys(recurrent_dropout=0.0, dropout=0.2),
        keys(recurrent_dropout=0.0),
    ),
    Claim("", "both at .2", keys(dropout=0.2), keys(dropout=0.2)),
    both("", "neither", recurrent_dropout=0.0, dropout=0.0),
    both(
        "no recurrent_dropout with relu (refused)", "relu cell without", cell_activation="relu", recurrent_dropout=0.0
    ),
    both("pooling is redundant", "average", pooling="average"),
    both("", "max", pooling="max"),
    both("", "BN, then average", pooling="average", pool_norm=True),
    both("squeeze-excite after the convolution", "without", squeeze=False),
    both("SELU, AlphaDropout, lecun_normal together", "relu, Dropout, he_normal", **PLAIN_RELU),
    both("", "SELU, Dropout", dropout_kind="plain"),
    both("", "SELU, he_normal", initializer="he_normal"),
    both("", "relu, AlphaDropout", activation="relu"),
    both("layer normalisation in the cell may be better", "in the cell", recurrent_norm="layer"),
    both("stacked LSTMs", "two", layers=2),
    both("regularise: weights", "input l2 1e-4", kernel_l2=1e-4),
    both("", "recurrent l2 1e-4", recurrent_l2=1e-4),
    both("", "activity l2 1e-4", activity_l2=1e-4),
    both("", "largest norm 2", max_norm=2.0),
    both("", "weight decay .004", weight_decay=0.004),
    both("", "zoneout .1", zoneout=0.1),
    both("(a slip) relu output", "relu", output="relu"),
    Claim(
        "(ours) window normalisation",
        "with; from `default` without",
        keys(normalisation="standard"),
        keys(normalisation="none"),
    ),
    Claim("(ours) linear skip", "with; from `default` without", keys(skip=True), keys(skip=False)),
    Claim(
        "(ours) columns share weights",
        "they do; from `default` jointly",
        keys(channels="independent"),
        keys(channels="joint"),
    ),
    Claim("(ours) mean absolute error", "as loss; from `default` squared", keys(loss="mae"), keys(loss="mse")),
)


@dataclasses.dataclass(frozen=True)
class Training:
    """One network to train and score: `settings` on top of the preset `start`."""

    data: str
    start: str
    settings: tuple[tuple[str, Any], ...]
    seed: int

    @property
    def key(self) -> str:
        """What tells it from the others, as text."""
        return json.dumps(dataclasses.astuple(self))


def trainings(data: Sequence[str], seeds: int) -> list[Training]:
    """Every training there is to do, each once, seed after seed."""
    found: dict[Training, None] = {}
    for seed in range(seeds):
        for start in ("answer", "default"):
            changes = [{}, *(claim.answer if start == "answer" else claim.default for claim in CLAIMS)]
            for settings in changes:
                if settings is not None:
                    found |= dict.fromkeys(Training(each, start, ordered(settings), seed) for each in data)
    return list(found)


def ordered(settings: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """As a key that can be compared."""
    return tuple(sorted(settings.items()))


def measure(todo: Training) -> dict[str, Any]:
    """Train one network; its errors and its pace."""
    import keras

    from cnnlstm_cli.network.build import build
    from cnnlstm_cli.network.fit import fit

    settings = dict(todo.settings)
    raw = settings.pop("raw", False)
    train = {key: settings.pop(key) for key in ("loss", "weight_decay") if key in settings}
    settings.setdefault("calendar", "none")
    path, *pairs = todo.data.split(",")
    options: Any = {"horizon": HORIZON, "seed": todo.seed, **dict(pair.split("=") for pair in pairs)}
    spec = spec_from(options, {"model": settings, "train": train}, todo.start)
    table = read_training(path, spec.data)
    trained, known, end = BORDERS.get(Path(path).name) or borders(len(table.values))
    spec = dataclasses.replace(spec, data=dataclasses.replace(spec.data, validation=known - trained))
    past = table.until(np.array([known]))
    task = lay_windows(past, *settle(past, spec))
    joint, columns = task.spec.model.channels == "joint", table.values.shape[1]
    windows = joined(task.windows, columns) if joint else task.windows
    channels = windows.values.shape[1]
    keras.backend.clear_session()
    model = build(task.spec.model, windows.lookback, windows.horizon, channels, seed=todo.seed)
    scaler = task.scalers[0]
    if raw:
        rows = keras.Input(model.input_shape[1:])
        unscaled = keras.layers.Rescaling(scaler.scale, scaler.mean)(rows)
        model = keras.Model(rows, model(keras.layers.BatchNormalization()(unscaled)))
    fitted = fit(model, windows, task.spec.train)
    scaled = scaler.transform(table.values[:end]).astype(np.float32)
    paces = np.diff([0.0, *(epoch.seconds for epoch in fitted.history)])
    return {
        "key": todo.key,
        "validation": fitted.history[fitted.best - 1].validation,
        "test": error(model, scaled, range(known, end - HORIZON + 1), windows.lookback, joint),
        "epoch": float(np.median(paces)),
        "epochs": len(fitted.history),
    }


def borders(rows: int) -> tuple[int, int, int]:
    """Where training, validation and test rows end."""
    known = rows - rows // 5
    return known - known // 5, known, rows


def error(model: Any, scaled: np.ndarray, origins: Iterable[int], lookback: int, joint: bool) -> float:
    """Mean absolute error of the forecasts made at `origins`, the first rows forecast; windows with holes left out."""
    offsets = np.arange(-lookback, HORIZON)
    whole = [origin for origin in origins if not np.isnan(scaled[origin + offsets]).any()]
    errors = []
    for first in range(0, len(whole), BATCH):
        rows = scaled[np.array(whole[first : first + BATCH])[:, None] + offsets]
        if not joint:
            rows = rows.transpose(0, 2, 1).reshape(-1, rows.shape[1], 1)
        made = np.asarray(model(rows[:, :lookback], training=False))
        errors.append(np.abs(made - rows[:, lookback:]).mean(axis=(1, 2)))
    return float(np.concatenate(errors).mean())


def table(start: str, data: Sequence[str], results: Mapping[str, Mapping[str, float]], seeds: int) -> str:
    """The markdown table of one start."""
    columns = [measured(start, each, results, seeds) for each in data]
    names = [name for each in data for name in (f"{Path(each).name.split(',')[0]}: validation", "test", "s", "verdict")]
    lines = ["| " + " | ".join(["the advice", f"`{start}`, but", *names]) + " |", "| --- " * (2 + len(names)) + "|"]
    rows = [Claim("", "(as it is)", {}, {}), *CLAIMS]
    for claim in rows:
        settings = claim.answer if start == "answer" else claim.default
        if settings is None or (not settings and claim is not rows[0]):
            continue
        cells = [cell for column in columns for cell in column[ordered(settings)]]
        lines.append("| " + " | ".join([claim.advice, claim.change, *cells]) + " |")
    return "\n".join(lines)


def measured(
    start: str, data: str, results: Mapping[str, Mapping[str, float]], seeds: int
) -> dict[tuple[tuple[str, Any], ...], list[str]]:
    """Settings -> the four cells of their row: validation, test, seconds an epoch, verdict."""
    found: dict[tuple[tuple[str, Any], ...], np.ndarray] = defaultdict(lambda: np.empty((0, 3)))
    for todo in trainings([data], seeds):
        if todo.start == start and todo.key in results:
            result = results[todo.key]
            found[todo.settings] = np.vstack(
                [found[todo.settings], [result[k] for k in ("validation", "test", "epoch")]]
            )
    means = {settings: values.mean(axis=0) for settings, values in found.items()}
    base = means[()]
    doubt = np.array([np.nan, np.nan])
    if seeds > 1:
        spreads = [np.std(v[:, :2] / v[:, :2].mean(axis=0), axis=0, ddof=1) for v in found.values()]
        doubt = 2 * np.sqrt(np.mean(np.square(spreads), axis=0) * 2 / seeds)
    cells = {}
    for settings, mean in means.items():
        moved = (mean / base - 1)[:2]
        shown = [f"{mean[k]:.4f} ({moved[k]:+.1%})".replace("%", " %") for k in range(2)]
        cells[settings] = [*shown, f"{mean[2]:.2f}", verdict(moved, doubt)]
    noise = " / ".join(f"{share:.1%}".replace("%", " %") for share in doubt)
    cells[()] = [f"{base[0]:.4f}", f"{base[1]:.4f}", f"{base[2]:.2f}", f"± {noise}" if seeds > 1 else ""]
    return cells


def summary(data: Sequence[str], results: Mapping[str, Mapping[str, float]], seeds: int) -> str:
    """One markdown table of all changes: how much the error moved, on validation / test rows, and the verdict."""
    starts = ("answer", "default")
    found = [(start, measured(start, each, results, seeds)) for start in starts for each in data]
    names = [f"`{start}`, {Path(each).name.split('.')[0]}" for start in starts for each in data]
    lines = ["| " + " | ".join(["the advice", "the change", *names]) + " |", "| --- " * (2 + len(names)) + "|"]
    noise = [column[()][3] for _, column in found]
    lines.append("| " + " | ".join(["", "(twice the standard error)", *noise]) + " |")
    for claim in CLAIMS:
        cells = []
        for start, column in found:
            settings = claim.answer if start == "answer" else claim.default
            if not settings:
                cells.append("as it is" if settings == {} else "")
                continue
            validation, test, _, word = column[ordered(settings)]
            moved = " / ".join(text.split("(")[1].rstrip(")").removesuffix(" %") for text in (validation, test))
            cells.append(f"{moved} {word}")
        lines.append("| " + " | ".join([claim.advice, claim.change, *cells]) + " |")
    return "\n".join(lines)


def verdict(moved: np.ndarray, doubt: np.ndarray) -> str:
    """In a word; `moved` and `doubt` are shares of the start's error, on validation and test rows."""
    if np.isnan(doubt).any():
        return ""
    clear = np.where(np.abs(moved) > doubt, np.sign(moved), 0)
    if set(clear) == {0.0}:
        return "noise"
    return {2: "worse", -2: "better"}.get(int(clear.sum()), "mixed")


def main() -> None:
    """Train what is not yet there, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--quick", action="store_true", help="one seed, no verdict")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time, each on one core")
    parser.add_argument("--results", type=Path, help="where trainings are kept, and found again")
    arguments = parser.parse_args()
    seeds = 1 if arguments.quick else arguments.seeds
    results: dict[str, dict[str, float]] = {}
    if arguments.results and arguments.results.exists():
        results = {line["key"]: line for line in map(json.loads, arguments.results.read_text().splitlines())}
    todo = [each for each in trainings(arguments.data, seeds) if each.key not in results]
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
    workers = concurrent.futures.ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("spawn"))
    with workers:
        for number, done in enumerate(
            map(concurrent.futures.Future.result, [workers.submit(measure, t) for t in todo])
        ):
            results[str(done["key"])] = done
            if arguments.results:
                with arguments.results.open("a") as file:
                    file.write(json.dumps(done) + "\n")
            print(f"{number + 1} of {len(todo)}: {done}", file=sys.stderr, flush=True)
    for start in ("answer", "default"):
        print(f"\n{table(start, arguments.data, results, seeds)}", flush=True)
    print(f"\n{summary(arguments.data, results, seeds)}")


if __name__ == "__main__":
    main()
