"""The compiled training loop: one for every network, optimizer and loss; a schedule in steps, the best weights kept.

Windows are cut out of the series inside the graph, by index, and several steps run in one compiled call, so that
Python is out of the way. Every call has the same shape: nothing is traced twice.

Without XLA, and that is measured, on one core: a step of the default network on 256 windows takes 9 ms without it and
16 with it; of the published one .9 and 1.2 ms (32 windows), 2.7 and 9 ms (256); and XLA takes 6 to 10 s to compile
where TensorFlow's own graph is ready within one. There is no amount of work from which it would pay.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework import ops

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.network.checkpoint import Checkpoint, Epoch, Known, Weights
from cnnlstm_cli.network.memory import enough_memory
from cnnlstm_cli.series.calendar import Calendar
from cnnlstm_cli.series.windows import Windows
from cnnlstm_cli.specs import SLOWEST, WINDOWS_AN_EPOCH, TrainSpec

Starts: TypeAlias = NDArray[np.int64]
Tensor: TypeAlias = Any  # TensorFlow carries no types

ONE_COPY, TRACING = threading.Lock(), threading.Lock()
STEPS = 2_000  # of a whole training whose epochs are not given, within these bounds:
FEWEST_EPOCHS, MOST_EPOCHS = 6, 100
MOST_CYCLES, CYCLES_PATIENT = 6, 2
FEW_EPOCHS = 12  # are long ones, and the last cycle is half of them: then one cycle without a better end is enough
FEWEST_PATIENT = 3
CONTINUED_EPOCHS, CONTINUED_RATE = 12, 0.3  # a twelfth of the epochs, which forecast as well as a third of them

LARGEST_BATCH = 256
STEPS_AN_EPOCH = 8  # with so few windows that there would be less, the batch is made smaller,
SMALLEST_BATCH = 8  # down to this
STEPS_A_CALL = 16  # a fraction of a second, so that Ctrl-C is answered at once
JUDGED = 4_096  # windows whose errors are taken at a time
VALIDATION_BATCH = 256  # of a single call: there are few validation windows, and they cost a third of a step

OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "nadam": keras.optimizers.Nadam,
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": functools.partial(keras.optimizers.SGD, momentum=0.9, nesterov=True),
}
Loss: TypeAlias = Callable[[Tensor], Tensor]  # of errors (B, H, C), each by itself
LOSSES: dict[str, Loss] = {
    "mae": tf.abs,
    "mse": tf.square,
    "huber": lambda error: tf.where(tf.abs(error) < 1, tf.square(error) / 2, tf.abs(error) - 0.5),  # Huber 1964
}


@dataclass(frozen=True)
class Fit:
    """How a training went; `best` is the number of the epoch whose weights the model now holds, 0 if it was best before
    the first, and `validation` its validation loss. Of a cosine they are those of a cycle's end."""

    history: tuple[Epoch, ...]
    best: int
    validation: float
    interrupted: bool


OnStep: TypeAlias = Callable[[int, int, Epoch | None], None]


@dataclass(frozen=True)
class Plan:
    """A training in numbers: `epochs` of `calls` compiled calls of `steps` steps of `batch` windows.

    cycles    epochs of each fall of the learning rate
    patience  cycles in a row without a better end after which it stops
    """

    epochs: int
    calls: int
    steps: int
    batch: int
    cycles: tuple[int, ...]
    patience: int

    @property
    def total(self) -> int:
        """Steps of the whole training."""
        return self.epochs * self.calls * self.steps

    @property
    def ends(self) -> tuple[int, ...]:
        """The last epoch of each cycle."""
        return tuple(itertools.accumulate(self.cycles))


