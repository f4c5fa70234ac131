"""Telegram on loopback, for tests: `server` is the stand-in, `updates` builds what it tells a bot."""
