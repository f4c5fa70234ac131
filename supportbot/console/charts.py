"""Charts as SVG that a strict policy lets through.

1. No style attribute, no script, no font and no colour in here: what things look like stands in `dashboard.css`, by
   classes; patterns and dashes tell series apart without colours.
2. Nothing is measured in the text's direction: across it everything is a percentage, along it pixels. So a chart is
   as wide as its place and its words stay as large as they are.
3. The tree is built by ElementTree, which escapes; what XML cannot hold is left out before.
4. Each chart has its figures as a table, and says in a sentence what they come to.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from markupsafe import Markup

from supportbot.console.tables import Table, Unit, formatted
from supportbot.console.words import STEPS

MOST_SERIES = 6
OTHERS = "Others"
TICKS = 5
_TOP, _PLOT, _FOOT = 12, 190, 26
_HEIGHT = _TOP + _PLOT + _FOOT
_ROW, _LABEL = 38, 46
_FEWEST_BANDS = 5
_BAR = 0.72
_LABELS = 10
_ALL_LABELS = 7
_VALUES = 8
_DOTS = 31
_ROUND = (1, 2, 2.5, 5, 10)
_CLOCK = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DASHES = ("", "7 4", "2 3", "9 3 2 3", "1 5", "12 3")


@dataclass(frozen=True, slots=True)
class Series:
    """One value for each label, None where there is none."""

    name: str
    values: tuple[float | None, ...]

    @property
    def total(self) -> float:
        return sum(value or 0 for value in self.values)


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template shows. `svg` is None if there is nothing to draw; `legend` has each series with its sample.

    `note` says what the figures mean and leave out.
    """

    table: Table
    svg: Markup | None
    legend: tuple[tuple[str, Markup], ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Axes:
    """What a chart is drawn over: a label for each place, and the unit of its values."""

    labels: tuple[str, ...]
    unit: Unit = "count"
    top: float | None = None
    """The highest value of the axis if it is always the same."""


# --- numbers -------------------------------------------------------------------------------------------------


def ticks(top: float, unit: Unit = "count") -> tuple[float, ...]:
    """Round values from 0 to at least `top`, evenly spaced, 2 to 6 of them; whole ones for counts."""
    if unit == "stars":
        return (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    if not math.isfinite(top) or top <= 0:
        return (0.0, 1.0)
    step = _step(top / (TICKS - 1), unit)
    return tuple(step * at for at in range(max(1, math.ceil(top / step - 1e-9)) + 1))


def _step(least: float, unit: Unit) -> float:
    if unit == "count" and least <= 1:
        return 1.0
    if unit == "seconds" and least > 0.5:
        found = next((float(each) for each in _CLOCK if each >= least), None)
        if found is not None:
            return found
        return 86_400 * _step(least / 86_400, "count")
    size = 10.0 ** math.floor(math.log10(least))
    factors = [each for each in _ROUND if unit != "count" or (each * size).is_integer()]
    return next(each * size for each in factors if each * size >= least * (1 - 1e-9))


def on_axis(value: float, unit: Unit) -> str:
    """A tick's words, as short as they can be."""
    if unit == "percent":
        return f"{value:g}%"
    if unit == "seconds":
        for seconds, name in STEPS:
            if value >= seconds:
                return f"{value / seconds:g} {name}"
        return f"{value:g} s"
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            divisor = 1e3 if letter == "k" else size
            return ("$" if unit == "dollars" else "") + f"{value / divisor:g}{letter}"
    if unit == "dollars":
        return (
            f"${value:,.2f}"
            if not float(value).is_integer() and value >= 0.01
            else "$" + f"{value:.9f}".rstrip("0").rstrip(".")
        )
    return f"{value:,.10g}"


# --- the kinds of charts --------------------------------------------------------------------------------------


def columns(
    key: str, axes: Axes, series: Sequence[Series]
) -> tuple[Markup | None, tuple[tuple[str, Markup], ...]]:
    """Bars above their labels, one series upon the other; and the legend if there are several."""
    sums = [sum(each.values[at] or 0 for each in series) for at in range(len(axes.labels))]
    if not any(sums):
        return None, ()
    scale = _Scale(axes, max(sums))
    root = _root(scale.height, _told(axes, series))
    _patterns(root, key, len(series))
    _grid(root, scale)
    for at, label in enumerate(axes.labels):
        values = [each.values[at] or 0 for each in series]
        band = _band(root, scale, at, _hint(label, series, at, axes.unit))
        bottom = 0.0
        for number, value in enumerate(values):
            if value > 0:
                _bar(band, scale, at, (bottom, bottom + value)).set("fill", _fill(key, number))
                bottom += value
        if len(series) == 1 and len(axes.labels) <= _VALUES and bottom:
            text = _text(band, formatted(bottom, axes.unit), scale.middle(at), scale.y(bottom) - 4, "value")
            text.set("text-anchor", "middle")
    return _markup(root), _legend(series, lambda at: _sample(_fill(key, at))) if len(series) > 1 else ()


def lines(key: str, axes: Axes, series: Sequence[Series]) -> tuple[Markup | None, tuple[tuple[str, Markup], ...]]:
    """Values over their labels, joined where neighbours have one; and the legend if there are several."""
    known = [value for each in series for value in each.values if value is not None]
    if not known:
        return None, ()
    scale = _Scale(axes, max(known))
    root = _root(scale.height, _told(axes, series))
    _grid(root, scale)
    stretched = SubElement(root, "svg", x="0", y="0", width="100%", height=str(scale.height), overflow="visible")
    stretched.set("viewBox", f"0 0 100 {scale.height}")
    stretched.set("preserveAspectRatio", "none")
    for number, each in enumerate(series):
        for points in _runs(each.values):
            if len(points) > 1:
                joined = " ".join(f"{scale.middle(at):.3f},{scale.y(value):.1f}" for at, value in points)
                line = SubElement(stretched, "polyline", points=joined)
                _drawn(line, number)
    for at, label in enumerate(axes.labels):
        band = _band(root, scale, at, _hint(label, series, at, axes.unit))
        for number, each in enumerate(series):
            value = each.values[at]
            if value is not None and (len(axes.labels) <= _DOTS or _stands_alone(each.values, at)):
                _dot(band, number, f"{scale.middle(at):.3f}%", scale.y(value))
    return _markup(root), _legend(series, _line_sample) if len(series) > 1 else ()


def bars(key: str, rows: Sequence[tuple[str, float]], unit: Unit = "count") -> Markup | None:
    """One bar under each label, the longest as wide as the chart."""
    top = max((value for _, value in rows), default=0)
    if top <= 0:
        return None
    said = ", ".join(f"{label}: {formatted(value, unit)}" for label, value in rows)
    root = _root(_ROW * len(rows) + 2, said)
    root.set("class", "chart wide-bars")
    _patterns(root, key, 1)
    for at, (label, value) in enumerate(rows):
        row = SubElement(root, "g")
        SubElement(row, "title").text = fit(f"{label}: {formatted(value, unit)}")
        _text(row, _cut(label), None, at * _ROW + 14, "label").set("x", "0")
        number = _text(row, formatted(value, unit), 100, at * _ROW + 14, "value")
        number.set("text-anchor", "end")
        size = {"y": str(at * _ROW + 20), "height": "9", "x": "0", "rx": "2"}
        SubElement(row, "rect", {**size, "width": "100%", "class": "track"})
        if value > 0:
            width = f"{max(100 * value / top, 0.4):.3f}%"
            SubElement(row, "rect", {**size, "width": width, "fill": _fill(key, 0)})
    return _markup(root)


def fewer(series: Iterable[Series]) -> tuple[Series, ...]:
    """The largest first, and those that are too many to be told apart as one."""
    ordered = sorted(series, key=lambda each: (-each.total, each.name))
    if len(ordered) <= MOST_SERIES:
        return tuple(ordered)
    kept, rest = ordered[: MOST_SERIES - 1], ordered[MOST_SERIES - 1 :]
    values = tuple(sum(each.values[at] or 0 for each in rest) for at in range(len(rest[0].values)))
    return (*kept, Series(OTHERS, values))


# --- geometry ------------------------------------------------------------------------------------------------


class _Scale:
    """Where labels and values are: across in percent, down in pixels."""

    def __init__(self, axes: Axes, highest: float) -> None:
        self.axes = axes
        self.ticks = ticks(axes.top or highest, axes.unit)
        self.height = _HEIGHT
        self.band = 100 / max(len(axes.labels), _FEWEST_BANDS)
        self._left = (100 - self.band * len(axes.labels)) / 2

    def start(self, at: int) -> float:
        return self._left + self.band * at

    def middle(self, at: int) -> float:
        return self.start(at) + self.band / 2

    def y(self, value: float) -> float:
        return _TOP + _PLOT * (1 - value / self.ticks[-1])


def _grid(root: Element, scale: _Scale) -> None:
    """The lines across with their values, and the labels below."""
    for tick in scale.ticks:
        y = f"{scale.y(tick):.1f}"
        line = SubElement(root, "line", x1="0", x2="100%", y1=y, y2=y)
        line.set("class", "grid" if tick else "grid base")
        words = _text(root, on_axis(tick, scale.axes.unit), None, scale.y(tick) + 4, "tick")
        words.set("x", "-8")
        words.set("text-anchor", "end")
    labels = scale.axes.labels
    step = 1 if len(labels) <= _ALL_LABELS else math.ceil(len(labels) / _LABELS)
    for place, at in enumerate(range(0, len(labels), step)):
        spare = step > 1 or len(labels) > _ALL_LABELS
        style = "tick spare" if spare and place % 2 else "tick"
        _text(root, labels[at], scale.middle(at), scale.height - 6, style).set("text-anchor", "middle")


def _band(root: Element, scale: _Scale, at: int, hint: str) -> Element:
    """The place of one label from top to bottom, which says its figures when pointed at."""
    band = SubElement(root, "g")
    band.set("class", "band")
    SubElement(band, "title").text = fit(hint)
    size = {"x": f"{scale.start(at):.3f}%", "width": f"{scale.band:.3f}%", "y": str(_TOP), "height": str(_PLOT)}
    SubElement(band, "rect", {**size, "class": "hit"})
    return band


def _bar(band: Element, scale: _Scale, at: int, values: tuple[float, float]) -> Element:
    low, high = (scale.y(value) for value in values)
    width = scale.band * _BAR
    return SubElement(
        band,
        "rect",
        {
            "x": f"{scale.middle(at) - width / 2:.3f}%",
            "width": f"{width:.3f}%",
            "y": f"{high:.1f}",
            "height": f"{max(low - high, 0.5):.1f}",
            "class": "bar",
        },
    )


def _dot(parent: Element, number: int, x: str, y: float) -> None:
    """A disc, or a square for every other series."""
    style = f"dot line-{number + 1}"
    if number % 2 == 0:
        SubElement(parent, "circle", {"cx": x, "cy": f"{y:.1f}", "r": "3.2", "class": style})
    else:
        square = {"x": x, "y": f"{y:.1f}", "width": "6", "height": "6", "transform": "translate(-3 -3)"}
        SubElement(parent, "rect", {**square, "class": style})


def _drawn(line: Element, number: int) -> None:
    line.set("class", f"line line-{number + 1}")
    line.set("vector-effect", "non-scaling-stroke")
    if _DASHES[number % len(_DASHES)]:
        line.set("stroke-dasharray", _DASHES[number % len(_DASHES)])


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """The stretches of neighbours that have a value."""
    found: list[list[tuple[int, float]]] = [[]]
    for at, value in enumerate(values):
        if value is not None:
            found[-1].append((at, value))
        elif found[-1]:
            found.append([])
    return [run for run in found if run]


def _stands_alone(values: Sequence[float | None], at: int) -> bool:
    return all(value is None for value in (*values[max(at - 1, 0) : at], *values[at + 1 : at + 2]))


# --- parts ---------------------------------------------------------------------------------------------------


def _root(height: int, summary: str) -> Element:
    root = Element("svg", {"class": "chart", "width": "100%", "height": str(height), "role": "img"})
    root.set("aria-label", fit(summary))
    return root


def _patterns(root: Element, key: str, count: int) -> None:
    """What the series are filled with: the first is plain, the others have marks upon their colour."""
    definitions = SubElement(root, "defs")
    for number in range(count):
        pattern = SubElement(
            definitions, "pattern", id=f"{key}-{number + 1}", width="8", height="8", patternUnits="userSpaceOnUse"
        )
        SubElement(pattern, "rect", {"width": "8", "height": "8", "class": f"fill-{number + 1}"})
        for name, more in _MARKS[number % len(_MARKS)]:
            SubElement(pattern, name, {**more, "class": "mark"})


_MARKS: tuple[tuple[tuple[str, dict[str, str]], ...], ...] = (
    (),
    (("path", {"d": "M-2 2 2 -2 M0 8 8 0 M6 10 10 6"}),),
    (("circle", {"cx": "2", "cy": "2", "r": "1.1"}), ("circle", {"cx": "6", "cy": "6", "r": "1.1"})),
    (("path", {"d": "M0 4H8"}),),
    (("path", {"d": "M-2 6 2 10 M0 0 8 8 M6 -2 10 2 M-2 2 2 -2 M0 8 8 0 M6 10 10 6"}),),
    (("path", {"d": "M4 0V8"}),),
)


def _fill(key: str, number: int) -> str:
    return f"url(#{key}-{number + 1})"


def _text(parent: Element, words: str, percent: float | None, y: float, style: str) -> Element:
    text = SubElement(parent, "text", {"y": f"{y:.1f}", "class": style})
    if percent is not None:
        text.set("x", f"{percent:.3f}%")
    text.text = fit(words)
    return text


def _legend(series: Sequence[Series], sample: Callable[[int], Markup]) -> tuple[tuple[str, Markup], ...]:
    return tuple((each.name, sample(at)) for at, each in enumerate(series))


def _sample(fill: str) -> Markup:
    root = Element("svg", {"class": "sample", "width": "16", "height": "16", "aria-hidden": "true"})
    SubElement(root, "rect", {"width": "16", "height": "16", "rx": "3", "fill": fill})
    return _markup(root)


def _line_sample(number: int) -> Markup:
    root = Element("svg", {"class": "sample", "width": "28", "height": "16", "aria-hidden": "true"})
    _drawn(SubElement(root, "line", x1="0", x2="28", y1="8", y2="8"), number)
    _dot(root, number, "14", 8)
    return _markup(root)


def _told(axes: Axes, series: Sequence[Series]) -> str:
    """The chart in a sentence for each series: what it comes to, and its highest value."""
    return f"From {axes.labels[0]} to {axes.labels[-1]}. " + " ".join(_told_of(axes, each) for each in series)


def _told_of(axes: Axes, one: Series) -> str:
    known = [(value, at) for at, value in enumerate(one.values) if value is not None]
    if not known:
        return f"{one.name}: nothing."
    highest, at = max(known, key=lambda item: (item[0], -item[1]))
    whole = f"{formatted(one.total, axes.unit)} in all, " if axes.unit in ("count", "dollars") else ""
    return f"{one.name}: {whole}highest {formatted(highest, axes.unit)} at {axes.labels[at]}."


def _hint(label: str, series: Sequence[Series], at: int, unit: Unit) -> str:
    lines = [f"{each.name}: {formatted(each.values[at], unit)}" for each in series if each.values[at]]
    return "\n".join([label, *(lines or [formatted(0 if unit == "count" else None, unit)])])


def _cut(words: str, most: int = 36) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


def fit(words: str) -> str:
    """The words without what XML cannot hold."""
    return _UNFIT.sub("", words)


def _markup(root: Element) -> Markup:
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - ElementTree has escaped it
