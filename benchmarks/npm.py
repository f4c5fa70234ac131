"""Packages of the npm registry that tests and benchmarks use, each installed once into a folder under the temporary
directory, or into the one that an environment variable names."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_SECONDS = 180


class Missing(Exception):
    """Node, npm or the package is missing; the text says which."""


def installed(package: str, version: str, variable: str) -> Path:
    """The folder of the installed package, installing it first if need be. Raises Missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("node and npm are not installed")
    name = package.rpartition("/")[2]
    default = Path(tempfile.gettempdir()) / f"supportbot-{name}-{version}-{os.getuid()}"
    home = Path(os.environ.get(variable, default))
    folder = home / "node_modules" / package
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:  # two test runs may need it at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "package.json").exists():
            _install(home, f"{package}@{version}")
    return folder


def _install(home: Path, what: str) -> None:
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", what]
    try:
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Missing(f"npm install took longer than {_SECONDS} s") from None
    if done.returncode != 0:
        raise Missing(f"npm install {what} failed: {done.stderr.strip()[-300:]}")
