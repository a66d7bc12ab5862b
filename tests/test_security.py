"""A run directory from elsewhere: nothing in it leads out of it, or is more than data."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import cnnlstm_cli as c
from cnnlstm_cli.errors import DataError
from tests import SAMPLES
from tests.command import answered, command

AIR = SAMPLES / "air_passengers.csv"


@pytest.fixture
def run(air: Path, tmp_path: Path) -> c.Run:
    """A copy to tamper with."""
    shutil.copytree(air, tmp_path / "run")
    return c.Run.open(tmp_path / "run")


def refused(run: c.Run, text: str) -> None:
    with pytest.raises(DataError, match=text):
        c.predict(AIR, run.path)
    done = command("predict", AIR, "--run", run.path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (65, "", 1)


@pytest.mark.parametrize("name", ["run.json", "model.onnx", "history.csv", "members", "members/0.keras", ""])
def test_no_link_is_followed_out_of_a_run(run, tmp_path, name):
    inside = run.folder / name if name else run.folder
    inside.rename(tmp_path / "elsewhere")
    inside.symlink_to(tmp_path / "elsewhere")
    refused(run, "is a link that leads out of the run directory")


def test_a_run_may_itself_be_a_link(run, tmp_path):
    (tmp_path / "link").symlink_to(run.path)
    assert len(c.predict(AIR, tmp_path / "link")) == 12


@pytest.mark.parametrize("name", ["lock", "current", "history.jsonl", "forecasts.jsonl", "checkpoint", "versions"])
def test_nothing_is_written_through_a_link_out_of_a_run(run, tmp_path, name):
    """What it points to is as it was."""
    inside, outside = run.path / name, tmp_path / "elsewhere"
    if inside.exists():
        inside.rename(outside)
    else:
        outside.write_text("mine\n")
    before = sorted((path, path.read_bytes()) for path in [outside, *outside.rglob("*")] if path.is_file())
    inside.symlink_to(outside)
    for arguments in (("train", AIR, "--run", run.path), ("rollback", run.path), ("predict", AIR, "--run", run.path)):
        done = command(*arguments, *(["--log"] if arguments[0] == "predict" else []))
        if arguments[0] == "train" or name == "forecasts.jsonl":
            assert done.returncode in (65, 73), done.stderr
    assert before == sorted((path, path.read_bytes()) for path in [outside, *outside.rglob("*")] if path.is_file())


@pytest.mark.parametrize("name", ["..", "../..", "/etc", "20240101T000000Z-00000000/../../.."])
def test_current_names_a_version_and_no_path(run, name):
    (run.path / "current").write_text(name)
    refused(run, "which is not there")


def put(run: c.Run, model: bytes) -> None:
    """Another network in its place, and its digest beside it, as whoever made the run could."""
    (run.folder / "model.onnx").write_bytes(model)
    record = json.loads((run.folder / "run.json").read_text())
    record["model"] = hashlib.sha256(model).hexdigest()
    (run.folder / "run.json").write_text(json.dumps(record))


def graph(kind: str, domain: str, outside: str | None = None) -> bytes:
    """A network of one node."""
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, 1, [None, size, 1]) for name, size in (("x", 36), ("y", 12))]
    weights = helper.make_tensor("w", 1, [1], [0.0])
    if outside:
        weights.ClearField("float_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=outside)
    nodes = [helper.make_node(kind, ["x", "w"], ["y"], domain=domain)]
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    made = helper.make_graph(nodes, "g", [ends[0]], [ends[1]], [weights])
    return bytes(helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString())


@pytest.mark.parametrize(
    "model",
    [
        b"",
        b"junk",
        graph("Evil", "x.y"),
        graph("Add", "", "../../../../../../etc/passwd"),
        graph("Add", "", "/etc/passwd"),
        b"\x3a\xc2\x9a\x0c" + b"\x0a\x00" * 100_001,  # a graph of so many empty nodes
    ],
    ids=["empty", "junk", "unknown operation", "weights elsewhere", "weights at a path", "too many nodes"],
)
def test_a_network_is_operations_of_onnx_on_its_own_weights(run, model):
    put(run, model)
    refused(run, "holds no network to forecast with")


def _places(document: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The keys to every value in a document; of a list to the first."""
    pairs = (
        document.items() if isinstance(document, dict) else enumerate(document[:1] if type(document) is list else [])
    )
    for key, value in pairs:
        yield (*above, key)
        yield from _places(value, (*above, key))


def test_whatever_stands_in_run_json_there_are_words_or_a_forecast(run):
    """Each value, one after the other, is another."""
    path = run.folder / "run.json"
    whole = path.read_text()
    dice = random.Random(0)  # noqa: S311 - to choose values
    codes = set()
    for keys in _places(json.loads(whole)):
        document = json.loads(whole)
        place = document
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = dice.choice([None, -3, 1e308, "x", "", [], {}, True, ["a"], {"a": 1}])
        path.write_text(json.dumps(document))
        for arguments in (["predict", str(AIR), "--run", str(run.path)], ["inspect", str(run.path)]):
            code, out, err = answered(arguments)
            assert code in (0, 65), (keys, place[keys[-1]], err)
            assert bool(out) == (code == 0)
            codes.add(code)
            if "run.json is damaged" in err:  # read by both in one and the same way
                break
    assert codes == {0, 65}
