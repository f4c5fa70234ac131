"""The page about Slack names every scope that the app asks for."""

from __future__ import annotations

from pages import ROOT

from supportbot_slack import app_manifest


def test_the_page_has_every_scope() -> None:
    page = (ROOT / "docs" / "slack.md").read_text("utf-8")
    assert [scope for scope in app_manifest.SCOPES if f"`{scope}`" not in page] == []
