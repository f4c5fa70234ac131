"""The console's people, their sessions, what they did, and the replies they keep ready."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["agent", "lead", "admin"]

ROLES: tuple[Role, ...] = ("agent", "lead", "admin")
"""Each may do what those before it may."""


@dataclass(frozen=True, slots=True)
class Account:
    """One person of the console; the hash of the password stays in the store.

    `subject` is "issuer|sub" of single sign-on, "" for none. With `must_change` nothing is open to them but their
    password. `own_password`: they can sign in with one.
    """

    id: int
    login: str
    name: str
    role: Role
    created_at: float
    seen_at: float | None = None
    disabled: bool = False
    must_change: bool = False
    own_password: bool = True
    subject: str = ""

    def may(self, role: Role) -> bool:
        """Whether they have at least this role."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """`digest` is the SHA-256 (hex) of the token that only the browser has."""

    digest: str
    account: int
    csrf: str = field(repr=False)
    created_at: float
    seen_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who (a login, or "shell:NAME") did what to what, and from which address."""

    id: int
    at: float
    account: str
    action: str
    object: str
    detail: str
    address: str


@dataclass(frozen=True, slots=True)
class Canned:
    """A reply kept ready; `locale` is "" for every language. `id` 0 is one that was not saved yet."""

    id: int
    title: str
    text: str
    locale: str
    by: str
    changed_at: float


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What somebody at a shell asks of an account. `password` is an argon2 hash; `by` is told in the audit log.

    `role` None on creation: admin for the first account, agent for others.
    """

    kind: Literal["create", "password", "disable", "enable"]
    login: str
    by: str
    name: str = ""
    role: Role | None = None
    password: str = field(default="", repr=False)
    must_change: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in person making a request."""

    account: Account
    session: ConsoleSession

    @property
    def csrf(self) -> str:
        return self.session.csrf
