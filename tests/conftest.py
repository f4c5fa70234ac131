"""What every test shares. With CI=true a skip is an error: there, everything that a test needs is installed."""

from __future__ import annotations

import os

import pytest

pytest.register_assert_rewrite(
    "supportbot.testing.pairs",
    "supportbot.testing.store_contract",
    "supportbot.testing.store_contract_channels",
    "supportbot.testing.store_contract_effects",
    "supportbot.testing.store_contract_desks",
    "supportbot.testing.queue_contract",
    "supportbot.testing.model_contract",
    "supportbot.testing.adapter_contract",
    "supportbot.testing.adapter_contract_in",
    "supportbot.testing.adapter_stage",
    "supportbot.testing.desk_contract",
    "supportbot.testing.desk_contract_in",
    "supportbot.testing.desk_stage",
)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("CI") == "true" and exitstatus == 0:
        session.exitstatus = 1
        reporter.write_line(f"CI=true: {len(skipped)} skipped test(s) count as errors", red=True)
