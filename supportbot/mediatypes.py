"""What a file is, told by its first bytes; what a platform or a customer calls it is only a name."""

from __future__ import annotations

_SIGNATURES: tuple[tuple[bytes, int, bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, b"", "image/png"),
    (b"\xff\xd8\xff", 0, b"", "image/jpeg"),
    (b"GIF87a", 0, b"", "image/gif"),
    (b"GIF89a", 0, b"", "image/gif"),
    (b"RIFF", 8, b"WEBP", "image/webp"),
    (b"%PDF-", 0, b"", "application/pdf"),
    (b"OggS", 0, b"", "audio/ogg"),
    (b"PK\x03\x04", 0, b"", "application/zip"),
)
_ENDINGS = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "csv": "text/csv",
    "html": "text/html",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "mp4": "video/mp4",
    "zip": "application/zip",
}
UNKNOWN = "application/octet-stream"


def media_type(content: bytes, called: str = UNKNOWN) -> str:
    """The content's type; where its first bytes do not tell, `called`, unless that would make it an image."""
    for start, at, inner, kind in _SIGNATURES:
        if content.startswith(start) and content[at : at + len(inner)] == inner:
            # office documents are zip files, a voice note may be called more exactly than Ogg
            return called if kind == "application/zip" and "officedocument" in called else kind
    return UNKNOWN if called.startswith("image/") else called


def by_name(name: str) -> str:
    """What a file of the bot's own is, by the ending of its name."""
    return _ENDINGS.get(name.rpartition(".")[2].lower(), UNKNOWN)


def allowed(kind: str, types: tuple[str, ...]) -> bool:
    """Whether `types`, such as image/png or image/*, have the kind."""
    plain = kind.partition(";")[0].strip().lower()
    return any(plain == one or (one.endswith("/*") and plain.startswith(one[:-1])) for one in types)
