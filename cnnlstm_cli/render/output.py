"""A forecast -> the text that `predict` writes; arrays -> a file of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.series.dialect import Dialect
from cnnlstm_cli.series.table import Table


def npz_of(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays by name, as `numpy.load` reads them."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def write_forecast(
    frame: pd.DataFrame,
    table: Table,
    form: str,
    levels: Sequence[float] = (),
    *,
    long: bool,
    header: bool,
    as_input: bool,
) -> bytes:
    """A forecast of a table, or paths of one, in the form `csv`, `json` or `jsonl`: UTF-8, or as the table's file is.

    levels  whose intervals are in the frame
    """
    if long:
        frame = long_form(frame, table.schema.targets, levels)
    if form == "csv":
        dialect = table.dialect if as_input else None
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


def long_form(frame: pd.DataFrame, targets: tuple[str, ...], levels: Sequence[float] = ()) -> pd.DataFrame:
    """One row a target and step: the other columns, then `target`, `value` and the ends of its intervals, `lo-80`."""
    ends = [f"{side}-{level:g}" for level in levels for side in ("lo", "hi")]
    beside = {f"{name}-{end}" for name in targets for end in ends}
    keys = [column for column in frame.columns if column not in {*targets, *beside}]
    if taken := {*keys} & {"target", "value", *ends}:
        raise UsageError(f"column {min(taken)!r} is in the data and would be one of --long. Leave --long out.")
    parts = [
        frame[keys].assign(target=name, value=frame[name], **{end: frame[f"{name}-{end}"] for end in ends})
        for name in targets
    ]
    return pd.concat(parts, ignore_index=True)
