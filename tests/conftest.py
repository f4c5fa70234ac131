"""What every test shares. With CI=true a skip is an error: there, everything that a test needs is installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

WORKERS = 3
"""More than two cores' worth: much of a test's time is waiting for processes."""
FEW = 4
"""So many files are quicker in one process than with workers, which have to start first."""
LONG = ("packaging", "browser", "acceptance", "docs", "unit/tools")
"""Begun first, so that no worker is left alone with a long file at the end."""

pytest.register_assert_rewrite(
    "supportbot.testing.pairs",
    "supportbot.testing.store_contract",
    "supportbot.testing.store_contract_channels",
    "supportbot.testing.store_contract_effects",
    "supportbot.testing.store_contract_desks",
    "supportbot.testing.store_contract_shelf",
    "supportbot.testing.queue_contract",
    "supportbot.testing.model_contract",
    "supportbot.testing.adapter_contract",
    "supportbot.testing.adapter_contract_in",
    "supportbot.testing.adapter_stage",
    "supportbot.testing.desk_contract",
    "supportbot.testing.desk_contract_in",
    "supportbot.testing.desk_stage",
)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """No worker for a few files, also when they are named with a test in them."""
    files = {arg.partition("::")[0] for arg in config.args}
    return 0 if len(files) <= FEW and all(Path(file).is_file() for file in files) else WORKERS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        return next((at for at, name in enumerate(LONG) if item.path.is_relative_to(here / name)), len(LONG))

    items.sort(key=rank)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("CI") == "true" and exitstatus == 0:
        session.exitstatus = 1
        reporter.ensure_newline()
        reporter.write_line(f"CI=true: {len(skipped)} skipped test(s) count as errors", red=True)
