"""What is looked at: `predict --plot`, `inspect --data`, `inspect --html`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests import SAMPLES
from tests.command import command

AIR = SAMPLES / "air_passengers.csv"


def test_a_plot_goes_to_stderr_and_leaves_the_forecast_alone(air: Path) -> None:
    plain = command("predict", AIR, "--run", air)
    drawn = command("predict", AIR, "--run", air, "--plot", "-q")
    assert (drawn.returncode, drawn.stdout) == (0, plain.stdout)
    assert "#Passengers:" in drawn.stderr
    assert "1960-12" in drawn.stderr
    assert "\033" not in drawn.stderr
    assert max(map(len, drawn.stderr.splitlines())) <= 80


def test_a_page_is_written_and_said(air: Path, tmp_path: Path) -> None:
    done = command("inspect", air, "--data", AIR, "--html", tmp_path / "air.html")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"written: {tmp_path / 'air.html'}\n"
    page = (tmp_path / "air.html").read_text()
    assert "Forecast of #Passengers" in page
    assert "Where it errs" in page
    through = command("inspect", air, "--html", "-")
    assert through.stdout.startswith("<!DOCTYPE html>")
    assert "Where it errs" not in through.stdout


def test_errors_on_data_are_facts_as_well(air: Path) -> None:
    found = json.loads(command("inspect", air, "--data", AIR, "--json").stdout)["diagnosis"]
    scored = json.loads(command("backtest", AIR, "--run", air, "--json").stdout)
    assert found["scores"]["model"]["mae"] == scored["scores"]["model"]["mae"]


def test_what_is_no_run_has_no_page(air: Path, tmp_path: Path) -> None:
    for arguments in (["--html", tmp_path / "x.html"], ["--data", AIR]):
        done = command("inspect", AIR, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "run directory" in done.stderr
    inside = command("inspect", air, "--html", air / "x.html")
    assert (inside.returncode, inside.stdout) == (2, "")
    assert not (air / "x.html").exists()
    nowhere = command("inspect", air, "--html", tmp_path / "no" / "x.html")
    assert nowhere.returncode == 73


def test_what_the_networks_look_at_is_told_and_kept(air: Path, tmp_path: Path) -> None:
    done = command("inspect", air, "--data", AIR, "--npz", tmp_path / "air.npz", "--json")
    assert (done.returncode, done.stderr) == (0, f"written: {tmp_path / 'air.npz'}\n")
    told = json.loads(done.stdout)["explanation"]
    with np.load(tmp_path / "air.npz") as arrays:
        assert arrays["member0_rows_loss"].shape[0] == told["lookback"]
        assert arrays["occlusion_moved"].shape[0] == len(told["occlusion"]["segments"])
    blind = command("inspect", air, "--gradients")
    assert (blind.returncode, blind.stdout) == (2, "")
    assert "--data" in blind.stderr


def test_two_runs_are_compared(air: Path, tmp_path: Path) -> None:
    done = command("inspect", air, air, "--data", AIR, "--json")
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["kind"], facts["differences"]) == (0, "comparison", [])
    assert command("inspect", air, air).stdout.startswith("part,what,first,second\n")
    wrong = command("inspect", air, air, "--html", tmp_path / "x.html")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    nowhere = command("inspect", air, tmp_path / "none")
    assert (nowhere.returncode, nowhere.stdout) == (66, "")


def test_a_card_is_written(air: Path, tmp_path: Path) -> None:
    done = command("inspect", air, "--data", AIR, "--card", tmp_path / "card.md", "--html", tmp_path / "air.html")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"written: {tmp_path / 'air.html'}\nwritten: {tmp_path / 'card.md'}\n"
    assert (tmp_path / "card.md").read_text().startswith("# Model card")
