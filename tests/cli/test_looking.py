"""What is looked at: `predict --plot`, `inspect --data`, `inspect --html`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import SAMPLES
from tests.command import answered, called, command

AIR = SAMPLES / "air_passengers.csv"


def test_a_plot_goes_to_stderr_and_leaves_the_forecast_alone(air: Path) -> None:
    plain = called("predict", AIR, "--run", air)
    drawn = command("predict", AIR, "--run", air, "--plot", "-q")
    assert (drawn.returncode, drawn.stdout) == (0, plain.stdout)
    assert "#Passengers:" in drawn.stderr
    assert "1960-12" in drawn.stderr
    assert "\033" not in drawn.stderr
    assert max(map(len, drawn.stderr.splitlines())) <= 80


def test_a_page_is_written_and_said(air: Path, tmp_path: Path) -> None:
    done = called("inspect", air, "--data", AIR, "--html", tmp_path / "air.html")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"written: {tmp_path / 'air.html'}\n"
    page = (tmp_path / "air.html").read_text()
    assert "Forecast of #Passengers" in page
    assert "Where it errs" in page
    through = called("inspect", air, "--html", "-")
    assert through.stdout.startswith("<!DOCTYPE html>")
    assert "Where it errs" not in through.stdout


def test_errors_on_data_are_facts_as_well(air: Path) -> None:
    found = json.loads(called("inspect", air, "--data", AIR, "--json").stdout)["diagnosis"]
    scored = json.loads(called("backtest", AIR, "--run", air, "--json").stdout)
    assert found["scores"]["model"]["mae"] == scored["scores"]["model"]["mae"]


def test_what_is_no_run_has_no_page(air: Path, tmp_path: Path) -> None:
    for arguments in (["--html", tmp_path / "x.html"], ["--data", AIR]):
        done = called("inspect", AIR, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "run directory" in done.stderr
    inside = called("inspect", air, "--html", air / "x.html")
    assert (inside.returncode, inside.stdout) == (2, "")
    assert not (air / "x.html").exists()
    nowhere = called("inspect", air, "--html", tmp_path / "no" / "x.html")
    assert nowhere.returncode == 73


def test_what_the_networks_look_at_is_told_and_kept(air: Path, tmp_path: Path) -> None:
    done = called("inspect", air, "--data", AIR, "--npz", tmp_path / "air.npz", "--json")
    assert (done.returncode, done.stderr) == (0, f"written: {tmp_path / 'air.npz'}\n")
    told = json.loads(done.stdout)["explanation"]
    with np.load(tmp_path / "air.npz") as arrays:
        assert arrays["member0_rows_loss"].shape[0] == told["lookback"]
        assert arrays["occlusion_moved"].shape[0] == len(told["occlusion"]["segments"])
    blind = called("inspect", air, "--gradients")
    assert (blind.returncode, blind.stdout) == (2, "")
    assert "--data" in blind.stderr


def test_two_runs_are_compared(air: Path, tmp_path: Path) -> None:
    done = called("inspect", air, air, "--data", AIR, "--json")
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["kind"], facts["differences"]) == (0, "comparison", [])
    assert called("inspect", air, air).stdout.startswith("part,what,first,second\n")
    wrong = called("inspect", air, air, "--html", tmp_path / "x.html")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    nowhere = called("inspect", air, tmp_path / "none")
    assert (nowhere.returncode, nowhere.stdout) == (66, "")


def test_a_card_is_written(air: Path, tmp_path: Path) -> None:
    done = called("inspect", air, "--data", AIR, "--card", tmp_path / "card.md", "--html", tmp_path / "air.html")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"written: {tmp_path / 'air.html'}\nwritten: {tmp_path / 'card.md'}\n"
    assert (tmp_path / "card.md").read_text().startswith("# Model card")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--options", "RUN"], "--options lists the settings of train, and takes no run or file"),
        (["RUN", "RUN", "--versions"], "--versions lists those of one run"),
        (["RUN", "--versions", "--html", "x.html"], "--html does not go with --versions, but with one run"),
        (["RUN", "RUN", "--gradients"], "--gradients does not go with a comparison of two runs, but with one run"),
        (["RUN", "-t", "#Passengers"], "--target says how a file is read, and a run knows how"),
        (["RUN", "RUN", "--time-format", "%Y"], "--time-format says how a file is read"),
        (["RUN", "--html", "-", "--card", "-"], "one thing at a time goes to standard output"),
        (["RUN", "--html", "-", "--json"], "one thing at a time goes to standard output"),
        (["RUN", "--html", "x", "--card", "./x"], "two of --html, --card and --npz name the same file"),
        (["DATA", "--gradients"], "--gradients is about a run directory"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_what_is_at_odds_is_refused(
    air: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    """Rather than passed over."""
    monkeypatch.chdir(tmp_path)
    places = {"RUN": str(air), "DATA": str(AIR)}
    code, out, err = answered(["inspect", *(places.get(each, each) for each in arguments)])
    assert (code, out) == (2, b"")
    assert words in err
    assert list(tmp_path.iterdir()) == []


def test_of_several_files_all_are_written_or_none(air: Path, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    page, card = tmp_path / "air.html", tmp_path / "closed" / "card.md"
    for refused in (tmp_path / "none" / "card.md", tmp_path, *([card] if os.geteuid() else [])):  # root enters all
        code, out, err = answered(["inspect", str(air), "--html", str(page), "--card", str(refused)])
        assert (code, out, page.exists()) == (73, b"", False), err


def test_a_path_that_can_be_none_is_a_mistake_of_the_users(air: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    long = str(tmp_path / ("a" * 300))
    for path in (long, str(tmp_path / "loop")):
        for arguments in (["inspect", str(air), "--card", path], ["predict", str(AIR), "--run", str(air), "-o", path]):
            assert answered(arguments)[:2] == (73, b"")
        for arguments in (
            ["inspect", path],
            ["predict", path, "--run", str(air)],
            ["inspect", str(air), "--data", path],
        ):
            code, out, err = answered(arguments)
            assert (code, out) == (66, b""), err
            assert "bug" not in err
    code, out, _ = answered(["inspect", str(air), "--html", str(tmp_path / "a.html"), "--card", "/dev/full"])
    assert (code, out, (tmp_path / "a.html").exists()) == (73, b"", False)


def test_a_history_without_an_epoch_is_damaged(air: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(air, run, symlinks=True)
    (history,) = run.glob("versions/*/history.csv")
    header, first = history.read_text().splitlines()[:2]
    infinite = header + "\n" + ",".join("inf" for _ in first.split(",")) + "\n"
    for content in (header + "\n", infinite, "member,loss,validation\n0,1,2\n", "a,b\n1,2\n", ""):
        history.write_text(content)
        code, out, err = answered(["inspect", str(run), "--html", "-"])
        assert (code, out) == (65, b"")
        assert "history.csv is damaged or missing" in err
