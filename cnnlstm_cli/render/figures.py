"""Facts -> figures as SVG text, to stand in an HTML page and follow its theme.

They are drawn by matplotlib in colours that stand for roles and become the page's CSS variables. No text of the user's
is in them, but the times of rows: names and units are in the captions. The same facts make the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Facts = Mapping[str, Any]

ROLES = {"#000001": "ink", "#000002": "quiet", "#000003": "rule", "#000004": "model", "#000005": "first"}
ROLES |= {"#000006": "second"}
INK, QUIET, RULE, MODEL, FIRST, SECOND = ROLES
LINES = ((MODEL, "-", 2.0), (FIRST, (0, (5, 2)), 1.4), (SECOND, (0, (1, 1.6)), 1.6))  # the model, the best baselines
WIDE, NARROW, TALL, SMALL = (960, 300), (400, 260), (400, 240), (300, 150)  # CSS pixels
HEAT = (0.16, 0.53, 0.82)  # red, green, blue: seen on light and dark paper
MOST_POINTS = 31  # of a curve that are marked, each

STYLE = {
    "svg.fonttype": "none",  # text stays text: it can be read out, searched, and has the page's font
    "svg.hashsalt": "cnnlstm",
    "font.size": 11,
    "text.color": QUIET,
    "axes.edgecolor": RULE,
    "axes.labelcolor": QUIET,
    "axes.linewidth": 1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 6),
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "axes.xmargin": 0.01,
    "lines.solid_capstyle": "round",
}


def forecast(window: Facts, name: str, title: str, size: tuple[int, int] = WIDE) -> str:
    """A window of a diagnosis: rows before it, forecast, intervals, and what came."""

    def draw(axes: Axes) -> None:
        times = _axis(axes, window["times"], few=size[0] < WIDE[0])
        split = len(window["history"])
        ahead = times[split:]
        step = (times[split - 1] - times[0]) / max(split - 1, 1)
        wide = ahead if len(ahead) > 1 else ahead + 0.3 * step * np.array([-1, 1])  # a single step is a bar
        for alpha, ends in zip((0.28, 0.16, 0.1), window["ends"].values(), strict=False):
            low, high = (np.resize(_array(end), len(wide)) for end in ends)
            axes.fill_between(wide, low, high, color=MODEL, alpha=alpha, linewidth=0)
        axes.axvline(times[split - 1], color=RULE, linewidth=1.2)
        axes.plot(times[:split], _array(window["history"]), color=QUIET, linewidth=1.1)
        came = np.concatenate([_array(window["history"])[-1:], _array(window["actual"])])
        axes.plot(times[split - 1 :], came, color=INK, linewidth=1.4)
        point = "o" if len(ahead) == 1 else ""
        axes.plot(ahead, _array(window["forecast"]), color=MODEL, linewidth=2, marker=point, markersize=4)

    return _drawn(draw, name, title, size)


def course(facts: Facts, name: str, title: str, size: tuple[int, int] = WIDE) -> str:
    """A whole series, the part that was judged in the model's colour."""

    def draw(axes: Axes) -> None:
        times = _axis(axes, [*facts["times"], facts["judged"]], few=size[0] < WIDE[0])
        times, judged = times[:-1], times[-1]
        axes.plot(times, _array(facts["means"]), color=QUIET, linewidth=1)
        axes.axvspan(judged, times[-1], color=MODEL, alpha=0.14, linewidth=0)

    return _drawn(draw, name, title, size)


