"""Guessing passwords is slow; waiting never lasts for ever, and nobody can make another one wait for ever."""

from __future__ import annotations

import pytest

from supportbot.console import limits
from supportbot.console.limits import Limits, Try, sentence


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(clock: Clock) -> Limits:
    return Limits(clock)


def guessed(guard: Limits, clock: Clock, seconds: float, *, login: str = "ana", address: str = "192.0.2.1") -> int:
    """How many guesses get through in so many seconds for somebody who tries ten times a second."""
    through, end = 0, clock.now + seconds
    while clock.now < end:
        through += isinstance(guard.enter(login, address), Try)
        clock.now += 0.1
    return through


def test_a_few_mistakes_cost_nothing_then_each_costs_more(guard: Limits, clock: Clock) -> None:
    waits, free = [], 0
    for _ in range(26):
        found = guard.enter("ana", "192.0.2.1")
        if isinstance(found, Try):
            free += not waits
        else:
            waits.append(round(found))
            clock.now += found
    assert free == limits.FREE
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_an_hour_of_guessing_from_one_address_gets_few_guesses(guard: Limits, clock: Clock) -> None:
    assert guessed(guard, clock, 3600) <= 20


def test_what_is_tried_during_a_wait_does_not_prolong_it(guard: Limits, clock: Clock) -> None:
    for _ in range(6):
        clock.now += 100
        guard.enter("ana", "192.0.2.1")
    told = guard.enter("ana", "192.0.2.1")
    assert isinstance(told, float)
    for _ in range(100):
        guard.enter("ana", "192.0.2.1")
    assert guard.enter("ana", "192.0.2.1") == told


def test_many_at_once_are_no_way_around(guard: Limits) -> None:
    found = [guard.enter("ana", "192.0.2.1") for _ in range(100)]
    assert sum(isinstance(one, Try) for one in found) == limits.FREE


def test_the_right_password_begins_anew(guard: Limits) -> None:
    for _ in range(20):
        tried = guard.enter("ana", "192.0.2.1")
        assert isinstance(tried, Try)
        guard.succeeded(tried)


def test_a_try_that_was_not_looked_at_does_not_count(guard: Limits) -> None:
    for _ in range(100):
        tried = guard.enter("ana", "192.0.2.1")
        assert isinstance(tried, Try)
        guard.withdrawn(tried)


def test_one_address_that_tries_many_logins_waits_for_all_of_them(guard: Limits, clock: Clock) -> None:
    through = sum(isinstance(guard.enter(f"login{number}", "192.0.2.1"), Try) for number in range(500))
    assert through == limits.FREE_ADDRESS
    told = guard.enter("ana", "192.0.2.1")
    assert isinstance(told, float) and told <= limits.LONGEST_SHARED


def test_an_own_success_in_between_does_not_wash_an_address_clean(guard: Limits, clock: Clock) -> None:
    """Whoever has an account here does not guess others' passwords quicker."""
    through = 0
    for number in range(400):
        through += isinstance(guard.enter(f"login{number}", "192.0.2.1"), Try)
        own = guard.enter("mallory", "192.0.2.1")
        if isinstance(own, Try):
            guard.succeeded(own)
        clock.now += 1
    assert through < limits.FREE_ADDRESS + 30


def test_all_addresses_of_one_network_count_as_one(guard: Limits) -> None:
    found = [guard.enter("ana", f"2001:db8:1:2::{number:x}") for number in range(100)]
    assert sum(isinstance(one, Try) for one in found) == limits.FREE
    assert isinstance(guard.enter("ana", "2001:db8:1:3::1"), Try)
    assert isinstance(guard.enter("ana", "::ffff:192.0.2.9"), Try)


def test_whoever_guesses_from_a_thousand_addresses_cannot_keep_the_owner_out(guard: Limits, clock: Clock) -> None:
    for number in range(5_000):
        guard.enter("ana", f"10.{number % 4}.{number // 256 % 256}.{number % 256}")
        clock.now += 0.05
    assert isinstance(guard.enter("ana", "192.0.2.77"), Try), "an address that has not failed is let try"
    told = guard.enter("ana", "192.0.2.77")
    assert isinstance(told, float) and told <= limits.LONGEST_SHARED, "others make a mistake cost a minute at most"
    for number in range(2_000):
        guard.enter("ana", f"10.9.{number // 256}.{number % 256}")
    clock.now += told
    assert isinstance(guard.enter("ana", "192.0.2.77"), Try), "and nobody prolongs that minute"


def test_a_browser_that_is_known_is_let_in_beside_an_attack_from_its_own_address(
    guard: Limits, clock: Clock
) -> None:
    for number in range(1_000):
        guard.enter("ana", "192.0.2.1")
        guard.enter(f"login{number}", "192.0.2.1")
    assert isinstance(guard.enter("ana", "192.0.2.1"), float)
    assert isinstance(guard.enter("ana", "192.0.2.1", device="known"), Try)


def test_a_browser_that_is_known_cannot_guess_without_end_either(guard: Limits, clock: Clock) -> None:
    found = [guard.enter("ana", "192.0.2.1", device="stolen") for _ in range(50)]
    assert sum(isinstance(one, Try) for one in found) == limits.FREE


def test_everything_is_forgotten_after_an_hour_without_a_failure(guard: Limits, clock: Clock) -> None:
    guessed(guard, clock, 60)
    clock.now += limits.FORGET + limits.LONGEST
    assert [isinstance(guard.enter("ana", "192.0.2.1"), Try) for _ in range(limits.FREE)] == [True] * limits.FREE


def test_what_is_remembered_is_bounded(guard: Limits) -> None:
    for number in range(limits.MOST + 500):
        guard.enter(f"login{number}", f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
    kept = [len(book.counts) for book in (guard._own, guard._logins, guard._addresses)]
    assert kept == [limits.MOST] * 3


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "Too many tries: wait 1 second, then try again."),
        (32.0, "Too many tries: wait 32 seconds, then try again."),
        (91.0, "Too many tries: wait 2 minutes, then try again."),
        (900.0, "Too many tries: wait 15 minutes, then try again."),
    ],
)
def test_the_wait_is_told_in_one_sentence(seconds: float, said: str) -> None:
    assert sentence(seconds) == said
