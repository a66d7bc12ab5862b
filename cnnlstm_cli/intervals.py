"""The intervals of judged windows: those of a run, and beside them those that the seasonal naive's errors make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.evaluation.baselines import naive_name
from cnnlstm_cli.evaluation.conformal import Ends, Intervals, difficulty_of
from cnnlstm_cli.evaluation.judge import Judge
from cnnlstm_cli.evaluation.quantiles import nested, stretched
from cnnlstm_cli.evaluation.scores import Numbers, Pairs
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.runs.session import Session
from cnnlstm_cli.series.windows import MOST_VALIDATION_WINDOWS, Windows, evenly


def model_ends(run: Run, judge: Judge, scaled: NDArray[np.float32]) -> Pairs:
    """A run's around its forecasts (C * windows, H) scaled, in units of the data, held within limits as these are."""
    pairs = _local(run, judge, scaled) if run.quantiles is None else _stretched(run, judge, run.quantiles)
    held = ((judge.model(low), judge.model(high)) for low, high in pairs)
    return dict(zip(run.levels(), nested(judge.model(scaled), held), strict=True))


def _local(run: Run, judge: Judge, scaled: NDArray[np.float32]) -> Iterator[Ends]:
    """The ends of each level by what errors did, scaled."""
    hard = difficulty_of(judge.windows, run.record.spec.data.season)
    for level in run.levels():
        low, high = np.empty_like(hard), np.empty_like(hard)
        for k, each in enumerate(run.intervals):
            own = judge.came.column == k
            low[own], high[own] = each.around(scaled[own].astype(np.float64), hard[own], level)
        yield low, high


def _stretched(run: Run, judge: Judge, network: Session) -> Iterator[Ends]:
    """The same of the quantiles that a network learnt."""
    learnt = network.validate(judge.windows).reshape(-1, *judge.came.values.shape)
    return stretched(learnt, run.stretches[:, judge.came.column, None])


def naive_ends(learnt: Judge, judge: Judge, forecast: Numbers, levels: Sequence[float]) -> Pairs:
    """Around the naive `forecast` (m, H) of the judge's windows, from its errors in the windows of `learnt`.

    Each error is measured by the naive error of its series; each target has its own.
    """
    wanted = naive_name(judge.seasons)
    before = next(made for name, made in learnt.baselines() if name == wanted)  # the later ones are not made at all
    low, high = ({level: np.full_like(forecast, np.nan) for level in levels} for _ in range(2))
    for k in np.unique(judge.came.column):
        own, past = judge.came.column == k, learnt.came.column == k
        errors, unit = learnt.came.values[past] - before[past], _unit(learnt)[past]
        if not len(errors) or np.isnan(errors).all():
            continue
        made = Intervals.calibrated(errors / unit, levels, learnt.windows.validation[past])
        for level in made.ends:
            ends = made.around(forecast[own], np.broadcast_to(_unit(judge)[own], forecast[own].shape), level)
            low[level][own], high[level][own] = ends
    return {level: (low[level], high[level]) for level in levels}


def _unit(judge: Judge) -> Numbers:
    """(m, 1) the naive error of each window's series, or where it has none the series' deviation."""
    return np.where(judge.came.naive > 0, judge.came.naive, judge.came.scale)[:, None]


def thinned(windows: Windows) -> Windows:
    """The training windows as such that are judged; evenly chosen ones of very many."""
    return replace(windows, validation=windows.training[evenly(len(windows.training), MOST_VALIDATION_WINDOWS)])


def gathered(parts: Sequence[Mapping[str, Pairs]]) -> dict[str, Pairs]:
    """The windows of all parts, one part after the other, of the forecasters that have intervals in each."""
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: {level: _joined([part[name][level] for part in parts]) for level in parts[0][name]} for name in names}


def _joined(ends: Sequence[Ends]) -> Ends:
    lows, highs = zip(*ends, strict=True)
    return np.concatenate(lows), np.concatenate(highs)
