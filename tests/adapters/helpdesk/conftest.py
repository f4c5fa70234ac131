"""Makes `helpdesk_house` importable beside the tests, and hands out its house."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("helpdesk_house")

from helpdesk_house import house  # noqa: E402, F401 - a fixture
