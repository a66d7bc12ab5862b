"""Several networks trained at a time, and averaged, simpler forecasts with them.

Each has a thread and, in it, a core: two together take as long as one, while a second core hardly speeds up one
network of this size (both measured). A member's numbers depend on its seed and candidate alone, not on what runs
beside it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.cluster import Standing, Where
from cnnlstm_cli.evaluation import ridge
from cnnlstm_cli.machine import cores
from cnnlstm_cli.network.checkpoint import Epoch
from cnnlstm_cli.network.choose import weighed
from cnnlstm_cli.network.elsewhere import train_elsewhere
from cnnlstm_cli.network.entry import Entry, Linear
from cnnlstm_cli.network.fit import Fit, fit, forecaster
from cnnlstm_cli.series.windows import Windows
from cnnlstm_cli.specs import REGULARISED, ModelSpec, TrainSpec

MOMENT = 0.1  # seconds between two looks at how far the threads are


class Watcher(Protocol):
    """Who follows a race."""

    def stepped(self, step: int, steps: int, epoch: Epoch | None) -> None:
        """`step` of `steps` steps of all members are done; `epoch` is the last that the first of them finished."""

    def keep_interrupted(self) -> bool:
        """Ctrl-C came: whether to go on with the best weights so far."""

    def stands(self, standing: Standing) -> None:
        """How far trainings in other processes are."""


@dataclass(frozen=True)
class Race:
    """How a race ended.

    trained   all networks, the best first
    weights   of each of them in the average; 0 of those that are left out
    simple    those of the simpler forecasts that are averaged with them, by their names
    forecast  their average's, of the validation windows, (m, H, C) scaled
    """

    trained: Sequence[Member]
    weights: Sequence[float]
    simple: Mapping[str, float]
    forecast: NDArray[np.float32]

    @property
    def kept(self) -> list[Member]:
        """Those that are averaged; none when the validation rows speak against every one."""
        return [member for member, weight in zip(self.trained, self.weights, strict=True) if weight]

    @property
    def told(self) -> list[dict[str, Any]]:
        """Of each network what it is told apart by; `own` is what else it has otherwise than the best."""
        best, first = self.trained[0], (*REGULARISED, "seen")
        return [
            {
                "seed": member.seed,
                **{name: getattr(member.spec, name) for name in first},
                **({"own": own} if (own := member.beside(best, (*first, "seed", "start"))) else {}),
                "mae": member.fit.validation,
                "epochs": len(member.fit.history),
                "best": member.fit.best,
                "kept": member in self.kept,
            }
            for member in self.trained
        ]

    @property
    def interrupted(self) -> bool:
        """Whether one of them was ended before its time."""
        return any(member.fit.interrupted for member in self.trained)


@dataclass(frozen=True)
class Member:
    """A trained network of an average, how its training went, and the file of the weights it began with, if any."""

    spec: ModelSpec
    train: TrainSpec
    model: keras.Model
    fit: Fit
    begun: Path | None = None

    @property
    def seed(self) -> int:
        """Of its weights, dropout and shuffling."""
        return self.train.seed

    def beside(self, other: Member, without: Collection[str]) -> dict[str, Any]:
        """Its settings that are not the other's: `model.filters`, `train.learning_rate`."""
        parts = (("model", self.spec, other.spec), ("train", self.train, other.train))
        return {
            f"{part}.{key}": value
            for part, ours, theirs in parts
            for key, value in vars(ours).items()
            if value != getattr(theirs, key) and key not in without
        }


def race(
    networks: Sequence[tuple[ModelSpec, TrainSpec]],
    windows: Windows,
    train: TrainSpec,
    linear: Linear,
    watcher: Watcher,
    *,
    simple: Mapping[str, NDArray[np.float64]],
    begun: Sequence[Path] = (),
    checkpoints: Path | None = None,
    seconds: float | None = None,
    cluster: Where | None = None,
) -> Race:
    """The networks, each trained as is said of it; and which are averaged.

    train        what is said of all of them
    linear       the weights (L, H) of the linear model, which some start from
    simple       those of forecasts that are averaged with them, the linear model among them: see `averaged`
    begun        a file for each, of the weights that it begins with; none: they are drawn
    checkpoints  a folder that the trainings are kept in, and picked up from
    seconds      after which it ends, once each network has an epoch; None: when they are done
    cluster      where they are trained, each in a process of its own; that needs `checkpoints`

    Raises KeyboardInterrupt when the watcher does not want what is there by then.
    """
    files: Sequence[Path | None] = begun or [None] * len(networks)
    entries = [
        Entry(spec, own, path, _kept(checkpoints, f"race-{number}"))
        for number, ((spec, own), path) in enumerate(zip(networks, files, strict=True))
    ]
    trained = _train(entries, windows, train.jobs, linear, watcher, seconds, cluster)
    trained.sort(key=lambda member: member.fit.validation)
    return averaged(trained, windows, simple)