def plan(windows: int, spec: TrainSpec) -> Plan:
    """Batch, steps, epochs and patience for so many training windows, where `spec` leaves them open."""
    visited = min(windows, WINDOWS_AN_EPOCH)
    power = 2 ** int(np.log2(max(visited // STEPS_AN_EPOCH, SMALLEST_BATCH)))
    batch = min(spec.batch_size, max(visited, SMALLEST_BATCH)) if spec.batch_size else min(LARGEST_BATCH, power)
    needed = -(-visited // batch)
    calls = -(-needed // STEPS_A_CALL)
    steps = -(-needed // calls)
    epochs = spec.epochs or int(np.clip(round(STEPS / (calls * steps)), FEWEST_EPOCHS, MOST_EPOCHS))
    falls = spec.schedule == "cosine"
    cycles = 1 if epochs <= FEW_EPOCHS and not spec.epochs else CYCLES_PATIENT
    patience = spec.patience or (cycles if falls else max(FEWEST_PATIENT, epochs // 3))
    return Plan(epochs, calls, steps, batch, _cycles(epochs) if falls else (1,) * epochs, patience)


def _cycles(epochs: int) -> tuple[int, ...]:
    """Epochs cut into cycles, each about as long as all before it."""
    lengths: list[int] = []
    while epochs > 2 and len(lengths) < MOST_CYCLES - 1:
        lengths.append(-(-epochs // 2))
        epochs -= lengths[-1]
    return (epochs, *reversed(lengths))


def settled(spec: TrainSpec, windows: int) -> TrainSpec:
    """The specification with the epochs, the batch and the patience that so many training windows are given."""
    course = plan(windows, spec)
    return replace(spec, epochs=course.epochs, batch_size=course.batch, patience=course.patience)


def continued(spec: TrainSpec, windows: int) -> TrainSpec:
    """`settled`, for networks that have learnt before: a part of the epochs, at a part of the rate."""
    few = max(1, plan(windows, spec).epochs // CONTINUED_EPOCHS)
    rate = max(SLOWEST, spec.learning_rate * CONTINUED_RATE)
    return settled(replace(spec, epochs=spec.epochs or few, learning_rate=rate), windows)


@enough_memory()
def fit(
    model: keras.Model,
    windows: Windows,
    spec: TrainSpec,
    *,
    on_step: OnStep | None = None,
    keep_interrupted: Callable[[], bool] = lambda: False,
    checkpoint: Path | None = None,
    until: int | None = None,
    loss: Loss | None = None,
) -> Fit:
    """Trains `model`, (B, L, C) -> (B, H, C), in place, and leaves the weights of its best epoch in it.

    `windows` holds at least one training window. The best epoch is the one with the lowest validation loss, of those
    that end a cycle and the weights it came with; training stops when its patience is spent. Without validation windows
    the schedule is a single cycle, and its last epoch the best. `on_step(step, steps, epoch)` is called after every
    compiled call, with the last finished epoch if there is one. In the file `checkpoint` the training is kept, and from
    it one that was cut off goes on; it pauses after the epoch numbered `until`. A `loss` takes the place of the one
    that `spec` names; of a single channel the forecasts may be several, (B, H, Q), each of them compared with what
    came.

    Only where the rate has come to zero can a training be compared with a shorter one: while it is high, a good epoch
    is luck, and a training that was cut off there forecasts worse when it is repeated on all rows.

    A KeyboardInterrupt ends the training: once an epoch is finished and `keep_interrupted()` says so, with what was
    learnt until then; otherwise it is raised again. Raises DataError when a loss is not finite, OSError when the
    checkpoint can't be written, UsageError for want of memory.
    """
    course = plan(len(windows.training), spec)
    judge = _judge(model, windows) if len(windows.validation) else None
    if judge is None:
        course = replace(course, cycles=(course.epochs,))
    optimizer = _optimizer(spec, course)
    optimizer.build(model.trainable_variables)
    train = functools.cache(lambda: _trainer(model, optimizer, windows, loss or LOSSES[spec.loss], course))
    kept = Checkpoint(checkpoint, [*model.variables, *optimizer.variables])
    known = kept.load() or _begun(model, judge, spec.seed)
    latest, interrupted = model.get_weights(), False
    try:
        for epoch in _epochs(course, known, windows.training, train, judge, on_step or (lambda *_: None)):
            latest = model.get_weights()
            known.history.append(epoch)
            _compare(known, course, latest)
            kept.save(known, now=epoch.number in (until, course.epochs) or known.unrewarded >= course.patience)
            if epoch.number == until:
                break
    except KeyboardInterrupt:
        if not known.history or not keep_interrupted():
            raise
        interrupted = True
        if judge is None or known.history[-1].validation < known.lowest:
            known.best, known.lowest, known.weights = known.history[-1].number, known.history[-1].validation, latest
    model.set_weights(known.weights)
    return Fit(tuple(known.history), known.best, known.lowest, interrupted)


def _begun(model: keras.Model, judge: Callable[[], float] | None, seed: int) -> Known:
    """A training before its first epoch."""
    return Known([], 0, judge() if judge else np.inf, model.get_weights(), 0, np.random.default_rng(seed))


def _compare(known: Known, course: Plan, weights: Weights) -> None:
    """The end of a cycle with the best before it."""
    epoch = known.history[-1]
    if epoch.number not in course.ends:
        return
    known.unrewarded += 1
    if np.isnan(epoch.validation) or epoch.validation < known.lowest:
        known.best, known.lowest, known.weights, known.unrewarded = epoch.number, epoch.validation, weights, 0


def _epochs(
    course: Plan,
    known: Known,
    starts: Starts,
    train: Callable[[], Callable[[Starts], float]],
    judge: Callable[[], float] | None,
    on_step: OnStep,
) -> Iterator[Epoch]:
    """Trains epoch by epoch, each yielded when it is finished and judged, until the patience is spent."""
    last = known.history[-1] if known.history else None
    step = len(known.history) * course.calls * course.steps
    started = time.perf_counter() - (last.seconds if last else 0.0)
    if last:
        on_step(step, course.total, last)
    while len(known.history) < course.epochs and known.unrewarded < course.patience:
        number, losses = len(known.history) + 1, []
        for call in shuffled(starts, course, known.random):
            losses.append(_finite(train()(call), number))
            step += course.steps
            on_step(step, course.total, last)
        validation = _finite(judge(), number) if judge else float("nan")
        last = Epoch(number, course.epochs, float(np.mean(losses)), validation, time.perf_counter() - started)
        on_step(step, course.total, last)
        yield last


def shuffled(starts: Starts, course: Plan, random: np.random.Generator) -> Starts:
    """The windows of one epoch, in random order: (calls, steps, batch).

    Each is visited once, then as many again as fill the last call. Of more than WINDOWS_AN_EPOCH, that many.
    """
    many = len(starts) > WINDOWS_AN_EPOCH
    order = random.choice(starts, WINDOWS_AN_EPOCH, replace=False) if many else random.permutation(starts)
    filled: Starts = np.resize(order, (course.calls, course.steps, course.batch))
    return filled


def _trainer(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    windows: Windows,
    loss_of: Loss,
    course: Plan,
) -> Callable[[Starts], float]:
    """A compiled call that takes one step per row of starts (course.steps, B) and returns their mean loss."""
    weights = model.trainable_variables
    cut = _cutter(windows, calendar=len(model.inputs) > 1)

    def step(starts: Tensor) -> Tensor:
        inputs, target = cut(starts)
        with tf.GradientTape() as tape:
            error = model(inputs, training=True) - target
            loss = tf.add_n([tf.reduce_mean(loss_of(error)), *model.losses])  # the penalties of this very call
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    with _letting_go():
        compiled = _compiled(step, (course.steps, course.batch))
    return lambda starts: float(np.mean(compiled(starts)))


@contextlib.contextmanager
def _letting_go() -> Iterator[None]:
    """In here graphs are traced that can be forgotten: TensorFlow keeps by its name every gradient of our own (`lstm`)
    for as long as the process lives, and with it the whole graph, 40 MB a training. Once traced, none asks for it."""
    with TRACING:
        registered = getattr(ops.gradient_registry, "_registry", {})
        before = set(registered)
        yield
        for name in set(registered) - before:
            del registered[name]


def _optimizer(spec: TrainSpec, course: Plan) -> keras.optimizers.Optimizer:
    """Nadam (Dozat 2016), Adam (Kingma and Ba 2015) or Nesterov's momentum (Sutskever et al. 2013).

    The norm of all gradients together is clipped (Pascanu et al. 2013); weights decay apart from the gradient, by the
    rate of the step (Loshchilov and Hutter 2019).
    """
    rate: Any = spec.learning_rate
    if spec.schedule == "cosine":
        rate = _Falling(spec.learning_rate, [epochs * course.calls * course.steps for epochs in course.cycles])
    make = OPTIMIZERS[spec.optimizer]
    return make(rate, global_clipnorm=spec.clipnorm, weight_decay=spec.weight_decay or None)


class _Falling(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # Keras carries no types
    """From the rate down to zero by a cosine, once in each cycle of so many steps (Loshchilov and Hutter 2017)."""

    def __init__(self, rate: float, lengths: Sequence[int]) -> None:
        self._rate = rate
        self._lengths = tf.constant(lengths, tf.float32)
        self._starts = tf.cumsum(self._lengths, exclusive=True)

    def __call__(self, step: Tensor) -> Tensor:
        """The rate of a step, counted from 0."""
        step = tf.cast(step, tf.float32)
        cycle = tf.reduce_sum(tf.cast(step >= self._starts, tf.int32)) - 1
        share = (step - self._starts[cycle]) / self._lengths[cycle]
        return self._rate * (1 + tf.cos(np.pi * tf.minimum(share, 1.0))) / 2


def _judge(model: keras.Model, windows: Windows) -> Callable[[], float]:
    """A call that returns the mean absolute error over the validation windows."""
    forecasts, starts = forecaster(model, windows), windows.validation

    def error() -> float:
        parts = [slice(first, first + JUDGED) for first in range(0, len(starts), JUDGED)]
        made = forecasts()
        off = [np.abs(made[part] - windows.came(starts[part])).sum(dtype=np.float64) for part in parts]
        return float(np.sum(off) / made.size)

    return error


def forecaster(model: keras.Model, windows: Windows) -> Callable[[], NDArray[np.float32]]:
    """A compiled call that returns the forecasts of the validation windows, (m, H, C) scaled."""
    starts = windows.validation
    batch = min(len(starts), VALIDATION_BATCH)
    padded = np.resize(starts, (-(-len(starts) // batch), batch))
    cut = _cutter(windows, calendar=len(model.inputs) > 1)
    compiled = _compiled(lambda batch: model(cut(batch)[0], training=False), padded.shape)

    def forecasts() -> NDArray[np.float32]:
        made = compiled(padded)
        return made.reshape(-1, *made.shape[2:])[: len(starts)]

    return forecasts


def _cutter(windows: Windows, *, calendar: bool) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Cuts windows out of the series by their first rows: (B,) -> inputs, targets (B, H, C).

    The inputs are the lookbacks (B, L, C), and with `calendar` that of the targets (B, H, K) beside them.
    """
    with ONE_COPY:
        values = _rows(windows)
        told = _told(windows.calendar) if calendar else None
    dates = windows.calendar
    offsets = tf.range(windows.lookback + windows.horizon, dtype=tf.int64)

    def cut(starts: Tensor) -> tuple[Tensor, Tensor]:
        places = starts[:, None] + offsets
        rows = tf.gather(values, places)
        lookback, target = rows[:, : windows.lookback], rows[:, windows.lookback :]
        if told is None or dates is None:
            return lookback, target
        ahead = dates.ahead(told, starts + windows.lookback, windows.horizon, tf.gather, tf.concat)
        return [lookback, ahead], target

    return cut


@functools.lru_cache(maxsize=1)
def _rows(windows: Windows) -> Tensor:
    """The rows as TensorFlow's, which copies them: once for all networks that train on them."""
    return tf.constant(windows.values)


@functools.lru_cache(maxsize=1)
def _told(calendar: Calendar) -> Tensor:
    """The same of their calendar, which networks that are trained anew share as well."""
    # Of very many rows this is the largest part of a training's memory, and tf.constant would copy it twice.
    return tf.function(lambda: tf.numpy_function(calendar.features, [], tf.float32)).get_concrete_function()()


def _compiled(step: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> Callable[[Starts], NDArray[np.float32]]:
    """`step` over the rows of starts of one `shape`, one strictly after the other, in one graph traced here and now."""

    def steps(rows: Tensor) -> Tensor:
        return tf.map_fn(step, rows, fn_output_signature=tf.float32, parallel_iterations=1)

    traced = tf.function(steps, autograph=False).get_concrete_function(tf.TensorSpec(shape, tf.int64))
    return lambda starts: np.asarray(traced(tf.constant(starts)))


def _finite(loss: float, epoch: int) -> float:
    if not np.isfinite(loss):
        raise DataError(
            f"training went astray: the loss in epoch {epoch} is {loss}. Lower train.learning_rate, and see that the "
            "data hold no missing or enormous values."
        )
    return loss
