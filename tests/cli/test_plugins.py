"""`purewasm plugins`, and the names of plugins that are found."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Command = Callable[..., Result]
Failure = Callable[..., tuple[int, str]]
FixtureData = Callable[[str], bytes]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, fixture_data: FixtureData, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, with the plugin `my-hello`."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("os.name", "posix")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PUREWASM_PLUGINS", "")
    folder = tmp_path / "config" / "purewasm" / "plugins"
    folder.mkdir(parents=True)
    (folder / "my-hello.wasm").write_bytes(fixture_data("hello"))
    return folder


def test_the_list(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(folder / "my-hello.wasm")
    assert command("plugins", "list").stdout == f"  my-hello  {file}\n"
    entry = {"name": "my-hello", "origin": f"the file '{file}'", "file": file}
    assert json.loads(command("plugins", "list", "--json").stdout) == [entry]
    monkeypatch.setenv("PUREWASM_PLUGINS", "gone")
    result = command("plugins", "list")
    assert result.exit_code == 3
    assert "no package has an entry point of that name" in result.stderr
    assert "my-hello" in result.stdout


def test_a_name_stands_for_a_file(command: Command) -> None:
    result = command("run", "my-hello", "greet", "you")
    assert result.exit_code == 0, result.stderr


def test_a_folder_of_the_command_line(
    command: Command, failure: Failure, tmp_path: Path, fixture_data: FixtureData
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "theirs.wasm").write_bytes(fixture_data("echo"))
    given = "--plugins-dir", str(other)
    assert command(*given, "run", "theirs", "echo", "x").stdout.strip() == "x"
    status, message = failure(*given, "run", "my-hello", "greet", "x")
    assert (status, "no example plugin 'my-hello'" in message) == (3, True)
    status, message = failure(*given, "run", "thiers", "echo", "x")
    assert "did you mean 'theirs'?" in message
    status, message = failure("--plugins-dir", str(tmp_path / "gone"), "plugins", "list")
    assert (status, "Failed to read plugin directory" in message) == (2, True)