def refit(
    members: Sequence[Member],
    windows: Windows,
    jobs: int | None,
    linear: Linear,
    watcher: Watcher,
    checkpoints: Path | None = None,
    cluster: Where | None = None,
) -> list[Member] | None:
    """The same networks trained anew on `windows`, all of them for training, for as many epochs as were best.

    The schedule is laid out for so many, so that the learning rate ends at zero: trainings cut off at the best epoch of
    a longer schedule forecast up to 2 % worse, and seldom better.

    None when it was interrupted: half-trained networks are no match for those that were chosen.
    """
    if not members:
        return []
    entries = [
        Entry(
            member.spec,
            replace(member.train, epochs=member.fit.best),
            member.begun,
            _kept(checkpoints, f"refit-{number}"),
        )
        for number, member in enumerate(members)
    ]
    anew = _train(entries, windows, jobs, linear, watcher, None, cluster)
    whole = len(anew) == len(members) and not any(member.fit.interrupted for member in anew)
    return anew if whole else None


def _kept(checkpoints: Path | None, name: str) -> Path | None:
    return None if checkpoints is None else checkpoints / f"{name}.npz"


def _train(
    entries: Sequence[Entry],
    windows: Windows,
    jobs: int | None,
    linear: Linear,
    watcher: Watcher,
    seconds: float | None,
    cluster: Where | None,
) -> list[Member]:
    """Trains each, `jobs` at a time. Of those interrupted it returns the ones that have an epoch."""
    if cluster is not None:
        begun = time.monotonic()
        train_elsewhere(entries, windows, linear, cluster, watcher.stands, seconds)
        seconds = None if seconds is None else max(0.0, seconds - (time.monotonic() - begun))
    models = [entry.network(windows, linear) for entry in entries]  # Keras draws weights from one generator
    progress = _Progress(len(entries), None if seconds is None else time.monotonic() + seconds)

    def work(number: int) -> Fit:
        entry = entries[number]
        if entry.train.epochs == 0:
            return Fit((), 0, float("nan"), interrupted=False)
        return fit(
            models[number],
            windows,
            entry.train,
            on_step=progress.of(number),
            keep_interrupted=lambda: True,
            checkpoint=entry.checkpoint,
        )

    with ThreadPoolExecutor(jobs or cores()) as pool:
        futures = [pool.submit(work, number) for number in range(len(entries))]
        _follow(futures, progress, watcher)
    members = [
        Member(entry.spec, entry.train, model, future.result(), entry.begun)
        for entry, model, future in zip(entries, models, futures, strict=True)
        if not (progress.stopped and isinstance(future.exception(), KeyboardInterrupt))
    ]
    if not members:
        raise KeyboardInterrupt
    return members


def _follow(futures: Sequence[Future[Fit]], progress: _Progress, watcher: Watcher) -> None:
    """Tells the watcher how far they are until all are done. Ctrl-C, and an error of one, ends all of them."""
    try:
        while wait(futures, timeout=MOMENT).not_done:
            progress.tell(watcher)
            if any(future.done() and future.exception() for future in futures):
                progress.stop()
        progress.tell(watcher)
    except KeyboardInterrupt:
        progress.stop()
        wait(futures)
        if not watcher.keep_interrupted():
            raise
    finally:
        progress.stop()


class _Progress:
    """How far the members are; written by their threads, read by the main one."""

    def __init__(self, members: int, deadline: float | None) -> None:
        self._steps = [(0, 1)] * members
        self._epochs: list[Epoch | None] = [None] * members
        self._news: deque[Epoch] = deque()
        self._told: Epoch | None = None
        self._deadline = deadline
        self._stop = threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether the members were told to end."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Every member ends after its present steps."""
        self._stop.set()

    def of(self, number: int) -> Callable[[int, int, Epoch | None], None]:
        """What one member's training calls after its steps."""

        def on_step(step: int, steps: int, epoch: Epoch | None) -> None:
            known, self._epochs[number] = self._epochs[number], epoch
            if number == 0 and epoch is not None and epoch is not known:
                self._news.append(epoch)
            self._steps[number] = step, steps
            late = self._deadline is not None and time.monotonic() > self._deadline
            if self.stopped or (late and known):  # an epoch just told of is not yet in the training's own hands
                raise KeyboardInterrupt

        return on_step

    def tell(self, watcher: Watcher) -> None:
        """Steps done and in all; and every epoch that the first member has finished since the last time."""
        done, total = (sum(part) for part in zip(*self._steps, strict=True))
        news = [self._news.popleft() for _ in range(len(self._news))]
        self._told = news[-1] if news else self._told
        told: Sequence[Epoch | None] = news or [self._told]
        for epoch in told:
            watcher.stepped(done, total, epoch)


def averaged(trained: Sequence[Member], windows: Windows, simple: Mapping[str, NDArray[np.float64]]) -> Race:
    """With what weights the networks are averaged, and the `simple` forecasts beside them, linear models of their
    lookback all of them; without that which a network still is, as it began."""
    if any(member.spec.start == "linear" and member.fit.best == 0 for member in trained):
        simple = {name: each for name, each in simple.items() if name != "linear"}
    made = {name: ridge.linear(windows, simple[name]) for name in sorted(simple, key=lambda name: name != "linear")}
    forecasts = [*(forecaster(member.model, windows)() for member in trained), *made.values()]
    learnt = len(trained) + ("linear" in made)
    came, starts = windows.came(windows.validation), windows.validation
    weights = weighed(forecasts[:learnt], forecasts[learnt:], came, starts)
    average = sum((np.float32(weight) * each for weight, each in zip(weights, forecasts, strict=True)), np.float32(0))
    beside = {name: weight for name, weight in zip(made, weights[len(trained) :].tolist(), strict=True) if weight}
    return Race(trained, weights[: len(trained)].tolist(), beside, np.asarray(average, np.float32))
