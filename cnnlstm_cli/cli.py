"""The command line: options in, one call out, an exit code. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cnnlstm_cli import __version__
from cnnlstm_cli import options as opt
from cnnlstm_cli.config import settings_from
from cnnlstm_cli.errors import DataError, DriftError, StoppedError
from cnnlstm_cli.render.answer import after_publishing, answer, refuse_to_write, report, write_answer
from cnnlstm_cli.render.messages import Messages, failures

app = typer.Typer(
    name="cnnlstm",
    help="Forecast a CSV time series with a CNN-LSTM that needs no tuning.",
    epilog="Exit codes: 0 done; 2 usage; 3 drift, with --fail-on-drift; 65 the data can't be used; "
    "66 no such file or run; 70 a bug; 73 can't write; 75 another training holds the run; 130 interrupted.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cnnlstm {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a bug.")] = False,
) -> None:
    """Options that stand before the command; `run` looks at --debug itself."""


@app.command()
@opt.taking(opt.of_data, opt.of_training, after="run")
def train(
    data: opt.Data,
    run: opt.RunPath,
    only_if_better: opt.OnlyIfBetter = False,
    warm_start: opt.WarmStart = False,
    resume: opt.Resume = False,
    keep: opt.Keep = 5,
    wait: opt.Wait = 0,
    keep_interrupted: opt.KeepInterrupted = False,
    per: Annotated[
        str | None,
        typer.Option("--per", metavar="COL", help="A model for each value of COL: each series, or group of series."),
    ] = None,
    cluster: opt.Cluster = None,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    **given: Any,
) -> None:
    """Train a network on DATA and publish it in a run directory.

    \b
    cnnlstm train demand.csv --run runs/demand
    cnnlstm train shops.csv --run runs/shops --per shop --cluster local
    cnnlstm train bike_hour.csv --run runs/bike --target cnt --horizon 48
    cnnlstm train demand.csv --run runs/demand --only-if-better -q    # in a crontab
    """
    from cnnlstm_cli import training
    from cnnlstm_cli.inspection import record_facts
    from cnnlstm_cli.render.progress import TerminalWatcher
    from cnnlstm_cli.render.report import summary_lines, to_json

    messages = Messages(quiet, verbose)
    watcher = TerminalWatcher(messages, keep_interrupted)
    unattended = training.Unattended(only_if_better, warm_start, resume, keep, wait)
    how: dict[str, Any] = {
        "preset": given["preset"] or "default",
        "settings": settings_from(given["set_"] or (), given["config"]),
        "watcher": watcher,
        "cluster": cluster,
        **opt.named(given),
    }
    if per is not None:
        _train_groups(data, run, per, unattended, how, messages, json)
        return
    with contextlib.closing(watcher):
        outcome = training.attempt(data, run, unattended, **how)
    made = {name: getattr(outcome, name) for name in ("trained", "published", "why")}
    facts = {"run": str(run), **made, **record_facts(outcome.record)}
    with after_publishing(run) if outcome.published else contextlib.nullcontext():
        messages.say(*summary_lines(facts))
        if json:
            answer(to_json(facts).encode())


def _train_groups(
    data: str, run: Path, per: str, unattended: Any, how: dict[str, Any], messages: Messages, json: bool
) -> None:
    """`train --per`: a group that failed is told at the end, and is an error with --strict, or where all did."""
    from cnnlstm_cli.groups_training import train_groups
    from cnnlstm_cli.inspection import inspect_groups
    from cnnlstm_cli.render.groups_report import trained_lines
    from cnnlstm_cli.render.report import to_json

    try:
        with contextlib.closing(how["watcher"]):
            made = train_groups(data, run, per, unattended=unattended, **how)
    except KeyboardInterrupt as stop:
        raise StoppedError(str(stop)) if stop.args else stop from None
    facts = inspect_groups(run)
    messages.say(*trained_lines(made, facts))
    told = list(failures(made.failed, len(made.trained)))
    if made.failed and (how.get("strict") or len(made.failed) == len(made.trained)):
        raise DataError("\n".join(told))
    messages.insist(*told)
    if json:
        answer(to_json(facts).encode())


@app.command()
@opt.taking(opt.of_data, opt.of_training, after="run")
def tune(
    data: opt.Data,
    run: opt.RunPath,
    trials: Annotated[int, typer.Option("--trials", metavar="N", help="Trainings to try, in rounds of 8.")] = 32,
    keep: opt.Keep = 5,
    wait: opt.Wait = 0,
    cluster: opt.Cluster = None,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    **given: Any,
) -> None:
    """Search for better settings, and publish the average of the best networks in a run directory.

    The trials, best first: on a terminal a table, in a pipe CSV.

    \b
    cnnlstm tune demand.csv --run runs/demand --time-limit 600
    cnnlstm train demand.csv --run runs/demand --config runs/demand/tuned.toml
    """
    from cnnlstm_cli import tuning
    from cnnlstm_cli.inspection import record_facts
    from cnnlstm_cli.render.progress import TerminalWatcher
    from cnnlstm_cli.render.report import summary_lines

    messages = Messages(quiet, verbose)
    watcher = TerminalWatcher(messages)
    with contextlib.closing(watcher):
        done = tuning.tune(
            data,
            run,
            trials=trials,
            preset=given["preset"] or "default",
            settings=settings_from(given["set_"] or (), given["config"]),
            watcher=watcher,
            cluster=cluster,
            keep=keep,
            wait=wait,
            **opt.named(given),
        )
    facts = {"run": str(run), "trained": True, "published": True, **record_facts(done.record)}
    with after_publishing(run):
        messages.say(*summary_lines(facts), f"settings: {run}/tuned.toml, for train --config")
        report(done.facts(), json)


@app.command()
def predict(
    data: opt.Data,
    run: opt.RunPath,
    horizon: Annotated[
        int | None, typer.Option("-H", "--horizon", metavar="N", help="Fewer steps than the run was trained for.")
    ] = None,
    levels: Annotated[
        str | None, typer.Option(metavar="80,95", help="Intervals to write beside the forecast, in percent.")
    ] = None,
    samples: opt.Samples = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write there, not to standard output.")
    ] = None,
    format: Annotated[  # noqa: A002
        Literal["csv", "json", "jsonl"], typer.Option("--format", help="How the forecast is written.")
    ] = "csv",
    long: Annotated[bool, typer.Option("--long", help="A row a target: columns target and value.")] = False,
    no_header: Annotated[bool, typer.Option("--no-header", help="CSV without its first line.")] = False,
    dialect: Annotated[
        Literal["plain", "input"], typer.Option(help="CSV with commas and points, or written as DATA is.")
    ] = "plain",
    hold_known: opt.HoldKnown = False,
    plot: opt.Plot = False,
    drop_ended: opt.DropEnded = False,
    version_id: Annotated[str | None, typer.Option(metavar="ID", help="An older version of the run.")] = None,
    log: Annotated[bool, typer.Option("--log", help="Keep it in the run as well, for `cnnlstm score`.")] = False,
    strict: opt.Strict = False,
    quiet: opt.Quiet = False,
) -> None:
    """Forecast the steps after the last row of DATA, as CSV.

    \b
    cnnlstm predict demand.csv --run runs/demand
    cnnlstm predict demand.csv --run runs/demand | tail -n +2 >> demand.csv
    cnnlstm predict shops.csv --run runs/shops    # a run for each shop: see train --per
    """
    from cnnlstm_cli.predicting import Asked, deliver

    if output and str(output) != "-":
        refuse_to_write(output, data, run)
    asked = Asked(
        how={"horizon": horizon, "strict": strict, "hold_known": hold_known, "drop_ended": drop_ended},
        levels=None if levels is None else opt.levels_of(levels),
        samples=samples,
        version=version_id,
        written={"form": format, "long": long, "header": not no_header, "as_input": dialect == "input"},
        plot=plot,
        log=log,
    )
    deliver(data, run, asked, output, Messages(quiet))


@app.command()
@opt.taking(opt.of_data, opt.of_training, after="work")
def backtest(
    data: opt.Data,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="Score this run as it is. Default: train anew for each fold."),
    ] = None,
    start: opt.Start = None,
    stride: opt.Stride = 1,
    folds: opt.Folds = None,
    by: opt.By = None,
    forecasts: opt.Forecasts = None,
    cluster: opt.Cluster = None,
    work: opt.Work = None,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    **given: Any,
) -> None:
    """Forecast at past times as if nothing after were known; score it beside the baselines.

    On a terminal a table, in a pipe CSV.

    \b
    cnnlstm backtest demand.csv
    cnnlstm backtest demand.csv --run runs/demand --from 2026-01-31 --by step
    """
    from cnnlstm_cli import backtesting
    from cnnlstm_cli.render.output import forecast_csv
    from cnnlstm_cli.render.progress import TerminalWatcher

    if forecasts:
        refuse_to_write(forecasts, data, run)
    messages = Messages(quiet, verbose)
    watcher = TerminalWatcher(messages, once=True)
    with contextlib.closing(watcher):
        done = backtesting.backtest(
            data,
            run,
            start=start,
            stride=stride,
            folds=folds,
            preset=given["preset"],
            settings=settings_from(given["set_"] or (), given["config"]),
            watcher=watcher,
            cluster=cluster,
            work=work,
            **opt.named(given),
        )
    messages.say(*([] if run is None else done.table.notes()), *done.notes)
    facts = done.facts(by)
    messages.say(
        f"{facts['origins']:,} origins from {facts['first']} to {facts['last']}, {facts['horizon']} steps each"
    )
    if forecasts:
        write_answer(forecast_csv(done.frame(written=True)).encode(), forecasts)
    report(facts, json)


@app.command()
def score(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run directory.")],
    data: opt.Data,
    last: Annotated[int | None, typer.Option(metavar="N", help="Only the newest N rows of each series.")] = None,
    fail_on_drift: Annotated[
        bool, typer.Option("--fail-on-drift", help="Exit with 3 when rows or errors have drifted.")
    ] = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Score logged forecasts on what has come since, and see whether the data drift.

    On a terminal a table, in a pipe CSV.

    \b
    cnnlstm predict demand.csv --run runs/demand --log
    cnnlstm score runs/demand demand.csv --fail-on-drift
    """
    from cnnlstm_cli import scoring

    facts = scoring.score(data, run, last=last)
    Messages(quiet).say(*facts["notes"])
    report(facts, json)
    if facts["drift"]:
        words = "; ".join(facts["drift"])
        if fail_on_drift:
            raise DriftError(f"{facts['data']} has drifted from what {run} was trained on: {words}. Train anew.")
        Messages(quiet).say(f"warning: drift: {words}")


