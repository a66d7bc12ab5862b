"""A user's mistake: one message, its exit code, nothing on stdout, no traceback, nothing left behind."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys

import pytest

from tests import SAMPLES
from tests.command import QUICK, called, command

AIR = SAMPLES / "air_passengers.csv"
GOOD = "date,load\n" + "".join(f"2024-{1 + k // 28:02d}-{1 + k % 28:02d},{k % 7}\n" for k in range(140))


def check(done, code: int, words: str) -> None:
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "options", "code", "words"),
    [
        pytest.param("", (), 65, "is empty", id="empty"),
        pytest.param("date,load\n", (), 65, "has a header line and no rows", id="header only"),
        pytest.param(
            "date,load\n" + "".join(f"2024-01-{d:02d},{d}.5\n" for d in range(1, 21)).replace("7.5", "3"),
            ("-H", "14"),
            65,
            "has 20 rows; a lookback of 2 and a horizon of 14 need at least 37",
            id="too few rows",
        ),
        pytest.param(GOOD, ("-t", "laod"), 65, "has no column 'laod'. Did you mean 'load'?", id="unknown column"),
        pytest.param(
            GOOD.replace(",3", ",three", 1), (), 65, "line 5, column 'load': 'three' is not a number", id="text"
        ),
        pytest.param(GOOD.replace("load", "date"), (), 65, "2 columns are named 'date'", id="two of one name"),
        pytest.param("date,load\n" + "2024-01-01,\n" * 9, ("-t", "load"), 65, "", id="all missing"),
        pytest.param(GOOD, ("-H", "0"), 2, "data.horizon must be between 1 and 10000000, not 0", id="horizon 0"),
        pytest.param(GOOD, ("-H", "x"), 2, "Invalid value for '-H' / '--horizon'", id="horizon x"),
        pytest.param(
            GOOD,
            ("--set", "model.filter=3"),
            2,
            "no such setting: model.filter. Did you mean 'model.filters'?",
            id="set",
        ),
        pytest.param(GOOD, ("--set", "filters"), 2, "expected TABLE.KEY=VALUE", id="set without a value"),
        pytest.param(GOOD, ("--freq", "hourly"), 2, "no such step: 'hourly'", id="freq"),
        pytest.param(GOOD, ("--config", "/none.toml"), 66, "/none.toml: No such file", id="config"),
        pytest.param(GOOD, ("--colour",), 2, "No such option: --colour", id="option"),
    ],
)
def test_train_refuses(write, tmp_path, content, options, code, words):
    done = called("train", write(content), "--run", tmp_path / "run", *options)
    check(done, code, words)
    assert not (tmp_path / "run").exists()


def test_files_that_are_not_there(tmp_path, air):
    check(called("train", tmp_path / "none.csv", "--run", tmp_path / "run"), 66, "none.csv: No such file")
    check(called("train", tmp_path, "--run", tmp_path / "run"), 66, "is a directory")
    check(called("predict", tmp_path / "none.csv", "--run", air), 66, "none.csv: No such file")
    check(called("predict", AIR, "--run", tmp_path), 66, "holds no run. Train one")
    check(called("inspect", tmp_path), 66, "holds no run")
    check(called("inspect", tmp_path / "none"), 66, "No such file")


def test_a_missing_option_and_command():
    check(called("train", AIR), 2, "Missing option '--run'. See: cnnlstm train --help")
    check(called("trian"), 2, "No such command 'trian'")
    check(command(), 2, "Missing command. See: cnnlstm --help")


@pytest.fixture
def copy(air, tmp_path):
    """A run of its own to damage, and the folder of its version."""
    run = tmp_path / "copy"
    shutil.copytree(air, run)
    return run, run / "versions" / (run / "current").read_text().strip()


def test_a_damaged_run(copy):
    run, folder = copy
    network = bytearray((folder / "model.onnx").read_bytes())
    network[len(network) // 2] ^= 1
    (folder / "model.onnx").write_bytes(network)
    check(command("predict", AIR, "--run", run), 65, "model.onnx is damaged")
    (folder / "model.onnx").unlink()
    check(called("predict", AIR, "--run", run), 65, "model.onnx: No such file")
    (folder / "run.json").write_text((folder / "run.json").read_text()[:-50])
    check(called("predict", AIR, "--run", run), 65, "run.json is damaged")
    check(called("inspect", run), 65, "run.json is damaged")
    (run / "current").write_text("gone")
    check(called("predict", AIR, "--run", run), 65, "names the version 'gone', which is not there")


def test_data_that_does_not_fit_the_run(write, air):
    lines = AIR.read_text().splitlines()
    check(called("predict", write("\n".join(lines[:20])), "--run", air), 65, "has 19 rows; the run looks back 36 rows")
    renamed = "\n".join(lines).replace("#Passengers", "passengers")
    check(called("predict", write(renamed), "--run", air), 65, "no column '#Passengers'. Did you mean 'passengers'?")
    days = "Month,#Passengers\n" + "".join(f"2024-01-{1 + k:02d},{k}\n" for k in range(31))
    check(called("predict", write(days * 1), "--run", air), 65, "do not follow the step 'MS' but 'D'")
    check(called("predict", AIR, "--run", air, "-H", 13), 2, "the run forecasts 1 to 12 steps, not 13")
    check(called("predict", AIR, "--run", air, "--version-id", "x"), 65, "the version 'x', which is not there")


def test_places_that_can_not_be_written(tmp_path, air):
    (tmp_path / "file").write_text("x")
    check(called("train", AIR, "--run", tmp_path / "file", "-q"), 73, "can't write")
    check(called("train", AIR, "--run", "/proc/run", "-q"), 73, "can't write /proc/run")
    check(called("predict", AIR, "--run", air, "-o", tmp_path / "none" / "out.csv", "-q"), 73, "can't write")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    check(called("train", AIR, "--run", tmp_path / "full", "-q"), 73, "holds other files (notes.txt")


def test_a_full_disk_leaves_the_old_version(copy):
    """A limit on the size of files stands in for the disk: the network of the new version does not fit."""
    run, folder = copy
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    check(command("train", AIR, "--run", run, "-q", *QUICK, preexec_fn=limit), 73, "can't write")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert os.listdir(run / "versions") == [folder.name]


def test_the_output_is_never_the_data(write, air):
    data = write(AIR.read_text())
    check(called("predict", data, "--run", air, "-o", data), 2, "is the data itself")
    assert data.read_text() == AIR.read_text()


def test_a_full_disk_while_predicting_leaves_the_old_file(air, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("old")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    check(command("predict", AIR, "--run", air, "-o", out, "-q", preexec_fn=limit), 73, "can't write")
    assert out.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]


def started(*arguments: object) -> subprocess.Popen[str]:
    """A training that has begun to fit: its first epochs are said."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cnnlstm_cli", "train", *map(str, arguments), "-v"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr
    for line in process.stderr:
        if line.startswith("epoch 2/"):
            break
    return process


