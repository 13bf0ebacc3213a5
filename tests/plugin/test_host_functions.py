"""Host functions on strings: the convention of `ABI.md`, with plugins in three languages."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import pytest

from purewasm_plugins import (
    Caller,
    InstantiateError,
    InvalidString,
    LinkError,
    OutOfFuel,
    StringError,
    ToolExecutionError,
    ToolRegistry,
    WasmPlugin,
    host_function,
)
from purewasm_plugins.debugger import DebugSession
from purewasm_plugins.tools import ToolCall
from tests.conftest import ROOT

Load = Callable[..., WasmPlugin]
Wat = Callable[[str], bytes]

CAPITALS = {"France": "Paris", "日本": "東京" * 5000, "Nowhere": "", "Île": "é🎈"}
LANGUAGES = ("c", "rust", "zig")


class World:
    """The host: its two functions, and the messages that it received."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def log(self, text: str) -> None:
        self.said.append(text)

    def lookup(self, table: str, key: str) -> str:
        assert table == "capitals"
        return CAPITALS[key]

    @property
    def imports(self) -> dict[str, dict[str, Any]]:
        return {"env": {"log": host_function(self.log), "lookup": host_function(self.lookup)}}


@pytest.mark.parametrize("language", LANGUAGES)
def test_plugins(load: Load, language: str) -> None:
    world = World()
    plugin = load(f"host_functions/capitals_{language}.wasm", world.imports)
    asked = [*CAPITALS, "France"]
    assert [plugin.execute_tool("capital", key) for key in asked] == [CAPITALS[k] for k in asked]
    assert world.said == asked


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_plugin_frees_what_it_got(load: Load, language: str) -> None:
    """A thousand results of 30 KB take no more memory than a few."""
    plugin = load(f"host_functions/capitals_{language}.wasm", World().imports)
    for _ in range(3):
        plugin.execute_tool("capital", "日本")
    memory = plugin.instance.exports.memory()
    before = memory.pages
    for _ in range(50):
        plugin.execute_tool("capital", "日本")
    assert memory.pages == before


@pytest.mark.parametrize("language", LANGUAGES)
def test_in_the_debugger(load: Load, language: str) -> None:
    """Forwards, and back to before the host function was called."""
    world = World()
    plugin = load(f"host_functions/capitals_{language}.wasm", world.imports)
    session = DebugSession(plugin, "capital", "Île")
    for _ in range(2):
        session.resume()
        assert session.output == CAPITALS["Île"]
        session.resume_back()
        assert session.output is None
    assert world.said == ["Île"], "a host function is called once, and replayed after that"


