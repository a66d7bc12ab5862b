"""The three specifications of a training: what data, which network, how it is trained.

Plain dataclasses, frozen. A value of None means "found from the data"; training replaces it by what it found, so
that the specification kept in run.json has no None left where a number was used.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from cnnlstm_cli.errors import UsageError

# What races when none of it is given, two beside each other: the first won on noisy and drifting series, the second on
# short and regular ones; of many windows the less is dropped the better. Where there are neither few nor many, the
# second sees the newer half of the lookback alone: it errs otherwise, and their average less (up to 1.7 %).
REGULARISED: dict[str, Any] = {"conv_dropout": 0.1, "recurrent_dropout": 0.2, "dropout": 0.3}
LIGHT: dict[str, Any] = {"conv_dropout": 0.0, "recurrent_dropout": 0.1, "dropout": 0.1}
FREE: dict[str, Any] = dict.fromkeys(REGULARISED, 0.0)
MANY_WINDOWS = 100_000  # that a wider and freer network does better with, and that leave room for a longer lookback
FEW_WINDOWS = 4_000  # with fewer the light one starts as the linear model; with more, that only led it astray
FEWEST_KERNELS = 4  # that a network with half of the lookback must see
WINDOWS_AN_EPOCH = 262_144  # a thousand steps of 256; of more windows each epoch draws others
NARROW, WIDE = 64, 128  # filters and units; of many windows the wide one made 7 % less error, of fewer no less
SLOWEST = 1e-9  # learning rate
SEEDS_APART = 10_007  # so that neighbouring seeds share no network
Agg = Literal["none", "mean", "sum", "min", "max", "last"]  # how the rows of a step become one
Doubled = Literal["last", "mean", "sum"]  # what becomes of rows of one time
SHORT = 32  # steps: below, pooling has nothing to spare


def option(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    source: str = "",
    unset: str = "found",
) -> Any:
    """A dataclass field with its one line of help, its bounds (both inclusive) and its source beside its default.

    unset  in a word what None stands for
    """
    facts = {"help": meaning, "low": low, "high": high, "source": source, "unset": unset}
    return field(default=default, metadata=facts)


def penalty(norm: str, what: str) -> Any:
    """A regulariser's weight."""
    return option(0.0, f"weight in the loss of the {norm} {what} of conv and recurrent layers", low=0)


