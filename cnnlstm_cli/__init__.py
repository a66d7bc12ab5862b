"""cnnlstm: forecast a CSV time series with a CNN-LSTM that needs no tuning.

    import cnnlstm_cli as c

    run = c.train("demand.csv", "runs/demand", horizon=24)
    c.Run.open("runs/demand").predict("demand.csv")
    c.inspect("runs/demand")
    c.backtest("demand.csv", "runs/demand").scores()

The names are loaded when they are first used: importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cnnlstm_cli.backtesting import Backtest, backtest
    from cnnlstm_cli.comparison import compare
    from cnnlstm_cli.diagnosis import diagnose
    from cnnlstm_cli.errors import CnnlstmError
    from cnnlstm_cli.explanation import explain
    from cnnlstm_cli.forecast import Run
    from cnnlstm_cli.groups_forecast import forecast_groups, predict
    from cnnlstm_cli.groups_training import train_groups
    from cnnlstm_cli.inspection import inspect
    from cnnlstm_cli.sampling import sample
    from cnnlstm_cli.scoring import score
    from cnnlstm_cli.training import train
    from cnnlstm_cli.tuning import tune

__all__ = [
    "Backtest",
    "CnnlstmError",
    "Run",
    "__version__",
    "backtest",
    "compare",
    "diagnose",
    "explain",
    "forecast_groups",
    "inspect",
    "predict",
    "sample",
    "score",
    "train",
    "train_groups",
    "tune",
]

HOMES = {
    "Backtest": "backtesting",
    "CnnlstmError": "errors",
    "Run": "forecast",
    "backtest": "backtesting",
    "compare": "comparison",
    "diagnose": "diagnosis",
    "explain": "explanation",
    "forecast_groups": "groups_forecast",
    "inspect": "inspection",
    "predict": "groups_forecast",
    "sample": "sampling",
    "score": "scoring",
    "train": "training",
    "train_groups": "groups_training",
    "tune": "tuning",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{HOMES[name]}"), name)
