"""Two runs side by side: on the same rows, with numbers that a loop over their backtests makes, and honest words."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from rich.console import Console, Group

import cnnlstm_cli as c
from cnnlstm_cli import contest
from cnnlstm_cli.comparison import compare
from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.render.comparison_report import comparison_report, comparison_rows
from tests.evaluation.test_significance import by_hand

SMALL = {"filters": 4, "units": 4, "squeeze": False, "calendar": "none"}
TRAIN = {"epochs": 1, "members": 1, "refit": False}
BARELY = {"model": SMALL, "train": {**TRAIN, "linear": False, "learning_rate": 1e-9}}
WELL = {"model": SMALL, "train": {**TRAIN, "linear": True}}
SEEN, HORIZON = 240, 3
HOLES = [270, 271, 290]


def daily() -> pd.DataFrame:
    """A week that repeats itself but for noise, in two columns of which the second has holes."""
    random, rows = np.random.default_rng(0), np.arange(330)
    week = 10 + 3 * np.sin(rows * 2 * np.pi / 7)
    frame = pd.DataFrame({"day": pd.date_range("2023-01-02", periods=len(rows)).strftime("%Y-%m-%d")})
    frame["y"] = week + random.normal(0, 0.3, len(rows))
    frame["z"] = 1000 - 50 * week + random.normal(0, 20, len(rows))
    frame.loc[HOLES, "z"] = np.nan
    return frame


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """y of the first rows, barely and well trained; and both columns of all rows, looking further ahead and back."""
    folder, frame = tmp_path_factory.mktemp("compared"), daily()
    near = {"horizon": HORIZON, "lookback": 14, "season": 7}
    c.train(frame[:SEEN], folder / "barely", target="y", settings=BARELY, **near)
    c.train(frame[:SEEN], folder / "well", target="y", settings=WELL, **near)
    far = {"horizon": 5, "lookback": 28, "season": 7, "levels": [80, 90]}
    c.train(frame, folder / "far", target=["z", "y"], settings=WELL, **far)
    return folder


@pytest.fixture(scope="module")
def judged(runs):
    """The barely and the well trained run on the rows that came after."""
    return compare(runs / "barely", runs / "well", daily()).facts()["judged"]


def losses(run, start, horizon=HORIZON):
    """{(origin, target): absolute errors, one a step} of a backtest's file, in units of the data."""
    frame, made = daily(), c.backtest(daily(), run, start=start).frame(written=True)
    names = [name for name in ("y", "z") if name in made]
    came = made[["day"]].merge(frame, on="day", how="left")
    found = {}
    for name in names:
        off = (made[name] - came[name].to_numpy()).abs()
        for origin, errors in off.groupby(made["origin"]):
            found[origin, name] = errors.to_numpy()[:horizon]
    return found


def test_the_better_run_is_named_whichever_comes_first(runs, judged):
    swapped = compare(runs / "well", runs / "barely", daily()).facts()["judged"]
    assert (judged["better"], swapped["better"]) == (1, 0)
    assert judged["verdict"] == swapped["verdict"]
    assert judged["verdict"].startswith(f"{runs / 'well'} forecasts better: ")
    ours, theirs = (scores["mae"] for scores in swapped["scores"])
    assert f"{100 * (1 - ours / theirs):.1f} % less error (mae {ours:.4g} against {theirs:.4g})" in judged["verdict"]
    assert "less than once in a million times" in judged["verdict"]
    for key, sign in (("mean", -1), ("statistic", -1), ("p", 1)):
        assert swapped["test"][key] == sign * judged["test"][key]


def test_both_are_scored_as_by_backtest_on_rows_that_neither_has_seen(runs, judged):
    for place, name in enumerate(("barely", "well")):
        expected = c.backtest(daily(), runs / name, start=SEEN).scores()["model"]
        assert judged["scores"][place] == pytest.approx(expected)
    assert judged["unseen"] == [True, True]
    assert judged["notes"] == [f"Judged on the rows after {daily()['day'][SEEN - 1]}, which neither has seen."]
    assert judged["origins"] == 330 - SEEN - HORIZON + 1
    assert (judged["first"], judged["unit"], judged["horizon"]) == (daily()["day"][SEEN - 1], "y", HORIZON)


def test_the_difference_is_tested_as_the_papers_say(runs, judged):
    ours, theirs = losses(runs / "barely", SEEN), losses(runs / "well", SEEN)
    differential = [ours[key].mean() - theirs[key].mean() for key in sorted(ours)]
    expected = by_hand(differential, list(range(len(differential))), HORIZON)
    assert judged["test"]["statistic"] == pytest.approx(expected, rel=1e-4)
    mae = [scores["mae"] for scores in judged["scores"]]
    assert judged["test"]["mean"] == pytest.approx(mae[0] - mae[1])


