"""Passwords: hashed with argon2id off the event loop, two at a time, and refused when they are easily guessed.

1. The parameters are those that argon2-cffi recommends (RFC 9106, 64 MiB); a hash with others is made anew at the next
   sign-in.
2. Asking after nobody takes as long as asking after somebody: then a hash of nothing is checked.
3. Nobody waits behind a crowd: beyond WAITING checks the next ones are refused (PasswordsBusy) and not begun.
"""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2

T = TypeVar("T")

SHORTEST, LONGEST = 12, 256
AT_ONCE, WAITING = 2, 40
_HASHER = argon2.PasswordHasher()
_COMMON = """
    123456789012 1234567890123 12345678901234 123456789123 123123123123 1q2w3e4r5t6y 1qaz2wsx3edc 1qazxsw23edc
    qwertyuiop12 qwertyuiop123 qwertyuiopasdf qwertyuiop[] qwerty123456 qwerty12345678 asdfghjkl123 zxcvbnm12345
    abcdefghijkl abcd12345678 abc123456789 password1234 password12345 password123456 passwordpassword passw0rd1234
    p@ssword1234 p@ssw0rd1234 p@ssw0rd123! password123! password1234! administrator administrator1 admin1234567
    adminadminadmin letmeinletmein letmein12345 welcome12345 welcome123456 welcome1234! changeme1234 changemechangeme
    iloveyou1234 iloveyouforever sunshine1234 princess1234 football1234 superman1234 dragon123456 monkey123456
    supportsupport support12345 customersupport supportbot12 supportbot123 correcthorsebatterystaple unbelievable
"""
_TRIED_FIRST = frozenset(_COMMON.split())


class PasswordsBusy(Exception):
    """More sign-ins wait than are taken."""


def problem(password: str, login: str) -> str:
    """One sentence that says why this password cannot be taken, "" if it can."""
    if len(password) < SHORTEST:
        return f"The password is too short: it needs at least {SHORTEST} characters."
    if len(password) > LONGEST:
        return f"The password is too long: it has at most {LONGEST} characters."
    folded = password.casefold()
    if login and folded.strip("0123456789!?.,-_#*@$ ") in (login.casefold(), login.casefold() * 2):
        return "The password is made of the login: choose one that nobody can derive."
    if folded in _TRIED_FIRST or _repeats(folded):
        return "The password is one of those that are tried first: choose another one."
    return ""


def _repeats(text: str) -> bool:
    """Whether it is a few characters over and over."""
    return any(text == (text[:length] * len(text))[: len(text)] for length in range(1, 5))


def hashed(password: str) -> str:
    """The argon2id hash, in about a twentieth of a second and 64 MiB; on the event loop use `Passwords.hash`."""
    return _HASHER.hash(_normal(password))


def generated() -> str:
    """A random password of 100 bits that can be read out."""
    letters = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 that cannot be mistaken for each other
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


class Passwords:
    """Hashes and checks off the event loop."""

    def __init__(self) -> None:
        # threads of their own, so that a request that is given up does not make room for a third one
        self._threads = ThreadPoolExecutor(AT_ONCE, "supportbot-passwords")
        self._asked = 0
        self._nobody = _hash_of_nothing()

    async def hash(self, password: str) -> str:
        """Raises PasswordsBusy."""
        return await self._run(lambda: hashed(password))

    async def check(self, password: str, hash: str) -> bool:
        """Whether the password has this hash; with "" it takes as long and is False. Raises PasswordsBusy."""
        known = hash or self._nobody
        return await self._run(lambda: _verified(password, known)) and bool(hash)

    @staticmethod
    def outdated(hash: str) -> bool:
        """Whether it was made with other parameters than today's."""
        return _HASHER.check_needs_rehash(hash)

    async def _run(self, function: Callable[[], T]) -> T:
        if self._asked >= AT_ONCE + WAITING:
            raise PasswordsBusy
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function)
        finally:
            self._asked -= 1


def _verified(password: str, hash: str) -> bool:
    if len(password) > LONGEST:
        password = ""  # takes its time all the same; no account has an empty one
    try:
        return _HASHER.verify(hash, _normal(password))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def _normal(password: str) -> bytes:
    """The same bytes from every keyboard; what is no text at all (a lone surrogate) is kept apart from other text."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "backslashreplace")


def _hash_of_nothing() -> str:
    """A hash that no password has, with today's parameters."""
    salt, tag = (
        b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (_HASHER.salt_len, _HASHER.hash_len)
    )
    cost = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${tag}"
