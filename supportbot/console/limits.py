"""Guessing passwords, made slow: whoever fails waits, longer each time; nobody can make another one wait for ever.

1. A wait belongs to whom it was told: the browser that has signed in as this login before (it has a token that says so),
   or one address trying one login. Others cannot prolong it, and what is tried during a wait counts for nothing.
2. Whoever comes from an address that has not failed at this login is let try once at once, however many others fail
   at it; after that, many failures of others make their waits longer, up to a minute.
3. An address that fails at many logins waits for all of them, a minute at most; browsers that are known do not.
4. A try counts as a failure from its beginning, so that many at once are no way around. What is remembered is bounded:
   the entry that was used longest ago is forgotten, and everything FORGET after its last failure.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

FREE, FREE_ADDRESS, FREE_LOGIN = 4, 30, 20
LONGEST, LONGEST_SHARED = 900.0, 60.0
FORGET = 3600.0
MOST = 10_000


@dataclass(slots=True)
class _Count:
    failures: int = 0
    last: float = 0.0
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Try:
    """One try that was let through."""

    key: str
    login: str
    address: str


@dataclass(slots=True)
class _Book:
    """Counts by key, of which the longest unused makes room."""

    clock: Callable[[], float]
    counts: OrderedDict[str, _Count] = field(default_factory=OrderedDict)

    def of(self, key: str) -> _Count:
        now = self.clock()
        count = self.counts.pop(key, None)
        if count is None or now - count.last > FORGET:
            count = _Count(last=now)
        self.counts[key] = count
        while len(self.counts) > MOST:
            self.counts.popitem(last=False)
        return count

    def failed(self, key: str) -> _Count:
        count = self.of(key)
        count.failures += 1
        count.last = self.clock()
        return count

    def take_back(self, key: str, free: int) -> None:
        """One failure less. A wait that others have earned stays."""
        count = self.of(key)
        count.failures = max(0, count.failures - 1)
        if count.failures < free:
            count.until = 0.0

    def forget(self, key: str) -> None:
        self.counts.pop(key, None)


class Limits:
    """Who may try to sign in now. `clock` in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._own = _Book(clock)
        self._logins = _Book(clock)
        self._addresses = _Book(clock)

    def enter(self, login: str, address: str, *, device: str = "") -> Try | float:
        """The try, counted as failed until `succeeded` or `withdrawn`; or the seconds to wait.

        `device` is the id of a browser that is known for this login.
        """
        now, address = self._clock(), _network(address)
        key = f"device {device}" if device else f"{address} {login}"
        until = self._own.of(key).until
        if not device:
            until = max(until, self._addresses.of(address).until)
        if until > now:
            return until - now
        tried = Try(key, login, address)
        self._count(tried, known=bool(device))
        return tried

    def _count(self, tried: Try, *, known: bool) -> None:
        now = self._clock()
        own = self._own.failed(tried.key)
        wait = _wait(own.failures, FREE, LONGEST)
        if not known:
            everybody = self._logins.failed(tried.login)
            wait = max(wait, _wait(everybody.failures, FREE_LOGIN, LONGEST_SHARED))
            shared = self._addresses.failed(tried.address)
            shared.until = now + _wait(shared.failures, FREE_ADDRESS, LONGEST_SHARED)
        own.until = now + wait

    def succeeded(self, tried: Try) -> None:
        """It was the right password: this one's count begins anew."""
        self._own.forget(tried.key)
        self._shared_less(tried)

    def withdrawn(self, tried: Try) -> None:
        """The password was not looked at."""
        self._own.take_back(tried.key, FREE)
        self._shared_less(tried)

    def _shared_less(self, tried: Try) -> None:
        if not tried.key.startswith("device "):
            self._logins.take_back(tried.login, FREE_LOGIN)
            self._addresses.take_back(tried.address, FREE_ADDRESS)


def _wait(failures: int, free: int, longest: float) -> float:
    """0 for the first few, then 2 s, 4 s, 8 s …"""
    over = failures - free
    return 0.0 if over < 0 else min(2.0 ** (min(over, 30) + 1), longest)


def _network(address: str) -> str:
    """The address; of IPv6 the /64, which is one customer's."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> 64 << 64))


def sentence(seconds: float) -> str:
    """What somebody who has to wait is told."""
    count, unit = (math.ceil(seconds / 60), "minute") if seconds > 90 else (math.ceil(seconds), "second")
    return f"Too many tries: wait {count} {unit}{'s' if count != 1 else ''}, then try again."