def test_a_run_beside_itself_shows_no_difference(runs):
    facts = compare(runs / "well", runs / "well", daily()).facts()
    assert facts["differences"] == []
    assert facts["validation"]["same_rows"]
    judged = facts["judged"]
    assert (judged["better"], judged["test"]["mean"], judged["test"]["p"]) == (None, 0, 1)
    assert judged["verdict"].startswith("No difference that these 88 origins, worth about 29 that do not overlap, can")
    assert judged["verdict"].endswith("in 100 of 100 cases.")


def test_of_other_horizons_targets_and_lookbacks_what_both_have_is_compared(runs):
    stamps, start = daily()["day"].tolist(), round(330 * 0.8)
    judged = compare(runs / "far", runs / "well", daily()).facts()["judged"]
    assert (judged["horizon"], judged["targets"], judged["unit"]) == (HORIZON, ["y"], "y")
    assert (judged["first"], judged["last"]) == (stamps[start - 1], stamps[-5 - 1])
    ours, theirs = losses(runs / "far", SEEN), losses(runs / "well", SEEN)
    both = [(stamps[row], "y") for row in range(start - 1, 330 - 5) if row not in HOLES]
    assert judged["origins"] == len(both)
    for place, found in enumerate((ours, theirs)):
        expected = np.mean([found[key] for key in both])
        assert judged["scores"][place]["mae"] == pytest.approx(expected, rel=1e-4)
    levels = [sorted(key for key in scores if key.startswith("coverage")) for scores in judged["scores"]]
    assert levels == [["coverage-80"]] * 2
    far, well = runs / "far", runs / "well"
    assert judged["notes"][2:] == [
        f"Compared are the first 3 steps: {far} forecasts 5.",
        f"Compared is y alone: {far} forecasts z as well.",
        f"Only {far} has intervals of 90 %.",
        f"{far}: 3 of 62 origins left out: too few rows before them, or a hole in their window.",
        f"Only {well} has intervals of 95 %.",
        f"5 origins that only {well} can forecast from are left out.",
    ]


def test_origins_that_one_looks_back_too_far_for_are_left_out(runs):
    begun = daily()[-34:].reset_index(drop=True)  # of which 27 are known at first, one fewer than a lookback
    judged = compare(runs / "far", runs / "well", begun).facts()["judged"]
    assert (judged["first"], judged["last"]) == (begun["day"][27], begun["day"][28])
    assert judged["origins"] == 2
    assert f"3 origins that only {runs / 'well'} can forecast from are left out." in judged["notes"]
    assert judged["verdict"].startswith("2 origins are too few to show a difference 3 steps ahead: mae ")
    assert (judged["better"], judged["test"]["p"]) == (None, None)


def test_of_several_targets_each_origin_counts_once_and_errors_are_in_deviations(runs):
    """Two forecasters made by hand: a run's, and the same with noise and other deviations."""
    run, random = Run.open(runs / "far"), np.random.default_rng(5)
    ours = c.backtest(daily(), run.path, start=SEEN)
    wider = ours.came.scale * (1 + ours.came.column)  # of the second target
    noisy = ours.forecasts["model"] + ours.came.scale[:, None] * random.normal(0, 0.3, ours.came.values.shape)
    theirs = replace(ours, forecasts={"model": noisy}, came=replace(ours.came, scale=wider))
    made = contest.Contest((run, run), (ours, theirs), ())
    assert (made.targets, made.unit[:19]) == (["z", "y"], "standard deviations")
    assert np.isnan(ours.came.values).any()
    gathered, total = {}, 0
    for place, origin in enumerate(ours.origins.tolist()):
        for step in range(5):
            came, unit = ours.came.values[place, step], (ours.came.scale[place] + wider[place]) / 2
            if not np.isnan(came):
                off = [abs(each[place, step] - came) / unit for each in (ours.forecasts["model"], noisy)]
                gathered[origin] = gathered.get(origin, 0) + off[0] - off[1]
                total += 1
    rows = sorted(gathered)
    expected = by_hand([gathered[row] * len(rows) / total for row in rows], rows, 5)
    assert made.test.origins == len(rows)
    assert made.test.statistic == pytest.approx(expected)
    assert made.test.mean == pytest.approx(made.scores[0]["mae"] - made.scores[1]["mae"])
    assert made.better == 0


def test_whom_rows_that_were_trained_on_flatter_is_said(runs):
    judged = compare(runs / "barely", runs / "far", daily()).facts()["judged"]
    far, last = runs / "far", daily()["day"].iloc[-1]
    assert judged["unseen"] == [True, False]
    assert judged["first"] == daily()["day"][round(330 * 0.8) - 1]
    assert judged["notes"][:2] == [
        "Judged on the last fifth of the rows.",
        f"{far} was trained, or its epochs chosen, on rows up to {last}: scores there flatter it.",
    ]
    assert judged["verdict"].startswith(f"{far} forecasts better")
    assert judged["verdict"].endswith("But it has seen some of these rows.")
    both = compare(far, far, daily()).facts()["judged"]
    assert both["notes"][1].startswith(f"Both were trained, or their epochs chosen, on rows up to {last}")


