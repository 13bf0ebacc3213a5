"""`purewasm tools`, `inspect`, `disassemble` and `translate`: what they print, and as what."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from click.testing import Result

from purewasm_plugins import __version__
from purewasm_plugins.cli.output import ROWS

Command = Callable[..., Result]
Fail = Callable[..., tuple[int, str]]
PathOf = Callable[[str], str]


def test_help_says_what_exit_statuses_mean(command: Command) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        result = command(*arguments)
        assert result.exit_code == 0
        for text in ("Usage: purewasm", "Exit status:", "  4  the tool failed", "_COMPLETE="):
            assert text in result.stdout


def test_every_command_has_an_example(command: Command) -> None:
    listed = re.findall(r"^  ([a-z]+)  ", command("--help").stdout.partition("Commands:")[2], re.M)
    assert {"run", "tools", "inspect", "check", "disassemble", "translate"} <= set(listed)
    for name in listed:
        result = command(name, "--help")
        assert result.exit_code == 0
        assert f"purewasm {name} " in result.stdout.partition("Example")[2]


def test_version(command: Command) -> None:
    assert command("--version").stdout == f"purewasm {__version__}\n"


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


@pytest.mark.parametrize("form", ["table", "json"])
def test_one_bad_plugin_does_not_lose_the_others(command: Command, path: PathOf, form: str) -> None:
    result = command("tools", path("no_exports"), path("hello"), "nope.wasm", "--format", form)
    assert result.exit_code == 3
    assert "greet" in result.stdout
    assert len(result.stderr.splitlines()) == 2


def test_tools_that_cannot_be_together(command: Command, path: PathOf) -> None:
    """A plugin whose tools are refused does not lose those of the others."""
    files = [path(name) for name in ("echo", "duplicate_tools", "limited_memory", "hello")]
    result = command("tools", *files, "--format", "openai")
    assert result.exit_code == 3
    tools = json.loads(result.stdout)
    assert [tool["function"]["name"] for tool in tools] == ["echo", "greet"]
    assert [line.count("'echo' is already registered") for line in result.stderr.splitlines()] == [
        1,
        1,
    ]


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


def test_disassemble(command: Command, path: PathOf, wat: Callable[[str], bytes]) -> None:
    result = command("disassemble", path("trap_unreachable"))
    assert result.exit_code == 0
    assert result.stdout.startswith("(module")
    assert wat(result.stdout)


@pytest.mark.parametrize("name", ["innermost", "$innermost", "0"])
def test_one_function(command: Command, path: PathOf, name: str) -> None:
    result = command("disassemble", path("trap_unreachable"), "--function", name)
    assert result.exit_code == 0
    assert result.stdout.startswith("(func $innermost")
    assert "unreachable" in result.stdout
    result = command("translate", path("trap_unreachable"), "--function", name)
    assert result.exit_code == 0
    assert result.stdout.startswith("def f0")
    assert result.stdout.count("def ") == 1


def test_an_exported_name(command: Command, path: PathOf) -> None:
    result = command("disassemble", path("echo"), "--function", "plugin_tool_execute", "--offsets")
    assert "local.get" in result.stdout
    assert re.search(r"^\(;@[0-9a-f]+;\)", result.stdout, re.M)


def test_translate_a_module(command: Command, path: PathOf) -> None:
    result = command("translate", path("hello"))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.count("def f") == 7
    compile(result.stdout, "translated", "exec")
    assert re.search(
        r"# 0x[0-9a-f]+$", command("translate", path("hello"), "--offsets").stdout, re.M
    )


@pytest.mark.parametrize("name", ["disassemble", "translate"])
@pytest.mark.parametrize(
    ("plugin", "function", "message"),
    [
        ("echo", "nope", "there is no function nope"),
        ("echo", "99", "there is no function 99; there are 7"),
        ("echo", "-1", "there is no function -1"),
        ("echo", "", "there is no function "),
        ("imports_host", "0", "function 0 is imported"),
    ],
)
def test_functions_that_are_not_there(
    failure: Fail, path: PathOf, name: str, plugin: str, function: str, message: str
) -> None:
    status, line = failure(name, path(plugin), "--function", function)
    assert status == 2
    assert message in line


def test_a_module_that_is_not_valid_is_refused(failure: Fail, path: PathOf) -> None:
    for name in ("disassemble", "translate"):
        status, line = failure(name, path("invalid"))
        assert status == 3
        assert "type mismatch" in line


def _no_room(*_: object, **__: object) -> NoReturn:
    raise MemoryError


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (("tools",), "purewasm_plugins.cli.loading.WasmPlugin.load_from_bytes"),
        (("tools", "--format", "json"), "purewasm_plugins.cli.tools.print_json"),
        (("tools",), "purewasm_plugins.cli.tools.show_table"),
        (("inspect",), "purewasm_plugins.cli.loading.compile_module"),
        (("inspect",), "purewasm_plugins.cli.inspect.show_table"),
        (("inspect", "--json"), "purewasm_plugins.cli.inspect.print_json"),
        (("check",), "purewasm_plugins.cli.check.conformance"),
        (("disassemble",), "purewasm_plugins.cli.listing.print_code"),
    ],
)
def test_no_memory_is_a_sentence(
    command: Command,
    path: PathOf,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    where: str,
) -> None:
    monkeypatch.setattr(where, _no_room)
    name, *options = arguments
    result = command(name, path("echo"), *options)
    assert result.exit_code == 3
    assert result.stderr.startswith("purewasm: ")
    assert "there is not enough memory" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_no_memory_for_the_plugin_leaves_the_module(
    command: Command, path: PathOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("purewasm_plugins.cli.inspect.WasmPlugin", _no_room)
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
