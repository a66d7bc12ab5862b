"""The explain use case: what the networks of a run look at, how they are in health, and whether hiding rows agrees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError, needing
from cnnlstm_cli.evaluation.reach import agreement, by_segment, decay, flow, reach
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.occlusion import Occlusion, occlude, segments
from cnnlstm_cli.series.reader import Data, read_history
from cnnlstm_cli.series.windows import Split, Windows, evenly, joined, training_starts
from cnnlstm_cli.specs import ModelSpec

if TYPE_CHECKING:
    from cnnlstm_cli.network.activations import Activation, Activations
    from cnnlstm_cli.network.gradients import Gradient, Gradients, Way

Facts = dict[str, Any]
Numbers = NDArray[np.floating[Any]]

MOST_WINDOWS = 512
MAP = (28, 60)  # steps and units of the map that is drawn; of more, neighbours are averaged
DRAWN = 4  # filters
DEAD = 0.01  # a unit whose root mean square is below: at most a hundredth of what it can be
ALWAYS = 0.95  # of windows and steps, in which a gate that is stuck is saturated
# Where the mean and variance of a self-normalising layer may lie (Klambauer et al. 2017, theorem 1).
FIXED_POINT = {"mean": (-0.1, 0.1), "variance": (0.8, 1.5)}


@dataclass(frozen=True, eq=False)
class Member:
    """One of the networks that are averaged, and what run.json tells of it."""

    spec: ModelSpec
    told: Mapping[str, Any]
    gradients: Gradients
    activations: Activations


@dataclass(frozen=True, eq=False)
class Explanation:
    """Of a version of a run.

    data       name of the file its windows are from
    windows    how many there are
    members    the networks that are averaged; none where the linear model alone is published
    occlusion  of what is published, the linear model included
    """

    run: Run
    data: str
    windows: int
    members: tuple[Member, ...]
    occlusion: Occlusion

    def facts(self) -> Facts:
        """What there is to tell, as JSON has it: verdicts, and curves, oldest first."""
        record, hidden = self.run.record, self.occlusion
        curves = [_forecast(member.gradients.rows) for member in self.members]
        gradient = by_segment(np.mean(curves, axis=0), hidden.segments) if curves else np.array([])
        moved = hidden.moved.mean(axis=1)
        return {
            "kind": "explanation",
            "run": str(self.run.path),
            "version": record.version,
            "data": self.data,
            "targets": list(record.schema.targets),
            "season": list(record.spec.data.season),
            "lookback": record.lookback,
            "horizon": record.horizon,
            "windows": self.windows,
            "simple": record.facts["simple"],
            "members": [_member_facts(member, record.lookback) for member in self.members],
            "occlusion": {
                "segments": hidden.segments.tolist(),
                "moved": _rounded(moved),
                "error": _rounded(hidden.error),
                "grows": _rounded(hidden.errors / hidden.error - 1 if hidden.error > 0 else hidden.errors),
                "gradient": _rounded(gradient),
                "agreement": _rounded(agreement(gradient, moved)) if curves else None,
            },
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that was measured, for an .npz: by member0_..., member1_..., and occlusion_..."""
        found: dict[str, NDArray[Any]] = {}
        for number, member in enumerate(self.members):
            found |= {f"member{number}_{name}": each for name, each in _arrays(member)}
        hidden = self.occlusion
        return found | {f"occlusion_{name}": getattr(hidden, name) for name in ("segments", "moved", "errors")}


