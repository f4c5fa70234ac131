"""`supportbot init`: a new bot from the example."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from supportbot.config import bundled, schemas
from supportbot.errors import UsageError

_FOLDERS = ("flows", "prompts", "knowledge", "tools")
_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


def run(folder: Path) -> int:
    copy(folder)
    print(
        f"A new bot is in {folder}. Try it:\n  cd {folder}\n  supportbot chat\nThen edit config.yaml, and: supportbot check"
    )
    return 0


def copy(folder: Path) -> None:
    """Copies the example bot. UsageError if the folder has files, or cannot be written."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder: name a new one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FOLDERS:
            shutil.copytree(bundled(name), folder / name, ignore=_IGNORED)
        shutil.copyfile(bundled("config.example.yaml"), folder / "config.yaml")
        for name in ("shop_tools.py", "shop.sql"):
            shutil.copyfile(bundled(name), folder / name)
        (folder / ".supportbot").mkdir()
        for name, schema in schemas().items():
            (folder / ".supportbot" / f"{name}.schema.json").write_text(json.dumps(schema, indent=1), "utf-8")
        (folder / ".gitignore").write_text("data/\n.env\n", "utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from error
