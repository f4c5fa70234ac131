"""The wheel that users get: complete, importable alone, and passing the same tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def python(site: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1", "SUPPORTBOT_WHEEL": str(site)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=900
    )


def test_the_wheel_carries_the_example_bot_the_adapters_and_the_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "supportbot/py.typed",
        "supportbot/_bundled/config.example.yaml",
        "supportbot/_bundled/shop_tools.py",
        "supportbot/_bundled/prompts/persona.yaml",
        "supportbot_webhook/__init__.py",
    ):
        assert name in names
    assert not [name for name in names if name.startswith(("tests/", "adapters/", "benchmarks/"))]


def test_the_installed_wheel_answers_a_customer(site: Path, tmp_path: Path) -> None:
    made = python(site, "-m", "supportbot", "init", str(tmp_path / "bot"), cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    asked = python(
        site, "-m", "supportbot", "ask", "how long does delivery take?", "--offline", cwd=tmp_path / "bot"
    )
    assert asked.returncode == 0, asked.stderr
    assert "knowledge/" in asked.stdout


def test_the_tests_pass_against_the_wheel(site: Path, tmp_path: Path) -> None:
    if "SUPPORTBOT_WHEEL" in os.environ:
        return
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "docs", tmp_path / "docs")  # what the webhook's page shows is sent
    options = ["-o", "asyncio_mode=auto", "--import-mode=importlib", "-q", "-x", "-p", "no:cacheprovider"]
    done = python(site, "-m", "pytest", *options, "tests/contract", "tests/adapters", cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    where = python(site, "-c", "import supportbot; print(supportbot.__file__)", cwd=tmp_path)
    assert where.stdout.startswith(str(site))