def test_the_examples_are_those_that_are_tested() -> None:
    text = (ROOT / "purewasm_plugins" / "plugin" / "ABI.md").read_text("utf-8")
    for language, suffix in (("c", "c"), ("rust", "rs"), ("zig", "zig")):
        source = ROOT / "fixtures" / "plugins" / "host_functions" / f"capitals.{suffix}"
        (block,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        for part in block.strip().split("\n\n"):
            assert part in source.read_text("utf-8")


# Errors of plugins, and the reactions of the host.

PLUGIN = """
(module
  (import "env" "f" (func $f {type}))
  (memory (export "memory") 1 100)
  (global $top (mut i32) (i32.const 4096))
  {allocator}
  (data (i32.const 16) "p\\00") (data (i32.const 32) "1\\00") (data (i32.const 48) "t\\00")
  (func (export "plugin_name") (result i32) i32.const 16)
  (func (export "plugin_version") (result i32) {version})
  (func (export "plugin_description") (result i32) i32.const 16)
  (func (export "plugin_tools_count") (result i32) i32.const 1)
  (func (export "plugin_tool_name") (param i32) (result i32) i32.const 48)
  (func (export "plugin_tool_description") (param i32) (result i32) i32.const 48)
  (func (export "plugin_tool_execute") (param $tool i32) (param $input i32) (result i32) {execute})
  {more})
"""

ALLOCATOR = """
  (func (export "plugin_alloc") (param $size i32) (result i32)
    (global.get $top)
    (global.set $top (i32.add (global.get $top) (local.get $size))))"""

STRING_TO_STRING = "(param i32) (result i32)"


def plugin_text(
    type: str = STRING_TO_STRING,
    execute: str = "(call $f (local.get $input))",
    allocator: str = ALLOCATOR,
    version: str = "i32.const 32",
    more: str = "",
) -> str:
    return PLUGIN.format(
        type=type, execute=execute, allocator=allocator, version=version, more=more
    )


@host_function
def shout(text: str) -> str:
    """Upper-case a text."""
    return text.upper()


@host_function
def nothing(text: str) -> None:
    """Do nothing."""


def long(text: str) -> str:
    return text * 1000


def with_zero(text: str) -> str:
    return "a\0b"


def not_text(text: str) -> str:
    return 5  # type: ignore[return-value]


def not_none(text: str) -> None:
    return text  # type: ignore[return-value]


def allocator_for_results(expression: str) -> str:
    """An allocator that has room for the input, and an address for the first result."""
    return f"""(global $used (mut i32) (i32.const 0))
      (func (export "plugin_alloc") (param i32) (result i32)
        (if (result i32) (global.get $used)
          (then {expression})
          (else (global.set $used (i32.const 1)) (i32.const 8192))))"""


#: A string that goes on to the end of memory.
ENDLESS = f'(data (i32.const 65000) "{"x" * 536}")'

ENDS_THE_CALL: list[tuple[dict[str, str], Any, str]] = [
    (
        {"allocator": "", "execute": "(call $f (i32.const 16))"},
        shout,
        "the host function shout returns a string, and the plugin exports no allocator for it: it"
        " must export plugin_alloc",
    ),
    (
        {"allocator": allocator_for_results("i32.const 0")},
        shout,
        "the plugin's allocator has no 2 bytes for what the host function shout returns",
    ),
    (
        {"allocator": allocator_for_results("i32.const -1")},
        shout,
        "the plugin's allocator returned 0xffffffff for 2 bytes",
    ),
    ({"execute": "(call $f (i32.const -1))"}, shout, "pointer 0xffffffff lies past the end"),
    ({"execute": "(call $f (i32.const 65536))"}, shout, "pointer 0x10000 lies past the end"),
    (
        {"execute": "(call $f (i32.const 65000))", "more": ENDLESS},
        shout,
        "the string at 0xfde8 has no terminating zero byte",
    ),
    (
        {"execute": "(call $f (i32.const 64900))", "more": ENDLESS.replace("65000", "64900")},
        shout,
        "within 500 bytes, the limit of its length",
    ),
    (
        {},
        host_function(long),
        "the host function long returned 1000 bytes, and the limit output_bytes is 500",
    ),
]


@pytest.mark.parametrize(("parts", "function", "words"), ENDS_THE_CALL)
def test_what_ends_the_call(
    load: Load, wat: Wat, parts: dict[str, str], function: Any, words: str
) -> None:
    plugin = load(wat(plugin_text(**parts)), {"env": {"f": function}}, output_bytes=500)
    for _ in range(2):
        with pytest.raises(ToolExecutionError) as raised:
            plugin.execute_tool("t", "x")
        assert words in str(raised.value)
        assert isinstance(raised.value.__cause__, InvalidString)


def test_the_trap_has_a_backtrace(load: Load, wat: Wat) -> None:
    plugin = load(wat(plugin_text(execute="(call $f (i32.const -1))")), {"env": {"f": shout}})
    with pytest.raises(ToolExecutionError) as raised:
        plugin.execute_tool("t", "x")
    cause = raised.value.__cause__
    assert isinstance(cause, InvalidString)
    assert [frame.name for frame in cause.frames] == ["plugin_tool_execute"]
    assert cause.frames[0].instruction == "call $f"
    assert "in plugin_tool_execute at byte" in str(raised.value)


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (with_zero, StringError, r"U\+0000 at character 1"),
        (not_text, TypeError, "the host function not_text must return str, and returned 5"),
    ],
)
def test_a_fault_of_the_host_is_its_own(
    load: Load, wat: Wat, function: Any, error: type[Exception], words: str
) -> None:
    plugin = load(wat(plugin_text()), {"env": {"f": host_function(function)}})
    with pytest.raises(error, match=words):
        plugin.execute_tool("t", "x")


def test_a_result_where_none_is_allowed(load: Load, wat: Wat) -> None:
    text = plugin_text("(param i32)", "(call $f (local.get $input)) (local.get $input)")
    plugin = load(wat(text), {"env": {"f": host_function(not_none)}})
    with pytest.raises(TypeError, match="not_none must return None, and returned 'x'"):
        plugin.execute_tool("t", "x")
    assert load(wat(text), {"env": {"f": nothing}}).execute_tool("t", "x") == "x"


def test_invalid_utf8(load: Load, wat: Wat) -> None:
    text = plugin_text(
        execute="(call $f (i32.const 100))", more='(data (i32.const 100) "\\ff!\\00")'
    )
    assert load(wat(text), {"env": {"f": shout}}).execute_tool("t", "") == "\ufffd!"


@pytest.mark.parametrize(
    "type", ["(param i64) (result i32)", "(param i32)", "(param i32 i32) (result i32)"]
)
def test_an_import_of_another_type(load: Load, wat: Wat, type: str) -> None:
    execute = "i32.const 16"
    with pytest.raises(InstantiateError, match="incompatible import type") as raised:
        load(wat(plugin_text(type, execute)), {"env": {"f": shout}})
    assert isinstance(raised.value.__cause__, LinkError)


