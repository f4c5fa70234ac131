"""Passwords: what is refused, what is checked, and how much of it at once."""

from __future__ import annotations

import asyncio
import threading
import time

import argon2
import pytest

from supportbot.console import passwords
from supportbot.console.passwords import Passwords, PasswordsBusy, generated, hashed, problem

GOOD = "staple horse battery 9"


@pytest.fixture(scope="module")
def hash() -> str:
    return hashed(GOOD)


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("", "The password is too short: it needs at least 12 characters."),
        ("elevenchars", "The password is too short: it needs at least 12 characters."),
        ("x" * 257, "The password is too long: it has at most 256 characters."),
        ("ana.example.org", "The password is made of the login: choose one that nobody can derive."),
        ("Ana.Example.Org2026!", "The password is made of the login: choose one that nobody can derive."),
        ("123456789012", "The password is one of those that are tried first: choose another one."),
        ("Password1234", "The password is one of those that are tried first: choose another one."),
        ("aaaaaaaaaaaaaa", "The password is one of those that are tried first: choose another one."),
        ("abcabcabcabcab", "The password is one of those that are tried first: choose another one."),
    ],
)
def test_an_easy_password_is_refused_with_one_sentence(password: str, sentence: str) -> None:
    assert problem(password, "ana.example.org") == sentence


@pytest.mark.parametrize(
    "password",
    [GOOD, "x7-k2-p9-m4-", "vier Worte ohne Sinn", "пароль из слов", "twelve chars", "y1" * 5 + "z" * 246],
)
def test_a_good_one_is_taken_whatever_its_letters(password: str) -> None:
    assert problem(password, "ana") == ""


def test_every_generated_password_is_good_and_another() -> None:
    made = [generated() for _ in range(200)]
    assert len(set(made)) == 200
    assert [one for one in made if problem(one, "ana")] == []


async def test_the_right_password_is_known_and_every_other_is_not(hash: str) -> None:
    checks = Passwords()
    assert await checks.check(GOOD, hash)
    for other in ("", GOOD + " ", GOOD.upper(), "x" * 300, GOOD + "x" * 300, "\ud800" * 12):
        assert not await checks.check(other, hash)
    assert GOOD not in hash and hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


async def test_the_same_letters_from_another_keyboard_are_the_same_password() -> None:
    assert await Passwords().check("Grüße aus Köln!", hashed("Gru\u0308ße aus Ko\u0308ln!"))


@pytest.mark.parametrize(
    "hash", ["", "x", "$argon2id$v=19$m=65536,t=3,p=4$YWJj$", "$2b$12$abcdefghijklmnopqrstuv"]
)
async def test_what_is_no_hash_is_nobodys_password(hash: str) -> None:
    assert not await Passwords().check(GOOD, hash)
    assert not await Passwords().check("", hash)


async def test_asking_after_nobody_takes_as_long_as_asking_after_somebody(hash: str) -> None:
    checks = Passwords()

    async def least(hash: str) -> float:
        found = []
        for _ in range(5):
            begun = time.perf_counter()
            await checks.check("wrong password here", hash)
            found.append(time.perf_counter() - begun)
        return min(found)

    somebody, nobody = await least(hash), await least("")
    assert 0.4 < nobody / somebody < 2.5, (somebody, nobody)


def test_a_hash_with_other_parameters_is_outdated(hash: str) -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(GOOD)
    assert Passwords.outdated(weak) and not Passwords.outdated(hash)


async def test_never_more_than_two_are_hashed_at_once_even_when_requests_are_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running, most, gate = 0, 0, threading.Lock()

    def slow(password: str) -> str:
        nonlocal running, most
        with gate:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with gate:
            running -= 1
        return "hash"

    monkeypatch.setattr(passwords, "hashed", slow)
    checks = Passwords()
    tasks = [asyncio.create_task(checks.hash(GOOD)) for _ in range(8)]
    await asyncio.sleep(0.02)
    for task in tasks[:4]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [one for one in done if one == "hash"] == ["hash"] * 4
    assert most == 2


async def test_a_crowd_is_turned_away_and_not_queued_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(passwords, "hashed", lambda password: str(go.wait(10)))
    checks = Passwords()
    room = passwords.AT_ONCE + passwords.WAITING
    tasks = [asyncio.create_task(checks.hash(GOOD)) for _ in range(room)]
    await asyncio.sleep(0)
    with pytest.raises(PasswordsBusy):
        await checks.hash(GOOD)
    go.set()
    assert await asyncio.gather(*tasks) == ["True"] * room
    assert await checks.hash(GOOD) == "True"
