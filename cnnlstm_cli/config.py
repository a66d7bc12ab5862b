"""How the specifications are said: presets, options, TOML and KEY=VALUE texts, each value checked.

Keys are written `model.filters` or `train.epochs`: on the command line (`--set model.filters=32`), in a TOML file
(`--config`, tables [data], [model], [train]) and in run.json alike. Where the networks of an average are to differ,
there is a table [[network]] for each, with the `model.filters` or `train.learning_rate` of its own.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import numbers
import sys
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar

from cnnlstm_cli.errors import InputError, UsageError, did_you_mean
from cnnlstm_cli.specs import SEEDS_APART, DataSpec, ModelSpec, TrainSpec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")

# What cannot be a network's own: what windows are made of, what is averaged, and what happens to all of them.
OF_ALL = {
    "model": {"channels", "calendar", "normalisation", "output"},
    "train": {"members", "linear", "refit", "jobs", "time_limit", "levels", "intervals"},
}


@dataclass(frozen=True)
class Spec:
    """Everything a training was told, or found.

    network  settings of single networks of the average, in turn: {"model": {...}, "train": {...}}, over those of all
    """

    data: DataSpec = field(default_factory=DataSpec)
    model: ModelSpec = field(default_factory=ModelSpec)
    train: TrainSpec = field(default_factory=TrainSpec)
    network: tuple[Mapping[str, Mapping[str, Any]], ...] = ()

    def networks(self, windows: int, lookback: int, horizon: int) -> list[tuple[ModelSpec, TrainSpec]]:
        """What the `train.members` networks are and how each is trained, on so many windows.

        The candidates of the model in turn, each with a seed of its own, or what `network` says.
        """
        if not self.network:
            candidates = self.model.candidates(windows, lookback, horizon)
            return self.seeded([candidates[number % len(candidates)] for number in range(self.train.members)])
        rounds = [divmod(number, len(self.network)) for number in range(self.train.members)]
        several = [(turn, self.with_own(self.network[place])) for turn, place in rounds]
        return [(each.model.candidates(windows)[0], each._seed(turn)) for turn, each in several]

    def seeded(self, models: Sequence[ModelSpec]) -> list[tuple[ModelSpec, TrainSpec]]:
        """Each with a seed of its own."""
        return [(model, self._seed(number)) for number, model in enumerate(models)]

    def _seed(self, number: int) -> TrainSpec:
        return dataclasses.replace(self.train, seed=(self.train.seed + number * SEEDS_APART) % 2**31)

    def with_own(self, own: Mapping[str, Mapping[str, Any]]) -> Spec:
        """That of a single network, whose settings `own` are."""
        parts = {part: dataclasses.replace(getattr(self, part), **keys) for part, keys in own.items()}
        return dataclasses.replace(self, network=(), **parts)

    def to_dict(self) -> dict[str, Any]:
        """The specification as JSON and TOML write it: {"data": {...}, "model": {...}, "train": {...}}, and "network"
        where there is any."""
        told = dataclasses.asdict(self)
        return told if self.network else {part: keys for part, keys in told.items() if part != "network"}

    def plain(self) -> dict[str, Any]:
        """`to_dict` as it is read back, to be compared with what was kept: lists in place of tuples."""
        told: dict[str, Any] = json.loads(json.dumps(self.to_dict()))
        return told

    def with_jobs(self, jobs: int | None) -> Spec:
        """The same with so many networks trained at a time, which changes no number."""
        return dataclasses.replace(self, train=dataclasses.replace(self.train, jobs=jobs))

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any]) -> Spec:
        """The reverse of `to_dict`; keys left out keep their defaults.

        Raises UsageError for an unknown table or key, or a value of the wrong type or out of its bounds.
        """
        specs = {"data": DataSpec, "model": ModelSpec, "train": TrainSpec}
        for table, keys in tables.items():
            if table not in (*specs, "network"):
                raise UsageError(f"no such table of settings: {table!r}. {did_you_mean(table, [*specs, 'network'])}")
            if table != "network" and not isinstance(keys, Mapping):
                raise UsageError(f"settings [{table}] must be a table of keys, not {keys!r}.")
        given = {name: dict(tables.get(name, {})) for name in specs}
        several = _networks(tables.get("network", ()))
        if several:
            given["train"].setdefault("members", len(several))
        whole = cls(**{name: _checked(name, spec, given[name]) for name, spec in specs.items()})
        checked = []
        for number, own in enumerate(several, start=1):
            try:
                one = cls.from_dict({**given, **{part: {**given[part], **keys} for part, keys in own.items()}})
            except UsageError as error:
                raise UsageError(f"[[network]] {number}: {error}") from None
            checked.append(
                {part: {key: getattr(getattr(one, part), key) for key in keys} for part, keys in own.items()}
            )
        return dataclasses.replace(whole, network=tuple(checked))


def _networks(tables: Any) -> Sequence[Mapping[str, Mapping[str, Any]]]:
    """The tables [[network]], if that is what they are."""
    if not isinstance(tables, (list, tuple)) or not all(isinstance(each, Mapping) for each in tables):
        raise UsageError(f"settings [[network]] must be a table for each network, not {tables!r}.")
    for number, own in enumerate(tables, start=1):
        for part, keys in own.items():
            if part not in OF_ALL or not isinstance(keys, Mapping):
                raise UsageError(f"[[network]] {number} takes model.KEY and train.KEY, not {part} = {keys!r}.")
            if shared := OF_ALL[part] & set(keys):
                what = f"{part}.{min(shared)} is the same for all networks and can't stand there. Put it in [{part}]."
                raise UsageError(f"[[network]] {number}: {what}")
    return tables


class Options(TypedDict, total=False):
    """The options of `train` that have a name of their own: the fields of DataSpec, and some of TrainSpec."""

    target: str | Sequence[str]
    time: str | Sequence[str]
    known: str | Sequence[str]
    past: str | Sequence[str]
    static: str | Sequence[str]
    holidays: str
    id: str
    time_format: str
    tz: str
    freq: str
    agg: str
    season: int | Sequence[int]
    lookback: int
    horizon: int
    validation: int | float
    doubled: str
    lower: float
    strict: bool
    members: int
    jobs: int
    time_limit: float
    levels: Sequence[float]
    seed: int


TRAIN_OPTIONS = ("members", "jobs", "time_limit", "levels", "seed")


# Settings that lie under the user's own. Both published networks put right: the last Dense layer is applied, and its
# output is linear. How the question's was trained was not told: as the answer's, so that only the networks differ.
_WINDOW = {
    "channels": "joint",
    "normalisation": "none",
    "skip": False,
    "dropout": 0.0,
    "start": "zero",
    "calendar": "none",
}
_ALONE = {"members": 1, "linear": False, "refit": False}
_CONVOLUTION = {"filters": 10, "kernel": 3, "stride": 1, "padding": "causal"}
_PLAIN = {"activation": "relu", "initializer": "glorot_uniform", "conv_norm": "none", "conv_dropout": 0.0}
_OUTPUT = {"squeeze": False, "units": 15, "recurrent_dropout": 0.0, "recurrent_norm": "output"}
_TRAIN = {**_ALONE, "batch_size": 32, "loss": "mse", "schedule": "constant", "learning_rate": 0.001}
_ANSWER = {"dropout_shape": "elementwise", "units": 16, "conv_dropout": 0.1, "recurrent_dropout": 0.2}
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "default": {},
    "answer": {"data": {"lookback": 21}, "model": _WINDOW | _CONVOLUTION | _ANSWER, "train": _TRAIN},
    "question": {"data": {"lookback": 21}, "model": _WINDOW | _CONVOLUTION | _PLAIN | _OUTPUT, "train": _TRAIN},
}


def spec_from(options: Options, settings: Mapping[str, Any] | None = None, preset: str = "default") -> Spec:
    """Options over settings over the preset over defaults. Raises UsageError as `Spec.from_dict` does."""
    if preset not in PRESETS:
        raise UsageError(f"no such preset: {preset!r}. {did_you_mean(preset, PRESETS)}")
    tables: dict[str, Any] = {name: dict(keys) for name, keys in PRESETS[preset].items()}
    for name, keys in (settings or {}).items():
        tables[name] = {**tables.get(name, {}), **keys} if isinstance(keys, Mapping) else keys
    given: dict[str, Any] = {key: each for key, each in options.items() if not (each is None or _is_empty(each))}
    of_training = {key: given.pop(key) for key in TRAIN_OPTIONS if key in given}
    if of_training:
        tables["train"] = {**tables.get("train", {}), **of_training}
    tables["data"] = {**tables.get("data", {}), **given}
    return Spec.from_dict(tables)


def _is_empty(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and not value


def all_settings() -> list[dict[str, str]]:
    """Every key of [model] and [train] in its order, as texts: key, values, default, help, source."""
    found = []
    specs: tuple[tuple[str, type[Any]], ...] = (("model", ModelSpec), ("train", TrainSpec))
    for table, spec in specs:
        hints = typing.get_type_hints(spec)
        found += [
            {
                "key": f"{table}.{each.name}",
                "values": _values(hints[each.name], each),
                "default": _default(each),
                "help": each.metadata["help"],
                "source": each.metadata["source"],
            }
            for each in dataclasses.fields(spec)
        ]
    return found


def _default(field: dataclasses.Field[Any]) -> str:
    if isinstance(field.default, tuple):
        return ", ".join(f"{each:g}" for each in field.default)
    unset: str = field.metadata["unset"]
    return unset if field.default is None else str(field.default).lower()


def _values(hint: Any, field: dataclasses.Field[Any]) -> str:
    """What a key takes, in words: its choices, or its bounds."""
    if typing.get_origin(hint) is Literal:
        return " | ".join(typing.get_args(hint))
    if hint is bool:
        return "true | false"
    kind = "whole number" if int in (hint, *typing.get_args(hint)) else "number"
    low, high = field.metadata["low"], field.metadata["high"]
    if low is None:
        return kind
    return f"{kind}, {low} or more" if high is None else f"{kind}, {low} to {high}"


def settings_from(pairs: Iterable[str], config: Path | None = None) -> dict[str, dict[str, Any]]:
    """Tables of settings from a TOML file and from `KEY=VALUE` texts; the texts win.

    Raises UsageError for text that is no `table.key=value` or a file that is not TOML, InputError for a file that is
    not there.
    """
    tables: dict[str, dict[str, Any]] = _read_toml(config) if config else {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        table, dot, name = key.strip().partition(".")
        if not (equals and dot and name):
            raise UsageError(
                f"--set {pair}: expected TABLE.KEY=VALUE, for example model.filters=32 or train.epochs=20."
            )
        tables.setdefault(table, {})[name] = _literal(value.strip())
    return tables


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}. --config takes a TOML file.") from None
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError both are
        raise UsageError(f"{path}: not TOML: {error}.") from None


def _literal(text: str) -> Any:
    """A value typed on the command line: a TOML value where it is one, else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _checked(table: str, spec: type[T], values: Mapping[str, Any]) -> T:
    """`spec` filled with `values`, each checked against its field's type and bounds."""
    fields = {field.name: field for field in dataclasses.fields(spec)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(spec)
    for key in values:
        if key not in fields:
            hint = did_you_mean(f"{table}.{key}", [f"{table}.{name}" for name in fields])
            raise UsageError(f"no such setting: {table}.{key}. {hint}")
    checked = {key: _value(f"{table}.{key}", value, hints[key], fields[key]) for key, value in values.items()}
    return spec(**checked)


def _value(key: str, value: Any, hint: Any, field: dataclasses.Field[Any]) -> Any:
    if typing.get_origin(hint) is Literal:
        return _choice(key, value, typing.get_args(hint))
    kinds = typing.get_args(hint) if typing.get_origin(hint) is not tuple else ()
    if value is None and type(None) in kinds:
        return None
    if typing.get_origin(hint) is tuple:
        items = list(value) if isinstance(value, (list, tuple)) else [value]
        return tuple(_value(key, item, typing.get_args(hint)[0], field) for item in items)
    wanted = [kind for kind in (kinds or (hint,)) if kind is not type(None)]
    if isinstance(value, numbers.Real) and not isinstance(value, bool):  # NumPy's, too
        value = int(value) if isinstance(value, numbers.Integral) else float(value)
    if float in wanted and isinstance(value, int) and not isinstance(value, bool) and int not in wanted:
        value = float(value)
    if type(value) not in wanted:
        called = {"int": "a whole number", "float": "a number", "bool": "true or false"}
        names = " or ".join(called.get(kind.__name__, "a text") for kind in wanted)
        raise UsageError(f"{key} must be {names}, not {value!r}.")
    _within(key, value, field)
    return value


def _choice(key: str, value: Any, choices: tuple[str, ...]) -> str:
    if isinstance(value, str) and value in choices:
        return value
    near = difflib.get_close_matches(str(value).casefold(), choices, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"{key} must be one of {', '.join(choices)}, not {value!r}.{hint}")


def _within(key: str, value: Any, field: dataclasses.Field[Any]) -> None:
    low, high = field.metadata["low"], field.metadata["high"]
    if (
        (low is not None and value < low)
        or (high is not None and value > high)
        or value != value
        or value in (math.inf, -math.inf)
    ):
        bounds = (
            "a finite number" if low is None else f"at least {low}" if high is None else f"between {low} and {high}"
        )
        raise UsageError(f"{key} must be {bounds}, not {value!r}.")
