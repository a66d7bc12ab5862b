"""run.json: what is written reads back, what is damaged is refused in words."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cnnlstm_cli.config import Spec
from cnnlstm_cli.errors import DataError
from cnnlstm_cli.runs.record import TOLD, Record
from cnnlstm_cli.series.covariates import Covariate
from cnnlstm_cli.series.frequency import Frequency
from cnnlstm_cli.series.scaler import PARTS, Scaler
from cnnlstm_cli.series.stamps import StampFormat
from cnnlstm_cli.series.table import Schema
from cnnlstm_cli.series.timecolumn import TimeColumn

SCORES = {"mae": 0.5, "rmse": 1, "mase": float("nan")}
RATES = {"conv_dropout": 0.1, "recurrent_dropout": 0.0, "dropout": 0.3}
FACTS = {
    "created": "2024-01-01T00:00:00Z",
    "validation": {"model": SCORES, "last value": SCORES},
    "error_by_target": {"a": 1.5, "b": 2},
    "error_by_step": [0.5] * 12,
    "intervals": {name: {"profile": [1.0] * 12, "ends": {"80": [-1.5, 1.0]}} for name in "ab"},
    "errors": "0" * 64,
    "quantiles": {"network": "0" * 64, "stretches": {name: {"80": 1.1} for name in "ab"}},
    "covariates": {"heat": {"mae": 0.5, "shuffled": 0.75}},
    "seen": [{"value": [-1.0, 2.0], "mean": [0.0, 0.5], "deviation": [0.1, 1.0]}] * 2,
    "series": {
        "judged": 3,
        "behind": 1,
        "first": [{"id": "x", "against": "drift", "mae": 2.0, "baseline": 1.0}],
        "unused": 0,
        "unused_first": [],
    },
    "epochs": {"run": 9, "best": 3, "interrupted": False},
    "members": [{"seed": 1, **RATES, "mae": 0.5, "epochs": 9, "best": 3, "kept": True}],
    "simple": ["linear"],
    "refitted": False,
    "rows": {"read": 9, "used": 9, "training": 7, "validation": 2},
    "windows": {"training": 5, "validation": 1},
    "mended": {"missing rows": 2},
    "left_out": {"c": "text"},
    "data": {"name": "x", "sha256": "", "first": "", "last": "", "last_time": "2024-01-01T00", "series": 1},
    "seconds": 1.5,
    "parameters": 7,
    "anything": None,
}
RECORD = Record(
    version="20240101T000000Z-00000000",
    spec=Spec.from_dict(
        {"data": {"lookback": 48, "horizon": 12, "season": [24]}, "model": {"filters": 8, "calendar": "none"}}
    ),
    schema=Schema(
        TimeColumn("stamp", ("zeit",), StampFormat("%d.%m.%Y %H:%M", pad=False)),
        Frequency("h"),
        ("a", "b"),
        "shop",
        (Covariate("heat"), Covariate("sky", ("clear", "rain"))),
    ),
    scalers={
        "x": Scaler(np.array([1.5, 2 / 3]), np.array([1e-9, 3.0]), np.array([-np.inf, 0.1]), np.array([7, np.inf]))
    },
    outer=Scaler.fit(np.array([[20.0, 0, 1], [12, 1, 0]])),
    model="0" * 64,
    facts=FACTS,
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
    assert str(read.facts) == str(RECORD.facts)  # NaN is not equal to itself
    for name in PARTS:
        assert np.array_equal(getattr(read.scalers["x"], name), getattr(RECORD.scalers["x"], name))


def test_an_unknown_format_is_refused_with_words(path):
    path.write_text(path.read_text().replace('"format": 4', '"format": 3'))
    with pytest.raises(DataError, match="has format 3; this cnnlstm reads format 4"):
        Record.read(path)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", "\x00\xff", '{"format": 4}'])
def test_what_is_no_record(path, content):
    path.write_text(content)
    with pytest.raises(DataError, match=r"run.json is damaged"):
        Record.read(path)


def broken(keys: tuple[str | int, ...], value: object) -> str:
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
        (("validation", "model"), ...),
        (("validation", "last value"), ...),
        (("validation", "last value", "mae"), "low"),
        (("spec", "model", "calendar"), "auto"),
        (("schema", "time", "kind"), "row"),
        (("schema", "time", "kind"), "clock"),
        (("schema", "time", "names"), []),
        (("schema", "time", "format"), None),
        (("schema", "time", "format", "pattern"), 3),
        (("schema", "frequency", "alias"), ""),
        (("schema", "frequency", "alias"), "-1h"),
        (("schema", "frequency", "day"), 40),
        (("schema", "targets", 1), None),
        (("schema", "id"), 3),
        (("members", 0, "kept"), 1),
        (("rows", "used"), True),
        *(((name,), ...) for name in TOLD if not name.endswith("?")),
        *(((name.removesuffix("?"),), None) for name in TOLD),
        (("series", "first", 0, "mae"), "low"),
        (("series", "unused"), ...),
    ],
    ids=str,
)
def test_every_damaged_field_is_refused(path, keys, value):
    path.write_text(broken(keys, value))
    with pytest.raises(DataError, match=r"run.json is damaged"):
        Record.read(path)


def test_of_one_series_there_is_nothing_to_tell_of_each(path):
    path.write_text(broken(("series",), ...))
    assert "series" not in Record.read(path).facts


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="damaged or missing"):
        Record.read(tmp_path / "run.json")
