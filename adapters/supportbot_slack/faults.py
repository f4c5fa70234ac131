"""What Slack's refusals mean for the house: try again, give the message up, or the chat is gone."""

from __future__ import annotations

from supportbot.errors import ChannelBusy, ChannelError, ChannelGone, ChannelRefused

BAD_TOKEN = frozenset(
    ["invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type"]
)
_SETUP = {
    "missing_scope": "the app lacks a scope: compare its scopes with docs/slack.md and install it again",
    "no_permission": "the app is not permitted to do this in the workspace",
    "access_denied": "the workspace denies access to the app",
    "ekm_access_denied": "the workspace's administrators have suspended messages",
    "org_login_required": "the workspace is being moved to an organisation",
    "team_access_not_granted": "the app is not granted access to the workspace",
    "messages_tab_disabled": "switch on App Home → Messages Tab, and let users send messages there",
    "two_factor_setup_required": "the workspace asks for two-factor authentication to be set up",
    "invalid_json": "something between here and Slack changes the requests",
}
_BUSY = frozenset(
    [
        "ratelimited",
        "rate_limited",
        "message_limit_exceeded",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
        "external_channel_migrating",
        "messaging_processing_failed",
        "update_failed",
        "connection",
        "timeout",
    ]
)
_GONE = frozenset(
    [
        "channel_not_found",
        "is_archived",
        "not_in_channel",
        "user_not_found",
        "user_disabled",
        "user_not_visible",
        "cannot_dm_bot",
        "is_inactive",
        "thread_not_found",
    ]
)
RETRY_AFTER = 1.0


class Refusal(Exception):
    """Slack did not do it. `code` is Slack's word for why, or "connection", "timeout", "http" with `status`."""

    def __init__(self, method: str, code: str, *, status: int = 200, retry_after: float | None = None) -> None:
        super().__init__(f"{method}: {code}")
        self.method = method
        self.code = code
        self.status = status
        self.retry_after = retry_after

    @property
    def temporary(self) -> bool:
        """Whether it is Slack's state alone that stands in the way, and passes by itself."""
        return self.code in _BUSY or self.code == "http" or self.status == 429 or self.status >= 500

    @property
    def busy(self) -> bool:
        """Whether trying again may help."""
        return isinstance(self.error(), ChannelBusy)

    def error(self) -> ChannelError:
        """The same for the outbox, in one sentence without a secret."""
        if self.code in BAD_TOKEN:
            return ChannelBusy(
                f"Slack does not accept the bot token ({self.code}): install the app again, write the new "
                "SLACK_BOT_TOKEN, and restart."
            )
        if self.code in _SETUP:
            return ChannelBusy(f"Slack refused {self.method} ({self.code}): {_SETUP[self.code]}.")
        if self.code in ("connection", "timeout"):
            why = "could not be reached" if self.code == "connection" else "did not answer in time"
            return ChannelBusy(f"Slack {why} ({self.method}).")
        if self.code == "http":
            return ChannelBusy(
                f"Slack answered {self.method} with HTTP {self.status} and no JSON; if this lasts, check api_url.",
                retry_after=self.retry_after,
            )
        if self.temporary:
            return ChannelBusy(
                f"Slack asks to wait with {self.method} ({self.code}).", retry_after=self.retry_after
            )
        if self.code in _GONE:
            return ChannelGone(f"Slack has no such place for us any more ({self.code}).")
        return ChannelRefused(f"Slack refused {self.method} ({self.code}).")
