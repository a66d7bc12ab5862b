"""run.json: what is written reads back, what is damaged is refused in words."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cnnlstm_cli.config import Spec
from cnnlstm_cli.errors import DataError
from cnnlstm_cli.runs.record import TOLD, Record
from cnnlstm_cli.series.frequency import Frequency
from cnnlstm_cli.series.scaler import PARTS, Scaler
from cnnlstm_cli.series.stamps import StampFormat
from cnnlstm_cli.series.table import Schema
from cnnlstm_cli.series.timecolumn import TimeColumn

RECORD = Record(
    version="20240101T000000Z-00000000",
    spec=Spec.from_dict({"data": {"lookback": 48, "horizon": 12, "season": [24]}, "model": {"filters": 8}}),
    schema=Schema(
        TimeColumn("stamp", ("zeit",), StampFormat("%d.%m.%Y %H:%M", pad=False)), Frequency("h"), ("a", "b"), "shop"
    ),
    scalers={
        "x": Scaler(np.array([1.5, 2 / 3]), np.array([1e-9, 3.0]), np.array([-np.inf, 0.1]), np.array([7, np.inf]))
    },
    model="0" * 64,
    facts={**dict.fromkeys(TOLD, 1.5), "rows": {"read": 9}},
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(RECORD.to_json(), encoding="utf-8")
    return path


def test_what_is_written_reads_back(path):
    read = Record.read(path)
    assert (read.version, read.spec, read.schema, read.model) == (
        RECORD.version,
        RECORD.spec,
        RECORD.schema,
        RECORD.model,
    )
    assert read.facts == RECORD.facts
    for name in PARTS:
        assert np.array_equal(getattr(read.scalers["x"], name), getattr(RECORD.scalers["x"], name))


def test_an_unknown_format_is_refused_with_words(path):
    path.write_text(path.read_text().replace('"format": 2', '"format": 3'))
    with pytest.raises(DataError, match="has format 3; this cnnlstm reads format 2"):
        Record.read(path)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", "\x00\xff", '{"format": 2}'])
def test_what_is_no_record(path, content):
    path.write_text(content)
    with pytest.raises(DataError, match=r"run.json is damaged"):
        Record.read(path)


def broken(keys: tuple[str, ...], value: object) -> str:
    document = json.loads(RECORD.to_json())
    place = document
    for key in keys[:-1]:
        place = place[key]
    if value is ...:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("version",), ...),
        (("spec",), []),
        (("spec", "model", "filters"), "many"),
        (("spec", "model", "filter"), 3),
        (("spec", "data", "lookback"), None),
        (("schema",), None),
        (("schema", "time"), ...),
        (("schema", "time", "format"), {"pattern": "%Y", "colour": 1}),
        (("schema", "frequency"), "h"),
        (("scalers",), [1]),
        (("scalers", "x", "scale"), [1.0]),
        (("scalers", "x", "scale"), [1.0, 0.0]),
        (("scalers", "x"), {"mean": [1.0], "scale": [1.0]}),
        (("model",), ...),
        (("validation",), ...),
    ],
    ids=str,
)
def test_every_damaged_field_is_refused(path, keys, value):
    path.write_text(broken(keys, value))
    with pytest.raises(DataError, match=r"run.json is damaged"):
        Record.read(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="damaged or missing"):
        Record.read(tmp_path / "run.json")