def test_where_targets_differ_what_the_runs_are_is_compared_all_the_same(runs):
    facts = compare(runs / "far", runs / "well").facts()
    assert facts["judged"] is None
    assert {"what": "targets", "values": [["z", "y"], ["y"]]} in facts["differences"]
    assert {"what": "horizon", "values": [5, HORIZON]} in facts["differences"]


def other_schema(run: Run, **change) -> Run:
    return replace(run, record=replace(run.record, schema=replace(run.record.schema, **change)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"agg": "sum"}, "the same rows: step 'daily' against 'daily, by their sum'. Leave out --data"),
        ({"id": "y"}, "the same rows: series by '' against 'y'"),
        ({"targets": ("z",)}, "well z: there is nothing to compare on rows. Leave out --data"),
    ],
)
def test_runs_that_forecast_other_rows_are_refused(change, told, runs):
    one, other = Run.open(runs / "barely"), other_schema(Run.open(runs / "well"), **change)
    with pytest.raises(UsageError, match=re.escape(told)):
        contest.contest((one, other), daily())


def test_differences_and_what_is_the_same_are_complete_and_json(runs):
    facts = json.loads(json.dumps(compare(runs / "barely", runs / "well", daily()).facts(), allow_nan=False))
    other = {each["what"]: each["values"] for each in facts["differences"]}
    assert other["train.linear"] == [False, True]
    assert other["train.learning_rate"] == [1e-9, 0.003]
    assert not other.keys() & facts["same"].keys()
    records = [Run.open(runs / name).record for name in ("barely", "well")]
    assert other["version"] == [record.version for record in records]
    for name, value in vars(records[0].spec.model).items():
        told = other.get(f"model.{name}") or [facts["same"][f"model.{name}"]] * 2
        assert told == [value, getattr(records[1].spec.model, name)]
    scores = [record.facts["validation"]["model"]["mae"] for record in records]
    assert [each["mae"] for each in facts["validation"]["scores"]] == scores
    assert facts["validation"]["same_rows"]


def test_validation_rows_of_other_data_or_horizons_are_said_to_differ(runs):
    told = compare(runs / "well", runs / "far").facts()["validation"]
    assert not told["same_rows"]
    assert "(targets, horizon, data, rows used, validation windows)" in told["caveat"]


def test_data_that_can_be_read_only_once_are_enough(runs, judged):
    read, write = os.pipe()
    with os.fdopen(write, "wb") as file:
        file.write(daily().to_csv(index=False).encode())
    try:
        found = compare(runs / "barely", runs / "well", f"/dev/fd/{read}").facts()["judged"]
    finally:
        os.close(read)
    assert found["test"] == pytest.approx(judged["test"])


def drawn(facts) -> list[str]:
    """The lines of the report on a terminal of 80 columns."""
    console = Console(file=io.StringIO(), width=80, markup=False, highlight=False, emoji=False)
    console.print(Group(*comparison_report(facts)))
    return console.file.getvalue().splitlines()


def test_the_report_shows_differences_first_and_fits_80_columns(runs):
    facts = compare(runs / "barely", runs / "well", daily()).facts()
    facts["runs"] = ["runs/[red]a", "runs/b\x1b[2J"]
    lines = drawn(facts)
    assert max(map(len, lines)) <= 80
    assert "runs/[red]a" in lines[0]
    assert "runs/b\\x1b[2J" in lines[0]
    places = [next(k for k, line in enumerate(lines) if line.startswith(start)) for start in (
        "train.linear", "The same: targets y; step daily", "on their validation rows", "on the same rows"
    )]  # fmt: skip
    assert all(a < b for a, b in pairwise(places))
    assert not any(line.startswith("horizon") for line in lines)
    assert facts["judged"]["verdict"] in " ".join(line.strip() for line in lines)
    table = next(line for line in lines[places[3] :] if line.startswith("mae"))
    assert table.split()[1:] == [f"{scores['mae']:.4g}" for scores in facts["judged"]["scores"]]
    alone = drawn(compare(runs / "well", runs / "far").facts())
    assert "To compare them on the same rows, name some with --data." in alone


def test_the_rows_for_csv_are_the_facts(runs):
    facts = compare(runs / "barely", runs / "well", daily()).facts()
    rows = comparison_rows(facts)
    assert {len(row) for row in rows} == {4}
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    told = {(part, what): (one, other) for part, what, one, other in csv.reader(io.StringIO(text.getvalue()))}
    assert told["part", "what"] == ("first", "second")
    assert told["difference", "train.linear"] == ("False", "True")
    assert told["same", "horizon"] == ("3", "3")
    assert float(told["judged", "mase"][1]) == facts["judged"]["scores"][1]["mase"]
    assert float(told["test", "p"][0]) == facts["judged"]["test"]["p"]
    assert told["verdict", facts["judged"]["verdict"]] == ("", "")
