"""A forecast -> the text that `predict` writes."""

from __future__ import annotations

import csv
import json

import pandas as pd

from cnnlstm_cli.forecast import Forecast
from cnnlstm_cli.series.dialect import Dialect


def write_forecast(forecast: Forecast, form: str, *, long: bool, header: bool, as_input: bool) -> bytes:
    """A forecast in the form `csv`, `json` or `jsonl`: UTF-8, or encoded as the input is."""
    frame = forecast.frame(written=True)
    if long:
        frame = long_form(frame, forecast.table.schema.targets)
    if form == "csv":
        dialect = forecast.table.dialect if as_input else None
        return forecast_csv(frame, header, dialect).encode(dialect.written_encoding if dialect else "utf-8")
    return forecast_json(frame, lines=form == "jsonl").encode()


def forecast_csv(frame: pd.DataFrame, header: bool = True, dialect: Dialect | None = None) -> str:
    """CSV with a comma, a decimal point and \\n; or written as the input's dialect."""
    text: str = frame.to_csv(
        index=False,
        header=header,
        sep=dialect.delimiter if dialect else ",",
        decimal=dialect.decimal if dialect else ".",
        lineterminator=dialect.newline if dialect else "\n",
        quoting=csv.QUOTE_MINIMAL,
    )
    return text


def forecast_json(frame: pd.DataFrame, lines: bool = False) -> str:
    """A list of one object a row, or (lines) one object a line."""
    rows = [json.dumps(row, ensure_ascii=False) for row in frame.to_dict("records")]
    return "".join(row + "\n" for row in rows) if lines else "[" + ",\n ".join(rows) + "]\n"


def long_form(frame: pd.DataFrame, targets: tuple[str, ...]) -> pd.DataFrame:
    """One row a target and step: the other columns, then `target` and `value`."""
    keys = [column for column in frame.columns if column not in targets]
    return pd.concat([frame[keys].assign(target=name, value=frame[name]) for name in targets], ignore_index=True)
