"""train, predict, inspect, as a user types them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from cnnlstm_cli import train
from tests import SAMPLES
from tests.command import called, command

AIR = SAMPLES / "air_passengers.csv"


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_training_says_what_it_did_and_json_has_it_all(sample):
    data, run, trained = sample
    assert trained.returncode == 0, trained.stderr
    facts = json.loads(trained.stdout)
    assert facts["published"] is True
    assert facts["run"] == str(run)
    assert facts["version"] == (run / "current").read_text().strip()
    assert facts["rows"]["read"] == len(data.read_text().splitlines()) - 1
    assert facts["rows"]["training"] + facts["rows"]["validation"] == facts["rows"]["used"]
    assert {"model", "last value"} < set(facts["validation"])
    assert facts["epochs"]["run"] == 2
    assert facts["parameters"] > 1000
    assert "published: " in trained.stderr
    assert "Traceback" not in trained.stderr
    for metric in ("mae", "rmse", "mase"):
        assert facts["validation"]["model"][metric] > 0


def test_the_version_is_complete(sample):
    _, run, trained = sample
    folder = run / "versions" / json.loads(trained.stdout)["version"]
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert names == ["errors.npy", "history.csv", "members/0.keras", "model.onnx", "run.json"]
    record = json.loads((folder / "run.json").read_text())
    assert record["format"] == 4
    assert record["parity"] < 1e-4
    assert set(record["packages"]) >= {"cnnlstm", "tensorflow", "keras", "onnxruntime", "numpy", "pandas"}
    assert record["command"].startswith("train ") or " train " in record["command"]
    assert len(table((folder / "history.csv").read_text())) == 2


def test_the_forecast_continues_the_file(sample):
    data, run, trained = sample
    done = command("predict", data, "--run", run)
    assert done.returncode == 0, done.stderr
    rows, facts = table(done.stdout), json.loads(trained.stdout)
    assert list(rows[0]) == [*facts["time"], *facts["targets"]]
    assert len(rows) == facts["horizon"]
    expected = {
        "bike_hour": {"dteday": "2013-01-01", "hr": "0"},
        "seattle_weather": {"date": "2016-01-01"},
        "air_passengers": {"Month": "1961-01"},
    }[data.stem]
    assert {name: rows[0][name] for name in expected} == expected
    history = pd.read_csv(data)
    for name in facts["targets"]:
        spread = history[name].max() - history[name].min()
        for row in rows:
            assert history[name].min() - spread < float(row[name]) < history[name].max() + spread


def test_inspect_a_run(sample):
    data, run, trained = sample
    done = command("inspect", run, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts["validation"] == json.loads(trained.stdout)["validation"]
    assert facts["needs"]["rows"] == facts["lookback"]
    assert set(facts["needs"]["columns"]) == {*facts["time"], *facts["targets"]}
    assert facts["data"]["name"] == str(data)
    assert [row["epoch"] for row in facts["losses"]] == [1, 2]
    piped = table(called("inspect", run).stdout)
    assert {"fact": "horizon", "value": str(facts["horizon"])} in piped


def test_inspect_a_file_tells_what_train_would_do(sample):
    data, _, trained = sample
    facts = json.loads(called("inspect", data, "--json").stdout)
    if data.stem != "bike_hour":
        done = json.loads(trained.stdout)
        keys = ("season", "horizon", "lookback", "frequency", "rows")
        assert {key: facts[key] for key in keys} == {key: done[key] for key in keys}
        assert {target["name"] for target in facts["targets"]} == set(done["targets"])
        assert facts["baselines"] == {name: score for name, score in done["validation"].items() if name != "model"}
    assert facts["trainable"] is True


def test_a_forecast_appended_to_its_file_can_be_trained_on_again(air, tmp_path):
    grown = tmp_path / "new.csv"
    shutil.copy(AIR, grown)
    forecast = called("predict", grown, "--run", air, "--no-header").stdout
    grown.write_text(grown.read_text() + forecast)
    facts = json.loads(called("inspect", grown, "--json").stdout)
    assert (facts["rows"]["read"], facts["last"], facts["mended"]) == (156, "1961-12", {})
    assert table(called("predict", grown, "--run", air).stdout)[0]["Month"] == "1962-01"


@pytest.mark.slow
def test_the_default_beats_seasonal_naive_and_a_second_version_takes_over(air, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(air, run)
    before = command("predict", AIR, "--run", run).stdout
    trained = command("train", AIR, "--run", run, "--json")
    scores = json.loads(trained.stdout)["validation"]
    assert scores["model"]["mae"] < 0.7 * scores["seasonal naive 12"]["mae"]
    assert "error than the best baseline (" in trained.stderr
    after = command("predict", AIR, "--run", run).stdout
    facts = json.loads(called("inspect", run, "--json").stdout)
    assert after != before
    assert len(facts["versions"]) == len(facts["history"]) == 2
    assert command("predict", AIR, "--run", run, "--version-id", facts["versions"][0]).stdout == before


def test_standard_input_compressed_or_not(air, tmp_path):
    expected = called("predict", AIR, "--run", air).stdout
    assert command("predict", "-", "--run", air, input=AIR.read_text()).stdout == expected
    with gzip.open(packed := tmp_path / "air.gz", "wb") as file:
        file.write(AIR.read_bytes())
    with packed.open("rb") as file:
        assert command("predict", "-", "--run", air, stdin=file).stdout == expected


def test_another_writing_gives_the_same_forecast(air, tmp_path):
    expected = called("predict", AIR, "--run", air).stdout
    german = tmp_path / "german.csv"
    lines = [line.replace(",", ";") + ",0" * bool(k) for k, line in enumerate(AIR.read_text().splitlines())]
    german.write_text("\r\n".join(lines))
    done = called("predict", german, "--run", air)
    assert done.stdout == expected
    assert "read with delimiter semicolon, decimal comma" in done.stderr
    as_input = called("predict", german, "--run", air, "--dialect", "input", "-q")
    assert as_input.stderr == ""
    assert as_input.stdout == expected.replace(",", ";").replace(".", ",").replace("\n", "\r\n")
    packed = tmp_path / "packed.csv"
    packed.write_bytes(gzip.compress(AIR.read_bytes()))
    assert called("predict", packed, "--run", air).stdout == expected


def test_output_forms(air, tmp_path):
    rows = table(called("predict", AIR, "--run", air).stdout)
    numbers = [{"Month": row["Month"], "#Passengers": float(row["#Passengers"])} for row in rows]
    assert json.loads(called("predict", AIR, "--run", air, "--format", "json").stdout) == numbers
    lines = called("predict", AIR, "--run", air, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == numbers
    long = table(called("predict", AIR, "--run", air, "--long").stdout)
    assert long[0] == {"Month": "1961-01", "target": "#Passengers", "value": rows[0]["#Passengers"]}
    assert table(called("predict", AIR, "--run", air, "-H", 3).stdout) == rows[:3]
    out = tmp_path / "out.csv"
    done = called("predict", AIR, "--run", air, "-o", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert table(out.read_text()) == rows


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_forecast_appended_in_the_inputs_dialect_reads_on(encoding, newline, air, tmp_path):
    """Byte for byte as the file is written: encoding, line ends, delimiter and decimal mark."""
    data = tmp_path / "größe.csv"
    lines = AIR.read_text().replace(",", ";").splitlines()
    data.write_bytes((newline.join(lines) + newline).encode(encoding))
    arguments = ("predict", data, "--run", air, "--dialect", "input", "--no-header", "-o", tmp_path / "more")
    assert command(*arguments).returncode == 0
    data.write_bytes(data.read_bytes() + (tmp_path / "more").read_bytes())
    facts = json.loads(called("inspect", data, "--json").stdout)
    assert (facts["rows"]["read"], facts["last"], facts["mended"], facts["left_out"]) == (156, "1961-12", {}, {})


@pytest.mark.slow
def test_many_series_in_one_file(tmp_path):
    frame = pd.read_csv(AIR)
    stacked = pd.concat(
        [frame.assign(shop="b"), (frame.assign(shop="a", **{"#Passengers": frame["#Passengers"] * 10}))]
    )
    data, run = tmp_path / "shops.csv", tmp_path / "run"
    stacked.to_csv(data, index=False)
    tiny = frame[:9].assign(shop="c")
    known = pd.concat([stacked, tiny])
    trained = train(known, run, id="shop", settings={"train": {"epochs": 2}})
    assert trained.record.facts["series"]["judged"] == 2
    assert (trained.record.facts["series"]["unused"], trained.record.facts["series"]["unused_first"]) == (1, ["c"])
    rows = table(called("predict", data, "--run", run).stdout)
    assert [row["shop"] for row in rows] == ["b"] * 12 + ["a"] * 12
    for one, ten in zip(rows[:12], rows[12:], strict=True):
        assert float(ten["#Passengers"]) == pytest.approx(10 * float(one["#Passengers"]), rel=1e-4)
    stacked["shop"] = stacked["shop"].str.upper()
    stacked.to_csv(data, index=False)
    done = called("predict", data, "--run", run)
    assert "2 series the run was not trained on" in done.stderr
    assert [row["shop"] for row in table(done.stdout)] == ["B"] * 12 + ["A"] * 12


def test_a_closed_pipe_ends_quietly(air):
    script = f"{sys.executable} -m cnnlstm_cli predict {AIR} --run {air} | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Month,#Passengers\n", "")


def test_help_and_version():
    for arguments in ((), ("train",), ("predict",), ("inspect",)):
        done = command(*arguments, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: cnnlstm")
    assert command("--version").stdout == "cnnlstm 0.1.0\n"
