"""The comparison use case: two published versions side by side, in what they differ and which forecasts better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlstm_cli.backtesting import DEVIATIONS
from cnnlstm_cli.contest import Contest, Runs, contest, finite
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.inspection import skill
from cnnlstm_cli.runs.record import Record
from cnnlstm_cli.series.reader import Data

Facts = dict[str, Any]

VALIDATED = (  # what the validation rows, and the windows in them, hang on
    *("targets", "time", "id", "step", "doubled rows", "horizon", "data", "rows used", "held out"),
    *("validation windows", "warm start"),
)


def compare(first: str | Path, second: str | Path, data: Data | None = None) -> Comparison:
    """Two runs side by side; with data also their forecasts of the same rows, see `contest`.

    Raises InputError or DataError as `Run.open` does, and with data as `contest` does. Nothing is written.
    """
    runs = Run.open(first), Run.open(second)
    return Comparison(runs, None if data is None else contest(runs, data))


@dataclass(frozen=True)
class Comparison:
    """Two versions: in what they differ, what they have in common, and how they did.

    contest  their forecasts of the same values, where there were data
    """

    runs: Runs
    contest: Contest | None = None

    def facts(self) -> Facts:
        """All that is found, as plain data that JSON can write; None where there is no number."""
        ours, theirs = (_described(run.record) for run in self.runs)
        other = [what for what in dict.fromkeys((*ours, *theirs)) if ours.get(what) != theirs.get(what)]
        return {
            "kind": "comparison",
            "runs": [str(run.path) for run in self.runs],
            "differences": [{"what": what, "values": [ours.get(what), theirs.get(what)]} for what in other],
            "same": {what: value for what, value in ours.items() if what not in other},
            "validation": self._validation([what for what in VALIDATED if what in other]),
            "judged": self.contest.facts() if self.contest else None,
        }

    def _validation(self, other: Sequence[str]) -> Facts:
        """What each made of its own validation rows, and whether these are the same."""
        caveat = "Both were scored on the same validation rows, by which both were chosen."
        if other:
            caveat = (
                f"Each was scored on its own validation rows, and these differ ({', '.join(other)}): the lower error "
                "may be that of the easier rows."
            )
        scores = [run.record.facts["validation"] for run in self.runs]
        return {
            "same_rows": not other,
            "caveat": caveat,
            "unit": DEVIATIONS,
            "scores": [finite(each["model"]) for each in scores],
            "skill": [skill(each) for each in scores],
        }


def _described(record: Record) -> Facts:
    """What a version is: what it forecasts, of what data and how it was made, and with what."""
    data, schema, facts = record.spec.data, record.schema, record.facts
    read = facts["data"]
    return {
        "version": record.version,
        "trained": facts["created"],
        "targets": list(schema.targets),
        "time": list(schema.time.names),
        "id": schema.id,
        "step": schema.step,
        "doubled rows": schema.doubled,
        "season": list(data.season),
        "horizon": record.horizon,
        "lookback": record.lookback,
        "covariates": [f"{each.name} ({each.role})" for each in schema.covariates],
        "holidays": schema.holidays,
        "file": read["name"],
        "data": read["sha256"],
        "from": read["first"],
        "until": read["last"],
        "series": read["series"],
        **{f"rows {part}": count for part, count in facts["rows"].items()},
        "held out": data.validation,
        "validation windows": facts["windows"]["validation"],
        "mended": [f"{count:,} {what}" for what, count in facts["mended"].items()],
        "networks": sum(member["kept"] for member in facts["members"]),
        "averaged with": facts["simple"],
        "parameters": facts["parameters"],
        "trained anew on all rows": facts["refitted"],
        "warm start": facts.get("warm_start"),
        **{f"model.{key}": value for key, value in vars(record.spec.model).items()},
        **{f"train.{key}": _plain(value) for key, value in vars(record.spec.train).items()},
        "python": facts.get("python"),
        **{f"packages.{name}": version for name, version in facts.get("packages", {}).items()},
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
