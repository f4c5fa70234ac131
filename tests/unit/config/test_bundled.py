"""The example bot that comes with the package."""

from __future__ import annotations

import pytest

from supportbot.config.bundled import KINDS, bundled
from supportbot.errors import UsageError


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_found(kind: str) -> None:
    found = bundled(kind)
    assert found.name == kind
    assert found.is_file() if "." in kind else any(found.iterdir())


@pytest.mark.parametrize("kind", ["secrets", "..", ""])
def test_another_kind_is_refused(kind: str) -> None:
    with pytest.raises(UsageError, match="there is no bundled"):
        bundled(kind)
