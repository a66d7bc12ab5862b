"""run.json: everything needed to predict with a version, and to train it again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from cnnlstm_cli.config import Spec
from cnnlstm_cli.errors import CnnlstmError, DataError
from cnnlstm_cli.runs.shape import NUMBER, Many, require
from cnnlstm_cli.series.covariates import Covariate, Role
from cnnlstm_cli.series.frequency import Frequency
from cnnlstm_cli.series.scaler import Scaler
from cnnlstm_cli.series.stamps import Case, StampFormat, require_pattern
from cnnlstm_cli.series.table import Schema
from cnnlstm_cli.series.timecolumn import Kind, TimeColumn
from cnnlstm_cli.series.zone import require_zone
from cnnlstm_cli.specs import REGULARISED, Agg, Doubled, ModelSpec

FORMAT = 4
TEXT_OR_NOT = (str, type(None))
SCORES = Many({"": {"mae": NUMBER, "rmse": NUMBER, "mase": NUMBER}})
SCHEMA = {
    "time": {
        "kind": frozenset(get_args(Kind)),
        "names": [str],
        "format": (dict, type(None)),
        "zone": TEXT_OR_NOT,
        "utc": bool,
    },
    "frequency": {"alias": str, "day": int, "closed?": TEXT_OR_NOT},
    "targets": [str],
    "id": TEXT_OR_NOT,
    "covariates": [{"name": str, "categories": [str], "role": frozenset(get_args(Role))}],
    "holidays": TEXT_OR_NOT,
    "doubled": frozenset(get_args(Doubled)),
    "agg": frozenset(get_args(Agg)),
}
WRITTEN = ("stamp", "date+hour", "date+time")  # as text
CASE = frozenset(get_args(Case))
FORMATTED = {
    "pattern": str,
    **dict.fromkeys(("pad", "pad_hour"), bool),
    "offset": str,
    "digits": int,
    **dict.fromkeys(("names", "noon"), CASE),
}
# The facts that are told of every run, or that the next training asks for.
TOLD = {
    "created": str,
    "validation": SCORES,
    "error_by_target": Many({"": NUMBER}),
    "error_by_step": [NUMBER],
    "intervals": Many({"": {"profile": [NUMBER], "ends": Many({"": [NUMBER]})}}),
    "quantiles": {"network": str, "stretches": Many({"": Many({"": NUMBER})})},
    "covariates": Many({"": {"mae": NUMBER, "shuffled": NUMBER}}),
    "seen": [{"value": [NUMBER], "mean": [NUMBER], "deviation": [NUMBER]}],
    "series?": {
        **dict.fromkeys(("judged", "behind", "unused"), int),
        "first": [{"id": str, "against": str, "mae": NUMBER, "baseline": NUMBER}],
        "unused_first": [str],
    },
    "search?": {
        **dict.fromkeys(("trials", "complete", "stopped", "failed", "best"), int),
        "mae": NUMBER,
        "plain": (*NUMBER, type(None)),
        "published": [int],
        "settings": dict,
        "importance": Many({"": NUMBER}),
    },
    "epochs": {"run": int, "best": int, "interrupted": bool},
    "members": [
        {
            **dict.fromkeys(REGULARISED, NUMBER),
            "seen?": (int, type(None)),
            "own?": dict,
            "seed": int,
            "mae": NUMBER,
            "kept": bool,
        }
    ],
    "errors": str,
    "simple": [str],
    "weights?": [NUMBER],
    "refitted": bool,
    "rows": dict.fromkeys(("read", "used", "training", "validation"), int),
    "windows": {"training": int, "validation": int},
    "mended": Many({"": int}),
    "left_out": Many({"": str}),
    "data": {"name": str, "sha256": str, "first": str, "last": str, "last_time": str, "series": int},
    "seconds": NUMBER,
    "parameters": int,
}


@dataclass(frozen=True)
class Record:
    """What run.json holds.

    spec     resolved: every value that was found from the data is in it
    scalers  one a series, under its id. They stand here rather than in model.onnx because they belong to the series and
             the network does not: one graph serves series it was not trained on, and a reader can check them
    outer    the scaler of the covariates, of each column that they become
    model    SHA-256 of model.onnx: a flipped bit in the weights would otherwise be a wrong forecast without a word
    facts    what is told but not computed with: data, rows, mended, validation, seconds, packages, command, ...
    """

    version: str
    spec: Spec
    schema: Schema
    scalers: Mapping[str, Scaler]
    outer: Scaler
    model: str
    facts: Mapping[str, Any]

    @property
    def lookback(self) -> int:
        """Rows the network sees."""
        return self.spec.data.settled_lookback

    @property
    def horizon(self) -> int:
        """Steps the network forecasts."""
        return self.spec.data.settled_horizon

    def networks(self) -> list[tuple[Mapping[str, Any], ModelSpec]]:
        """Of each that is averaged what is told of it, and its specification; number k is in members/k.keras."""
        kept = [member for member in self.facts["members"] if member["kept"]]
        own: list[dict[str, Any]] = [
            {**{name: member[name] for name in REGULARISED}, "seen": member.get("seen")} for member in kept
        ]
        for member, each in zip(kept, own, strict=True):
            told = [(*key.partition("."), value) for key, value in member.get("own", {}).items()]
            each |= {name: value for part, _, name, value in told if part == "model"}
        return [(member, replace(self.spec.model, **each)) for member, each in zip(kept, own, strict=True)]

    def to_json(self) -> str:
        """The text of run.json."""
        document = {
            "format": FORMAT,
            "version": self.version,
            **self.facts,
            "spec": self.spec.to_dict(),
            "schema": dataclasses.asdict(self.schema),
            "model": self.model,
            "outer": self.outer.to_dict(),
            "scalers": {name: scaler.to_dict() for name, scaler in self.scalers.items()},
        }
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Record:
        """Raises DataError, naming the file, when it is missing, damaged, or of a format this cnnlstm does not know."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            kind = document["format"]
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise DataError(f"{path} is damaged or missing ({error}). Train again, or name another version.") from None
        if kind != FORMAT:
            raise DataError(
                f"{path} has format {kind!r}; this cnnlstm reads format {FORMAT}. "
                "Use the cnnlstm that trained it, or train again."
            )
        try:
            return cls._from(document)
        except (CnnlstmError, KeyError, TypeError, ValueError, AttributeError) as error:
            reason = str(error) if isinstance(error, CnnlstmError) else f"{type(error).__name__}: {error}"
            raise DataError(f"{path} is damaged ({reason}). Train again, or name another version.") from None

    @classmethod
    def _from(cls, document: dict[str, Any]) -> Record:
        del document["format"]
        record = cls(
            version=document.pop("version"),
            spec=Spec.from_dict(document.pop("spec")),
            schema=_schema(document.pop("schema")),
            scalers={name: Scaler.from_dict(facts) for name, facts in document.pop("scalers").items()},
            outer=Scaler.from_dict(document.pop("outer")),
            model=str(document.pop("model")),
            facts=document,
        )
        if any(len(scaler.mean) != len(record.schema.targets) for scaler in record.scalers.values()):
            raise DataError("a scaler has not one number for each target")
        if len(record.outer.mean) != sum(record.schema.widths.values()):
            raise DataError("the scaler of covariates has not one number for each column of theirs")
        if "simple" not in document:  # told so before there were others than the linear model
            document["simple"] = ["linear"] if document["linear"] else []
        require(document, TOLD)
        if "model" not in document["validation"] or len(document["validation"]) < 2:
            raise DataError("its validation needs the scores of the model and of a baseline")
        if record.spec.model.calendar == "auto":
            raise DataError("model.calendar must be settled in it")
        if record.spec.data.lookback is None or record.spec.data.horizon is None:
            raise DataError("lookback and horizon must be in it")
        record.networks()
        return record


