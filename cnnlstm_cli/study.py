"""The trials of a search, kept in a run: what was proposed, how far each came, and which is best (Optuna).

Points are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011) that looks at all settings together,
a round of them at a time: so what is proposed does not depend on how many are tried at once, nor on which is done
first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError, needing
from cnnlstm_cli.runs.atomic import write_atomically, writing_to
from cnnlstm_cli.runs.directory import differs
from cnnlstm_cli.spaces import Choice, Space

with needing("tune"):
    import optuna

ROUND = 8  # trials, of which half go on from each rung to the next
NAME, TASK = "tune", "task.json"


@dataclass(frozen=True)
class Trial:
    """A point, and how far it came.

    errors   rung -> mae there
    state    unfinished, complete, stopped (others did better) or failed
    """

    number: int
    point: Mapping[str, Any]
    errors: Mapping[int, float]
    state: str
    epochs: int
    seconds: float
    failed: str

    @property
    def mae(self) -> float:
        """At the last rung it came to."""
        return self.errors[max(self.errors)] if self.errors else float("inf")


class Study:
    """The search in a folder."""

    def __init__(self, folder: Path, space: Space, seed: int) -> None:
        """Picks up what is there. Raises OutputError, or DataError where the journal is damaged."""
        self.folder = folder
        self._seed = seed
        self._space: dict[str, optuna.distributions.BaseDistribution] = {
            key: optuna.distributions.CategoricalDistribution(each.values)
            if isinstance(each, Choice)
            else optuna.distributions.FloatDistribution(each.low, each.high, log=True)
            for key, each in space.items()
        }
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with self._reading():
            storage = f"sqlite:///{self._journal}"
            self._study = optuna.create_study(storage=storage, study_name=NAME, load_if_exists=True)
        self._every()

    @property
    def _journal(self) -> Path:
        return self.folder / "journal.sqlite3"

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - SQLAlchemy's and Optuna's have no common class
            why = str(error).splitlines()[0]
            raise DataError(f"{self._journal} can't be used: {why}. Remove it to begin anew.") from None

    def _every(self) -> list[optuna.trial.FrozenTrial]:
        """Raises DataError where the journal is damaged."""
        with self._reading():
            found: list[optuna.trial.FrozenTrial] = self._study.trials
        return found

    @classmethod
    def begun(cls, folder: Path, same: Mapping[str, Any], space: Space, seed: int) -> tuple[Study, str]:
        """The search of the `same` task in a folder of searches, or a new one; what to say where it holds another."""
        document = json.dumps(same, ensure_ascii=False).encode()
        own, note = folder / hashlib.sha256(document).hexdigest()[:12], ""
        if not (own / TASK).exists():
            if others := sorted(folder.glob(f"*/{TASK}"), key=lambda path: path.stat().st_mtime):
                other = differs(others[-1], same)
                note = (
                    f"the search before was of other {other}: a new one begins, and that stays until this is published"
                )
            with writing_to(own):
                own.mkdir(parents=True, exist_ok=True)
            write_atomically(own / TASK, document)
        return cls(own, space, seed), note

    def clear_others(self) -> None:
        """Only this search stays. Raises OutputError."""
        with writing_to(self.folder):
            for other in set(self.folder.parent.iterdir()) - {self.folder}:
                shutil.rmtree(other) if other.is_dir() else other.unlink()

    def trials(self) -> list[Trial]:
        """All of them, by number."""
        states = {"COMPLETE": "complete", "PRUNED": "stopped", "FAIL": "failed"}
        return [
            Trial(
                each.number,
                each.params,
                each.intermediate_values,
                states.get(each.state.name, "unfinished"),
                each.user_attrs.get("epochs", 0),
                each.user_attrs.get("seconds", 0.0),
                each.user_attrs.get("failed", ""),
            )
            for each in self._every()
        ]

    def round(self, number: int, most: int, first: Sequence[Mapping[str, Any]]) -> list[Trial]:
        """The trials of a round, the first of all rounds beginning with the points `first`; no trial beyond `most`."""
        begin, end = number * ROUND, min((number + 1) * ROUND, most)
        known = len(self._every())
        for place in range(known, end):
            if place < len(first):
                self._study.enqueue_trial(dict(first[place]))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what is experimental in it
                self._study.sampler = optuna.samplers.TPESampler(  # one for each: none depends on those before a kill
                    seed=self._seed + place, multivariate=True, n_startup_trials=ROUND, constant_liar=True
                )
                self._study.ask(self._space)
        return self.trials()[begin:end]

    def report(self, number: int, rung: int, mae: float, epochs: int, seconds: float) -> None:
        """A trial came to a rung."""
        trial = self._trial(number)
        trial.set_user_attr("epochs", epochs)
        trial.set_user_attr("seconds", trial.user_attrs.get("seconds", 0.0) + seconds)
        trial.report(mae, rung)

    def end(self, number: int, state: str, failed: str = "") -> None:
        """A trial is complete, stopped or failed; its checkpoint is kept where it is complete."""
        trial = self._trial(number)
        if failed:
            trial.set_user_attr("failed", failed)
        mae = self.trials()[number].mae
        names = {"complete": "COMPLETE", "stopped": "PRUNED", "failed": "FAIL"}
        self._study.tell(number, mae if state == "complete" else None, optuna.trial.TrialState[names[state]])
        if state != "complete":
            self.checkpoint(number).unlink(missing_ok=True)

    def checkpoint(self, number: int) -> Path:
        """The file of a trial's training."""
        return self.folder / f"trial-{number}.npz"

    def write_forecast(self, number: int, forecast: NDArray[np.float32]) -> None:
        """What a trial forecast for the validation windows at its end. Raises OutputError."""
        write_atomically(self._forecast(number), forecast.tobytes())

    def read_forecast(self, number: int, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
        """That again; None where it is gone or damaged."""
        try:
            found = np.frombuffer(self._forecast(number).read_bytes(), np.float32).reshape(shape)
        except (OSError, ValueError):
            return None
        return found if np.isfinite(found).all() else None

    def _forecast(self, number: int) -> Path:
        return self.folder / f"trial-{number}.f32"

    def importance(self) -> dict[str, float]:
        """How much of the spread among good trials each setting explains, the most first: PED-ANOVA (Watanabe et al.
        2023). Nothing where there are too few trials to say."""
        if sum(each.state == "complete" for each in self.trials()) < 2:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            found = optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        total = sum(found.values())
        return {key: value / total for key, value in found.items()} if total > 0 else {}

    def _trial(self, number: int) -> optuna.trial.Trial:
        return optuna.trial.Trial(self._study, self._every()[number]._trial_id)
