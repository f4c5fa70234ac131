"""Charts: valid, harmless and right, whatever the figures and the names."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from supportbot.console import charts
from supportbot.console.charts import Axes, Series, bars, columns, fewer, lines, ticks
from supportbot.console.tables import Column, Link, Table, Unit, csv_of, formatted, harmless

UNITS: tuple[Unit, ...] = ("count", "percent", "seconds", "dollars", "stars")
HOSTILE = "</title></svg><script>alert(1)</script>\"' onload=x \x00\x0b\ud800 ](javascript:1)"
WEEK = tuple(f"{day} Nov" for day in range(1, 8))
TEXT = st.text(max_size=12)
AMOUNTS = st.one_of(st.none(), st.floats(0, 1e12, allow_nan=False), st.just(0.0))


def parsed(svg: Markup | None) -> ElementTree.Element:
    assert svg is not None
    return ElementTree.fromstring(str(svg))


def texts(root: ElementTree.Element, style: str) -> list[str]:
    return [one.text or "" for one in root.iter("text") if style in (one.get("class") or "").split()]


def is_harmless(root: ElementTree.Element) -> None:
    tags = {one.tag for one in root.iter()}
    assert tags <= {"svg", "g", "title", "rect", "line", "text", "polyline", "circle", "defs", "pattern", "path"}
    for one in root.iter():
        assert not {name for name in one.attrib if name == "style" or name.startswith("on") or "href" in name}
        for name, value in one.attrib.items():
            assert name == "aria-label" or not re.search("nan|inf|javascript", value)


# --- ticks ---------------------------------------------------------------------------------------------------


@given(st.floats(1e-200, 1e12), st.sampled_from(UNITS[:4]))
def test_ticks_are_few_even_and_reach_over_the_highest_value(top: float, unit: Unit) -> None:
    found = ticks(top, unit)
    assert found[0] == 0 and found[-1] >= top * (1 - 1e-9)
    assert 2 <= len(found) <= 6
    steps = [b - a for a, b in pairwise(found)]
    assert all(math.isclose(step, steps[0], rel_tol=1e-9) for step in steps)
    if len(found) > 2:
        assert found[-2] < top, "no tick is to spare"
    if unit == "count":
        assert all(float(tick).is_integer() for tick in found)


@pytest.mark.parametrize(
    ("top", "unit", "said"),
    [
        (0, "count", ["0", "1"]),
        (1, "count", ["0", "1"]),
        (3, "count", ["0", "1", "2", "3"]),
        (97, "count", ["0", "25", "50", "75", "100"]),
        (14_000, "count", ["0", "5,000", "10k", "15k"]),
        (100, "percent", ["0%", "25%", "50%", "75%", "100%"]),
        (50, "seconds", ["0 s", "15 s", "30 s", "45 s", "1 min"]),
        (5000, "seconds", ["0 s", "30 min", "1 h", "1.5 h"]),
        (400_000, "seconds", ["0 s", "2 d", "4 d", "6 d"]),
        (0.03, "dollars", ["$0", "$0.01", "$0.02", "$0.03"]),
        (4.2, "stars", ["0", "1", "2", "3", "4", "5"]),
    ],
)
def test_ticks_are_round_in_the_units_own_way(top: float, unit: Unit, said: list[str]) -> None:
    assert [charts.on_axis(tick, unit) for tick in ticks(top, unit)] == said


@pytest.mark.parametrize("top", [math.nan, math.inf, -1.0, 0.0])
def test_an_axis_stands_also_over_no_number(top: float) -> None:
    assert ticks(top) == (0.0, 1.0)


# --- shapes --------------------------------------------------------------------------------------------------


def test_columns_are_stacked_to_scale() -> None:
    svg, legend = columns("k", Axes(WEEK), [Series("web", (4,) + (0,) * 6), Series("shop", (4, 2) + (0,) * 5)])
    root = parsed(svg)
    found = [one for one in root.iter("rect") if one.get("class") == "bar"]
    heights = [float(one.attrib["height"]) for one in found]
    assert heights == [95.0, 95.0, pytest.approx(47.5)]
    first, second = found[0], found[1]
    assert float(first.attrib["y"]) == float(second.attrib["y"]) + float(second.attrib["height"])
    assert first.attrib["fill"] != second.attrib["fill"] == "url(#k-2)"
    assert [name for name, _ in legend] == ["web", "shop"]
    titles = [one.text for one in root.iter("title")]
    assert titles[:3] == ["1 Nov\nweb: 4\nshop: 4", "2 Nov\nshop: 2", "3 Nov\n0"]


def test_a_chart_says_in_words_what_it_shows() -> None:
    svg, _ = columns("k", Axes(WEEK), [Series("web", (4, 9, 1, 0, 0, 0, 1000))])
    root = parsed(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == "From 1 Nov to 7 Nov. web: 1,014 in all, highest 1,000 at 7 Nov."


def test_a_line_has_gaps_where_nothing_was_and_dots_where_it_stands_alone() -> None:
    values = (1.0, 2.0, None, 3.0, None, None, 4.0)
    root = parsed(lines("k", Axes(WEEK, "seconds"), [Series("Median", values)])[0])
    (line,) = list(root.iter("polyline"))
    assert len(line.attrib["points"].split()) == 2 and line.get("vector-effect") == "non-scaling-stroke"
    assert len(list(root.iter("circle"))) == 4


def test_lines_are_told_apart_without_colours() -> None:
    svg, legend = lines("k", Axes(WEEK), [Series("a", (1.0,) * 7), Series("b", (2.0,) * 7)])
    first, second = parsed(svg).iter("polyline")
    assert first.get("stroke-dasharray") is None and second.get("stroke-dasharray") == "7 4"
    assert "<circle" in legend[0][1] and "<rect" in legend[1][1]


def test_many_days_have_few_labels_of_which_narrow_screens_leave_out_half() -> None:
    days = tuple(str(day) for day in range(90))
    root = parsed(lines("k", Axes(days), [Series("a", tuple(float(day) for day in range(90)))])[0])
    spare = texts(root, "spare")
    below = [one for one in texts(root, "tick") if one in days and one not in ("0", "25", "50", "75", "100")]
    assert 4 <= len(spare) <= 5 and len(below) <= 10


def test_one_day_is_one_narrow_bar_in_the_middle() -> None:
    (bar,) = [
        one
        for one in parsed(columns("k", Axes(("1 Nov",)), [Series("a", (3,))])[0]).iter("rect")
        if one.get("class") == "bar"
    ]
    middle = float(bar.attrib["x"].rstrip("%")) + float(bar.attrib["width"].rstrip("%")) / 2
    assert middle == pytest.approx(50) and float(bar.attrib["width"].rstrip("%")) < 20


@pytest.mark.parametrize("values", [(0,) * 7, (None,) * 7])
def test_nothing_is_drawn_of_nothing(values: tuple[float | None, ...]) -> None:
    assert columns("k", Axes(WEEK), [Series("a", values)])[0] is None
    assert bars("k", [("a", 0)]) is None and bars("k", []) is None
    assert columns("k", Axes(WEEK), [])[0] is None and lines("k", Axes(WEEK), [])[0] is None


def test_no_line_is_drawn_of_no_values_and_one_of_noughts_is() -> None:
    assert lines("k", Axes(WEEK), [Series("a", (None,) * 7)])[0] is None
    assert lines("k", Axes(WEEK), [Series("a", (0.0,) * 7)])[0] is not None


def test_bars_are_as_wide_as_their_share_and_long_names_are_cut_and_whole_in_the_hint() -> None:
    name = "a very long reason that no phone has the room to show"
    root = parsed(bars("k", [(name, 8), ("b", 2)]))
    widths = [one.attrib["width"] for one in root.iter("rect") if (one.get("fill") or "").startswith("url")]
    assert widths == ["100.000%", "25.000%"]
    assert texts(root, "label")[0].endswith("…") and next(root.iter("title")).text == f"{name}: 8"


def test_what_is_too_much_to_tell_apart_becomes_one_series() -> None:
    found = fewer(Series(f"s{number}", (float(number), 1.0)) for number in range(9))
    assert [one.name for one in found] == ["s8", "s7", "s6", "s5", "s4", "Others"]
    assert found[-1].values == (0 + 1 + 2 + 3.0, 4.0)


# --- harm ----------------------------------------------------------------------------------------------------


def test_hostile_names_stay_words_in_every_kind_of_chart() -> None:
    series = [Series(HOSTILE, (3.0,) * 7), Series("b", (1.0,) * 7)]
    axes = Axes((HOSTILE, *WEEK[1:]))
    drawings = [columns("k", axes, series)[0], lines("k", axes, series)[0], bars("k", [(HOSTILE, 3)])]
    for svg in drawings:
        root = parsed(svg)
        is_harmless(root)
        assert "<script" not in str(svg) and "\x00" not in str(svg)
        assert "<script>" in "".join(one.text or "" for one in root.iter("title"))


@settings(max_examples=40)
@given(
    st.lists(st.tuples(TEXT, st.lists(AMOUNTS, min_size=5, max_size=5)), min_size=1, max_size=3),
    st.lists(TEXT, min_size=5, max_size=5),
    st.sampled_from(UNITS),
)
def test_any_figures_make_a_valid_chart(
    rows: list[tuple[str, list[float | None]]], labels: list[str], unit: Unit
) -> None:
    series = [Series(name, tuple(values)) for name, values in rows]
    axes = Axes(tuple(labels), unit)
    for svg, legend in (columns("k", axes, series), lines("k", axes, series)):
        if svg is not None:
            is_harmless(parsed(svg))
        for _, sample in legend:
            is_harmless(parsed(sample))
    svg = bars("k", [(name, values[0] or 0) for name, values in rows])
    if svg is not None:
        is_harmless(parsed(svg))


def test_ids_within_a_page_are_the_charts_own() -> None:
    svg, legend = columns("cost", Axes(WEEK), [Series("a", (1,) * 7), Series("b", (1,) * 7)])
    ids = re.findall(r'id="([^"]+)"', str(svg))
    assert ids == ["cost-1", "cost-2"]
    assert all(f"url(#{id})" in str(sample) for id, (_, sample) in zip(ids, legend, strict=True))


# --- tables --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "count", "–"),
        (1234567, "count", "1,234,567"),
        (77.94, "percent", "77.9 %"),
        (0.00042, "dollars", "$0.0004"),
        (0.00001, "dollars", "$0.000010"),
        (1234.5, "dollars", "$1,234.50"),
        (4.125, "stars", "4.12"),
        ("a", "text", "a"),
    ],
)
def test_values_are_shown_with_their_units(value: float | str | None, unit: Unit, words: str) -> None:
    assert formatted(value, unit) == words


def test_a_saved_table_has_plain_numbers_and_no_formulas() -> None:
    heads = (Column("Question", written=True), Column("Took", "seconds"), Column("Asked", "time"), Column("Where"))
    rows = (
        ('=HYPERLINK("http://x","y")', 1.5, 0.0, Link("Open", "/console/c/c_1")),
        ('a, "b"\nc', None, 1e9, Link("@sum", "/")),
    )
    saved = csv_of(Table("t", "T", heads, rows))
    assert saved.splitlines()[:2] == [
        "Question,Took (seconds),Asked (UTC),Where",
        '"\'=HYPERLINK(""http://x"",""y"")",1.5,1970-01-01T00:00:00+00:00,Open',
    ]
    assert saved.endswith('"a, ""b""\nc",,2001-09-09T01:46:40+00:00,\'@sum\r\n')


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "＝1", "\ufeff=1", "\n+1"])
def test_a_text_that_begins_like_a_formula_is_none(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", "1-2", "«=»", "a@b.example"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert harmless(text) == text


def test_tiny_sums_are_written_out() -> None:
    assert [charts.on_axis(value, "dollars") for value in (7.5e-05, 0.004, 0.5, 2)] == [
        "$0.000075",
        "$0.004",
        "$0.50",
        "$2",
    ]