def test_during_the_load(load: Load, wat: Wat) -> None:
    """In the start function, where the plugin exports an allocator already, and in its strings."""
    said: list[str] = []

    @host_function
    def version(text: str) -> str:
        said.append(text)
        return f"{len(said)}.0"

    text = plugin_text(
        version="(call $f (i32.const 16))",
        more="(func $start (drop (call $f (i32.const 48)))) (start $start)",
    )
    plugin = load(wat(text), {"env": {"f": version}})
    assert plugin.version == "2.0"
    assert said == ["t", "p"]


def test_with_a_caller_and_any_number_of_strings(load: Load, wat: Wat) -> None:
    @host_function
    def join(caller: Caller, one: str, two: str, three: str) -> str:
        return f"{one}{two}{three}{caller.memory.read_string(48)}"

    @host_function
    def none() -> str:
        return "none"

    call = "(call $f (local.get $input) (i32.const 16) (i32.const 32))"
    three = load(wat(plugin_text("(param i32 i32 i32) (result i32)", call)), {"env": {"f": join}})
    assert three.execute_tool("t", "x") == "xp1t"
    no = load(wat(plugin_text("(result i32)", "(call $f)")), {"env": {"f": none}})
    assert no.execute_tool("t", "x") == "none"


def test_an_allocator_that_grows_the_memory(load: Load, wat: Wat) -> None:
    allocator = allocator_for_results("(drop (memory.grow (i32.const 1))) (i32.const 0x10000)")
    plugin = load(wat(plugin_text(allocator=allocator)), {"env": {"f": shout}})
    assert plugin.execute_tool("t", "x") == "X"


def test_an_allocator_that_traps_or_never_ends(load: Load, wat: Wat) -> None:
    for body, words in (("unreachable", "unreachable"), ("(loop (br 0)) (i32.const 1)", "fuel")):
        allocator = allocator_for_results(body)
        plugin = load(wat(plugin_text(allocator=allocator)), {"env": {"f": shout}}, fuel=10_000)
        with pytest.raises(ToolExecutionError, match=words) as raised:
            plugin.execute_tool("t", "x")
        assert words != "fuel" or isinstance(raised.value.__cause__, OutOfFuel)


def test_a_registered_tool(load: Load, wat: Wat) -> None:
    registry = ToolRegistry()
    load(wat(plugin_text(allocator="")), {"env": {"f": shout}}).register_into_registry(registry)
    result = registry.execute(ToolCall("t", {"input": "x"}))
    assert not result.success
    assert "exports no allocator" in str(result.error)


# The decorator.


def test_called_from_python_it_is_the_function() -> None:
    assert shout("a") == "A"
    name: object = vars(shout)["__name__"]
    assert name == "shout"
    assert shout.__doc__ == "Upper-case a text."
    assert str(shout.type) == "(i32) -> (i32)"
    assert "shout" in repr(shout)


def test_it_pickles() -> None:
    assert pickle.loads(pickle.dumps(shout)) is shout
    made = pickle.loads(pickle.dumps(host_function(long)))
    assert made("a") == "a" * 1000
    assert made.type == shout.type


@wraps(long)
def wrapper(*arguments: Any) -> str:
    return long(*arguments)


TAKEN: list[Any] = [long, World().log, World().lookup, wrapper, partial(long)]


@pytest.mark.parametrize("function", TAKEN, ids=lambda f: getattr(f, "__name__", "partial"))
def test_what_it_takes(function: Any) -> None:
    host_function(function)


def unannotated(text):  # type: ignore[no-untyped-def]
    return text


def of_int(number: int) -> str:
    return str(number)


def to_int(text: str) -> int:
    return len(text)


def no_result(text: str):  # type: ignore[no-untyped-def]
    return text


def many(*texts: str) -> str:
    return "".join(texts)


def named(*, text: str) -> str:
    return text


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (unannotated, "the parameter text of unannotated is not annotated as str"),
        (of_int, "the parameter number of of_int is not annotated as str"),
        (to_int, "the result of to_int is not annotated as str or None"),
        (no_result, "the result of no_result is not annotated as str or None"),
        (many, "many has parameters that are not positional"),
        (named, "named has parameters that are not positional"),
        (print, "takes a Python function with annotations, not <built-in function print>"),
        (str, "takes a Python function with annotations, not <class 'str'>"),
    ],
)
def test_what_it_refuses(function: Any, words: str) -> None:
    with pytest.raises(TypeError, match=re.escape(words)):
        host_function(function)