LONG = ("--set", "train.epochs=100000", "--set", "train.patience=100000")


def test_ctrl_c_publishes_nothing(copy):
    run, folder = copy
    with started(AIR, "--run", run, *LONG) as process:
        check(command("train", AIR, "--run", run, "-q"), 75, "another training holds")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted: nothing was published or changed."
    assert os.listdir(run / "versions") == [folder.name]
    assert (run / "current").read_text().strip() == folder.name


def test_ctrl_c_keeps_the_best_so_far_when_told_to(tmp_path):
    with started(AIR, "--run", tmp_path / "run", "--keep-interrupted", "--json", *LONG) as process:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out)["epochs"]["interrupted"] is True
    assert called("predict", AIR, "--run", tmp_path / "run").returncode == 0


def test_kill_9_in_a_training_leaves_the_old_version(copy):
    run, folder = copy
    with started(AIR, "--run", run, *LONG) as process:
        process.kill()
    assert called("predict", AIR, "--run", run).returncode == 0
    assert (run / "current").read_text().strip() == folder.name


def test_text_from_a_file_is_not_read_as_markup(write, tmp_path):
    data = write(GOOD.replace("load", "[red]load [kW][/data]"))
    done = called("train", data, "--run", tmp_path / "run", *QUICK)
    assert done.returncode == 0
    assert "target: [red]load [kW][/data]" in done.stderr
    assert "[red]load [kW][/data]" in called("predict", data, "--run", tmp_path / "run").stdout
    assert "\x1b" not in done.stderr


def test_strict_refuses_what_would_be_mended(write, tmp_path, air):
    holes = AIR.read_text().replace("1958-03,362\n", "")
    assert holes.count("\n") == 144
    data = write(holes)
    words = "data.csv needs mending, which --strict refuses: 1 missing rows (first at 1958-03)"
    check(called("train", data, "--run", tmp_path / "run", "--strict"), 65, words)
    check(called("predict", data, "--run", air, "--strict"), 65, words)
    check(called("backtest", data, "--run", air, "--strict"), 65, words)
    check(called("inspect", data, "--strict"), 65, words)
    assert called("predict", AIR, "--run", air, "--strict").returncode == 0