def explain(run: str | Path, data: Data, windows: int = 256) -> Explanation:
    """Look into the published networks of a run, over windows of `data` that lie evenly from its first to its last.

    Raises InputError or DataError as `Run.open` and reading do, DataError when there are not two whole windows, and
    UsageError where TensorFlow is not installed.
    """
    opened = Run.open(run)
    table = read_history(data, opened.record.schema)
    starts = training_starts(table, Split.nothing_held(table.lengths), opened.record.lookback, opened.record.horizon)
    laid = opened.windows(table, opened.fitted(table), starts)
    if opened.record.spec.model.channels == "joint":
        laid = joined(laid, len(opened.record.schema.targets))
    count = len(laid.validation)
    if count < 2:
        rows = opened.record.lookback + opened.record.horizon
        raise DataError(f"{table.name}: {count} windows of {rows} rows without a hole. Give at least {rows + 1} rows.")
    laid = replace(laid, validation=laid.validation[evenly(count, max(2, min(windows, MOST_WINDOWS)))])
    given = _cut(laid)
    parts = segments(opened.record.lookback, opened.record.spec.data.season)
    members = tuple(_members(opened, laid, given))
    return Explanation(opened, table.name, len(laid.validation), members, occlude(opened.session, *given, parts))


def _cut(windows: Windows) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, NDArray[np.float32]]:
    """The judged windows: scaled lookbacks (N, L, C), the calendar ahead (N, H, K) or None, what came (N, H, C)."""
    rows = windows.validation[:, None] + np.arange(windows.lookback)
    came = windows.came(windows.validation)
    calendar = windows.calendar
    if calendar is None:
        return windows.values[rows], None, came
    told = calendar.ahead(calendar.features(), windows.validation + windows.lookback, windows.horizon)
    return windows.values[rows], told, came


def _members(run: Run, windows: Windows, given: tuple[Any, Any, Any]) -> Iterator[Member]:
    """Each network of the average, looked into. The linear model beside them is not kept by itself."""
    kept = run.record.networks()
    if not kept:
        return
    with needing("looking into a network"):
        from cnnlstm_cli.network.activations import activations
        from cnnlstm_cli.network.gradients import gradients
        from cnnlstm_cli.network.restore import built, restored
    for number, (told, spec) in enumerate(kept):
        path = run.folder / "members" / f"{number}.keras"
        model = restored(built(spec, windows, seed=0), path, "Train again, or name another version.")
        yield Member(spec, told, gradients(model, *given), activations(model, *given[:2]))


def _member_facts(member: Member, lookback: int) -> Facts:
    found, inside = member.gradients, member.activations
    return {
        "seed": member.told["seed"],
        "mae": _rounded(member.told["mae"]),
        "cell": member.spec.cell,
        "joint": member.spec.channels == "joint",
        "steps": len(found.fed.loss),
        "rows a step": _rows_a_step(member.spec, lookback),
        "ahead": (found.ahead + 1).tolist(),
        "rows": _back(found.rows),
        "fed": _back(found.fed),
        "ways": [_way_facts(way) for way in found.ways],
        "activations": {name: _activation_facts(each) for name, each in inside.layers.items()},
        "excite": {
            name: {"mean": _rounded(each.mean), "deviation": _rounded(each.deviation)}
            for name, each in inside.excite.items()
        },
        "filters": _filters(inside),
        "parts": {
            name: {key: _rounded(value) for key, value in vars(each).items()} for name, each in inside.parts.items()
        },
    }


def _rows_a_step(spec: ModelSpec, lookback: int) -> int:
    """By how many rows two neighbouring steps of the recurrent layer are apart."""
    return spec.convolution(spec.rows(lookback))[1] * (1 if spec.pooling == "none" else spec.pool_size)


def _forecast(gradient: Gradient) -> Numbers:
    """(n, units) -> (n,): of the steps ahead, the mean over them and the units."""
    curve: Numbers = gradient.ahead.mean(axis=(0, 2))
    return curve


def _back(gradient: Gradient, backwards: bool = False) -> Facts:
    """Of (n, units): the curves of the forecast and of the loss; where the forecast's comes from, counted from the step
    that is read last; how the loss's, which is what trains, changes on its way from there."""
    forecast, loss = _forecast(gradient), gradient.loss.mean(axis=1)
    back, trained = (each[::-1] if backwards else each for each in (forecast, loss))
    return {
        "curve": _rounded(forecast),
        "loss": _rounded(loss),
        "reach": reach(back),
        "half": reach(back, 0.5),
        "ratio": _rounded(decay(trained)),
        "flow": flow(trained),
    }


