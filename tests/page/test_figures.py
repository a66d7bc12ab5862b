"""The figures: what is drawn stands where the numbers say, in the page's colours."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from cnnlstm_cli.render import figures

BY = {"labels": [1, 2, 3, 4], "mae": {"model": [4.0, 2.0, None, 8.0], "linear": [5.0, 5.0, 5.0, 5.0]}}
RESIDUALS = {
    "edges": [-2.0, -1.0, 0.0, 1.0, 2.0],
    "counts": [1, 4, 8, 2],
    "lags": [1, 2, 3],
    "correlations": [0.5, -0.25, 0.0],
    "band": 0.2,
}
LOSSES = [
    {"member": member, "epoch": epoch, "loss": 1 / epoch, "validation": 1.1 / epoch}
    for member in (0.0, 1.0)
    for epoch in (1.0, 2.0, 3.0)
]
HISTORY = [{"mae": 0.4, "published": True}, {"mae": 0.6, "published": False}, {"mae": 0.3, "published": True}]
WINDOW = {
    "times": [f"2024-01-01T{hour:02}:00:00" for hour in range(6)],
    "history": [1.0, None, 3.0],
    "actual": [2.0, None, 4.0],
    "forecast": [2.5, 2.5, 2.5],
    "ends": {"80": [[1.0, 1.0, 1.0], [4.0, 4.0, 4.0]], "95": [[0.0, 0.0, 0.0], [5.0, 5.0, 5.0]]},
}
COURSE = {"times": [1, 2, 3, 4], "means": [1.0, 2.0, None, 3.0], "judged": 3}
MADE = {
    "forecast": (figures.forecast, WINDOW),
    "course": (figures.course, COURSE),
    "lines": (figures.lines, BY),
    "bars": (figures.bars, BY),
    "histogram": (figures.histogram, RESIDUALS),
    "correlogram": (figures.correlogram, RESIDUALS),
    "reliability": (figures.reliability, [(10, 12.0), (50, 49.0), (90, 91.0)]),
    "losses": (figures.losses, LOSSES),
    "versions": (figures.versions, HISTORY),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, ElementTree.Element]:
    """Each figure, as a document of its own."""
    made = {name: draw(facts, name, f"A & {name}") for name, (draw, facts) in MADE.items()}
    return {name: ElementTree.fromstring(svg) for name, svg in made.items()}  # noqa: S314 - our own


def points(path: ElementTree.Element) -> np.ndarray:
    """(n, 2) the points that a path goes through."""
    return np.array([[float(x), float(y)] for x, y in re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", path.get("d"))])


def styled(root: ElementTree.Element, *words: str) -> list[np.ndarray]:
    found = [path for path in root.iter("path") if all(word in path.get("style", "") for word in words)]
    return [points(path) for path in found]


@pytest.mark.parametrize("name", MADE)
def test_a_figure_has_a_name_a_title_and_the_pages_colours_alone(name, drawn):
    root = drawn[name]
    assert (root.get("role"), root.get("aria-label")) == ("img", f"A & {name}")
    assert root.find("title").text == f"A & {name}"
    assert root.get("width") is None
    svg = ElementTree.tostring(root, encoding="unicode")
    assert not re.findall(r"#[0-9a-fA-F]{6}|rgb\(|black|white", svg)
    assert set(re.findall(r"var\(--(\w+)\)", svg)) <= {"ink", "quiet", "rule", "model", "first", "second"}
    assert "var(--model)" in svg
    assert "http" not in svg
    assert "font-family" not in svg
    assert "DejaVu" not in svg


@pytest.mark.parametrize("name", MADE)
def test_ids_are_the_figures_own_and_lead_somewhere(name, drawn):
    ids = [element.get("id") for element in drawn[name].iter() if element.get("id")]
    svg = ElementTree.tostring(drawn[name], encoding="unicode")
    used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg))
    assert len(ids) == len(set(ids))
    assert {one or other for one, other in used} == set(ids)
    assert all(each.startswith(f"{name}-") for each in ids)


@pytest.mark.parametrize("name", MADE)
def test_the_same_facts_make_the_same_bytes(name):
    draw, facts = MADE[name]
    assert draw(facts, name, "title") == draw(facts, name, "title")


def test_drawing_leaves_matplotlibs_settings_alone():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    figures.bars(BY, "bars", "title")
    assert dict(mpl.rcParams) == before


def test_a_curve_goes_through_its_numbers_and_has_a_hole_where_there_is_none(drawn):
    (model,) = styled(drawn["lines"], "stroke: var(--model)", "fill: none")
    (linear,) = styled(drawn["lines"], "var(--first)", "fill: none")
    heights = model[:, 1]
    unit = (heights[0] - heights[1]) / (4 - 2)
    assert unit < 0, "downwards, as SVG counts"
    assert (heights - heights[0]) / unit + 4 == pytest.approx([4, 2, 8], abs=0.01)
    assert (linear[:, 1] - heights[0]) / unit + 4 == pytest.approx([5] * 4, abs=0.01)
    path = next(path for path in drawn["lines"].iter("path") if "stroke-width: 2;" in path.get("style", ""))
    assert path.get("d").count("M") == 2, "the pen is lifted over the hole"


def test_bars_are_as_high_as_their_counts(drawn):
    bars = styled(drawn["histogram"], "fill: var(--model)")
    heights = [np.ptp(bar[:, 1]) for bar in bars]
    assert np.array(heights) / heights[0] == pytest.approx([1, 4, 8, 2], rel=0.01)


def test_correlations_stand_on_zero(drawn):
    stems = styled(drawn["correlogram"], "stroke: var(--model)")
    ups = [stem[0, 1] - stem[1, 1] for stem in stems]
    assert ups[1] == pytest.approx(-ups[0] / 2, abs=0.1)
    assert ups[2] == 0


@pytest.mark.parametrize("steps", [1, 3])
def test_the_band_of_an_interval_reaches_from_end_to_end(steps):
    cut = {name: numbers[:steps] for name, numbers in WINDOW.items() if name in ("actual", "forecast")}
    ends = {level: [side[:steps] for side in pair] for level, pair in WINDOW["ends"].items()}
    window = WINDOW | cut | {"ends": ends, "times": WINDOW["times"][: 3 + steps]}
    root = ElementTree.fromstring(figures.forecast(window, "one", "title"))  # noqa: S314 - our own
    paths = {path.get("id"): points(path) for path in root.iter("path") if path.get("id")}
    bands = [use for use in root.iter("use") if "fill-opacity" in use.get("style", "")]
    narrow, wide = (paths[use.get("href")[1:]] for use in bands)
    assert np.ptp(wide[:, 1]) / np.ptp(narrow[:, 1]) == pytest.approx(5 / 3, rel=0.01)
    assert np.ptp(wide[:, 0]) > 0
    (line,) = styled(root, "stroke: var(--model)", "stroke-width: 2", "fill: none")
    assert len(line) == steps


def test_versions_that_were_not_published_are_hollow(drawn):
    marks = [
        use.get("style") for use in drawn["versions"].iter("use") if use.get("x") and "var" in use.get("style", "")
    ]
    assert sum("fill: var(--model)" in mark for mark in marks) == 2
    assert sum("fill-opacity: 0" in mark or "fill: none" in mark for mark in marks) == 1