@app.command()
def rollback(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run directory.")],
    version: Annotated[str | None, typer.Argument(metavar="VERSION", help="Default: the one before.")] = None,
    quiet: opt.Quiet = False,
) -> None:
    """Publish an older version of a run again.

    \b
    cnnlstm inspect runs/demand --versions
    cnnlstm rollback runs/demand
    """
    from cnnlstm_cli.forecast import Run
    from cnnlstm_cli.runs.directory import RunDirectory

    directory = RunDirectory(run)
    directory.current()  # whether there is a run, before there is a version
    Run.open(run, version or directory.before()).session  # noqa: B018 - what can't forecast is not published
    before, now = directory.rollback(version)
    Messages(quiet).say(f"published: {run}, version {now}" + (f", in place of {before}" if before != now else ""))


@app.command()
@opt.taking(opt.of_data, after="versions")
def inspect(
    path: Annotated[
        str | None, typer.Argument(metavar="PATH", help="A run directory, a CSV file, or - for standard input.")
    ] = None,
    other: Annotated[
        str | None, typer.Argument(metavar="OTHER", help="A second run directory, to compare with the first.")
    ] = None,
    options: Annotated[bool, typer.Option("--options", help="List every setting that train --set takes.")] = False,
    versions: Annotated[bool, typer.Option("--versions", help="List a run's versions, with their scores.")] = False,
    data: Annotated[
        str | None, typer.Option("--data", metavar="FILE", help="Look at a run's errors on these rows as well.")
    ] = None,
    gradients: Annotated[
        bool, typer.Option("--gradients", help="With --data: what the networks look at. Needs TensorFlow.")
    ] = False,
    npz: Annotated[
        Path | None, typer.Option("--npz", metavar="FILE", help="Write what --gradients measured there, as arrays.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page about a run there.")] = None,
    card: Annotated[
        Path | None, typer.Option("--card", metavar="FILE", help="Write a model card there, in Markdown.")
    ] = None,
    json: opt.Json = False,
    **given: Any,
) -> None:
    """Show what a run holds, or what train would make of a CSV file.

    On a terminal a table, in a pipe CSV.

    \b
    cnnlstm inspect runs/demand
    cnnlstm inspect runs/demand --data demand.csv --html demand.html
    cnnlstm inspect runs/demand --data demand.csv --gradients
    cnnlstm inspect runs/demand runs/other --data demand.csv
    cnnlstm inspect runs/demand --versions
    cnnlstm inspect demand.csv --json
    cnnlstm inspect --options
    """
    from cnnlstm_cli import inspection, looking

    own: dict[str, Any] = {"data": data, "gradients": gradients, "html": html, "card": card, "npz": npz}
    kind = looking.kind_of(path, other, options, versions)
    looking.refuse_at_odds(kind, path, {name: each for name, each in own.items() if each}, opt.named(given), json)
    if kind == "settings":
        facts = inspection.settings()
    elif kind == "versions":
        facts = inspection.versions(Path(str(path)))
    elif kind == "comparison":
        from cnnlstm_cli.comparison import compare

        facts = compare(str(path), str(other), data).facts()
    else:
        files = {name: own[name] for name in looking.FILES}
        facts = looking.look(str(path), data, gradients, files, opt.named(given))
        through = [str(file) == "-" for file in files.values() if file]
        if any(through) or (through and not (json or gradients)):
            return
    report(facts, json)
