"""A published network, built again from its specification and given its weights."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.network.build import build
from cnnlstm_cli.series.windows import Windows
from cnnlstm_cli.specs import ModelSpec


def restored(spec: ModelSpec, windows: Windows, path: Path) -> keras.Model:
    """The network of `spec` for such windows, with the weights in the file at `path`.

    Of the file only numbers are taken: what it says of layers, and any code in it, is not looked at. Raises DataError
    when they are not the numbers of such a network.
    """
    calendar = windows.calendar
    width, covariates = (calendar.width, calendar.known.shape[-1]) if calendar else (0, 0)
    sizes = (windows.lookback, windows.horizon, windows.values.shape[1], width)
    model = build(spec, *sizes, covariates=covariates, seed=0)
    try:
        with warnings.catch_warnings():  # of a list that it wrote down and reads by another way
            warnings.filterwarnings("ignore", "Skipping nested container at '_operations", UserWarning)
            model.load_weights(path)
    except Exception as error:  # noqa: BLE001 - of HDF5, zip and Keras each its own
        words = str(error).splitlines()[0].rstrip(".")
        raise DataError(
            f"{path} does not hold the network that its run.json tells of: {words}. Train again, or name another "
            "version."
        ) from None
    return model
