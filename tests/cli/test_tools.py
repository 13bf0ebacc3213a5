"""`purewasm tools`: a table, JSON, and the formats for agents."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from purewasm_plugins.tools.formats import FORMATS
from tests.tools import vendors

Command = Callable[..., Result]
PathOf = Callable[[str], str]


def test_tools_as_a_table(command: Command, path: PathOf) -> None:
    result = command("tools", path("with_schema"), path("no_tools"), path("unusual_names"))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "with_schema 1.0.0",
        "  0  search  Searches for a text",
        "  1  resize  Resizes a picture",
    ]
    assert lines[3:5] == ["no_tools 1.0.0", "  no tools"]
    assert "größe_測量" in result.stdout
    assert all(line == line.rstrip() for line in lines)


def test_tools_as_json(command: Command, path: PathOf) -> None:
    tools = json.loads(command("tools", path("with_schema"), "--format", "json").stdout)
    assert [tool["name"] for tool in tools] == ["search", "resize"]
    assert tools[1]["plugin"] == "with_schema"
    assert tools[1]["index"] == 1
    assert tools[1]["parameters"]["type"] == "object"


def test_tools_for_openai(command: Command, path: PathOf) -> None:
    result = command("tools", path("echo"), path("with_schema"), "--format", "openai")
    tools = json.loads(result.stdout)
    assert [tool["function"]["name"] for tool in tools] == ["echo", "search", "resize"]
    assert all(tool["type"] == "function" for tool in tools)
    assert tools[0]["function"]["parameters"]["required"] == ["input"]


@pytest.mark.parametrize("form", FORMATS)
def test_tools_for_each_api(command: Command, path: PathOf, form: str) -> None:
    result = command("tools", path("unusual_names"), path("with_schema"), "--format", form)
    assert result.exit_code == 0
    tools = json.loads(result.stdout)
    vendors.check(form, tools)
    assert "search" in json.dumps(tools)
    assert command("tools", path("echo"), "--json", "--format", form).exit_code == 2


def test_more_tools_than_an_api_has(
    command: Command, path: PathOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FORMATS["openai"], "most", 1)
    result = command("tools", path("with_schema"), "--format", "openai")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "1 tools at most, not 2" in result.stderr


@pytest.mark.parametrize("form", ["table", "json"])
def test_one_bad_plugin_does_not_lose_the_others(command: Command, path: PathOf, form: str) -> None:
    result = command("tools", path("no_exports"), path("hello"), "nope.wasm", "--format", form)
    assert result.exit_code == 3
    assert "greet" in result.stdout
    assert len(result.stderr.splitlines()) == 2


def test_tools_that_cannot_be_together(command: Command, path: PathOf) -> None:
    """A plugin whose tools are refused does not affect the tools of the others."""
    files = [path(name) for name in ("echo", "duplicate_tools", "limited_memory", "hello")]
    result = command("tools", *files, "--format", "openai")
    assert result.exit_code == 3
    tools = json.loads(result.stdout)
    assert [tool["function"]["name"] for tool in tools] == ["echo", "greet"]
    for line, plugin in zip(result.stderr.splitlines(), files[1:3], strict=True):
        assert plugin in line
        assert "'echo' of plugin" in line
        assert "is already registered, by plugin 'echo'" in line
