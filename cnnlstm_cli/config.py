"""The three specifications of a training: what data, which network, how it is trained.

Plain dataclasses, frozen. A value of None means "found from the data"; training replaces it by what it found, so
that the specification kept in run.json has no None left where a number was used.

Keys are written `model.filters` or `train.epochs`: on the command line (`--set model.filters=32`), in a TOML file
(`--config`, tables [data], [model], [train]) and in run.json alike.
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from cnnlstm_cli.errors import InputError, UsageError, did_you_mean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")


def option(default: Any, meaning: str, *, low: float | None = None, high: float | None = None) -> Any:
    """A dataclass field with its one line of help and its bounds (both inclusive) beside its default."""
    return field(default=default, metadata={"help": meaning, "low": low, "high": high})


@dataclass(frozen=True)
class DataSpec:
    """Which columns, and how they are cut into windows."""

    target: tuple[str, ...] = option((), "columns to forecast")
    time: tuple[str, ...] = option((), "columns that hold the time")
    id: str | None = option(None, "column that tells many series apart")
    time_format: str | None = option(None, "strptime format of the time column")
    freq: str | None = option(None, "step between rows, as pandas names it: h, D, MS, 15min")
    season: tuple[int, ...] = option((), "season lengths in rows, shortest first", low=2)
    lookback: int | None = option(None, "rows the network sees", low=1)
    horizon: int | None = option(None, "steps to forecast", low=1)
    validation: int | float | None = option(None, "rows, or share of the rows, kept at the end for choosing", low=0)

    @property
    def settled_lookback(self) -> int:
        """The lookback, once it is settled."""
        return _settled("lookback", self.lookback)

    @property
    def settled_horizon(self) -> int:
        """The horizon, once it is settled."""
        return _settled("horizon", self.horizon)


def _settled(name: str, value: int | None) -> int:
    if value is None:
        raise ValueError(f"{name} is not settled yet")
    return value


@dataclass(frozen=True)
class ModelSpec:
    """The CNN-LSTM. Shapes: B windows, L lookback, C channels."""

    filters: int = option(64, "filters of the convolution", low=1)
    kernel: int | None = option(None, "rows one convolution step covers, and its stride; default: the season", low=1)
    conv_dropout: float = option(0.1, "spatial AlphaDropout after the convolution", low=0, high=0.9)
    reduction: int = option(4, "squeeze-excite bottleneck: filters // reduction", low=1)
    units: int = option(64, "units of the LSTM", low=1)
    recurrent_dropout: float = option(0.2, "dropout inside the LSTM's recurrence", low=0, high=0.9)
    dropout: float = option(0.3, "dropout after the LSTM", low=0, high=0.9)

    def __post_init__(self) -> None:
        if self.reduction > self.filters:
            raise UsageError(
                f"model.reduction={self.reduction} leaves squeeze-excite no channel (filters // reduction is 0). "
                f"With model.filters={self.filters} it can be at most {self.filters}."
            )


@dataclass(frozen=True)
class TrainSpec:
    """How the network is fitted: Nadam, mean absolute error, cosine decay to zero counted in steps."""

    epochs: int | None = option(None, "passes over the training windows; default: by the number of windows", low=1)
    batch_size: int = option(256, "windows a step; fewer when there are few windows", low=1)
    learning_rate: float = option(0.003, "rate at the first step", low=1e-9, high=10)
    clipnorm: float = option(5.0, "largest gradient norm", low=1e-9)
    patience: int = option(10, "epochs without a better validation loss before training stops", low=1)
    seed: int = option(0, "seed of weights, dropout and shuffling", low=0, high=2**31 - 1)


@dataclass(frozen=True)
class Spec:
    """Everything a training was told, or found."""

    data: DataSpec = DataSpec()
    model: ModelSpec = ModelSpec()
    train: TrainSpec = TrainSpec()

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The specification as JSON and TOML write it: {"data": {...}, "model": {...}, "train": {...}}."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any]) -> Spec:
        """The reverse of `to_dict`; keys left out keep their defaults.

        Raises UsageError for an unknown table or key, or a value of the wrong type or out of its bounds.
        """
        specs = {"data": DataSpec, "model": ModelSpec, "train": TrainSpec}
        for table, keys in tables.items():
            if table not in specs:
                raise UsageError(f"no such table of settings: {table!r}. {did_you_mean(table, specs)}")
            if not isinstance(keys, Mapping):
                raise UsageError(f"settings [{table}] must be a table of keys, not {keys!r}.")
        return cls(**{name: _checked(name, spec, tables.get(name, {})) for name, spec in specs.items()})


class Options(TypedDict, total=False):
    """The options of `train` that have a name of their own; the fields of DataSpec, and the seed."""

    target: str | Sequence[str]
    time: str | Sequence[str]
    id: str
    time_format: str
    freq: str
    season: int | Sequence[int]
    lookback: int
    horizon: int
    validation: int | float
    seed: int


def spec_from(options: Options, settings: Mapping[str, Any] | None = None) -> Spec:
    """Options over settings over defaults. Raises UsageError as `Spec.from_dict` does."""
    tables = {name: dict(keys) if isinstance(keys, Mapping) else keys for name, keys in (settings or {}).items()}
    given: dict[str, Any] = {key: value for key, value in options.items() if value not in (None, [], ())}
    if "seed" in given:
        tables["train"] = {**tables.get("train", {}), "seed": given.pop("seed")}
    tables["data"] = {**tables.get("data", {}), **given}
    return Spec.from_dict(tables)


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
            raise UsageError(f"--set {pair}: expected KEY=VALUE, for example model.filters=32.")
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
            raise UsageError(f"no such setting: {table}.{key}. {did_you_mean(key, fields)}")
    checked = {key: _value(f"{table}.{key}", value, hints[key], fields[key]) for key, value in values.items()}
    return spec(**checked)


def _value(key: str, value: Any, hint: Any, field: dataclasses.Field[Any]) -> Any:
    kinds = typing.get_args(hint) if typing.get_origin(hint) is not tuple else ()
    if value is None and type(None) in kinds:
        return None
    if typing.get_origin(hint) is tuple:
        items = list(value) if isinstance(value, (list, tuple)) else [value]
        return tuple(_value(key, item, typing.get_args(hint)[0], field) for item in items)
    wanted = [kind for kind in (kinds or (hint,)) if kind is not type(None)]
    if float in wanted and isinstance(value, int) and not isinstance(value, bool) and int not in wanted:
        value = float(value)
    if type(value) not in wanted:
        names = " or ".join({"int": "a whole number", "float": "a number"}.get(k.__name__, "a text") for k in wanted)
        raise UsageError(f"{key} must be {names}, not {value!r}.")
    low, high = field.metadata["low"], field.metadata["high"]
    if (low is not None and value < low) or (high is not None and value > high) or value != value:
        bounds = f"at least {low}" if high is None else f"between {low} and {high}"
        raise UsageError(f"{key} must be {bounds}, not {value!r}.")
    return value