def _schema(facts: Mapping[str, Any]) -> Schema:
    require(facts, SCHEMA, "schema")
    time = facts["time"]
    if time["format"] is not None:
        require(time["format"], FORMATTED, "schema.time.format")
        require_pattern(time["format"]["pattern"])
    form = StampFormat(**time["format"]) if time["format"] else None
    if time["zone"] is not None:
        require_zone(time["zone"])
    if bool(time["names"]) == (time["kind"] == "row") or (time["kind"] in WRITTEN and form is None):
        raise DataError(f"schema.time is {time}")
    frequency = Frequency(**facts["frequency"])
    impossible = frequency.alias != "B" if frequency.closed else frequency.dated and frequency.offset.n < 1
    if not frequency.alias or impossible or not 1 <= frequency.day <= 31:
        raise DataError(f"schema.frequency is {facts['frequency']}")
    return Schema(
        time=TimeColumn(time["kind"], tuple(time["names"]), form, time["zone"], time["utc"]),
        frequency=frequency,
        targets=tuple(facts["targets"]),
        id=facts["id"],
        covariates=tuple(
            Covariate(each["name"], tuple(each["categories"]), each["role"]) for each in facts["covariates"]
        ),
        holidays=facts["holidays"],
        doubled=facts["doubled"],
        agg=facts["agg"],
    )
