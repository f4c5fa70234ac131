"""What a login, a name and a role may be, each with one sentence for what it may not."""

from __future__ import annotations

import re
import unicodedata
from typing import TypeGuard

from supportbot.types.console import ROLES, Role

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}\Z")
LONGEST_NAME = 80


def login_of(text: str) -> str:
    """The login that somebody means: case and the space around it make no difference."""
    return unicodedata.normalize("NFKC", text[:200]).strip().casefold()


def login_problem(login: str) -> str:
    """Why this cannot be a login, "" if it can."""
    if _LOGIN.match(login):
        return ""
    return "A login has up to 64 small letters, digits and . _ @ + -, and begins with a letter or digit."


def name_problem(name: str) -> str:
    """Why this cannot be a name, "" if it can."""
    if len(name) > LONGEST_NAME:
        return f"The name is too long: it has at most {LONGEST_NAME} characters."
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        return "The name has characters in it that cannot be shown."
    return ""


def is_role(text: str) -> TypeGuard[Role]:
    return text in ROLES
