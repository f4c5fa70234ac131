"""Jinja with every operation counted; `supportbot.sandbox` is its front."""
