"""Business hours: when a human can be expected, and when a deadline runs.

1. Hours are what the clock on the wall in `timezone` shows: it is open while that clock shows an open time. A time that
   the clock shows twice in autumn is open twice, one that it leaves out in spring not at all.
2. Lengths are real time: a shift from 22:00 to 06:00 has 7 or 9 hours in a night in which the clocks change.
3. A special day or a holiday has its own hours only: a weekly shift from the evening before ends at its midnight. What
   a special day itself writes over midnight holds, whatever comes next.
4. What is asked takes any time with a zone; what is answered is UTC, so that differences are real time.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import ClassVar
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, get_timezone_location

SEARCH = timedelta(days=400)
"""How far ahead an opening or closing is looked for."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_WINDOWS = 10  # deadlines are looked for so many times SEARCH ahead
_DAY = timedelta(days=1)
_DAY_MINUTES = 24 * 60
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})\Z", re.ASCII)
_CALENDAR = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})\Z", re.ASCII)
_WEEKDAY = re.compile(r"(mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\Z")

Span = tuple[int, int]
"""From and to, in minutes since the day's midnight; the end may lie in the next day, up to 2880."""
Yearly = tuple[int, int]
"""Month and day."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When it is open. `weekly` has the hours of Monday to Sunday; `yearly` are holidays of every year.

    Every method raises ValueError for a time without a zone.
    """

    timezone: str
    weekly: tuple[tuple[Span, ...], ...]
    holidays: frozenset[date] = frozenset()
    yearly: frozenset[Yearly] = frozenset()
    special: Mapping[date, tuple[Span, ...]] = field(default_factory=dict, hash=False)

    ALWAYS: ClassVar[Hours]
    """Around the clock."""

    def is_open(self, at: datetime) -> bool:
        """Whether it is open at that moment; at the minute of closing it is not."""
        shown = _utc(at).astimezone(ZoneInfo(self.timezone)).replace(tzinfo=None)
        return any(opens <= shown < closes for day in _around(shown) for opens, closes in self._written(day))

    def next_open(self, at: datetime) -> datetime | None:
        """The first moment from `at` on at which it is open; None if there is none within 400 days."""
        start = _utc(at)
        return next((opens for opens, _ in self._open(start, start + SEARCH)), None)

    def closes(self, at: datetime) -> datetime | None:
        """When it closes next; None if it is closed at `at`, or does not close within 400 days."""
        start = end = _utc(at)
        for opens, closes in self._open(start, start + SEARCH):
            if opens > end:
                break
            end = closes
        return end if start < end < start + SEARCH else None

    def after(self, at: datetime, seconds: float) -> datetime:
        """The moment at which `seconds` of open time have passed since `at`.

        Where it does not open for 400 days, or some ten years are not enough, the rest runs as plain time: a deadline
        always comes.
        """
        reached, left = _utc(at), timedelta(seconds=max(0.0, seconds))
        if not left:
            return reached
        for _ in range(_WINDOWS):
            before = left
            for opens, closes in self._open(reached, reached + SEARCH):
                if closes - opens >= left:
                    return opens + left
                left -= closes - opens
            if left == before:
                break
            reached += SEARCH
        return reached + left

    def open_seconds(self, a: datetime, b: datetime) -> float:
        """Seconds of open time from `a` to `b`; 0 if `b` is not later."""
        stretches = self._open(_utc(a), _utc(b))
        return sum((closes - opens for opens, closes in stretches), timedelta()).total_seconds()

    def _spans(self, day: date) -> Sequence[Span]:
        """The hours that begin on this day of the calendar."""
        if day in self.special:
            return self.special[day]
        if self._is_holiday(day):
            return ()
        spans = self.weekly[day.weekday()]
        if any(end > _DAY_MINUTES for _, end in spans):
            following = day + _DAY
            if following in self.special or self._is_holiday(following):
                return [(start, min(end, _DAY_MINUTES)) for start, end in spans]
        return spans

    def _is_holiday(self, day: date) -> bool:
        return day in self.holidays or (day.month, day.day) in self.yearly

    def _written(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The same as the clock shows them."""
        midnight = datetime.combine(day, time())
        for start, end in self._spans(day):
            yield midnight + timedelta(minutes=start), midnight + timedelta(minutes=end)

    def _open(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The stretches of open time between two moments, in order, none empty; those that touch are not joined."""
        done = start
        for since, until, offset in _steady(ZoneInfo(self.timezone), start, end):
            first, last = (since + offset).replace(tzinfo=None), (until + offset).replace(tzinfo=None)
            for day in _around(first, last):
                for opens, closes in self._written(day):
                    began = max(max(opens, first).replace(tzinfo=UTC) - offset, done)
                    ended = min(closes, last).replace(tzinfo=UTC) - offset
                    if began < ended:
                        yield began, ended
                        done = ended


Hours.ALWAYS = Hours("UTC", (((0, _DAY_MINUTES),),) * 7)


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without a zone says no moment")
    return at.astimezone(UTC)


def _around(first: datetime, last: datetime | None = None) -> Iterator[date]:
    """The days whose hours can reach into the time from `first` to `last` on the clock."""
    day = first.date() - _DAY
    while day <= (last or first).date():
        yield day
        day += _DAY


def _steady(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """(from, to, offset) of the stretches of at most a day in which the zone's clock runs evenly."""
    while start < end:
        until, offset = min(start + _DAY, end), _offset(zone, start)
        if _offset(zone, until) != offset:
            until = _change(zone, start, until)
        yield start, until, offset
        start = until


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The moment, a whole second after `low` and up to `high`, from which on the clock has the offset of `high`."""
    offset = _offset(zone, high)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (low, middle) if _offset(zone, middle) == offset else (middle, high)
    return high.replace(microsecond=0)


# --- as they are written -------------------------------------------------------------------------------------


def zone(text: str) -> str:
    """`text`, the IANA name of a timezone. Raises ValueError."""
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        close = _meant(text)
        hint = f"did you mean {close}?" if close else "write one such as Europe/Berlin"
        raise ValueError(f"'{text[:40]}' is no timezone; {hint}") from None
    return text


def _meant(text: str) -> str:
    """The timezone that somebody had in mind who wrote `text`: a city, or a name with a slip; "" if none."""
    known = sorted(available_timezones())
    wanted = text[:60].strip().casefold().replace(" ", "_")
    by_city = {name.rpartition("/")[2].casefold(): name for name in known if "/" in name}
    by_name = {name.casefold(): name for name in known}
    if wanted in by_name or wanted in by_city:
        return by_name.get(wanted) or by_city[wanted]
    close = difflib.get_close_matches(wanted, by_name, n=1, cutoff=0.8)
    return by_name[close[0]] if close else ""


def weekdays(text: str) -> tuple[int, ...]:
    """The days, Monday is 0, of `mon`, `mon-fri`, `mon,wed` or `mon-wed,sat`; ranges may run over Sunday. Raises ValueError."""
    found: list[int] = []
    for part in text.casefold().split(","):
        ends = [_WEEKDAY.match(word.strip()) for word in re.split("[-–]", part)]
        if len(ends) > 2 or not all(ends):
            raise ValueError(f"'{text[:40]}' is no weekday; write mon, mon-fri or mon,wed")
        first, last = (WEEKDAYS.index(end[1][:3]) for end in (ends[0], ends[-1]) if end)
        found += [day % 7 for day in range(first, last + 1 if last >= first else last + 8)]
    twice = next((day for day in found if found.count(day) > 1), None)
    if twice is not None:
        raise ValueError(f"'{text[:40]}' has {WEEKDAYS[twice]} twice")
    return tuple(found)


def span(text: str) -> Span:
    """The minutes of `09:00-18:00`, `00:00-24:00` or, over midnight, `22:00-02:00`. Raises ValueError."""
    found = _SPAN.match(text.strip())
    if found is None:
        raise ValueError(f"must be hours such as 09:00-18:00, not '{text[:40]}'")
    hour, minute, last_hour, last_minute = map(int, found.groups())
    start, end = hour * 60 + minute, last_hour * 60 + last_minute
    if minute > 59 or last_minute > 59 or start >= _DAY_MINUTES or end > _DAY_MINUTES:
        raise ValueError(f"'{text[:40]}' has a time that no clock shows; a day goes from 00:00 to 24:00")
    if start == end:
        raise ValueError(f"'{text[:40]}' ends when it begins; for the whole day write 00:00-24:00")
    return start, end if end > start else end + _DAY_MINUTES


def apart(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The hours of one day in order. Raises ValueError if some of them overlap."""
    ordered = sorted(spans)
    for one, other in pairwise(ordered):
        if other[0] < one[1]:
            raise ValueError(f"{spelled(one)} and {spelled(other)} overlap: make one of them")
    return tuple(ordered)


def clash(weekly: Sequence[Sequence[Span]]) -> tuple[int, str] | None:
    """The first day into whose hours a shift of the day before reaches, and a sentence; None if there is none."""
    for day, spans in enumerate(weekly):
        for late in weekly[day - 1]:
            over = next((early for early in spans if early[0] < late[1] - _DAY_MINUTES), None)
            if over is not None:
                before = f"{WEEKDAYS[day - 1]} {spelled(late)}"
                return day, f"{before} overlaps {WEEKDAYS[day]} {spelled(over)}: make one of them"
    return None


def spelled(hours: Span) -> str:
    """As it is written in a file."""
    start, end = hours
    end -= _DAY_MINUTES if end > _DAY_MINUTES else 0
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


def calendar_day(text: str) -> date | Yearly:
    """The day of `2026-12-25`, or the month and day of `12-25`, which is every year's. Raises ValueError."""
    found = _CALENDAR.match(text.strip())
    if found is None:
        raise ValueError(f"must be a day such as 2026-12-25, or 12-25 for every year, not '{text[:40]}'")
    year, month, day = int(found[1] or 2000), int(found[2]), int(found[3])  # 2000 has a 29 February
    try:
        made = date(year, month, day)
    except ValueError:
        raise ValueError(f"there is no day {text.strip()}: write year-month-day, such as 2026-12-25") from None
    return made if found[1] else (month, day)


# --- in words ------------------------------------------------------------------------------------------------

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "today": "today at {time}",
        "tomorrow": "tomorrow at {time}",
        "week": "on {weekday} at {time}",
        "date": "on {date} at {time}",
        "zone": "{city} time",
    },
    "de": {
        "today": "heute um {time} Uhr",
        "tomorrow": "morgen um {time} Uhr",
        "week": "am {weekday} um {time} Uhr",
        "date": "am {date} um {time} Uhr",
        "zone": "Ortszeit {city}",
    },
    "fr": {
        "today": "aujourd'hui à {time}",
        "tomorrow": "demain à {time}",
        "week": "{weekday} à {time}",
        "date": "le {date} à {time}",
        "zone": "heure {city}",
    },
    "es": {
        "today": "hoy {at} {time}",
        "tomorrow": "mañana {at} {time}",
        "week": "el {weekday} {at} {time}",
        "date": "el {date} {at} {time}",
        "zone": "hora de {city}",
    },
}
_NEUTRAL = {
    **dict.fromkeys(("today", "tomorrow", "week", "date"), "{date}, {time}"),
    "zone": "{city}",
}
"""For every other language; the date has Babel's form, with the weekday."""
_ENGLISH = Locale("en", "GB")
_VOWELS = frozenset("AEIOUYÉÈÎ")
_FAR = 300  # days from which on a date is told with its year


