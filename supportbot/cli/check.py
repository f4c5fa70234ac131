"""`supportbot check`: every file read, every finding with its place."""

from __future__ import annotations

import json
import os
from pathlib import Path

import typer

from supportbot import assembly
from supportbot.config import BotFiles, Finding, flow_findings, load, resolve_model_key
from supportbot.errors import ConfigError


def run(config: Path, *, strict: bool, as_json: bool) -> int:
    try:
        files = load(config, env=os.environ)
    except ConfigError as error:
        if as_json:
            typer.echo(json.dumps([{"level": "error", "problem": str(problem)} for problem in error.problems]))
            return 2
        raise
    lines = [(finding.level, str(finding.problem)) for finding in (*files.findings, *_deeper(files))]
    lines = list(dict.fromkeys(lines))
    bad = any(level == "error" or strict for level, _ in lines)
    if as_json:
        typer.echo(
            json.dumps([{"level": level, "problem": problem} for level, problem in lines], ensure_ascii=False)
        )
        return 1 if bad else 0
    for level, problem in lines:
        typer.echo(problem if level == "error" else f"{problem} (warning)")
    typer.echo(_summary(files, len(lines)))
    return 1 if bad else 0


def _deeper(files: BotFiles) -> tuple[Finding, ...]:
    """What shows only when the parts meet: tools in flows, channels, articles."""
    tools = assembly.toolbox(files, lambda *args, **facts: None)
    assembly.adapters(files)
    assembly.articles(files)
    return flow_findings(files, {spec.name: spec for spec in tools.specs(include_private=True)})


def _summary(files: BotFiles, findings: int) -> str:
    key = "with a model key" if resolve_model_key(files.config, files.env) else "no model key: it runs offline"
    flows, channels = len(files.flows.flows), len(files.config.channels)
    done = "no findings" if not findings else f"{findings} finding(s)"
    return f"{done}: {flows} flows, {channels} channel(s), {key}"
