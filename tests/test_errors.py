"""The exceptions: their trees, their fields, their messages, and that each can be pickled."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import time
from collections.abc import Callable

import pytest

import purewasm_plugins
from purewasm_plugins import debugger, errors
from purewasm_plugins.debugger import errors as debugger_errors
from purewasm_plugins.debugger.errors import (
    DebuggerError,
    ExpressionError,
    HitCountError,
    LocationError,
)
from purewasm_plugins.errors import (
    AbiVersionError,
    Aborted,
    Cancelled,
    CompileError,
    DeadlineExceeded,
    DecodeError,
    DuplicatePluginError,
    DuplicateToolError,
    Exited,
    ExportKindError,
    GrantError,
    InstantiateError,
    InvalidArgumentsError,
    InvalidOptionError,
    InvalidString,
    LinkError,
    MemoryInUse,
    MissingExportError,
    NotACommandError,
    OutOfFuel,
    OutOfMemory,
    PluginClosedError,
    PluginError,
    PluginFileError,
    PluginNotFoundError,
    PureWasmError,
    ResourceLimitError,
    StackFrame,
    StringError,
    TextError,
    ToolError,
    ToolExecutionError,
    ToolFailedError,
    ToolFormatError,
    ToolNotFoundError,
    Trap,
    TrapReason,
    UnknownEngineError,
    UnknownExportError,
    ValidationError,
    VersionMismatchError,
    WasmError,
    WrongExportTypeError,
)
from purewasm_plugins.plugin import errors as plugin_errors
from purewasm_plugins.plugin.errors import (
    ManifestError,
    PluginHashError,
    PoolFullError,
    WorkerError,
)
from purewasm_plugins.tools import errors as tools_errors
from purewasm_plugins.tools.errors import ToolRefusedError

FRAMES = (
    StackFrame(3, "inner", "calculator", 0x1F, "i32.div_s"),
    StackFrame(4, None, None, None, None),
)

#: An exception, its fields, and its message.
CASES: list[tuple[Exception, dict[str, object], str]] = [
    (WasmError("anything"), {}, "anything"),
    (
        TextError("unknown operator i32.ad", 2, 5, "    i32.ad", 4),
        {"message": "unknown operator i32.ad", "line": 2, "column": 5, "file": None},
        "unknown operator i32.ad (line 2, column 5)",
    ),
    (
        TextError("unclosed string", 2, 5, '    "a', 4, "a.wat"),
        {"shown": '    "a', "caret": 4, "file": "a.wat"},
        "a.wat:2:5: unclosed string",
    ),
    (
        DecodeError("unexpected end", 16),
        {"message": "unexpected end", "offset": 16},
        "unexpected end (at byte 0x10)",
    ),
    (
        ValidationError("type mismatch", 2, 31),
        {"message": "type mismatch", "function": 2, "offset": 31},
        "type mismatch (in function 2, at byte 0x1f)",
    ),
    (
        ValidationError("multiple memories"),
        {"function": None, "offset": None},
        "multiple memories",
    ),
    (
        LinkError("env", "f"),
        {"module": "env", "name": "f", "details": "unknown import"},
        "unknown import: import 'f' from module 'env'",
    ),
    (
        LinkError("env", "f", "incompatible import type"),
        {"details": "incompatible import type"},
        "incompatible import type: import 'f' from module 'env'",
    ),
    (
        LinkError("env", "lgo", available=("env.log", "env.abs")),
        {"available": ("env.log", "env.abs")},
        "unknown import: import 'lgo' from module 'env'; did you mean 'env.log'?"
        " (the host gave: env.log, env.abs)",
    ),
    (
        LinkError("env", "abort", advice="wasi=True gives it"),
        {"advice": "wasi=True gives it"},
        "unknown import: import 'abort' from module 'env'; wasi=True gives it",
    ),
    (
        UnknownEngineError("translater", ("translator", "pywasm")),
        {"engine": "translater", "available": ("translator", "pywasm"), "details": ""},
        "there is no engine 'translater'; did you mean 'translator'?"
        " (there are: translator, pywasm)",
    ),
    (
        UnknownEngineError("pywasm", ("translator", "pywasm"), "pip install pywasm"),
        {"details": "pip install pywasm"},
        "the engine 'pywasm' cannot run here: pip install pywasm",
    ),
    (
        UnknownExportError("f", ("g", "memory")),
        {"name": "f", "available": ("g", "memory")},
        "there is no export 'f' (there are: g, memory)",
    ),
    (
        UnknownExportError("f"),
        {"available": ()},
        "there is no export 'f': the module exports nothing",
    ),
    (
        ExportKindError("counter", "function", "global"),
        {"name": "counter", "expected": "function", "found": "global"},
        "the export 'counter' is a global, not a function: exports.global_('counter') returns it",
    ),
    (
        ResourceLimitError("memory_pages", 65536, 1024),
        {"limit": "memory_pages", "requested": 65536, "allowed": 1024},
        "the module asks for 65536 memory pages, and the limit is 1024",
    ),
    (
        Trap(TrapReason.INTEGER_DIVIDE_BY_ZERO, FRAMES),
        {"reason": TrapReason.INTEGER_DIVIDE_BY_ZERO, "frames": FRAMES},
        "integer divide by zero\n  in calculator!inner at byte 0x1f: i32.div_s\n  in function 4",
    ),
    (Trap(TrapReason.UNREACHABLE), {"frames": ()}, "unreachable"),
    (
        OutOfFuel(frames=FRAMES[1:]),
        {"reason": TrapReason.OUT_OF_FUEL, "frames": FRAMES[1:]},
        "out of fuel\n  in function 4",
    ),
    (DeadlineExceeded(), {"reason": TrapReason.DEADLINE_EXCEEDED}, "deadline exceeded"),
    (Cancelled(), {"reason": TrapReason.CANCELLED}, "cancelled"),
    (OutOfMemory(), {"reason": TrapReason.OUT_OF_MEMORY}, "out of memory"),
    (
        MemoryInUse(),
        {"reason": TrapReason.MEMORY_IN_USE},
        "the memory cannot grow while the host holds a view of it",
    ),
    (
        InvalidString("pointer 0x9 lies past the end of memory (0x0)", FRAMES[1:]),
        {"reason": TrapReason.INVALID_STRING, "frames": FRAMES[1:]},
        "pointer 0x9 lies past the end of memory (0x0)\n  in function 4",
    ),
    (
        Exited(3, FRAMES[1:]),
        {"code": 3, "frames": FRAMES[1:]},
        "the module exited with code 3\n  in function 4",
    ),
    (
        Aborted("assertion \x1b in a.ts:1:2", FRAMES[1:]),
        {"details": "assertion \x1b in a.ts:1:2"},
        "abort: assertion \\x1b in a.ts:1:2\n  in function 4",
    ),
    (
        GrantError("/tmp/\x1b", "is not there"),
        {"path": "/tmp/\x1b", "details": "is not there"},
        "the directory '/tmp/\\x1b' is not there",
    ),
    (
        NotACommandError("it exports no '_start'"),
        {"details": "it exports no '_start'"},
        "the module is no command: it exports no '_start'",
    ),
    (StringError("the text is none"), {"details": "the text is none"}, "the text is none"),
    (PureWasmError("anything"), {}, "anything"),
    (PluginError("anything"), {}, "anything"),
    (
        PluginFileError("a.wasm", "No such file or directory"),
        {"path": "a.wasm", "details": "No such file or directory", "kind": "plugin"},
        "Failed to read plugin 'a.wasm': No such file or directory",
    ),
    (
        PluginFileError("a", "Not a directory", "plugin directory"),
        {"kind": "plugin directory"},
        "Failed to read plugin directory 'a': Not a directory",
    ),
    (
        InvalidOptionError("limits", "it must be ResourceLimits"),
        {"option": "limits", "details": "it must be ResourceLimits"},
        "Invalid option 'limits': it must be ResourceLimits",
    ),
    (
        DuplicatePluginError("json", "1.0", "1.1"),
        {"plugin": "json", "loaded": "1.0", "refused": "1.1"},
        "A plugin named 'json' is already loaded: version 1.0 is, and version 1.1 was refused."
        " Unload it first, or use a second manager",
    ),
    (
        PluginNotFoundError("jsno", ("json", "csv")),
        {"plugin": "jsno", "loaded": ("json", "csv")},
        "Plugin 'jsno' is not loaded; did you mean 'json'? (there are: json, csv)",
    ),
    (PluginNotFoundError("json"), {}, "Plugin 'json' is not loaded: no plugin is"),
    (
        PluginClosedError("json"),
        {"plugin": "json"},
        "Plugin 'json' is closed: load it again to use it",
    ),
    (
        ManifestError("plugins.toml", "plugins.a.path", 3, "it must not be empty"),
        {"file": "plugins.toml", "key": "plugins.a.path", "line": 3},
        "plugins.toml:3: plugins.a.path: it must not be empty",
    ),
    (
        ManifestError("plugins.json", "", None, "it must be a table"),
        {"key": "", "line": None, "details": "it must be a table"},
        "plugins.json: it must be a table",
    ),
    (
        PluginHashError("a.wasm", "00", "11"),
        {"path": "a.wasm", "expected": "00", "found": "11"},
        "Refused 'a.wasm': sha256 00 was expected, and it has 11",
    ),
    (
        PoolFullError("sort", 1000),
        {"tool": "sort", "waiting": 1000},
        "Tool execution failed for 'sort': 1000 calls wait for an instance of the pool already",
    ),
    (
        WorkerError("sort", "the worker died"),
        {"tool": "sort", "details": "the worker died"},
        "Tool execution failed for 'sort': the worker died",
    ),
    (
        ToolRefusedError("sort", "no"),
        {"tool": "sort", "details": "no"},
        "The call of tool 'sort' was refused: no",
    ),
    (
        CompileError("unexpected end"),
        {"details": "unexpected end"},
        "Failed to compile plugin: unexpected end",
    ),
    (
        InstantiateError("unknown import"),
        {"details": "unknown import"},
        "Failed to instantiate plugin: unknown import",
    ),
    (
        MissingExportError("plugin_name"),
        {"export": "plugin_name"},
        "Missing required export 'plugin_name' in plugin",
    ),
    (
        WrongExportTypeError("plugin_name", "expected a function"),
        {"export": "plugin_name", "details": "expected a function"},
        "Export 'plugin_name' has the wrong type: expected a function",
    ),
    (
        VersionMismatchError(""),
        {"version": ""},
        "Plugin version mismatch: the plugin's version is empty",
    ),
    (
        AbiVersionError("2", 1),
        {"version": "2", "supported": 1},
        "Plugin version mismatch: it is for version 2 of the plugin ABI, not 1:"
        " build it for version 1, or update this package",
    ),
    (
        ToolExecutionError("greet", "unreachable"),
        {"tool": "greet", "details": "unreachable"},
        "Tool execution failed for 'greet': unreachable",
    ),
    (
        ToolFailedError("greet", "no such person"),
        {"tool": "greet", "details": "no such person"},
        "Tool 'greet' failed: no such person",
    ),
    (ToolError("anything"), {}, "anything"),
    (
        ToolFormatError("openai", "'tool_calls' must be an array, not int"),
        {"format": "openai", "details": "'tool_calls' must be an array, not int"},
        "Format 'openai': 'tool_calls' must be an array, not int",
    ),
    (ToolNotFoundError("x"), {"tool": "x", "known": ()}, "Tool 'x' not found"),
    (
        ToolNotFoundError("x", ("a", "b")),
        {"tool": "x", "known": ("a", "b")},
        "Tool 'x' not found (there are: a, b)",
    ),
    (
        ToolNotFoundError("json_prety", ("json_pretty",)),
        {},
        "Tool 'json_prety' not found; did you mean 'json_pretty'? (there are: json_pretty)",
    ),
    (
        InvalidArgumentsError("x", "arguments must be object"),
        {"tool": "x", "details": "arguments must be object"},
        "Invalid arguments for tool 'x': arguments must be object",
    ),
    (
        DuplicateToolError("x"),
        {"tool": "x", "registered": None, "refused": None},
        "Tool 'x' is already registered: register it with a prefix, or with replace=True",
    ),
    (
        DuplicateToolError("x", "plugin 'a'", "plugin 'b'"),
        {"registered": "plugin 'a'", "refused": "plugin 'b'"},
        "Tool 'x' of plugin 'b' is already registered, by plugin 'a':"
        " register it with a prefix, or with replace=True",
    ),
    (DebuggerError("anything"), {}, "anything"),
    (
        LocationError("nowhere", "no function has that name"),
        {"location": "nowhere", "details": "no function has that name"},
        "no such location 'nowhere': no function has that name",
    ),
    (
        ExpressionError("$x +", "it ends too early"),
        {"expression": "$x +", "details": "it ends too early"},
        "'$x +': it ends too early",
    ),
    (HitCountError(0), {"count": 0}, "a hit count must be 1 or more: 0"),
]

#: Each exception and its bases.
BASES: dict[type[BaseException], tuple[type[BaseException], ...]] = {
    PureWasmError: (Exception,),
    WasmError: (PureWasmError,),
    TextError: (WasmError,),
    DecodeError: (WasmError,),
    ValidationError: (WasmError,),
    LinkError: (WasmError,),
    ResourceLimitError: (WasmError,),
    UnknownEngineError: (WasmError,),
    UnknownExportError: (WasmError, KeyError),
    ExportKindError: (WasmError, TypeError),
    Trap: (WasmError,),
    OutOfFuel: (Trap,),
    DeadlineExceeded: (Trap,),
    Cancelled: (Trap,),
    Exited: (Trap,),
    Aborted: (Trap,),
    GrantError: (WasmError,),
    NotACommandError: (WasmError,),
    OutOfMemory: (Trap,),
    MemoryInUse: (Trap,),
    InvalidString: (Trap,),
    StringError: (WasmError, ValueError),
    PluginError: (PureWasmError,),
    PluginFileError: (PluginError,),
    InvalidOptionError: (PluginError, ValueError, TypeError),
    CompileError: (PluginError,),
    InstantiateError: (PluginError,),
    MissingExportError: (PluginError,),
    WrongExportTypeError: (PluginError,),
    VersionMismatchError: (PluginError,),
    AbiVersionError: (VersionMismatchError,),
    DuplicatePluginError: (PluginError,),
    PluginNotFoundError: (PluginError,),
    PluginClosedError: (PluginError,),
    ManifestError: (PluginError,),
    PluginHashError: (PluginError,),
    ToolExecutionError: (PluginError,),
    ToolFailedError: (ToolExecutionError,),
    PoolFullError: (ToolExecutionError,),
    WorkerError: (ToolExecutionError,),
    ToolError: (PureWasmError,),
    ToolNotFoundError: (ToolError,),
    InvalidArgumentsError: (ToolError,),
    DuplicateToolError: (ToolError,),
    ToolFormatError: (ToolError,),
    ToolRefusedError: (ToolError,),
    DebuggerError: (PureWasmError,),
    LocationError: (DebuggerError,),
    ExpressionError: (DebuggerError,),
    HitCountError: (DebuggerError, ValueError),
}


def test_the_trees() -> None:
    found = {
        value: value.__bases__
        for module in (errors, plugin_errors, tools_errors, debugger_errors)
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, BaseException)
    }
    assert found == BASES
    assert {type(error) for error, _, _ in CASES} == BASES.keys()


def test_the_picture_in_the_docstring_is_the_tree() -> None:
    text = errors.__doc__ or ""
    path: list[str] = []
    drawn: dict[str, str] = {}
    for line in text.splitlines():
        found = re.match(r"    ((?:│   |    )*)(?:[├└]── )?([A-Z]\w+(?:, \w+)*)", line)
        if found is None:
            continue
        depth = len(found[1]) // 4 + ("──" in line)
        names = found[2].split(", ")
        for name in names:
            drawn[name] = path[depth - 1] if depth else "Exception"
        path[depth:] = [names[0]]
    assert drawn == {error.__name__: bases[0].__name__ for error, bases in BASES.items()}


def test_a_list_of_names_and_the_search_in_it_are_bounded() -> None:
    known = tuple(f"{'name' * 20}{number}" for number in range(100_000))
    started = time.perf_counter()
    text = str(UnknownExportError("nam" * 30, known))
    assert len(text) < 3000
    assert text.endswith("and 99980 more)")
    assert time.perf_counter() - started < 5


def test_all_are_public() -> None:
    """Those of the debugger from its own package, like all of its names."""
    for name in debugger_errors.__all__:
        assert getattr(debugger, name) is getattr(debugger_errors, name)
        assert name in debugger.__all__
    for name in errors.__all__:
        assert getattr(purewasm_plugins, name) is getattr(errors, name)
        assert name in purewasm_plugins.__all__


@pytest.mark.parametrize(
    ("error", "fields", "message"), CASES, ids=[type(error).__name__ for error, _, _ in CASES]
)
def test_fields_message_and_pickle(
    error: Exception, fields: dict[str, object], message: str
) -> None:
    again = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(6)]
    for one in (error, *again, copy.copy(error), copy.deepcopy(error)):
        assert type(one) is type(error)
        assert str(one) == message
        for name, value in fields.items():
            assert getattr(one, name) == value


HOSTILE = "\x1b[2J\x9b1m\x7f\u202e\u2066\u2028\r\n"
ESCAPED = "\\x1b[2J\\x9b1m\\x7f\\u202e\\u2066\\u2028\\r\\n"


@pytest.mark.parametrize("error", [case[0] for case in CASES], ids=lambda e: type(e).__name__)
def test_what_a_plugin_named_does_not_act_on_a_terminal(error: Exception) -> None:
    frame = StackFrame(1, HOSTILE, HOSTILE, 1, HOSTILE)
    replaced: dict[type, object] = {
        str: HOSTILE,
        tuple: (frame,) if isinstance(error, Trap) else (HOSTILE,),
    }
    arguments = [replaced.get(type(argument), argument) for argument in error.args]
    hostile = type(error)(*arguments)
    lines = str(hostile).split("\n") if isinstance(error, Trap) else [str(hostile)]
    assert all(line.isprintable() for line in lines)
    if arguments != [*error.args]:
        assert ESCAPED in str(hostile)
    if isinstance(error, Trap):
        assert len(lines) == 2
    assert hostile.args == tuple(arguments), "the attributes keep what it was"


@pytest.mark.parametrize(
    ("text", "keep", "escaped"),
    [
        ("plain, größe \U0001f469\u200d\U0001f52c\xa0\u3000\u200f", "", None),
        (HOSTILE, "", ESCAPED),
        ("\0\t\n\x1f\x80\x9f\u202a\u2069", "", "\\x00\\t\\n\\x1f\\x80\\x9f\\u202a\\u2069"),
        ("a\tb\nc\rd", "\n\t", "a\tb\nc\\rd"),
    ],
)
def test_escaped_controls(text: str, keep: str, escaped: str | None) -> None:
    assert errors.escape_controls(text, keep) == (text if escaped is None else escaped)
    assert errors.escape_controls(errors.escape_controls(text)) == errors.escape_controls(text)


def test_a_representation_does_not_act_on_a_terminal(wat: Callable[[str], bytes]) -> None:
    name = "".join(f"\\{byte:02x}" for byte in HOSTILE.encode())
    getters = "".join(
        f'(func (export "plugin_{getter}") (result i32) i32.const 16)'
        for getter in ("name", "version", "description")
    )
    data = wat(
        f"""(module (memory (export "memory") 1) (data (i32.const 16) "{name}")
        {getters} (func (export "plugin_tools_count") (result i32) i32.const 0)
        (func (export "plugin_tool_name") (param i32) (result i32) i32.const 16)
        (func (export "plugin_tool_description") (param i32) (result i32) i32.const 16)
        (func $"{name}" (export "plugin_tool_execute") (param i32 i32) (result i32) i32.const 16)
        (export "{name}" (func $"{name}")))"""
    )
    plugin = purewasm_plugins.WasmPlugin.load_from_bytes(data)
    assert repr(plugin) == f"<WasmPlugin {ESCAPED} {ESCAPED}: 0 tools>"
    instance = purewasm_plugins.instantiate(plugin.module.valid)
    for value in (instance, instance.exports, instance.exports[HOSTILE]):
        assert ESCAPED in repr(value)
        assert repr(value).isprintable()


def test_a_long_backtrace_is_cut_in_the_middle() -> None:
    frames = tuple(StackFrame(0, f"f{number}") for number in range(1000))
    lines = str(Trap(TrapReason.CALL_STACK_EXHAUSTED, frames)).splitlines()
    assert lines[:2] == ["call stack exhausted", "  in f0"]
    assert lines[-1] == "  in f999"
    assert "  ... 984 more frames" in lines
    assert len(lines) == 1 + 8 + 1 + 8


def test_the_wording_is_that_of_the_specification_s_test_suite() -> None:
    assert [reason.value for reason in TrapReason] == [
        "unreachable",
        "out of bounds memory access",
        "out of bounds table access",
        "integer divide by zero",
        "integer overflow",
        "invalid conversion to integer",
        "indirect call type mismatch",
        "uninitialized element",
        "undefined element",
        "call stack exhausted",
        "out of fuel",
        "deadline exceeded",
        "cancelled",
        "out of memory",
        "the memory cannot grow while the host holds a view of it",
        "invalid string",
        "exited",
        "aborted",
    ]
    assert all(str(reason) == reason.value for reason in TrapReason)
