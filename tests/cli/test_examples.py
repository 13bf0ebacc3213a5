"""`purewasm examples`: the plugins that come with the package."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from purewasm_plugins import examples

Command = Callable[..., Result]


def test_a_line_for_each(command: Command) -> None:
    result = command("examples")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*examples()]
    assert "json_pretty, json_compact" in lines[1]
    assert max(map(len, lines)) <= 120


def test_as_json(command: Command) -> None:
    listed = json.loads(command("examples", "--json").stdout)
    assert [entry["name"] for entry in listed] == [*examples()]
    assert set(listed[0]) == {"name", "summary", "tools", "file"}
    assert all(Path(entry["file"]).is_file() for entry in listed)
    assert listed[0]["tools"] == ["echo"]


def test_without_the_files(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("purewasm_plugins.cli.examples.has_example", lambda name: False)
    result = command("examples")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "purewasm: this copy of purewasm is without its example plugins\n"