def _way_facts(way: Way) -> Facts:
    """Of one way of reading: its memory and state, the map of the loss's gradient, and units that do nothing."""
    heard = slice(1, None) if way.backwards else slice(None, -1)  # no step comes after the last that hears its state
    state = way.state and replace(way.state, loss=way.state.loss[heard], ahead=way.state.ahead[:, heard])
    return {
        "direction": "backward" if way.backwards else "forward",
        "memory": _back(way.memory, way.backwards),
        "state": _back(state, way.backwards) if state and len(state.loss) else None,
        "map": _map(way.memory.loss),
        "units": len(way.square),
        "dead": np.flatnonzero(np.sqrt(way.square) < DEAD).tolist(),
        "gates": {
            name: {
                "shut": _rounded(way.shut[name].mean()),
                "open": _rounded(way.open[name].mean()),
                "always shut": np.flatnonzero(way.shut[name] >= ALWAYS).tolist(),
                "always open": np.flatnonzero(way.open[name] >= ALWAYS).tolist(),
            }
            for name in way.shut
        },
    }


def _map(sizes: Numbers) -> list[list[float]]:
    """(T, U) -> as many steps, oldest first, and units, the strongest first, as are drawn."""
    ordered = sizes[:, np.argsort(-sizes.sum(axis=0), kind="stable")]
    for axis, most in enumerate(MAP):
        count = ordered.shape[axis]
        ordered = np.stack([part.mean(axis=axis) for part in np.array_split(ordered, min(most, count), axis)], axis)
    return [_rounded(row) for row in ordered]


def _activation_facts(activation: Activation) -> Facts:
    """Whether it normalises itself is asked of SELU alone, which is made to."""
    moments = {"mean": activation.mean, "variance": activation.variance}
    inside = all(low <= moments[name] <= high for name, (low, high) in FIXED_POINT.items())
    told = {name: _rounded(value) for name, value in moments.items()}
    return {
        "function": activation.function,
        **told,
        "self-normalising": inside if activation.function == "selu" else None,
    }


def _filters(inside: Activations) -> list[Facts]:
    """The filters of the first convolution that weigh most, by their norm and their gate, in their heaviest channel."""
    kernels = inside.filters.astype(np.float64)  # (kernel, C, F)
    gates = inside.excite["excite"].mean if "excite" in inside.excite else np.ones(kernels.shape[2])
    weight = np.sqrt((kernels**2).sum(axis=(0, 1))) * gates
    found = []
    for number in np.argsort(-weight, kind="stable")[:DRAWN]:
        channel = int(np.abs(kernels[:, :, number]).sum(axis=0).argmax())
        told = {"filter": int(number), "gate": _rounded(gates[number]), "channel": channel}
        found.append({**told, "kernel": _rounded(kernels[:, channel, number])})
    return found


def _arrays(member: Member) -> Iterator[tuple[str, NDArray[Any]]]:
    """Each array of a member, and its name."""
    found, inside = member.gradients, member.activations
    yield "ahead", found.ahead + 1
    yield from _both("rows", found.rows)
    yield from _both("fed", found.fed)
    for way in found.ways:
        name = "backward" if way.backwards else "forward"
        yield from _both(f"{name}_memory", way.memory)
        if way.state is not None:
            yield from _both(f"{name}_state", way.state)
        yield f"{name}_square", way.square
        for gate in way.shut:
            yield f"{name}_{gate}_shut", way.shut[gate]
            yield f"{name}_{gate}_open", way.open[gate]
    yield "filters", inside.filters
    for name, gates in inside.excite.items():
        yield f"{name}_mean", gates.mean
        yield f"{name}_deviation", gates.deviation
    for name, part in inside.parts.items():
        yield f"share_{name}", part.steps


def _both(name: str, gradient: Gradient) -> Iterator[tuple[str, Numbers]]:
    yield f"{name}_loss", gradient.loss
    yield f"{name}_ahead", gradient.ahead


def _rounded(value: Any) -> Any:
    """Numbers, or lists of them, to four digits; None where there is none."""
    if np.ndim(value):
        return [_rounded(each) for each in value]
    return float(f"{value:.4g}") if np.isfinite(value) else None
