"""`purewasm inspect`: the contents of a file, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from purewasm_plugins.cli.output import ROWS
from tests.cli.conftest import no_room

Command = Callable[..., Result]
PathOf = Callable[[str], str]


def test_inspect_a_plugin(command: Command, path: PathOf) -> None:
    result = command("inspect", path("with_schema"))
    assert (result.exit_code, result.stderr) == (0, "")
    for line in (
        "with_schema 1.0.0",
        "Tools that describe their arguments",
        "  size       764 bytes",
        "  memory     1 page (64 KiB), no maximum",
        "  0  search  Searches for a text  schema",
        "  plugin_tool_execute      (i32, i32) -> (i32)",
        "  type       16",
        "  custom     47  name",
    ):
        assert line in result.stdout.splitlines()


def test_inspect_as_json(command: Command, path: PathOf) -> None:
    report = json.loads(command("inspect", path("hello"), "--json").stdout)
    assert report["plugin"]["name"] == "hello"
    assert report["plugin"]["tools"][0] == {
        "index": 0,
        "name": "greet",
        "description": report["plugin"]["tools"][0]["description"],
        "schema": None,
    }
    assert report["error"] is None
    assert report["size"] == len(Path(path("hello")).read_bytes())
    assert report["memories"] == [{"minimum_pages": 1, "maximum_pages": None, "imported": False}]
    (memory,) = [entry for entry in report["exports"] if entry["name"] == "memory"]
    assert memory == {
        "name": "memory",
        "kind": "memory",
        "index": 0,
        "type": "memory 1",
        "abi": True,
    }
    assert len(report["functions"]) == 7
    assert [s["name"] for s in report["sections"]][:2] == ["type", "function"]
    assert report["imports"] == []


@pytest.mark.parametrize(
    ("name", "reason", "line"),
    [
        ("no_exports", "Missing required export 'plugin_name'", "  memory  memory 1"),
        ("imports_host", "import 'log' from module 'env'", "  env  log  (i32) -> ()"),
        ("imports_memory", "import 'memory' from module 'env'", "  env  memory  memory 1"),
        ("start_traps", "unreachable", "  memory     1 page (64 KiB), no maximum"),
        (
            "four_gigabytes",
            "the limit is 1024",
            "  memory     65,536 pages (4,096 MiB), no maximum",
        ),
    ],
)
def test_inspect_what_is_no_plugin(
    command: Command, path: PathOf, name: str, reason: str, line: str
) -> None:
    result = command("inspect", path(name))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "no plugin: " in result.stdout
    assert reason in result.stdout
    assert line in result.stdout.splitlines()
    report = json.loads(command("inspect", path(name), "--json").stdout)
    assert report["plugin"] is None
    assert reason in report["error"]


def test_inspect_an_empty_module(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "empty.wasm"
    file.write_bytes(b"\0asm\1\0\0\0")
    result = command("inspect", str(file))
    assert result.exit_code == 0
    assert "  size       8 bytes" in result.stdout.splitlines()


def test_no_memory_for_the_plugin_leaves_the_module(
    command: Command, path: PathOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("purewasm_plugins.cli.inspect.WasmPlugin", no_room)
    result = command("inspect", path("echo"))
    assert result.exit_code == 0
    assert "no plugin: there is not enough memory" in result.stdout
    assert "plugin_tool_execute" in result.stdout


def test_a_table_ends(command: Command, tmp_path: Path, wat: Callable[[str], bytes]) -> None:
    exports = "".join(f'(export "e{number}" (func 0))' for number in range(ROWS + 5))
    file = tmp_path / "exports.wasm"
    file.write_bytes(wat(f"(module (func) {exports})"))
    shown = command("inspect", str(file)).stdout
    assert f"e{ROWS - 1} " in shown
    assert f"e{ROWS} " not in shown
    assert "… 5 more" in shown
    listed = json.loads(command("inspect", str(file), "--json").stdout)
    assert len(listed["exports"]) == ROWS + 5
