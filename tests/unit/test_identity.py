"""Identities that the company's site signs."""

from __future__ import annotations

import jwt
import pytest
from pydantic import SecretStr

from supportbot.config.settings import IdentitySettings
from supportbot.identity import Proofs
from supportbot.types import Identity

SECRET = "a secret of the shop with thirty-two bytes"
NOW = 1_800_000_000.0


def proven(**claims: object) -> tuple[Identity | None, list[object]]:
    """Who a token with these claims proves, and why it was refused."""
    refused: list[object] = []
    token = jwt.encode({"exp": 4_000_000_000, **claims}, SECRET, "HS256")
    proofs = Proofs(IdentitySettings(secrets=(SecretStr(SECRET),)))
    return proofs.identity(token, now=NOW, log=lambda event, **facts: refused.append(facts["reason"])), refused


@pytest.mark.parametrize(("name", "known"), [("Ada \ud83d", "Ada ?"), ("Ada \U0001f600", "Ada \U0001f600")])
def test_a_name_cut_in_the_middle_of_a_character_is_mended(name: str, known: str) -> None:
    found, _ = proven(sub="ada", name=name, city="Ulm \udc00", age=7)
    assert found is not None
    assert (found.customer, found.name, found.claims) == ("ada", known, {"city": "Ulm ?", "age": 7})


def test_an_id_with_half_a_character_proves_nobody() -> None:
    assert proven(sub="ada\ud83d") == (None, ["its sub has half a character"])
