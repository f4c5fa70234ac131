"""Tools that are HTTP requests: from the operator's file (`drafts`) to a request (`request`), its tries (`send`) and what
its answer means (`answer`)."""

from supportbot.tools.http.service import HttpService

__all__ = ["HttpService"]
