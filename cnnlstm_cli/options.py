"""The options that commands share, each defined once, and what they become: the keyword arguments of the API."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

from cnnlstm_cli import specs
from cnnlstm_cli.config import Options
from cnnlstm_cli.errors import UsageError

Data: TypeAlias = Annotated[str, typer.Argument(metavar="DATA", help="A CSV file, or - for standard input.")]
RunPath: TypeAlias = Annotated[Path, typer.Option("--run", metavar="DIR", help="The run directory.")]
Target: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "-t", "--target", metavar="COL", help="Column to forecast; may repeat. Default: every column of numbers."
    ),
]
Time: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="COL", help="Time column; may repeat (a date, then an hour or clock). Default: found."),
]
Known: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="COL", help="Covariate whose rows ahead are known, as weather or promotions; may repeat."),
]
Past: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="COL", help="Covariate known up to now, as visits; may repeat.")
]
Static: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="COL", help="Covariate that each series of --id has but one of, as its region; may repeat."),
]
Holidays: TypeAlias = Annotated[
    str | None, typer.Option(metavar="CC", help="Tell the network the holidays of a country or market, as DE or XNYS.")
]
TimeFormat: TypeAlias = Annotated[
    str | None, typer.Option(metavar="FORMAT", help="How it is written, as %d/%m/%Y. Default: found.")
]
Tz: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="ZONE", help="Whose clock the stamps follow, as Europe/Berlin: days of 23 and 25 hours."),
]
Id: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COL", help="Column that tells many series in one file apart.")
]
Freq: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="F", help="Step between rows, as h, 15min, D, B, W-SUN, MS, ME. Default: found."),
]
Agg: TypeAlias = Annotated[specs.Agg | None, typer.Option(help="How rows at any times become one a step of --freq.")]
Season: TypeAlias = Annotated[
    list[int] | None, typer.Option(metavar="N", help="Season length in rows; may repeat. Default: found.")
]
Horizon: TypeAlias = Annotated[
    int | None,
    typer.Option("-H", "--horizon", metavar="N", help="Steps to forecast. Default: by the step between rows."),
]
Lookback: TypeAlias = Annotated[
    int | None, typer.Option("-L", "--lookback", metavar="N", help="Rows the network sees. Default: by the season.")
]
Validation: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="N|0.x", help="Rows, or share, at the end for choosing. Default: 0.2, in blocks."),
]
Preset: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="default, answer or question: what settings start from.")
]
Seed: TypeAlias = Annotated[int | None, typer.Option(metavar="N", help="Seed of weights and shuffling. Default: 0.")]
Members: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Networks to train and average. Default: 2, of tune 4 at most.")
]
Jobs: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Networks trained at a time. Default: one a core.")
]
TimeLimit: TypeAlias = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Stop training then, with the best so far. Default: none.")
]
Levels: TypeAlias = Annotated[
    str | None, typer.Option(metavar="80,95", help="Levels of the intervals to calibrate, in percent.")
]
Set: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="A setting, as model.filters=32; may repeat. See: inspect --options."
    ),
]
Config: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Settings in TOML: tables data, model, train, [network].")
]
Cluster: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="WHERE", help="Train several at a time: local, in processes here, or tcp://host:8786 (Dask)."),
]
Keep: TypeAlias = Annotated[int, typer.Option(metavar="N", help="Versions of the run that stay.")]
Wait: TypeAlias = Annotated[
    float, typer.Option(metavar="SECONDS", help="Wait so long for another training of the run.")
]
Start: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="STAMP|ROW",
        help="Last stamp, or number of rows, known to the first forecast; -N counts from the end. "
        "Default: four fifths.",
    ),
]
Stride: TypeAlias = Annotated[int, typer.Option(metavar="N", help="Rows from one origin to the next.")]
Folds: TypeAlias = Annotated[int | None, typer.Option(metavar="N", help="How often to train anew. Default: 4.")]
Work: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Keep each fold's run there; the same command goes on from them.")
]
OnlyIfBetter: TypeAlias = Annotated[
    bool,
    typer.Option("--only-if-better", help="Publish only what forecasts better than what is published."),
]
WarmStart: TypeAlias = Annotated[
    bool, typer.Option("--warm-start", help="Go on from the published networks, with fewer epochs.")
]
Resume: TypeAlias = Annotated[bool, typer.Option("--resume", help="Go on with a training that was interrupted.")]
KeepInterrupted: TypeAlias = Annotated[
    bool, typer.Option("--keep-interrupted", help="On Ctrl-C publish the best weights so far, without asking.")
]
By: TypeAlias = Annotated[
    Literal["target", "id", "step"] | None, typer.Option(help="Scores of each, not of all together.")
]
Forecasts: TypeAlias = Annotated[Path | None, typer.Option(metavar="FILE", help="Write every forecast there, as CSV.")]
Samples: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="N", help="Write so many courses that may come, with column sample, not the forecast."),
]
HoldKnown: TypeAlias = Annotated[
    bool, typer.Option("--hold-known", help="Where rows ahead lack covariates, let the last ones hold on.")
]
Plot: TypeAlias = Annotated[
    bool, typer.Option("--plot", help="Draw it on stderr as well, behind the newest rows, with an interval.")
]
DropEnded: TypeAlias = Annotated[
    bool, typer.Option("--drop-ended", help="No forecast of series that ended over a horizon ago.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")]
Verbose: TypeAlias = Annotated[bool, typer.Option("-v", "--verbose", help="Say more: a line an epoch.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


Doubled: TypeAlias = Annotated[
    specs.Doubled | None,
    typer.Option(help="What becomes of rows of one time. Default: last."),
]
Lower: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="X", help="No forecast is lower. Default: a limit of the series, 0 if never below."),
]
Strict: TypeAlias = Annotated[
    bool, typer.Option("--strict", help="Refuse data that need mending, instead of mending them.")
]


def of_data(
    target: Target = None,
    time: Time = None,
    time_format: TimeFormat = None,
    tz: Tz = None,
    id: Id = None,  # noqa: A002
    known: Known = None,
    past: Past = None,
    static: Static = None,
    holidays: Holidays = None,
    horizon: Horizon = None,
    lookback: Lookback = None,
    season: Season = None,
    freq: Freq = None,
    agg: Agg = None,
    validation: Validation = None,
    doubled: Doubled = None,
    lower: Lower = None,
    strict: Strict = False,
) -> None:
    """The options that say what the columns of a file are and how they are cut into windows."""


def of_training(
    preset: Preset = None,
    members: Members = None,
    jobs: Jobs = None,
    time_limit: TimeLimit = None,
    levels: Levels = None,
    seed: Seed = None,
    set_: Set = None,
    config: Config = None,
) -> None:
    """The options that say which networks are trained, and how."""


def taking(*shared: Callable[..., None], after: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command, as its last argument `**given`, the options of `shared`; help lists them behind `after`."""

    def command(own: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(own)
        def called(**given: Any) -> None:
            own(**given)

        parameters = [each for each in _parameters(own) if each.kind is not inspect.Parameter.VAR_KEYWORD]
        place = 1 + [each.name for each in parameters].index(after)
        parameters[place:place] = [each for group in shared for each in _parameters(group)]
        by_name = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
        called.__signature__ = inspect.Signature(by_name)  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in by_name}
        return called

    return command


def _parameters(function: Callable[..., None]) -> list[inspect.Parameter]:
    return list(inspect.signature(function, eval_str=True).parameters.values())


def named(given: Mapping[str, Any]) -> Options:
    """Those of a command's arguments, by name, that the API's `Options` know; without the ones that were not given."""
    known = {name: given.get(name) for name in Options.__annotations__}
    kept: dict[str, Any] = {
        name: value for name, value in known.items() if not (value is None or value is False or value == [])
    }
    if "levels" in kept:
        kept["levels"] = levels_of(kept["levels"])
    share = kept.get("validation")
    if share is not None and share >= 1 and share % 1 == 0:
        kept["validation"] = int(share)
    options: Options = Options(**kept)  # type: ignore[typeddict-item]
    return options


def levels_of(text: str) -> tuple[float, ...]:
    """80,95 -> (80.0, 95.0). Raises UsageError."""
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        raise UsageError(f"--levels {text}: expected percents with commas between them, as 80,95.") from None
