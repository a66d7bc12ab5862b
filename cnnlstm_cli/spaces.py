"""What `tune` searches: for each preset the settings that are varied, and what values each may take.

All of it is here. A value that depends on the data is given as multiples of what the plain training would take. The
windows are the same for all trials: what differs is how much of the lookback a network sees.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from cnnlstm_cli.config import Spec
from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.specs import ModelSpec

SEEN = "model.seen"  # of the lookback; for all of it None stands


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
_FITTING: dict[str, Dimension] = {"train.learning_rate": Range(0.001, 0.01), "train.batch_size": Times((0.5, 1))}
_PUBLISHED: dict[str, Dimension] = {
    SEEN: Times((1, 2, 4, 8)),
    "train.loss": Choice(("mae", "huber")),
    "model.filters": Choice((10, 32, 64)),
    "model.kernel": Choice((3, 5, 9)),
    "model.units": Choice((16, 32, 64)),
    "model.conv_norm": Choice(("before", "none")),
    **_DROPOUTS,
    **_FITTING,
}
SPACES: dict[str, dict[str, Dimension]] = {
    "default": {
        SEEN: Times((0.5, 1)),
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
    space: dict[str, Choice | Range] = {}
    for key, dimension in SPACES[preset].items():
        part, _, name = key.partition(".")
        if key in given:
            continue
        taken = found[part][name]
        if isinstance(dimension, Range):
            here: Choice | Range = dimension
        elif key == SEEN:
            here = Choice((*seen(preset, given, settled, longest)[:-1], None))
        elif isinstance(dimension, Times):
            here = _multiples(dimension, taken, settled.data.settled_lookback if name == "kernel" else None)
        else:  # what the plain training takes is always among them
            more = () if taken is None or taken in (*dimension.values, "race") else (taken,)
            here = Choice((*dimension.values, *more))
        if isinstance(here, Range) or len(here.values) > 1:
            space[key] = here
    if not space:
        raise UsageError(f"every setting that tune varies for the preset {preset} is given. Leave some of them out.")
    return space


def seen(preset: str, given: Collection[str], settled: Spec, longest: int) -> list[int]:
    """Rows that networks may see, the fewest first; the last is the lookback of the search.

    As they are multiples of the plain training's, so they are whole kernels where they are parts of it.
    """
    usual, kernel = settled.data.settled_lookback, settled.model.kernel or 1
    dimension = SPACES[preset][SEEN]
    factors = dimension.factors if isinstance(dimension, Times) and SEEN not in given else ()
    most = usual if "data.lookback" in given else longest
    rows = {math.ceil(factor * usual / kernel) * kernel if factor < 1 else int(factor * usual) for factor in factors}
    return sorted({usual, *(each for each in rows if each <= most)})


def _multiples(times: Times, usual: int, most: int | None) -> Choice:
    """Of what is usual, and that itself, up to a most."""
    values = {max(1, math.ceil(factor * usual)) for factor in times.factors}
    return Choice(tuple(sorted({usual, *(value for value in values if most is None or value <= most)})))


def plain(space: Space, settled: Spec, networks: Sequence[ModelSpec]) -> list[dict[str, Any]]:
    """The points of a space that are like the `networks` that the plain training would race."""
    points = []
    for network in networks:
        found = replace(settled, model=network).to_dict()
        point = {key: found[part][name] for key in space for part, _, name in [key.partition(".")]}
        if SEEN in space:
            few, rows = space[SEEN].values, network.rows(settled.data.settled_lookback)  # type: ignore[union-attr]
            point[SEEN] = rows if rows in few else None
        if point not in points:
            points.append(point)
    return points


def own(point: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings of a point as those of a single network: see `Spec.network`."""
    parts: dict[str, dict[str, Any]] = {}
    for key, value in sorted(point.items()):
        part, _, name = key.partition(".")
        parts.setdefault(part, {})[name] = value
    return parts
