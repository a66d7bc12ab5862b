"""What `tune` searches: for each preset the settings that are varied, and what values each may take.

All of it is here. A value that depends on the data is given as multiples of what the plain training would take.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from cnnlstm_cli.config import Spec
from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.specs import ModelSpec


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Times:
    """A whole number: what the plain training takes, times one of these."""

    factors: tuple[float, ...]


@dataclass(frozen=True)
class Range:
    """A number between two, whose logarithm is drawn."""

    low: float
    high: float


Dimension: TypeAlias = "Choice | Times | Range"
Space: TypeAlias = Mapping[str, "Choice | Range"]

_DROPOUTS = {
    "model.conv_dropout": Choice((0.0, 0.1, 0.2)),
    "model.recurrent_dropout": Choice((0.0, 0.1, 0.2)),
    "model.dropout": Choice((0.0, 0.1, 0.3, 0.5)),
}
_FITTING: dict[str, Dimension] = {
    "train.learning_rate": Range(0.001, 0.01),
    "train.batch_size": Times((0.25, 0.5, 1)),
    "train.loss": Choice(("mae", "huber")),
}
_PUBLISHED: dict[str, Dimension] = {
    "data.lookback": Times((1, 2, 4, 8)),
    "model.filters": Choice((10, 32, 64)),
    "model.kernel": Choice((3, 5, 9)),
    "model.units": Choice((16, 32, 64)),
    "model.conv_norm": Choice(("before", "none")),
    **_DROPOUTS,
    **_FITTING,
}
SPACES: dict[str, dict[str, Dimension]] = {
    "default": {
        "data.lookback": Times((0.5, 1, 2)),
        "model.kernel": Times((0.5, 1)),
        "model.filters": Choice((32, 64, 128)),
        "model.units": Choice((32, 64, 128)),
        "model.dropout_kind": Choice(("alpha", "plain")),
        "model.start": Choice(("zero", "linear")),
        **_DROPOUTS,
        **_FITTING,
    },
    "answer": _PUBLISHED,
    "question": _PUBLISHED,
}


def space_of(preset: str, given: Collection[str], settled: Spec, longest: int) -> dict[str, Choice | Range]:
    """The space of a preset for a training that is settled, without the settings that were `given`.

    longest  rows that a lookback may have

    Raises UsageError where nothing is left to vary.
    """
    found = settled.to_dict()
    limits = {"lookback": longest, "kernel": settled.data.settled_lookback}
    space: dict[str, Choice | Range] = {}
    for key, dimension in SPACES[preset].items():
        part, _, name = key.partition(".")
        if key in given:
            continue
        taken = found[part][name]
        if isinstance(dimension, Range):
            here: Choice | Range = dimension
        elif isinstance(dimension, Times):
            here = _multiples(dimension, taken, limits.get(name))
        else:  # what the plain training takes is always among them
            more = () if taken is None or taken in (*dimension.values, "race") else (taken,)
            here = Choice((*dimension.values, *more))
        if isinstance(here, Range) or len(here.values) > 1:
            space[key] = here
    if not space:
        raise UsageError(f"every setting that tune varies for the preset {preset} is given. Leave some of them out.")
    return space


def _multiples(times: Times, usual: int, most: int | None) -> Choice:
    """Of what is usual, and that itself, up to a most."""
    values = {max(1, math.ceil(factor * usual)) for factor in times.factors}
    return Choice(tuple(sorted({usual, *(value for value in values if most is None or value <= most)})))


def plain(space: Space, settled: Spec, networks: Sequence[ModelSpec]) -> list[dict[str, Any]]:
    """The points of a space that are like the `networks` that the plain training would race."""
    points = []
    for network in networks:
        seen = replace(settled.data, lookback=network.rows(settled.data.settled_lookback))
        found = replace(settled, model=network, data=seen).to_dict()
        point = {key: found[part][name] for key in space for part, _, name in [key.partition(".")]}
        if any(isinstance(each, Choice) and point[key] not in each.values for key, each in space.items()):
            point["data.lookback"] = settled.data.settled_lookback  # a half that is not among those tried
        if point not in points:
            points.append(point)
    return points


def applied(spec: Spec, point: Mapping[str, Any]) -> Spec:
    """A specification with the settings of a point. Raises UsageError where they contradict each other."""
    parts: dict[str, dict[str, Any]] = {"data": {}, "model": {}, "train": {}}
    for key, value in point.items():
        part, _, name = key.partition(".")
        parts[part][name] = value
    return Spec(*(replace(getattr(spec, name), **values) for name, values in parts.items()))
