"""The bounds of the strings that describe a plugin: of each, and of all together."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from purewasm_plugins import ToolExecutionError, ToolRegistry, WasmPlugin
from purewasm_plugins.plugin import abi
from purewasm_plugins.plugin.conformance import Status, check
from tests.conftest import need

Load = Callable[..., WasmPlugin]
Wat = Callable[[str], bytes]
Text = Callable[..., str]

MEBIBYTE = 1024 * 1024

#: Sixteen mebibytes of the letter a behind the first page, and a zero.
LONG = {
    "memory": '(memory (export "memory") 258)',
    "extra": f"""(start $fill)
      (func $fill (memory.fill (i32.const 65536) (i32.const 97) (i32.const {16 * MEBIBYTE})))""",
}


def getter(export: str, address: int) -> str:
    parameter = "(param i32)" if "tool_" in export else ""
    return f'(func (export "{export}") {parameter} (result i32) i32.const {address})'


def tools(count: int) -> str:
    return f'(func (export "plugin_tools_count") (result i32) i32.const {count})'


def of_size(export: str, size: int) -> str:
    if not export.endswith("_schema"):
        return "a" * size
    return json.dumps({"description": "a" * (size - len('{"description": ""}'))})


@pytest.mark.parametrize(("export", "most"), abi.MAX_STRING.items())
@pytest.mark.parametrize("more", [0, 1])
def test_each_string(
    load: Load, wat: Wat, plugin_text: Text, export: str, most: int, more: int
) -> None:
    """It may have as many bytes as the table says, and not one more."""
    string = of_size(export, most + more)
    assert len(string) == most + more
    escaped = string.replace('"', "\\22")
    parts = {
        "memory": '(memory (export "memory") 17)',
        export: getter(export, 1000),
        "extra": f'(data (i32.const 1000) "{escaped}\\00")',
    }
    data = wat(plugin_text(**parts))
    if not more:
        load(data)
        return
    with pytest.raises(ToolExecutionError, match=f"within {most} bytes") as raised:
        load(data)
    assert raised.value.tool == export


def test_all_strings_together(load: Load, wat: Wat, plugin_text: Text) -> None:
    size = 65000
    for count in (16, 17):
        parts = {
            "memory": '(memory (export "memory") 2)',
            "plugin_tools_count": tools(count),
            "plugin_tool_description": getter("plugin_tool_description", 1000),
            "extra": f'(data (i32.const 1000) "{"a" * size}\\00")',
        }
        data = wat(plugin_text(**parts))
        if size * count < abi.MAX_STRINGS:
            assert len(load(data).tools) == count
            continue
        with pytest.raises(ToolExecutionError, match=f"more than {abi.MAX_STRINGS} bytes"):
            load(data)


#: Few bytes of a module, and gigabytes of strings where they are not limited.
GREEDY = {
    "names": {
        "plugin_tools_count": tools(64),
        "plugin_tool_name": getter("plugin_tool_name", 65536),
    },
    "schemas": {"plugin_tools_count": tools(12), "schema": getter("plugin_tool_schema", 65536)},
}


@pytest.mark.parametrize("parts", GREEDY.values(), ids=GREEDY)
def test_greedy_strings_cost_no_memory(
    load: Load, wat: Wat, plugin_text: Text, parts: dict[str, str]
) -> None:
    data = wat(plugin_text(**LONG | parts))
    assert len(data) < 1000
    tracemalloc.start()
    try:
        with pytest.raises(ToolExecutionError, match="the limit of its length"):
            load(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (17 + 64) * MEBIBYTE, "the plugin's memory, and little beside it"


def test_schemas_cost_little_memory(load: Load, wat: Wat, plugin_text: Text) -> None:
    """As large as they may be together, and of what takes the most memory; registered, too."""
    text = '{"const":[' + "{}," * 330_000 + "0]}"
    escaped = text.replace('"', "\\22")
    parts = {
        "memory": '(memory (export "memory") 17)',
        "schema": getter("plugin_tool_schema", 1000),
        "extra": f'(data (i32.const 1000) "{escaped}\\00")',
    }
    data = wat(plugin_text(**parts))
    tracemalloc.start()
    try:
        plugin = load(data)
        plugin.register_into_registry(ToolRegistry())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (17 * 65536) + 64 * MEBIBYTE


def test_the_command_says_it_in_a_sentence(wat: Wat, plugin_text: Text, tmp_path: Path) -> None:
    need("click", "rich")
    from click.testing import CliRunner

    from purewasm_plugins.cli.application import purewasm

    path = tmp_path / "long.wasm"
    path.write_bytes(wat(plugin_text(**LONG | GREEDY["names"])))
    listed = CliRunner().invoke(purewasm, ["tools", str(path)])
    assert (listed.exit_code, len(listed.stderr.splitlines())) == (3, 1)
    sentence = "'plugin_tool_name': the string at 0x10000 has no terminating zero byte within 1024"
    assert sentence in listed.stderr
    shown = CliRunner().invoke(purewasm, ["inspect", str(path)])
    assert shown.exit_code == 0
    assert "no plugin: Tool execution failed for 'plugin_tool_name'" in shown.stdout


def test_check_finds_it(wat: Wat, plugin_text: Text) -> None:
    parts = LONG | {"plugin_description": getter("plugin_description", 65536)}
    (found,) = [c for c in check(wat(plugin_text(**parts))) if c.name == "description"]
    assert found.status is Status.FAIL
    assert "within 65536 bytes" in found.details
