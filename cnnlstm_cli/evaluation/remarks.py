"""What is worth a word in the errors of forecasts: a bias, a pattern that is left, intervals that hold too little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

BIASED, REPEATED, UNCOVERED = 0.25, 0.2, 0.05  # of the error; a correlation; of what came: worth a word beyond


def remarks(facts: Mapping[str, Any]) -> Iterator[str]:
    """Sentences on the facts of a diagnosis.

    Windows that overlap count as one, so that chance alone is not worth one: two standard errors of their number, or
    three of a correlation that is the strongest of many.
    """
    residuals, mae = facts["residuals"], facts["scores"]["model"]["mae"]
    doubt = 2 / np.sqrt(max(1.0, facts["origins"] * facts["stride"] / facts["horizon"]))
    if abs(residuals["mean"]) > mae * max(BIASED, 1.25 * doubt):  # a normal error's deviation is 1.25 of its mean size
        side = "more" if residuals["mean"] > 0 else "less"
        yield f"Forecasts are biased: on average {abs(residuals['mean']):.4g} {side} came than was expected."
    if residuals["lags"]:
        place = int(np.argmax(np.abs(residuals["correlations"])))
        lag, strongest = residuals["lags"][place], residuals["correlations"][place]
        if abs(strongest) > max(REPEATED, 1.5 * residuals["band"]):
            rows = "row" if lag == 1 else "rows"
            alike = "alike" if strongest > 0 else "opposite"
            yield (
                f"Errors one step ahead are {alike} {lag} {rows} apart (correlation {strongest:.2f}): "
                "the model leaves a pattern."
            )
    for level, each in facts["coverage"].items():
        share = float(level) / 100
        if abs(each["seen"] / 100 - share) > max(UNCOVERED, doubt * np.sqrt(share * (1 - share))):
            yield f"Of {level} % intervals {each['seen']:.1f} % held what came."
    for best in facts["beside"][:1]:
        if facts["scores"][best]["mae"] < mae:
            yield f"On these rows {best} is more accurate than the model."
