"""A file whose rows a column tells apart into groups, each of them a table of its own.

A group is a series, where the column is that of the ids, or several series. What the columns are is found from the
whole file, so that all groups are read alike; a group that can't be used does not stand in the way of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cnnlstm_cli.series.assembly import assemble
from cnnlstm_cli.series.cleaning import gap_limit
from cnnlstm_cli.series.numerals import shown
from cnnlstm_cli.series.reader import Columns, Data, columns_again, find_columns, require_usable
from cnnlstm_cli.series.table import Schema, Table
from cnnlstm_cli.specs import DataSpec


@dataclass(frozen=True)
class Groups:
    """The groups of a file.

    per     the column that tells them apart
    series  of each group the places of its series among the rows', groups in the order of the file
    """

    found: Columns
    per: str
    series: Mapping[str, tuple[int, ...]]

    def notes(self) -> list[str]:
        """What is the same for all groups, and what was mended before they were told apart."""
        sheet, schema = self.found.sheet, self.found.schema
        unusual = sheet.dialect.unusual() if sheet.dialect else None
        left_out = ", ".join(f"{name} ({why})" for name, why in self.found.left_out)
        return [
            *([f"read with {unusual}"] if unusual else []),
            *(f"mended: {each.count:,} {each.what} (first at {each.first})" for each in self.found.rows.mended),
            f"time: {', '.join(schema.time.names) or 'row number'}, {schema.step}",
            f"target: {', '.join(schema.targets)}",
            *([f"left out: {left_out}"] if left_out else []),
        ]

    def training(self, group: str, spec: DataSpec) -> Table:
        """To train on: see `reader.read_training`. Raises DataError."""
        found = self._of(group)
        table = assemble(found.sheet, found.schema, found.rows, limit=gap_limit(found.schema.frequency))
        require_usable(table, spec)
        return replace(table, left_out=found.left_out, fingerprint=self.fingerprint(group))

    def recent(self, group: str, rows: int) -> Table:
        """The newest rows of each series, to forecast from: see `reader.read_recent`. Raises DataError."""
        found = self._of(group)
        return assemble(found.sheet, found.schema, found.rows, newest=rows)

    def fingerprint(self, group: str) -> str:
        """SHA-256 of the group's rows: the same rows have the same."""
        rows = self.found.rows.only(self.series[group])
        parts = (rows.times, rows.values, rows.covariates, rows.starts)
        digest = hashlib.sha256(repr((rows.ids, self.found.schema)).encode())
        for each in parts:
            digest.update(np.ascontiguousarray(each).tobytes())
        return digest.hexdigest()

    def _of(self, group: str) -> Columns:
        sheet, schema = self.found.sheet, self.found.schema
        if self.per != schema.id:
            sheet = replace(sheet, name=f"{sheet.name}, column {self.per!r}, group {shown(group)}")
        return replace(self.found, sheet=sheet, rows=self.found.rows.only(self.series[group]))


def groups_to_train(data: Data, spec: DataSpec, per: str) -> Groups:
    """Raises as `reader.read_training` does, but for what is wrong with one group alone."""
    return _told_apart(find_columns(data, spec, per), per)


def groups_again(data: Data, schema: Schema, per: str) -> Groups:
    """By the columns of runs that there are. Raises as `reader.read_recent` does, but for what is wrong with one group
    alone."""
    return _told_apart(columns_again(data, schema, per), per)


def _told_apart(found: Columns, per: str) -> Groups:
    series: dict[str, list[int]] = {}
    for place, group in enumerate(found.rows.groups):
        series.setdefault(group, []).append(place)
    return Groups(found, per, {group: tuple(places) for group, places in series.items()})
