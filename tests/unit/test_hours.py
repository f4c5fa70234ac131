"""When it is open, when a deadline comes, and how a customer is told; against a slow count of minutes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from supportbot.hours import Hours, Span, apart, calendar_day, clash, span, spelled, weekdays, when_words, zone

BERLIN = "Europe/Berlin"
MINUTE = timedelta(minutes=1)
OFFICE = Hours(BERLIN, (*[((540, 1080),)] * 5, ((600, 780), (840, 960)), ()))
"""Monday to Friday 9 to 18, Saturday 10 to 13 and 14 to 16."""
NIGHTS = Hours(BERLIN, (((1320, 1800),),) * 7)
"""22:00 to 06:00."""


def at(text: str, timezone: str = BERLIN, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone), fold=fold)


def local(moment: datetime | None, timezone: str = BERLIN) -> str:
    return f"{moment.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}" if moment else "never"


@pytest.mark.parametrize(
    ("moment", "opens", "closes"),
    [
        ("2026-05-06T08:59", "2026-05-06 09:00", "never"),
        ("2026-05-06T09:00", "2026-05-06 09:00", "2026-05-06 18:00"),
        ("2026-05-06T17:59", "2026-05-06 17:59", "2026-05-06 18:00"),
        ("2026-05-06T18:00", "2026-05-07 09:00", "never"),
        ("2026-05-09T13:00", "2026-05-09 14:00", "never"),
        ("2026-05-09T16:30", "2026-05-11 09:00", "never"),
        ("2026-12-31T20:00", "2027-01-01 09:00", "never"),
    ],
)
def test_an_office_opens_and_closes_by_the_week(moment: str, opens: str, closes: str) -> None:
    assert local(OFFICE.next_open(at(moment))) == opens
    assert local(OFFICE.closes(at(moment))) == closes
    assert OFFICE.is_open(at(moment)) == (opens == local(at(moment)))


def test_holidays_special_days_and_leap_days_have_their_own_hours() -> None:
    hours = Hours(
        BERLIN,
        OFFICE.weekly,
        frozenset({date(2026, 12, 25)}),
        frozenset({(2, 29), (1, 1)}),
        {date(2026, 12, 24): ((540, 720),), date(2028, 1, 1): ((600, 660),)},
    )
    assert local(hours.closes(at("2026-12-24T10:00"))) == "2026-12-24 12:00"
    assert local(hours.next_open(at("2026-12-24T12:00"))) == "2026-12-26 10:00"
    assert local(hours.next_open(at("2028-02-28T19:00"))) == "2028-03-01 09:00"  # 29 February, a Tuesday
    assert local(hours.next_open(at("2029-02-28T19:00"))) == "2029-03-01 09:00"  # no such day in 2029
    assert local(hours.next_open(at("2027-12-31T19:00"))) == "2028-01-01 10:00"  # a special day beats a holiday


def test_a_weekly_night_shift_ends_at_the_midnight_of_a_holiday_and_a_special_one_goes_on() -> None:
    weekly = Hours(BERLIN, NIGHTS.weekly, frozenset({date(2027, 1, 1)}))
    assert local(weekly.closes(at("2026-12-31T23:00"))) == "2027-01-01 00:00"
    written = Hours(BERLIN, NIGHTS.weekly, weekly.holidays, special={date(2026, 12, 31): ((1320, 1560),)})
    assert local(written.closes(at("2026-12-31T23:00"))) == "2027-01-01 02:00"


@pytest.mark.parametrize(
    ("evening", "real_hours"), [("2026-03-27", 8), ("2026-03-28", 7), ("2026-10-23", 8), ("2026-10-24", 9)]
)
def test_a_night_shift_has_as_many_hours_as_the_night(evening: str, real_hours: int) -> None:
    start = at(f"{evening}T22:00")
    end = NIGHTS.closes(start)
    assert end is not None
    assert local(end).endswith("06:00")
    assert end - start.astimezone(UTC) == timedelta(hours=real_hours)
    assert NIGHTS.open_seconds(start, end) == real_hours * 3600
    assert NIGHTS.after(start, real_hours * 3600) == end


def test_an_hour_that_the_clock_leaves_out_is_never_open_and_one_that_it_shows_twice_is_open_twice() -> None:
    early = Hours(BERLIN, (((120, 150),),) * 7)  # 02:00 to 02:30
    assert early.open_seconds(at("2026-03-29T00:00"), at("2026-03-29T12:00")) == 0
    assert early.open_seconds(at("2026-10-25T00:00"), at("2026-10-25T12:00")) == 3600
    assert early.is_open(at("2026-10-25T02:15", fold=0))
    assert not early.is_open(at("2026-10-25T02:45", fold=0))
    assert early.is_open(at("2026-10-25T02:15", fold=1))
    from_half_past_two = Hours(BERLIN, (((150, 600),),) * 7)
    assert local(from_half_past_two.next_open(at("2026-03-29T01:00"))) == "2026-03-29 03:00"


def test_a_deadline_runs_only_while_it_is_open() -> None:
    assert local(OFFICE.after(at("2026-05-08T17:50"), 900)) == "2026-05-09 10:05"  # over Friday night
    assert local(OFFICE.after(at("2026-05-09T15:50"), 900)) == "2026-05-11 09:05"  # over Sunday
    assert local(OFFICE.after(at("2026-05-08T10:00"), 900)) == "2026-05-08 10:15"
    assert local(OFFICE.after(at("2026-05-08T17:45"), 900)) == "2026-05-08 18:00"
    assert OFFICE.after(at("2026-05-10T12:00"), 0) == at("2026-05-10T12:00")


def test_a_deadline_may_be_years_away() -> None:
    mondays = Hours(BERLIN, (((540, 600),), *[()] * 6))
    reached = mondays.after(at("2026-05-06T12:00"), 100 * 3600)
    assert local(reached) == "2028-04-03 10:00"  # the hundredth Monday


def test_a_deadline_comes_even_if_it_never_opens_again() -> None:
    never = Hours("UTC", ((),) * 7, special={date(2026, 5, 6): ((540, 600),)})
    start = datetime(2026, 5, 6, 9, 30, tzinfo=UTC)
    assert never.next_open(start + timedelta(hours=1)) is None
    assert never.after(start + timedelta(hours=1), 900) == start + timedelta(hours=1, seconds=900)
    assert never.after(start, 3600) > start + timedelta(hours=1)


def test_always_is_always() -> None:
    now = datetime(2026, 5, 6, 9, 30, tzinfo=UTC)
    assert Hours.ALWAYS.is_open(now)
    assert Hours.ALWAYS.next_open(now) == now
    assert Hours.ALWAYS.closes(now) is None
    assert Hours.ALWAYS.after(now, 900_000.5) == now + timedelta(seconds=900_000.5)
    assert Hours.ALWAYS.open_seconds(now, now - timedelta(days=1)) == 0


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="says no moment"):
        OFFICE.is_open(datetime(2026, 5, 6, 9, 30))  # noqa: DTZ001  what must be refused


def test_differences_of_answers_are_real_time() -> None:
    opens = OFFICE.next_open(at("2026-03-27T18:00"))
    assert opens is not None
    assert opens.tzinfo is UTC


# --- against counting every minute ---------------------------------------------------------------------------

CHANGES = {
    "Europe/Berlin": ("2026-03-28", "2026-10-24"),
    "America/New_York": ("2026-03-07", "2026-10-31"),
    "Australia/Lord_Howe": ("2026-04-04", "2026-10-03"),
    "Asia/Kathmandu": ("2026-05-06", "2025-12-31"),
    "Africa/Casablanca": ("2026-02-14", "2026-03-21"),
    "Pacific/Apia": ("2011-12-29", "2020-04-04"),
    "America/Havana": ("2026-03-07", "2026-10-31"),  # at midnight
    "Asia/Beirut": ("2026-03-28", "2026-10-24"),
}
PLACES = [(name, day) for name, days in CHANGES.items() for day in (*days, "2027-12-31", "2028-02-28")]


@st.composite
def days_of_hours(draw: st.DrawFn) -> tuple[Span, ...]:
    marks = sorted(draw(st.sets(st.integers(0, 96), max_size=6)))
    marks = marks[: len(marks) // 2 * 2]
    spans = [(one * 15, other * 15) for one, other in zip(marks[::2], marks[1::2], strict=True)]
    if draw(st.booleans()):
        late = draw(st.integers(80, 95)) * 15
        spans = [each for each in spans if each[1] <= late] + [(late, 1440 + draw(st.integers(1, 24)) * 15)]
    return tuple(spans)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Hours, datetime]:
    name, day = draw(st.sampled_from(PLACES))
    first = date.fromisoformat(day)
    near = [first + timedelta(days=step) for step in range(-1, 4)]
    hours = Hours(
        name,
        tuple(draw(days_of_hours()) for _ in range(7)),
        frozenset(draw(st.sets(st.sampled_from(near), max_size=1))),
        frozenset(draw(st.sets(st.sampled_from([(1, 1), (2, 29), (3, 29)]), max_size=2))),
        draw(st.dictionaries(st.sampled_from(near), days_of_hours(), max_size=2)),
    )
    start = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=UTC) - timedelta(hours=14)
    return hours, start + draw(st.integers(0, 3 * 1440)) * MINUTE


def shows_open(hours: Hours, moment: datetime) -> bool:
    """Whether the clock on the wall shows an open time, from the three lists alone."""
    wall = moment.astimezone(ZoneInfo(hours.timezone))
    today, minute = wall.date(), wall.hour * 60 + wall.minute
    yesterday = today - timedelta(days=1)

    def closed(day: date) -> bool:
        return day in hours.holidays or (day.month, day.day) in hours.yearly

    def own(day: date) -> tuple[Span, ...]:
        return hours.special.get(day, () if closed(day) else hours.weekly[day.weekday()])

    if any(start <= minute < end for start, end in own(today)):
        return True
    reaches = yesterday in hours.special or not (today in hours.special or closed(today))
    return reaches and any(minute + 1440 < end for _, end in own(yesterday))


@settings(max_examples=250, deadline=None)
@given(cases(), st.integers(1, 1500))
@example((Hours(BERLIN, (((1320, 1800),),) * 7), datetime(2026, 10, 24, 19, tzinfo=UTC)), 540)
def test_everything_agrees_with_counting_minutes(case: tuple[Hours, datetime], length: int) -> None:
    hours, start = case
    shown = [shows_open(hours, start + step * MINUTE) for step in range(1501)]
    assert hours.is_open(start) == shown[0]
    assert hours.open_seconds(start, start + length * MINUTE) == 60 * sum(shown[:length])
    opening = hours.next_open(start)
    if True in shown:
        assert opening == start + shown.index(True) * MINUTE
    else:
        assert opening is None or opening > start + 1500 * MINUTE
    closing = hours.closes(start)
    if shown[0] and False in shown:
        assert closing == start + shown.index(False) * MINUTE
    elif not shown[0]:
        assert closing is None
    asked = 60 * min(length, sum(shown[:-1]))
    reached = hours.after(start, asked)
    assert hours.open_seconds(start, reached) == asked
    assert not asked or hours.is_open(reached - timedelta(seconds=1))


@settings(max_examples=50, deadline=None)
@given(cases(), st.floats(0, 3e5))
def test_a_deadline_is_never_early_and_never_comes_while_closed(
    case: tuple[Hours, datetime], seconds: float
) -> None:
    hours, start = case
    reached = hours.after(start, seconds)
    assert reached >= start + timedelta(seconds=seconds)
    if any(hours.weekly):
        assert hours.open_seconds(start, reached) == pytest.approx(seconds, abs=1e-5)


# --- as they are written -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon", (0,)),
        ("mon-fri", (0, 1, 2, 3, 4)),
        ("mon,wed", (0, 2)),
        ("Sat - Sun", (5, 6)),
        ("fri-mon", (4, 5, 6, 0)),
        ("mon-wed, sat", (0, 1, 2, 5)),
        ("Monday,thursday", (0, 3)),
        ("mon–sun", (0, 1, 2, 3, 4, 5, 6)),
    ],
)
def test_weekdays_are_read(text: str, days: tuple[int, ...]) -> None:
    assert weekdays(text) == days


@pytest.mark.parametrize("text", ["", "montag", "mon-", "mon,,tue", "mon-tue-wed", "weekend", "8"])
def test_what_is_no_weekday_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no weekday"):
        weekdays(text)


def test_a_day_is_not_given_twice() -> None:
    with pytest.raises(ValueError, match="'mon-wed,tue' has tue twice"):
        weekdays("mon-wed,tue")


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("09:00-18:00", (540, 1080)),
        ("9:00 – 18:30", (540, 1110)),
        ("00:00-24:00", (0, 1440)),
        ("22:00-02:00", (1320, 1560)),
        ("18:00-24:00", (1080, 1440)),
        ("18:00-00:00", (1080, 1440)),
    ],
)
def test_hours_are_read_and_spelled(text: str, minutes: Span) -> None:
    assert span(text) == minutes
    assert span(spelled(minutes)) == minutes


@pytest.mark.parametrize(
    "text", ["9-18", "09:00", "09:60-10:00", "24:00-02:00", "10:00-24:01", "09:00-09:00", "٠٩:٠٠-١٠:٠٠"]
)
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        span(text)


def test_hours_of_one_day_and_of_the_next_do_not_overlap() -> None:
    assert apart([(600, 660), (540, 600)]) == ((540, 600), (600, 660))
    with pytest.raises(ValueError, match="09:00-12:00 and 11:00-13:00 overlap"):
        apart([(660, 780), (540, 720)])
    week: list[tuple[Span, ...]] = [()] * 7
    week[6], week[0] = ((1320, 1560),), ((60, 300),)
    assert clash(week) == (0, "sun 22:00-02:00 overlaps mon 01:00-05:00: make one of them")
    week[0] = ((120, 300),)
    assert clash(week) is None


def test_days_of_the_calendar_are_read() -> None:
    assert calendar_day("2026-12-25") == date(2026, 12, 25)
    assert calendar_day("02-29") == (2, 29)
    for text in ("25.12.2026", "2026-02-30", "2027-02-29", "13-01", "2026-1-1", ""):
        with pytest.raises(ValueError):
            calendar_day(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Berlin", "did you mean Europe/Berlin"),
        ("europe/berlin", "did you mean Europe/Berlin"),
        ("Europe/Berlni", "did you mean Europe/Berlin"),
        ("Mars/Base", "write one such as Europe/Berlin"),
        ("../../etc/passwd", "write one such as"),
        ("Europe", "is no timezone"),
        ("", "is no timezone"),
        ("x" * 500, "is no timezone"),
        ("a\0b", "is no timezone"),
    ],
)
def test_an_unknown_timezone_is_refused(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        zone(text)


# --- in words ------------------------------------------------------------------------------------------------

NOW = at("2026-12-29T17:00")  # a Tuesday


@pytest.mark.parametrize(
    ("opening", "locale", "words"),
    [
        ("2026-12-29T18:00", "en", "today at 18:00 (Berlin time)"),
        ("2026-12-30T09:00", "en", "tomorrow at 09:00 (Berlin time)"),
        ("2027-01-04T09:00", "en", "on Monday at 09:00 (Berlin time)"),
        ("2027-01-05T09:00", "en", "on 5 January at 09:00 (Berlin time)"),
        ("2027-12-01T09:00", "en", "on 1 December 2027 at 09:00 (Berlin time)"),
        ("2027-01-05T14:00", "en-US", "on January 5 at 2:00\u202fPM (Berlin time)"),
        ("2026-12-29T18:00", "de", "heute um 18:00 Uhr (Ortszeit Berlin)"),
        ("2026-12-30T09:00", "de-AT", "morgen um 09:00 Uhr (Ortszeit Berlin)"),
        ("2027-01-04T09:00", "de", "am Montag um 09:00 Uhr (Ortszeit Berlin)"),
        ("2027-01-05T09:00", "de", "am 5. Januar um 09:00 Uhr (Ortszeit Berlin)"),
        ("2026-12-29T18:00", "fr", "aujourd'hui à 18:00 (heure de Berlin)"),
        ("2027-01-04T09:00", "fr", "lundi à 09:00 (heure de Berlin)"),
        ("2027-02-01T09:00", "fr", "le 1er février à 09:00 (heure de Berlin)"),
        ("2026-12-30T09:00", "es", "mañana a las 9:00 (hora de Berlín)"),
        ("2026-12-30T01:30", "es", "mañana a la 1:30 (hora de Berlín)"),
        ("2027-01-04T09:00", "es", "el lunes a las 9:00 (hora de Berlín)"),
        ("2027-01-05T09:00", "es", "el 5 de enero a las 9:00 (hora de Berlín)"),
        ("2027-01-05T09:00", "it", "mar 5 gennaio, 09:00 (Berlino)"),
        ("2027-01-05T09:00", "pt_BR", "ter., 5 de janeiro, 09:00 (Berlim)"),
        ("2026-12-30T09:00", "xx", "tomorrow at 09:00 (Berlin time)"),
        ("2026-12-30T09:00", "", "tomorrow at 09:00 (Berlin time)"),
        ("2026-12-30T09:00", "../x", "tomorrow at 09:00 (Berlin time)"),
    ],
)
def test_a_customer_is_told_when_it_opens(opening: str, locale: str, words: str) -> None:
    assert when_words(at(opening), NOW, locale, BERLIN) == words


def test_days_are_those_of_the_zone_and_not_of_the_server() -> None:
    now = datetime(2026, 5, 6, 23, 30, tzinfo=UTC)  # the 7th in Berlin, the 6th in New York
    opening = datetime(2026, 5, 7, 7, tzinfo=UTC)
    assert when_words(opening, now, "en", BERLIN) == "today at 09:00 (Berlin time)"
    assert when_words(opening, now, "en", "America/New_York") == "tomorrow at 03:00 (New York time)"


@pytest.mark.parametrize(
    ("timezone", "locale", "end"),
    [
        ("UTC", "de", "(UTC)"),
        ("UTC", "fr", "(UTC)"),
        ("Africa/Cairo", "fr", "(heure du Caire)"),
        ("Europe/Athens", "fr", "(heure d’Athènes)"),
        ("Africa/Cairo", "es", "(hora de El Cairo)"),
        ("Europe/Kiev", "en", "(Kyiv time)"),
    ],
)
def test_whose_time_it_is_is_told_in_the_customers_language(timezone: str, locale: str, end: str) -> None:
    assert when_words(NOW, NOW, locale, timezone).endswith(end)
    assert "(" not in when_words(NOW, NOW, locale, timezone, place=False)
