"""Slack on loopback, for tests: `server` is the stand-in, `events` builds what it tells an app."""
