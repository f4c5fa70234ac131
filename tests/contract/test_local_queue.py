"""LocalQueue with SqliteStore keeps the queue's contract."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("supportbot.testing.queue_contract", "supportbot.testing.pairs")

from supportbot.testing.local_pair import local_pairs  # noqa: E402 - after the rewriting
from supportbot.testing.pairs import Pairs  # noqa: E402
from supportbot.testing.queue_contract import QueueContract  # noqa: E402


class TestLocalQueue(QueueContract):
    @pytest.fixture
    def pairs(self, tmp_path: Path) -> Pairs:
        return local_pairs(tmp_path / "bot" / "store.db")
