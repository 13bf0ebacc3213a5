"""Loading: the data of a plugin, and which of several faults is reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from purewasm_plugins import (
    AbiVersionError,
    CompileError,
    DecodeError,
    InstantiateError,
    LinkError,
    MissingExportError,
    OutOfFuel,
    PluginError,
    PluginTool,
    ResourceLimitError,
    ResourceLimits,
    ToolExecutionError,
    Trap,
    TrapReason,
    ValidationError,
    VersionMismatchError,
    WasmPlugin,
    WrongExportTypeError,
)

Load = Callable[..., WasmPlugin]
Wat = Callable[[str], bytes]
Text = Callable[..., str]


class Fault(NamedTuple):
    """A fault of a plugin: its parts, and the error that it is reported as."""

    label: str
    parts: dict[str, str]
    error: type[PluginError]
    #: An attribute of the error, and its value.
    field: str = ""
    value: str = ""
    #: The type of `__cause__`.
    cause: type[Exception] | None = None


def _export(name: str, type: str, body: str) -> dict[str, str]:
    return {name: f'(func (export "{name}") {type} {body})'}


_GET = "(result i32)"
_OF_TOOL = "(param i32) (result i32)"


def _string_faults(name: str, type: str) -> list[Fault]:
    """The faults of an export that answers a string, in the order in which they are looked for."""
    missing = Fault(f"{name} missing", {name: ""}, MissingExportError, "export", name)
    wrong = [
        Fault(
            f"{name} has a wrong type",
            _export(name, "(param i64) (result i32)", "i32.const 16"),
            WrongExportTypeError,
            "export",
            name,
        ),
        Fault(
            f"{name} is a global",
            {name: f'(global (export "{name}") i32 (i32.const 16))'},
            WrongExportTypeError,
            "export",
            name,
        ),
    ]
    traps = Fault(
        f"{name} traps", _export(name, type, "unreachable"), ToolExecutionError, "tool", name, Trap
    )
    memory = [
        Fault("memory missing", {"memory": "(memory 1)"}, MissingExportError, "export", "memory"),
        Fault(
            "memory is a global",
            {"memory": '(memory 1) (global (export "memory") i32 (i32.const 1))'},
            WrongExportTypeError,
            "export",
            "memory",
        ),
    ]
    reads = [
        Fault(
            f"{name} points past the end",
            _export(name, type, "i32.const -1"),
            ToolExecutionError,
            "tool",
            name,
        ),
        Fault(
            f"{name} has no end",
            _export(
                name,
                type,
                """(memory.fill (i32.const 1024) (i32.const 65) (i32.const 64512))
                   i32.const 1024""",
            ),
            ToolExecutionError,
            "tool",
            name,
        ),
    ]
    return [missing, *wrong, traps, *(memory if name == "plugin_name" else []), *reads]


_COUNT = "plugin_tools_count"

#: Every fault, in the order in which they are to be found.
FAULTS = [
    Fault("invalid", {"extra": "(func (result i32))"}, CompileError, cause=ValidationError),
    Fault("import", {"imports": '(import "a" "b" (func))'}, InstantiateError, cause=LinkError),
    Fault(
        "too much memory",
        {"memory": '(memory (export "memory") 65536)'},
        InstantiateError,
        cause=ResourceLimitError,
    ),
    Fault(
        "too large a table",
        {"table": "(table 1000001 funcref)"},
        InstantiateError,
        cause=ResourceLimitError,
    ),
    Fault("segment", {"segment": '(data (i32.const -1) "x")'}, InstantiateError, cause=Trap),
    Fault(
        "start traps",
        {"start": "(func $s unreachable) (start $s)"},
        InstantiateError,
        cause=Trap,
    ),
    Fault(
        "_initialize has a wrong type",
        _export("_initialize", "(param i32)", ""),
        WrongExportTypeError,
        "export",
        "_initialize",
    ),
    Fault(
        "_initialize traps",
        _export("_initialize", "", "unreachable"),
        InstantiateError,
        cause=Trap,
    ),
    Fault(
        "plugin_abi_version has a wrong type",
        _export("plugin_abi_version", "(result i64)", "i64.const 1"),
        WrongExportTypeError,
        "export",
        "plugin_abi_version",
    ),
    Fault(
        "plugin_abi_version traps",
        _export("plugin_abi_version", _GET, "unreachable"),
        ToolExecutionError,
        "tool",
        "plugin_abi_version",
        Trap,
    ),
    Fault(
        "another ABI",
        _export("plugin_abi_version", _GET, "i32.const 2"),
        AbiVersionError,
        "version",
        "2",
    ),
    *_string_faults("plugin_name", _GET),
    *_string_faults("plugin_version", _GET),
    *_string_faults("plugin_description", _GET),
    Fault(
        "empty version",
        _export("plugin_version", _GET, "i32.const 0"),
        VersionMismatchError,
        "version",
        "",
    ),
    Fault("no count", {_COUNT: ""}, MissingExportError, "export", _COUNT),
    Fault(
        "count has a wrong type",
        _export(_COUNT, "(result i64)", "i64.const 1"),
        WrongExportTypeError,
        "export",
        _COUNT,
    ),
    Fault(
        "count traps",
        _export(_COUNT, _GET, "unreachable"),
        ToolExecutionError,
        "tool",
        _COUNT,
        Trap,
    ),
    *(
        Fault(
            f"count is {count}",
            _export(_COUNT, _GET, f"i32.const {count}"),
            ToolExecutionError,
            "tool",
            _COUNT,
        )
        for count in (-1, 1025, 2**31 - 1, -(2**31))
    ),
    *(
        Fault(f"{name} missing", {name: ""}, MissingExportError, "export", name)
        for name in ("plugin_tool_name", "plugin_tool_description", "plugin_tool_execute")
    ),
    Fault(
        "plugin_tool_execute has a wrong type",
        _export("plugin_tool_execute", "(param i32) (result i32)", "i32.const 0"),
        WrongExportTypeError,
        "export",
        "plugin_tool_execute",
    ),
    Fault(
        "plugin_tool_schema has a wrong type",
        _export("plugin_tool_schema", _GET, "i32.const 0"),
        WrongExportTypeError,
        "export",
        "plugin_tool_schema",
    ),
    Fault(
        "plugin_tool_output_schema has a wrong type",
        _export("plugin_tool_output_schema", _GET, "i32.const 0"),
        WrongExportTypeError,
        "export",
        "plugin_tool_output_schema",
    ),
    *_string_faults("plugin_tool_name", _OF_TOOL)[3:],
    *_string_faults("plugin_tool_description", _OF_TOOL)[3:],
    *_string_faults("plugin_tool_schema", _OF_TOOL)[3:],
    *(
        Fault(
            f"the schema is {text or 'empty'}",
            _export("plugin_tool_schema", _OF_TOOL, "i32.const 900")
            | {"schema": f'(data (i32.const 900) "{text}\\00")'},
            ToolExecutionError,
            "tool",
            "plugin_tool_schema",
        )
        for text in ("", "{", "[]", "5", "null", "[" * 2000, "{\\22a\\22:NaN}", "\\ff")
    ),
    *_string_faults("plugin_tool_output_schema", _OF_TOOL)[3:],
    *(
        Fault(
            f"the output schema is {text}",
            _export("plugin_tool_output_schema", _OF_TOOL, "i32.const 900")
            | {"schema": f'(data (i32.const 900) "{text}\\00")'},
            ToolExecutionError,
            "tool",
            "plugin_tool_output_schema",
        )
        for text in ("{", "[]", "null")
    ),
]
IDS = [fault.label for fault in FAULTS]


@pytest.mark.parametrize("fault", FAULTS, ids=IDS)
def test_each_fault_is_reported(load: Load, wat: Wat, plugin_text: Text, fault: Fault) -> None:
    with pytest.raises(PluginError) as raised:
        load(wat(plugin_text(**fault.parts)))
    error = raised.value
    assert type(error) is fault.error
    if fault.field:
        assert getattr(error, fault.field) == fault.value
    if fault.cause is not None:
        assert isinstance(error.__cause__, fault.cause)
    assert "\n" not in str(error)


@pytest.mark.parametrize("first", range(len(FAULTS)), ids=IDS)
def test_the_first_fault_is_the_one_reported(
    load: Load, wat: Wat, plugin_text: Text, first: int
) -> None:
    fault = FAULTS[first]
    for later in FAULTS[first + 1 :]:
        if fault.parts.keys() & later.parts.keys():
            continue
        with pytest.raises(PluginError) as raised:
            load(wat(plugin_text(**fault.parts, **later.parts)))
        error = raised.value
        assert type(error) is fault.error, later.label
        if fault.field:
            assert getattr(error, fault.field) == fault.value, later.label


def test_a_plugin_without_fault(load: Load, wat: Wat, plugin_text: Text) -> None:
    plugin = load(wat(plugin_text()))
    assert (plugin.name, plugin.version, plugin.description) == (
        "built",
        "1.0.0",
        "Built by a test",
    )
    assert plugin.tools == (PluginTool("tool", "The only tool", 0, None),)
    assert plugin.execute_tool("tool", "text") == "text"
    assert "built" in repr(plugin)
    assert plugin.limits == ResourceLimits()


def test_the_error_keeps_the_reason_of_the_trap(load: Load) -> None:
    with pytest.raises(ToolExecutionError) as raised:
        load("trap_on_load")
    cause = raised.value.__cause__
    assert isinstance(cause, Trap)
    assert cause.reason is TrapReason.UNREACHABLE
    assert "unreachable" in raised.value.details
    with pytest.raises(InstantiateError) as raised_on_start:
        load("start_traps")
    assert isinstance(raised_on_start.value.__cause__, Trap)
    assert "unreachable" in raised_on_start.value.details


@pytest.mark.parametrize("name", ["endless_on_load", "start_endless"])
def test_loading_is_limited(load: Load, name: str) -> None:
    with pytest.raises(PluginError) as raised:
        load(name, fuel=5000)
    assert isinstance(raised.value.__cause__, OutOfFuel)


def test_compile_error_keeps_its_cause() -> None:
    with pytest.raises(CompileError) as raised:
        WasmPlugin.load_from_bytes(b"no module")
    assert isinstance(raised.value.__cause__, DecodeError)


def test_many_tools_share_a_buffer(load: Load) -> None:
    """Each name must be copied before the next call."""
    plugin = load("many_tools")
    assert [tool.name for tool in plugin.tools] == [f"tool_{n:02}" for n in range(100)]
    assert [tool.index for tool in plugin.tools] == list(range(100))


def test_no_tools(load: Load) -> None:
    plugin = load("no_tools")
    assert plugin.tools == ()
    with pytest.raises(ToolExecutionError, match="no such tool"):
        plugin.execute_tool("any", "")
    with pytest.raises(ToolExecutionError, match="there is no tool 0"):
        plugin.execute_tool(0, "")


def test_schemas(load: Load) -> None:
    search, resize = load("with_schema").tools
    assert search.schema is not None
    assert search.parameters == search.schema
    assert search.schema["required"] == ["query"]
    assert resize.schema is not None
    assert set(resize.schema["properties"]) == {"width", "height", "keep_ratio"}
    (tool,) = load("echo").tools
    assert tool.schema is None
    assert tool.parameters["required"] == ["input"]


@pytest.mark.parametrize(
    ("name", "count"), [("_initialize", 1), ("plugin_abi_version", 1), ("plugin_name", 1)]
)
def test_loading_calls_each_export_once(
    load: Load, wat: Wat, plugin_text: Text, name: str, count: int
) -> None:
    """And `_initialize` first, so that the other exports already see what it did."""
    calls: list[str] = []
    body = {"_initialize": "", "plugin_abi_version": "i32.const 1", "plugin_name": "i32.const 16"}
    parts = {"imports": '(import "h" "f" (func $log (param i32)))'}
    for index, (export, result) in enumerate(body.items()):
        type = _GET if result else ""
        parts |= _export(export, type, f"(call $log (i32.const {index})) {result}")
    names = list(body)
    plugin = load(wat(plugin_text(**parts)), {"h": {"f": lambda i: calls.append(names[i])}})
    assert calls == names
    assert calls.count(name) == count
    plugin.execute_tool(0, "x")
    plugin.execute_tool(0, "y")
    assert calls == names


def test_load_from_a_file(
    engine: str, tmp_path: Path, fixture_data: Callable[[str], bytes]
) -> None:
    path = tmp_path / "a plugin.wasm"
    path.write_bytes(fixture_data("echo"))
    for given in (path, str(path)):
        assert WasmPlugin.load(given, engine=engine).execute_tool(0, "x") == "x"


def test_imports_given_when_loading(load: Load) -> None:
    plugin = load("imports_wasi", {"wasi_snapshot_preview1": {"fd_write": lambda *_: 0}})
    assert plugin.execute_tool("echo", "linked") == "linked"
    with pytest.raises(InstantiateError, match=r"'fd_write'.*'wasi_snapshot_preview1'"):
        load("imports_wasi")
    with pytest.raises(InstantiateError, match=r"'memory'.*'env'"):
        load("imports_memory")


def test_an_exception_of_a_host_function_while_loading(
    load: Load, wat: Wat, plugin_text: Text
) -> None:
    error = LookupError("mine")

    def host() -> None:
        raise error

    imports: Any = {"h": {"f": host}}
    for parts in (
        _export("_initialize", "", "(call $f)"),
        _export("plugin_name", _GET, "(call $f) i32.const 16"),
        {"start": "(func $s (call $f)) (start $s)"},
    ):
        with pytest.raises(LookupError) as raised:
            load(wat(plugin_text(imports='(import "h" "f" (func $f))', **parts)), imports)
        assert raised.value is error


def test_a_plugin_that_failed_to_load_can_be_shown(load: Load) -> None:
    """A debugger shows what the frames of the failure hold."""
    with pytest.raises(PluginError) as raised:
        load("bad_schema")
    shown = [repr(entry.locals["self"]) for entry in raised.traceback if "self" in entry.locals]
    assert "<WasmPlugin, not loaded>" in shown
