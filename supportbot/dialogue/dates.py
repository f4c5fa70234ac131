"""Dates as people write them: 2026-05-03, 3.5.2026, "3 May 2026", "tomorrow", "Friday", in en, de, fr and es.

A day of the week is the next such day, today included, or with a word like "last" the one before today. A date
without a year may be in this, the next or the last year: all three are offered, likeliest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from supportbot.dialogue.wording import words

_MONTHS = (
    ("january jan januar jaenner janner janvier janv enero ene"),
    ("february feb februar fevrier fevr febrero"),
    ("march mar marz maerz mrz mars marzo"),
    ("april apr avril avr abril abr"),
    ("may mai mayo"),
    ("june jun juni juin junio"),
    ("july jul juli juillet juil julio"),
    ("august aug aout agosto ago"),
    ("september sep sept septembre septiembre"),
    ("october oct oktober okt octobre octubre"),
    ("november nov novembre noviembre"),
    ("december dec dezember dez decembre diciembre dic"),
)
_WEEKDAYS = (
    ("monday mon montag lundi lunes"),
    ("tuesday tue tues dienstag mardi martes"),
    ("wednesday wed mittwoch mercredi miercoles"),
    ("thursday thu thur thurs donnerstag jeudi jueves"),
    ("friday fri freitag vendredi viernes"),
    ("saturday sat samstag sonnabend samedi sabado"),
    ("sunday sun sonntag dimanche domingo"),
)
_RELATIVE: Mapping[str, int] = {
    **dict.fromkeys(("today", "heute", "aujourdhui", "hoy"), 0),
    **dict.fromkeys(("tomorrow", "morgen", "demain", "manana"), 1),
    **dict.fromkeys(("yesterday", "gestern", "hier", "ayer"), -1),
    "ubermorgen": 2,
    "vorgestern": -2,
}
_LAST = frozenset(["last", "letzten", "letzter", "letzte", "vergangenen", "dernier", "pasado"])
_MONTH_OF = {word: number for number, row in enumerate(_MONTHS, 1) for word in row.split()}
_WEEKDAY_OF = {word: number for number, row in enumerate(_WEEKDAYS) for word in row.split()}
_YEAR_FIRST = re.compile(r"(?<![\d./-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\d/-])")
_NUMBERS = re.compile(r"(?<![\d./-])(\d{1,2})([./-])\s?(\d{1,2})(?:\2\s?(\d{4}|\d{2}))?(?![\d/-])")
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th|er|re)?\Z")
_MONTH_FIRST_REGIONS = frozenset({"US", "PH", "FM", "MH", "PW"})


def find_dates(text: str, today: date, locale: str, region: str) -> tuple[date, ...]:
    """What the text can mean, likeliest first; () if there is no date in it, or more than one, or an unclear one."""
    for read in (_year_first, _numbers, _month_name):
        found = tuple(dict.fromkeys(read(text, today, locale, region)))
        if found:
            return found
    named = tuple(_by_name(words(text), today))
    return named if len(set(named)) == 1 else ()


def _year_first(text: str, _today: date, _locale: str, _region: str) -> Iterator[date]:
    matches = _YEAR_FIRST.findall(text)
    if len(matches) == 1:
        year, _, month, day = matches[0]
        yield from _day(int(year), int(month), int(day))


def _numbers(text: str, today: date, locale: str, region: str) -> Iterator[date]:
    matches = _NUMBERS.findall(text)
    if len(matches) != 1:
        return
    first, mark, second, year = matches[0]
    pair = _day_and_month(int(first), int(second), mark, locale, region)
    if pair is not None:
        yield from _in_years(pair[0], pair[1], _years(year, today))


def _day_and_month(first: int, second: int, mark: str, locale: str, region: str) -> tuple[int, int] | None:
    """(day, month), None when 3/5 could be March or May."""
    if mark == "." or first > 12:
        return first, second
    country = locale.replace("_", "-").partition("-")[2].upper() or region.upper()
    if second > 12 or country in _MONTH_FIRST_REGIONS:
        return second, first
    unclear = locale.startswith("en") and not country and first != second
    return None if unclear else (first, second)


def _month_name(text: str, today: date, _locale: str, _region: str) -> Iterator[date]:
    heard = words(text)
    places = [place for place, word in enumerate(heard) if word in _MONTH_OF]
    if len(places) != 1:
        return
    place = places[0]
    before = [word for word in heard[max(place - 2, 0) : place] if word not in ("of", "de")]
    after = [word for word in heard[place + 1 : place + 4] if word not in ("of", "de", "del")]
    day, rest = (before[-1], after) if before and _ORDINAL.match(before[-1]) else ("", after)
    if not day and after:
        day, rest = after[0], after[1:]
    number = _ORDINAL.match(day)
    if number:
        year = rest[0] if rest and re.fullmatch(r"\d{4}", rest[0]) else ""
        yield from _in_years(int(number.group(1)), _MONTH_OF[heard[place]], _years(year, today))


def _by_name(heard: tuple[str, ...], today: date) -> Iterator[date]:
    for word in heard:
        if word in _RELATIVE:
            yield from _shifted(today, _RELATIVE[word])
        elif word in _WEEKDAY_OF:
            ahead = (_WEEKDAY_OF[word] - today.weekday()) % 7
            yield from _shifted(
                today, (ahead or 7) - 7 if ahead and _LAST & set(heard) else _same_day(ahead, heard)
            )


def _same_day(ahead: int, heard: tuple[str, ...]) -> int:
    """The day named after today's own weekday is today, or with "last" a week ago."""
    return -7 if not ahead and _LAST & set(heard) else ahead


def _shifted(today: date, days: int) -> Iterator[date]:
    if 0 < today.toordinal() + days <= date.max.toordinal():
        yield today + timedelta(days=days)


def _years(year: str, today: date) -> tuple[int, ...]:
    if not year:
        return (today.year, today.year + 1, today.year - 1)
    return (int(year) + (0 if len(year) == 4 else 2000 if int(year) < 70 else 1900),)


def _in_years(day: int, month: int, years: tuple[int, ...]) -> Iterator[date]:
    for year in years:
        yield from _day(year, month, day)


def _day(year: int, month: int, day: int) -> Iterator[date]:
    try:
        yield date(year, month, day)
    except ValueError:
        return