def when_words(opening: datetime, now: datetime, locale: str, timezone: str, *, place: bool = True) -> str:
    """When it opens, for a customer: "tomorrow at 09:00 (Berlin time)"; times and days as `timezone` has them.

    `place` False leaves out whose time it is. English without a region is told as in Britain, an unknown locale in
    English.
    """
    there = ZoneInfo(timezone)
    local, spoken = opening.astimezone(there), _locale(locale)
    days = (local.date() - now.astimezone(there).date()).days
    words = _WORDS.get(spoken.language, _NEUTRAL)
    near = {0: "today", 1: "tomorrow"}.get(days, "week" if 1 < days < 7 else "date")
    skeleton = ("y" if days > _FAR else "") + ("MMMMEEEEd" if words is _NEUTRAL else "MMMMd")
    clock = format_time(local, "short", tzinfo=there, locale=spoken)
    when = words[near].format(
        time=clock,
        weekday=format_date(local, "EEEE", locale=spoken),
        date=_first(format_skeleton(skeleton, local, tzinfo=there, locale=spoken), spoken),
        at="a la" if clock.startswith("1:") else "a las",
    )
    return f"{when} ({_whose(there, spoken, words['zone'])})" if place else when


def _locale(text: str) -> Locale:
    for wanted in (text.replace("_", "-"), re.split("[-_]", text)[0].lower()):
        try:
            found = Locale.parse(wanted, sep="-")
        except (ValueError, UnknownLocaleError):
            continue
        return found if str(found) != "en" else _ENGLISH
    return _ENGLISH


def _first(day: str, locale: Locale) -> str:
    """French has an ordinal for the first of a month."""
    return f"1er{day[1:]}" if locale.language == "fr" and day.startswith("1 ") else day


def _whose(there: ZoneInfo, locale: Locale, words: str) -> str:
    """Whose time it is; a zone that belongs to no city (UTC, GMT+3) has its own name."""
    city = get_timezone_location(there, locale=locale, return_city=True)
    if city.startswith(("UTC", "GMT")):
        return city
    if locale.language == "fr" and city.startswith("Le "):
        return f"heure du {city[3:]}"
    elided = locale.language == "fr" and city[:1] in _VOWELS
    return words.format(city=f"d’{city}" if elided else f"de {city}" if locale.language == "fr" else city)