def lines(by: Facts, name: str, title: str, nominal: Sequence[float] = ()) -> str:
    """Curves over whole numbers, the model's and baselines', `mae` of each label; dashed levels beside them."""

    def draw(axes: Axes) -> None:
        for level in nominal:
            axes.axhline(level, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        for (colour, dash, width), curve in zip(LINES, by["mae"].values(), strict=False):
            point = "o" if len(by["labels"]) <= MOST_POINTS else ""
            axes.plot(by["labels"], _array(curve), color=colour, ls=dash, lw=width, marker=point, markersize=3)
        _whole(axes)
        if nominal:
            axes.set_ylim(top=101)
        else:
            axes.set_ylim(bottom=0)

    return _drawn(draw, name, title, NARROW)


def bars(by: Facts, name: str, title: str) -> str:
    """A bar a label for the model, and a mark for each baseline."""

    def draw(axes: Axes) -> None:
        labels = [str(label)[:3] for label in by["labels"]]
        places = np.arange(len(labels))
        model, *baselines = by["mae"].values()
        axes.bar(places, np.nan_to_num(_array(model)), color=MODEL, alpha=0.85, width=0.72)
        for colour, marker, curve in zip((FIRST, SECOND), ("_", "."), baselines, strict=False):
            size = 190 / len(labels) if marker == "_" else 7
            axes.plot(places, _array(curve), color=colour, linestyle="none", marker=marker, ms=size, mew=2)
        every = 1 if len(labels) <= 12 else 3
        axes.set_xticks(places[::every], labels[::every])
        axes.set_ylim(bottom=0)

    return _drawn(draw, name, title, NARROW)


def heat(sizes: Sequence[Sequence[float]], name: str, title: str) -> str:
    """Steps, oldest first, by units: the larger the deeper, by powers of ten down to a thousandth of the largest."""

    def draw(axes: Axes) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        shades = LinearSegmentedColormap.from_list("depth", [(*HEAT, 0.0), (*HEAT, 1.0)])  # of any paper
        share = np.array(sizes, dtype=np.float64)
        share = share / max(float(share.max()), np.finfo(float).tiny)
        depth = np.log10(np.maximum(share, 1e-3)) / 3 + 1
        axes.imshow(depth, cmap=shades, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axes.set_yticks([0, len(share) - 1], ["oldest", "newest"])
        axes.set_xticks([])
        axes.grid(visible=False)

    return _drawn(draw, name, title, NARROW)


def histogram(residuals: Facts, name: str, title: str) -> str:
    """How often residuals of each size came; a line where there is none."""

    def draw(axes: Axes) -> None:
        edges = _array(residuals["edges"])
        axes.bar(edges[:-1], residuals["counts"], np.diff(edges) * 0.9, align="edge", color=MODEL, alpha=0.85)
        axes.axvline(0, color=INK, linewidth=1)

    return _drawn(draw, name, title, NARROW)


def correlogram(residuals: Facts, name: str, title: str) -> str:
    """The correlation of errors at each lag, and the band that white noise stays in."""

    def draw(axes: Axes) -> None:
        band = residuals["band"]
        axes.axhspan(-band, band, color=QUIET, alpha=0.18, linewidth=0)
        axes.vlines(residuals["lags"], 0, residuals["correlations"], color=MODEL, linewidth=2)
        axes.axhline(0, color=INK, linewidth=1)
        _whole(axes)

    return _drawn(draw, name, title, NARROW)


def reliability(pairs: Sequence[Sequence[float]], name: str, title: str) -> str:
    """How much came below each quantile against how much should; on the diagonal where both are the same."""

    def draw(axes: Axes) -> None:
        expected, seen = np.array(pairs).T
        axes.plot([0, 100], [0, 100], color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(expected, seen, color=MODEL, linewidth=1.6, marker="o", markersize=6)
        axes.set(xlim=(-2, 102), ylim=(-4, 104), xticks=range(0, 101, 25), yticks=range(0, 101, 25))

    return _drawn(draw, name, title, NARROW)


def losses(rows: Sequence[Facts], name: str, title: str) -> str:
    """Loss by epoch of each network: dashed on the training windows, drawn through on the validation rows."""

    def draw(axes: Axes) -> None:
        for place, member in enumerate(dict.fromkeys(row.get("member", 0) for row in rows)):
            colour = LINES[place][0] if place < len(LINES) else QUIET
            own = [row for row in rows if row.get("member", 0) == member]
            epochs = [row["epoch"] for row in own]
            axes.plot(epochs, [row["loss"] for row in own], color=colour, linewidth=1.0, linestyle=(0, (3, 2)))
            axes.plot(epochs, [row["validation"] for row in own], color=colour, linewidth=1.8)
        _whole(axes)

    return _drawn(draw, name, title, NARROW)


def versions(history: Sequence[Facts], name: str, title: str) -> str:
    """The error of each training, one after the other: a full dot where it was published."""

    def draw(axes: Axes) -> None:
        places, errors = np.arange(1, len(history) + 1), _array([entry["mae"] for entry in history])
        published = np.array([bool(entry["published"]) for entry in history])
        axes.plot(places, errors, color=RULE, linewidth=1.2)
        axes.plot(places[published], errors[published], color=MODEL, linestyle="none", marker="o", markersize=7)
        axes.plot(
            places[~published], errors[~published], color=QUIET, linestyle="none", marker="o", mfc="none", markersize=7
        )
        axes.margins(x=0.08, y=0.25)
        _whole(axes)

    return _drawn(draw, name, title, NARROW)


def _axis(axes: Axes, times: Sequence[Any], few: bool) -> NDArray[Any]:
    """Times as numbers to draw at, and an axis that writes them as dates where they are some."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

    if not times or not isinstance(times[0], str):
        _whole(axes)
        return np.array(times, dtype=np.float64)
    locator = AutoDateLocator(minticks=2 if few else 4, maxticks=5 if few else 9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    return np.asarray(date2num(np.array(times, dtype="datetime64[s]")))


def _whole(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))


def _array(numbers: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array(numbers, dtype=np.float64)  # None becomes NaN


def _drawn(draw: Callable[[Axes], None], name: str, title: str, size: tuple[int, int]) -> str:
    """The SVG of what `draw` puts on axes of that size; `name` makes its ids unique in the page."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    text = io.StringIO()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72, layout="constrained")
        draw(figure.subplots())
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _inline(text.getvalue(), name, title)


def _inline(svg: str, name: str, title: str) -> str:
    """A document of matplotlib's as an element of a page: named, themed, no more digits and ids than are of use."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - we have just written it
    used = set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", svg))
    referred = {one or other for one, other in used}
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith("}metadata"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        given = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        element.attrib.clear()
        for key, value in given.items():
            if key != "id" or value in referred:
                element.set(key, _themed(key, value, name))
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib.update({"role": "img", "aria-label": title, "class": "figure"})
    caption = ElementTree.Element("title")
    caption.text = title
    root.insert(0, caption)
    return re.sub(r">\s+<", "><", ElementTree.tostring(root, encoding="unicode"))


def _themed(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if value.startswith("data:"):
        return value.replace("\n", "")
    if key == "href":
        return f"#{name}-{value[1:]}"
    if key in ("d", "transform", "x", "y", "points"):
        return re.sub(r"(\.\d\d)\d+", r"\1", value).strip()
    value = re.sub(r"url\(#", f"url(#{name}-", value)
    value = re.sub(r"font-family:[^;]*;?|'DejaVu Sans'[^;]*", "", value)
    return re.sub("#00000[1-6]", lambda match: f"var(--{ROLES[match[0]]})", value)
