"""A network for windows, and one that was published: built again from its specification and given its weights."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.network.build import build
from cnnlstm_cli.series.windows import Windows
from cnnlstm_cli.specs import ModelSpec


def built(spec: ModelSpec, windows: Windows, seed: int) -> keras.Model:
    """The untrained network of `spec` for such windows."""
    calendar = windows.calendar
    width, covariates = (calendar.width, len(calendar.roles)) if calendar else (0, 0)
    sizes = (windows.lookback, windows.horizon, windows.values.shape[1], width)
    return build(spec, *sizes, covariates=covariates, seed=seed)


def restored(model: keras.Model, path: Path, remedy: str) -> keras.Model:
    """The same network with the weights in the file at `path`.

    Of the file only numbers are taken: what it says of layers, and any code in it, is not looked at. Raises DataError,
    with the `remedy`, when they are not the numbers of such a network.
    """
    try:
        with warnings.catch_warnings():  # of a list that it wrote down and reads by another way
            warnings.filterwarnings("ignore", "Skipping nested container at '_operations", UserWarning)
            model.load_weights(path)
    except Exception as error:  # noqa: BLE001 - of HDF5, zip and Keras each its own
        words = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{path} does not hold the network that its run.json tells of: {words}. {remedy}") from None
    return model
