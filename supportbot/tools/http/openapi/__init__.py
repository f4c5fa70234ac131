"""What an OpenAPI description says of one operation: its request, and one JSON Schema for all its arguments."""

from supportbot.tools.http.openapi.file import operations, read
from supportbot.tools.http.openapi.importing import LONGEST, Imported, imported

__all__ = ["LONGEST", "Imported", "imported", "operations", "read"]