@dataclass(frozen=True)
class DataSpec:
    """Which columns, and how they are cut into windows."""

    target: tuple[str, ...] = option((), "columns to forecast")
    time: tuple[str, ...] = option((), "columns that hold the time")
    known: tuple[str, ...] = option((), "covariates: columns whose rows ahead are known")
    past: tuple[str, ...] = option((), "covariates: columns that are known up to now")
    static: tuple[str, ...] = option((), "covariates: columns that are the same in all rows of a series")
    holidays: str | None = option(None, "country or market whose holidays are told: DE, US-CA, XNYS")
    id: str | None = option(None, "column that tells many series apart")
    time_format: str | None = option(None, "strptime format of the time column")
    tz: str | None = option(None, "time zone whose clock the stamps follow: Europe/Berlin")
    freq: str | None = option(None, "step between rows, as pandas names it: h, D, MS, 15min")
    agg: Agg = option("none", "how rows at any times become one a step of --freq")  # noqa: RUF009
    season: tuple[int, ...] = option((), "season lengths in rows, shortest first", low=2)
    lookback: int | None = option(None, "rows the network sees", low=1, high=10**7)
    horizon: int | None = option(None, "steps to forecast", low=1, high=10**7)
    validation: int | float | None = option(
        None, "rows, or share, held out at the end for choosing; default: a fifth, in blocks", low=0
    )
    doubled: Doubled = option("last", "what becomes of rows of one time")  # noqa: RUF009 - a field, as the others are
    lower: float | None = option(None, "no forecast is lower; default: a limit of the series, 0 if never below")
    strict: bool = option(False, "refuse data that need mending")

    def __post_init__(self) -> None:
        if self.validation is not None and self.validation > 1 and self.validation % 1:
            raise UsageError(f"data.validation={self.validation:g} is neither a share below 1 nor a number of rows.")

    @property
    def settled_lookback(self) -> int:
        """The lookback, once it is settled."""
        return _settled("lookback", self.lookback)

    @property
    def seasons_seen(self) -> tuple[int, ...]:
        """Those seasons that fit into the lookback."""
        return tuple(each for each in self.season if each <= self.settled_lookback)

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
    """The CNN-LSTM, in the order of its figure: window, convolution, squeeze-excite, pooling, recurrence, head."""

    channels: Literal["independent", "joint"] = option(
        "independent", "each column a series of its own, sharing the weights; or all together", source="Nie et al. 2023"
    )
    normalisation: Literal["none", "last", "standard"] = option(
        "standard", "of each window: by its newest row, or its mean and deviation", source="Kim 2022, Zeng 2023"
    )
    seen: int | None = option(
        None, "newest rows of the lookback that the network sees; default: all, or by a race half", low=1
    )
    blocks: int = option(1, "convolution blocks; after the first: kernel 3, stride 1, causal", low=1, high=8)
    filters: int | None = option(None, "filters of the convolution; default: 64, or 128 of many windows", low=1)
    kernel: int | None = option(None, "rows one convolution step covers; default: the season", low=1)
    stride: int | None = option(None, "rows between two steps; default: the kernel", low=1)
    padding: Literal["valid", "causal"] = option(
        "valid", "whole kernels only, or zeros before the first row; both end at the newest", source="van den Oord 2016"
    )
    activation: Literal["selu", "relu", "gelu", "elu", "linear"] = option(
        "selu", "after the convolution", source="Klambauer et al. 2017"
    )
    initializer: Literal["auto", "lecun_normal", "he_normal", "glorot_uniform"] = option(
        "auto", "lecun_normal for selu and linear, else he_normal", source="LeCun 1998, He 2015, Glorot 2010"
    )
    conv_norm: Literal["before", "after", "none"] = option(
        "before", "batch normalisation, against the activation; a bias with none", source="Ioffe and Szegedy 2015"
    )
    dropout_kind: Literal["alpha", "plain"] = option("alpha", "after the convolution", source="Klambauer et al. 2017")
    dropout_shape: Literal["spatial", "elementwise"] = option(
        "spatial", "drop whole filters, or single values", source="Tompson et al. 2015"
    )
    conv_dropout: float | None = option(
        None, "rate of the dropout after the convolution; default: by a race", low=0, high=0.9
    )
    squeeze: bool = option(True, "weigh the filters by squeeze-excite", source="Hu et al. 2018")
    reduction: int = option(4, "squeeze-excite bottleneck: filters // reduction", low=1)
    pooling: Literal["none", "average", "max"] = option("none", "of convolution steps, counted back from the newest")
    pool_size: int = option(2, "steps pooled into one", low=2)
    pool_norm: bool = option(False, "batch normalisation between convolution and pooling")
    cell: Literal["lstm", "gru"] = option("lstm", "recurrent layer", source="Hochreiter 1997, Cho 2014")
    units: int | None = option(None, "units of the recurrent layer, each way; default: as the filters", low=1)
    layers: int = option(1, "recurrent layers, one on the other", low=1, high=8)
    bidirectional: bool = option(False, "read the steps both ways", source="Schuster and Paliwal 1997")
    cell_activation: Literal["tanh", "relu"] = option("tanh", "inside the recurrent layer")
    recurrent_dropout: float | None = option(
        None,
        "dropout inside the recurrence, one mask for all steps; default: by a race",
        low=0,
        high=0.9,
        source="Gal and Ghahramani 2016",
    )
    zoneout: float = option(
        0.0, "chance that a unit of an LSTM keeps its state", low=0, high=0.999, source="Krueger et al. 2017"
    )
    recurrent_norm: Literal["none", "output", "batch", "layer"] = option(
        "none", "batch normalisation after, batch or layer normalisation inside an LSTM", source="Cooijmans, Ba 2016"
    )
    dropout: float | None = option(
        None,
        "dropout after the recurrent layers; default: by a race",
        low=0,
        high=0.9,
        source="Srivastava et al. 2014",
    )
    kernel_l1: float = penalty("absolute", "input weights")
    kernel_l2: float = penalty("squared", "input weights")
    recurrent_l1: float = penalty("absolute", "recurrent weights")
    recurrent_l2: float = penalty("squared", "recurrent weights")
    bias_l1: float = penalty("absolute", "biases")
    bias_l2: float = penalty("squared", "biases")
    activity_l1: float = penalty("absolute", "outputs (a window's sum)")
    activity_l2: float = penalty("squared", "outputs (a window's sum)")
    max_norm: float | None = option(
        None, "largest norm of the weights into a unit or filter; default: none", source="Srivastava et al. 2014"
    )
    calendar: Literal["auto", "none", "day", "week", "year", "day+week", "day+year", "week+year", "day+week+year"] = (
        option("auto", "what each step ahead is told of its time; by default what the stamps allow")
    )
    output: Literal["linear", "relu"] = option("linear", "activation of the forecast")
    skip: bool = option(True, "add a linear forecast from the window", source="Zeng et al. 2023")
    start: Literal["race", "zero", "linear"] = option(
        "race", "the skip begins at zero, or as the linear model; race: on short series one of each"
    )

    def __post_init__(self) -> None:
        for wrong, message in self._contradictions():
            if wrong:
                raise UsageError(message)

    def _contradictions(self) -> list[tuple[bool, str]]:
        inside = self.recurrent_norm in ("batch", "layer")
        return [
            (
                self.squeeze and self.reduction > self.settled_filters,
                f"model.reduction={self.reduction} leaves squeeze-excite no channel (filters // reduction is 0). "
                f"With model.filters={self.settled_filters} it can be at most {self.settled_filters}.",
            ),
            (
                bool(self.stride and self.kernel and self.stride > self.kernel),
                f"model.stride={self.stride} with model.kernel={self.kernel} leaves rows that no step sees. "
                f"It can be at most {self.kernel}.",
            ),
            (
                bool(self.recurrent_dropout) and self.cell_activation == "relu",
                f"model.recurrent_dropout={self.recurrent_dropout or 0:g} with model.cell_activation=relu is unstable: "
                "the mask scales the kept state up, step by step. Take tanh, or model.recurrent_dropout=0.",
            ),
            (
                self.cell == "gru" and (inside or self.zoneout > 0),
                f"model.{f'recurrent_norm={self.recurrent_norm}' if inside else f'zoneout={self.zoneout:g}'} is for "
                "the LSTM only, not model.cell=gru. Take model.cell=lstm"
                f"{', or model.recurrent_norm=output' if inside else ''}.",
            ),
            (
                self.pool_norm and self.pooling == "none",
                "model.pool_norm=true needs a pooling to stand before: model.pooling is none, not average or max.",
            ),
            (
                self.max_norm is not None and not self.max_norm > 0,
                f"model.max_norm must be above 0, not {self.max_norm!r}.",
            ),
        ]

    def warnings(self, lookback: int | None = None) -> list[str]:
        """What is allowed and seldom wise, a line each with its reason; of the pooling once the lookback is known."""
        alpha = self.dropout_kind == "alpha" and self.conv_dropout != 0
        steps = self.convolution(lookback)[2] if lookback and self.kernel else SHORT
        cases = [
            (
                alpha and self.activation != "selu",
                f"model.dropout_kind=alpha keeps mean and variance only of selu, not of {self.activation}: plain fits.",
            ),
            (
                self.activation == "selu" and self.initializer not in ("auto", "lecun_normal"),
                f"model.activation=selu normalises itself only from lecun_normal weights, not {self.initializer}.",
            ),
            (
                self.output == "relu",
                "model.output=relu forecasts nothing below zero, which on standardised data is the mean.",
            ),
            (
                self.recurrent_norm == "output",
                "model.recurrent_norm=output normalises right before the head: the batch's noise reaches the forecast.",
            ),
            (
                self.pooling != "none" and steps < SHORT,
                f"model.pooling={self.pooling} blurs {steps} steps, few enough for the recurrent layer as they are.",
            ),
        ]
        return [text for applies, text in cases if applies]

    @property
    def settled_filters(self) -> int:
        """The filters, the fewer where that is open."""
        return self.filters or NARROW

    @property
    def settled_units(self) -> int:
        """The units, the fewer where that is open."""
        return self.units or NARROW

    @property
    def can_start_linear(self) -> bool:
        """Whether the skip sees what the closed-form linear model does, and can begin as it."""
        return self.skip and self.normalisation == "standard" and self.output == "linear" and self.seen is None

    def candidates(self, windows: int = FEW_WINDOWS, lookback: int = 0, horizon: int = 0) -> tuple[ModelSpec, ...]:
        """The networks that race on so many training windows: with the dropouts given, or else two kinds.

        lookback  rows of it, of which the second sees half, if that is more than a horizon; 0: all see all
        """
        given = {name: getattr(self, name) for name in REGULARISED}
        settled = {name: rate for name, rate in given.items() if rate is not None}
        stable = {"recurrent_dropout": 0.0} if self.cell_activation == "relu" else {}
        race = self.start == "race"
        few, many = windows < FEW_WINDOWS, windows >= MANY_WINDOWS
        short: Literal["zero", "linear"] = "linear" if few else "zero"
        several = [LIGHT, FREE] if many else [REGULARISED, LIGHT]
        courses, starts = ([REGULARISED], [short]) if settled else (several, ["zero", short])
        spans = [self.seen, self.seen if few or many else self.seen or self._half(lookback, horizon)]
        return tuple(
            replace(self, **{**course, **stable, **settled, "seen": span}, start=start if race else self.start)
            for course, start, span in zip(courses, starts, spans, strict=False)
        )

    def _half(self, lookback: int, horizon: int) -> int | None:
        """Half of a lookback in whole kernels, where that leaves several, and more rows than are forecast."""
        kernel = self.kernel or lookback
        half = -(-lookback // (2 * kernel)) * kernel if kernel else 0
        return half if max(FEWEST_KERNELS * kernel, horizon + 1) <= half < lookback else None

    def rows(self, lookback: int) -> int:
        """Those of a lookback that the network sees."""
        return min(lookback, self.seen or lookback)

    def convolution(self, rows: int) -> tuple[int, int, int]:
        """(kernel, stride, steps) of the first convolution over so many rows. `kernel` must be a number."""
        if self.kernel is None:
            raise ValueError("model.kernel must be settled before the network is built")
        kernel = min(self.kernel, rows)
        stride = min(self.stride or kernel, kernel)
        left_to_cover = rows if self.padding == "causal" else rows - kernel + stride
        return kernel, stride, -(-left_to_cover // stride)


@dataclass(frozen=True)
class TrainSpec:
    """How the network is fitted. The validation loss is the mean absolute error whatever the training's loss is."""

    optimizer: Literal["nadam", "adam", "adamw", "sgd"] = option(
        "nadam", "sgd has a Nesterov momentum of 0.9", source="Dozat 2016, Kingma 2015"
    )
    loss: Literal["mae", "mse", "huber"] = option("mae", "that training makes small; epochs are always judged by mae")
    schedule: Literal["cosine", "constant"] = option(
        "cosine",
        "of the rate: down to zero in cycles, each as long as all before it; or constant",
        source="Loshchilov and Hutter 2017",
    )
    epochs: int | None = option(None, "passes over the training windows; default: by the number of windows", low=1)
    batch_size: int | None = option(None, "windows a step; default: 256, fewer when there are few windows", low=1)
    learning_rate: float = option(0.003, "rate at the first step", low=SLOWEST, high=10)
    weight_decay: float = option(
        0.0,
        "share of every weight taken off a step, times the rate",
        low=0,
        high=1,
        source="Loshchilov and Hutter 2019",
    )
    clipnorm: float = option(5.0, "largest gradient norm", low=1e-9, source="Pascanu et al. 2013")
    patience: int | None = option(
        None,
        "cycles, or epochs at a constant rate, without a better one till it stops; default: 2 or 1",
        low=1,
    )
    members: int = option(2, "networks trained, and averaged by their errors on the validation rows", low=1, high=64)
    linear: bool = option(True, "average with simpler forecasts, by their errors on the validation rows")
    refit: bool = option(True, "train anew on all rows, for as many epochs as the validation rows chose")
    jobs: int | None = option(None, "networks trained at a time, a core each; default: as many as cores", low=1)
    time_limit: float | None = option(None, "seconds after which training stops with what it has", low=1, unset="none")
    levels: tuple[float, ...] = option(
        (80.0, 95.0), "levels of the intervals to calibrate, in percent", low=1, high=99.9
    )
    intervals: Literal["local", "quantile"] = option(
        "local",
        "made of errors on a local scale, or of quantiles that a network learns, conformalised",
        source="Lei et al. 2018, Romano et al. 2019",
    )
    seed: int = option(0, "seed of weights, dropout and shuffling", low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        if any(float(f"{level:g}") != level for level in self.levels):
            raise UsageError("train.levels take six digits at most, as 99.5.")
        if self.optimizer == "adamw" and not self.weight_decay:
            raise UsageError(
                "train.optimizer=adamw with train.weight_decay=0 is adam. Give train.weight_decay, for example 0.004."
            )


def unset(setting: str) -> str:
    """What None stands for in a setting, as train.epochs: `found`, or `none`; `none` also for what is no setting."""
    part, _, key = setting.partition(".")
    spec = {"model": ModelSpec, "train": TrainSpec}.get(part)
    meanings = {} if spec is None else {each.name: each.metadata["unset"] for each in fields(spec)}
    return str(meanings.get(key, "none"))
