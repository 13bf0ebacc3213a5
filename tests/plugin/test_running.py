"""Running tools: every plugin written by hand, inputs at every edge, state, traps, allocators."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Sequence

import pytest

from purewasm_plugins import (
    AbiVersionError,
    Cancelled,
    CompileError,
    InstantiateError,
    Memory,
    MissingExportError,
    PluginError,
    ResourceLimitError,
    ToolExecutionError,
    Trap,
    TrapReason,
    VersionMismatchError,
    WasmPlugin,
    WrongExportTypeError,
)
from purewasm_plugins.wasm.types import Limits, MemoryType
from tests.conftest import ROOT

Load = Callable[..., WasmPlugin]
Wat = Callable[[str], bytes]
Text = Callable[..., str]

WAT = ROOT / "fixtures" / "wat"

PAGE = 65536

#: What is wrong with each plugin that cannot be loaded: the error, and something of its message.
NOT_LOADED: dict[str, tuple[type[PluginError], str]] = {
    "bad_schema": (ToolExecutionError, "not JSON"),
    "data_out_of_bounds": (InstantiateError, "out of bounds memory access"),
    "empty_version": (VersionMismatchError, "version is empty"),
    "endless_on_load": (ToolExecutionError, "'plugin_name': out of fuel"),
    "execute_wrong_type": (WrongExportTypeError, r"expected .*\(i32\), got .*\(i64\)"),
    "four_gigabytes": (InstantiateError, "65536 memory pages"),
    "gcd": (MissingExportError, "'plugin_name'"),
    "huge_count": (ToolExecutionError, "1000000 tools"),
    "huge_table": (CompileError, "table size"),
    "imports_host": (InstantiateError, "'log' from module 'env'"),
    "imports_memory": (InstantiateError, "'memory' from module 'env'"),
    "imports_wasi": (InstantiateError, "'fd_write' from module 'wasi_snapshot_preview1'"),
    "invalid": (CompileError, "type mismatch"),
    "memory_is_global": (WrongExportTypeError, "'memory'.*a global"),
    "missing_execute": (MissingExportError, "'plugin_tool_execute'"),
    "missing_memory": (MissingExportError, "'memory'"),
    "name_bad_pointer": (ToolExecutionError, "'plugin_name': pointer 0x7fff0000"),
    "name_is_global": (WrongExportTypeError, "'plugin_name'.*a global"),
    "negative_count": (ToolExecutionError, "-1 tools"),
    "no_exports": (MissingExportError, "'plugin_name'"),
    "says_hello": (InstantiateError, "'fd_write' from module 'wasi_snapshot_preview1'"),
    "start_endless": (InstantiateError, "out of fuel"),
    "start_traps": (InstantiateError, "unreachable"),
    "trap_on_load": (ToolExecutionError, "'plugin_name': unreachable"),
    "trap_on_tool_name": (ToolExecutionError, "'plugin_tool_name': unreachable"),
    "unterminated_name": (ToolExecutionError, "'plugin_name'.*no terminating zero"),
    "wrong_abi": (AbiVersionError, "version 2"),
    "wrong_type": (WrongExportTypeError, r"'plugin_name'.*expected \(\) .*got \(i32\)"),
}

#: The outputs of each plugin's tools, in this order: (tool, input, output). An output that is an
#: exception is the `__cause__`'s type, or None's, and something of the message.
OUT_OF = "out of bounds memory access"
ANSWERS: dict[str, Sequence[tuple[str, str, str | tuple[str]]]] = {
    "alloc_bad_pointer": [("echo", "x", ("allocator returned 0xffff",))] * 2,
    "alloc_refuses": [("echo", "x", ("allocator has no 2 bytes",))] * 2,
    "alloc_traps": [("echo", "x", ("unreachable in plugin_alloc",))] * 2,
    "buggy_shout": [("shout", "pizza", "PIzzA")],
    "alloc_without_free": [("echo", "one", "one"), ("echo", "", ""), ("echo", "two", "two")],
    "assumes_contiguous": [("echo", "one", "one"), ("echo", "two" * 50000, "two" * 50000)],
    "bad_pointer": [("far", "", ("0x7fff0000",)), ("negative", "", ("0xffffffff",))] * 2,
    "echo": [("echo", text, text) for text in ("", "x", "größe 測量 🎈", "a\nb", "\x01\x7f")],
    "fixed_memory": [("echo", "one", "one"), ("echo", "y" * 70000, "y" * 70000)],
    "grow_forever": [("grow", "", ("out of fuel",))] * 2,
    "grow_until_refused": [("grow", "", "")],
    "grows_memory": [("echo", text, text) for text in ("one", "", "two" * 1000, "three")] * 3,
    "grows_over_input": [("echo", text, text) for text in ("one", "two" * 9000, "three")] * 3,
    "hello": [("greet", text, "Hello, World!") for text in ("", "anybody")],
    "in_place": [("shout", "a Bé z{", "A Bé Z{"), ("shout", "", ""), ("shout", "q", "Q")],
    "inspect_input": [("length", "12345", "5"), ("length", "é", "2"), ("pages", "x", "1")],
    "invalid_utf8": [("garble", "", "a�b�(c���d�")],
    "keeps_input": [("previous", "one", "nothing yet"), ("previous", "two", "two")],
    "large_output": [
        ("repeat", "0", ""),
        ("repeat", "200000", "a" * 200000),
        ("repeat", "3", "aaa"),
    ],
    "limited_memory": [("echo", text, text) for text in ("one", "", "two")],
    "loop_forever": [("loop", "", ("out of fuel",))] * 2,
    "many_tools": [(f"tool_{n:02}", "", f"tool_{n:02}") for n in (0, 1, 50, 99)],
    "name_invalid_utf8": [("echo", "x", "x")],
    "no_tools": [],
    "overwrites_input": [("echo", text, text) for text in ("one", "x" * 200, "two")],
    "pointer_zero": [("zero", "", "pointer_zero")],
    "reactor": [("ready", "", "initialized")] * 2,
    "recurse_forever": [("recurse", "", ("call stack exhausted",))] * 2,
    "rot13": [("rot13", "Hello é!", "Uryyb é!"), ("rot13", "Uryyb zZ", "Hello mM")],
    "spin": [("spin", "10", "done"), ("spin", "1000000", ("out of fuel",)), ("spin", "", "done")],
    "reports_errors": [("check", "x", "x"), ("check", "!", ("the input begins with !",))],
    "stateful": [("count", "", str(n)) for n in (1, 2, 3)],
    "trap_division": [("divide", "", ("integer divide by zero",))] * 2,
    "trap_then_state": [
        ("count", "", "1"),
        ("count", "", "2"),
        ("crash", "", ("unreachable",)),
        ("count", "", "1"),
        ("count", "", "2"),
    ],
    "trap_unreachable": [("crash", "", ("unreachable in innermost",))] * 2,
    "traps": [
        ("unreachable", "", ("unreachable",)),
        ("divide_by_zero", "", ("integer divide by zero",)),
        ("divide_overflow", "", ("integer overflow",)),
        ("convert_nan", "", ("invalid conversion to integer",)),
        ("convert_overflow", "", ("integer overflow",)),
        ("load_out_of_bounds", "", (OUT_OF,)),
        ("store_out_of_bounds", "", (OUT_OF,)),
        ("fill_out_of_bounds", "", (OUT_OF,)),
        ("call_outside_table", "", ("undefined element",)),
        ("call_null", "", ("uninitialized element",)),
        ("call_wrong_type", "", ("indirect call type mismatch",)),
    ],
    "unterminated": [("fill", "", ("no terminating zero",))] * 2,
    "unusual_names": [("two words", "x", "x"), ("größe_測量", "y", "y"), ("", "z", "z")],
    "with_abi_version": [("echo", "x", "x")],
    "with_alloc": [("live", "", "1"), ("echo", "x" * 70000, "x" * 70000), ("live", "z", "1")],
    "with_schema": [("search", "any text", "any text")],
}

#: Those that are tried elsewhere.
ELSEWHERE = {"duplicate_tools"}


def test_every_plugin_is_tried() -> None:
    files = {path.stem for path in WAT.glob("*.wat")}
    assert files == {path.stem for path in WAT.glob("*.wasm")}
    assert files == NOT_LOADED.keys() | ANSWERS.keys() | ELSEWHERE
    assert not NOT_LOADED.keys() & ANSWERS.keys()


@pytest.mark.parametrize("name", NOT_LOADED)
def test_a_plugin_that_cannot_be_loaded(load: Load, name: str) -> None:
    error, message = NOT_LOADED[name]
    with pytest.raises(error, match=message) as raised:
        load(name, fuel=5000)
    assert type(raised.value) is error


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(load: Load, name: str) -> None:
    plugin = load(name, fuel=20_000, memory_pages=256)
    for tool, text, expected in ANSWERS[name]:
        if isinstance(expected, tuple):
            with pytest.raises(ToolExecutionError) as raised:
                plugin.execute_tool(tool, text)
            assert raised.value.tool == tool
            assert expected[0] in raised.value.details
            assert "\n" not in raised.value.details
        elif name == "grow_until_refused":
            assert 0 < int(plugin.execute_tool(tool, text)) < 256
        else:
            assert plugin.execute_tool(tool, text) == expected


def test_imported_memory(load: Load) -> None:
    memory = Memory(MemoryType(Limits(1)))
    plugin = load("imports_memory", {"env": {"memory": memory}})
    for text in ("one", "two" * 30000, ""):
        assert plugin.execute_tool("echo", text) == text
    assert plugin.instance.exports["memory"] is memory
    assert memory.pages == 1


def test_name_that_is_not_utf_8(load: Load) -> None:
    assert load("name_invalid_utf8").name == "caf\ufffd"


def test_tools_of_one_name(load: Load) -> None:
    plugin = load("duplicate_tools")
    assert [tool.name for tool in plugin.tools] == ["echo", "echo"]
    assert plugin.execute_tool(1, "by index") == "by index"
    with pytest.raises(ToolExecutionError, match="two tools of that name"):
        plugin.execute_tool("echo", "x")


def test_unknown_tool(load: Load) -> None:
    plugin = load("traps")
    with pytest.raises(ToolExecutionError) as raised:
        plugin.execute_tool("unknown", "x")
    assert raised.value.tool == "unknown"
    assert "divide_by_zero" in raised.value.details


@pytest.mark.parametrize("index", [-1, 11, 2**32])
def test_unknown_index(load: Load, index: int) -> None:
    with pytest.raises(ToolExecutionError, match="the plugin has 11"):
        load("traps").execute_tool(index, "x")


# Inputs.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\0", "U\\+0000 at character 0"),
        ("before\0after", "U\\+0000 at character 6"),
        ("é\0", "U\\+0000 at character 1"),
        ("\ud800", "lone surrogate, U\\+D800, at character 0"),
        ("ab\udfffc", "lone surrogate, U\\+DFFF, at character 2"),
        ("\udc00\ud800", "lone surrogate"),
    ],
)
def test_an_input_that_no_string_can_hold(load: Load, text: str, message: str) -> None:
    plugin = load("stateful")
    with pytest.raises(ToolExecutionError, match=message) as raised:
        plugin.execute_tool("count", text)
    assert raised.value.tool == "count"
    assert plugin.execute_tool("count", "") == "1", "the plugin has run"


@pytest.mark.parametrize("name", ["echo", "limited_memory", "fixed_memory", "with_alloc"])
def test_inputs_of_every_size(load: Load, name: str) -> None:
    plugin = load(name)
    for size in (0, 1, PAGE - 1, PAGE, PAGE + 1, 3, 5 * 1024 * 1024, 0, PAGE):
        text = ("é" * (size // 2) + "x" * (size % 2))[:size]
        assert plugin.execute_tool("echo", text) == text


def test_an_input_over_the_limit(load: Load) -> None:
    plugin = load("stateful", memory_pages=3)
    assert plugin.execute_tool("count", "x" * (2 * PAGE - 1)) == "1"
    with pytest.raises(ToolExecutionError, match="there is no room for the input") as raised:
        plugin.execute_tool("count", "x" * 2 * PAGE)
    assert isinstance(raised.value.__cause__, ResourceLimitError)
    assert plugin.execute_tool("count", "") == "2", "the plugin has run, or lost its state"


def test_output_limit(load: Load) -> None:
    plugin = load("large_output", output_bytes=1000)
    assert plugin.execute_tool("repeat", "1000") == "a" * 1000
    with pytest.raises(ToolExecutionError, match="no terminating zero byte within 1000 bytes"):
        plugin.execute_tool("repeat", "1001")
    assert plugin.execute_tool("repeat", "5") == "aaaaa"
    assert load("large_output", output_bytes=None).execute_tool("repeat", "70000") == "a" * 70000
    with pytest.raises(ToolExecutionError, match="limit"):
        load("large_output", output_bytes=5)


def test_a_plugin_reads_the_input_it_was_given(load: Load) -> None:
    """Not the rest of a longer one before it."""
    plugin = load("inspect_input")
    for text in ("a long input", "short", "", "é" * 10, "x"):
        assert plugin.execute_tool("length", text) == str(len(text.encode()))
    addresses = {plugin.execute_tool("address", "x" * size) for size in range(0, 1000, 100)}
    assert len(addresses) == 1


def test_the_plugin_does_not_see_the_pages_of_its_input(load: Load) -> None:
    plugin = load("inspect_input")
    for size in (0, 10, PAGE, 10 * PAGE):
        assert plugin.execute_tool("pages", "x" * size) == "1"


#: Answers what lies behind the first byte of its input; traps where that is a question mark.
PEEKING = """
  (func (export "plugin_tool_execute") (param $tool i32) (param $input i32) (result i32)
    (if (i32.eq (i32.load8_u (local.get $input)) (i32.const 63)) (then unreachable))
    (i32.add (local.get $input) (i32.const 1)))"""


@pytest.mark.parametrize("size", [10, PAGE, 3 * PAGE + 5])
def test_a_call_cannot_read_the_input_of_the_one_before(
    load: Load, wat: Wat, plugin_text: Text, size: int
) -> None:
    plugin = load(wat(plugin_text(plugin_tool_execute=PEEKING)))
    assert plugin.execute_tool(0, "x" * size) == "x" * (size - 1)
    assert plugin.execute_tool(0, "") == ""
    memory = plugin.instance.exports.memory()
    assert not any(memory.raw[memory.size :])


def test_an_input_does_not_outlive_a_trap_in_a_memory_that_does(
    load: Load, wat: Wat, plugin_text: Text
) -> None:
    memory = Memory(MemoryType(Limits(1)))
    imports = '(import "env" "memory" (memory 1))'
    text = plugin_text(
        imports=imports, memory='(export "memory" (memory 0))', plugin_tool_execute=PEEKING
    )
    plugin = load(wat(text), {"env": {"memory": memory}})
    with pytest.raises(ToolExecutionError, match="unreachable"):
        plugin.execute_tool(0, "?secret")
    assert not any(memory.raw[memory.size :])
    assert plugin.execute_tool(0, "") == ""


def test_no_room_for_an_input(load: Load) -> None:
    class Large(str):
        __slots__ = ()

        def encode(self, *arguments: object) -> bytes:
            raise MemoryError

    plugin = load("stateful")
    with pytest.raises(ToolExecutionError, match="there is no room"):
        plugin.execute_tool(0, Large("x"))
    assert plugin.execute_tool(0, "") == "1", "the plugin has run, or lost its state"


# State, traps, fresh instances.


def test_state_is_kept_across_failures_that_are_no_traps(load: Load) -> None:
    plugin = load("stateful")
    instance = plugin.instance
    assert plugin.execute_tool(0, "") == "1"
    for wrong in ("\0", "\ud800"):
        with pytest.raises(ToolExecutionError):
            plugin.execute_tool(0, wrong)
    with pytest.raises(ToolExecutionError):
        plugin.execute_tool(7, "")
    with pytest.raises(ToolExecutionError):
        plugin.execute_tool("nothing", "")
    assert plugin.execute_tool(0, "") == "2"
    assert plugin.instance is instance


def test_a_bad_answer_does_not_cost_the_state(load: Load) -> None:
    plugin = load("bad_pointer")
    instance = plugin.instance
    with pytest.raises(ToolExecutionError):
        plugin.execute_tool(0, "")
    assert plugin.instance is instance


def test_after_a_trap_the_instance_is_a_fresh_one(load: Load) -> None:
    plugin = load("trap_then_state")
    instance = plugin.instance
    assert plugin.execute_tool("count", "") == "1"
    with pytest.raises(ToolExecutionError) as raised:
        plugin.execute_tool("crash", "")
    cause = raised.value.__cause__
    assert isinstance(cause, Trap)
    assert cause.reason is TrapReason.UNREACHABLE
    assert plugin.execute_tool("count", "") == "1"
    assert plugin.instance is not instance
    assert plugin.tools == load("trap_then_state").tools


def test_instances_thrown_away_do_not_fill_the_memory(load: Load, wat: Wat) -> None:
    text = (WAT / "trap_division.wat").read_text()
    assert '"memory") 1)' in text
    plugin = load(wat(text.replace('"memory") 1)', '"memory") 640)')))
    instances = []
    # Python collects when it has made many objects, and these are few.
    gc.disable()
    try:
        for _ in range(12):
            instances.append(weakref.ref(plugin.instance))
            with pytest.raises(ToolExecutionError, match="divide by zero"):
                plugin.execute_tool(0, "x")
        alive = sum(instance() is not None for instance in instances)
    finally:
        gc.enable()
    assert alive <= 4, "40 MiB each"


def test_an_exception_of_a_host_function(load: Load) -> None:
    """It arrives unchanged; the plugin was in the middle of something, and is made afresh."""
    error = PermissionError("mine")
    raising = [True]

    def log(pointer: int) -> None:
        if raising[0]:
            raise error

    plugin = load("imports_host", {"env": {"log": log}})
    instance = plugin.instance
    with pytest.raises(PermissionError) as raised:
        plugin.execute_tool(0, "x")
    assert raised.value is error
    raising[0] = False
    assert plugin.execute_tool(0, "x") == "logged"
    assert plugin.instance is not instance


def test_interrupting_a_call(load: Load) -> None:
    def log(pointer: int) -> None:
        raise KeyboardInterrupt

    plugin = load("imports_host", {"env": {"log": log}})
    instance = plugin.instance
    with pytest.raises(KeyboardInterrupt):
        plugin.execute_tool(0, "x")
    assert plugin.instance is not instance


def test_a_host_function_cannot_call_the_plugin_again(load: Load) -> None:
    """Its input and the outer call's would share the plugin's memory."""
    errors: list[ToolExecutionError] = []

    def log(pointer: int) -> None:
        with pytest.raises(ToolExecutionError, match="called it again") as raised:
            plugin.execute_tool(0, "inner")
        errors.append(raised.value)

    plugin = load("imports_host", {"env": {"log": log}})
    instance = plugin.instance
    assert plugin.execute_tool(0, "outer") == "logged"
    assert len(errors) == 1
    assert plugin.instance is instance


def test_a_host_function_can_call_another_plugin(load: Load) -> None:
    echo = load("echo")
    answers: list[str] = []
    plugin = load(
        "imports_host", {"env": {"log": lambda _: answers.append(echo.execute_tool(0, "inner"))}}
    )
    assert plugin.execute_tool(0, "outer") == "logged"
    assert answers == ["inner"]


def test_cancel_a_tool_from_another_thread(load: Load) -> None:
    plugin = load("loop_forever", fuel=None, timeout=60)
    instance = plugin.instance

    def cancel() -> None:
        while not done:
            plugin.instance.cancel()
            time.sleep(0.01)

    done: list[bool] = []
    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    with pytest.raises(ToolExecutionError) as raised:
        plugin.execute_tool(0, "")
    done.append(True)
    thread.join()
    assert isinstance(raised.value.__cause__, Cancelled)
    assert plugin.instance is not instance


def test_calls_from_many_threads_wait_for_each_other(load: Load) -> None:
    plugin = load("stateful")
    answers: list[str] = []

    def call() -> None:
        for _ in range(10):
            answers.append(plugin.execute_tool(0, ""))

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers, key=int) == [str(n) for n in range(1, 51)]


def test_two_plugins_of_one_module_are_apart(load: Load) -> None:
    first, second = load("stateful"), load("stateful")
    assert [first.execute_tool(0, "") for _ in range(3)] == ["1", "2", "3"]
    assert second.execute_tool(0, "") == "1"


# Allocators.

#: A bump allocator that counts, and tools that tell: `live` how many blocks are live, `same`
#: whether the input lies in the last block.
COUNTING = """
  (global $live (mut i32) (i32.const 0))
  (global $made (export "made") (mut i32) (i32.const 0))
  (global $last (mut i32) (i32.const 0))
  (global $asked (export "asked") (mut i32) (i32.const 0))
  (func $take (param $size i32) (result i32)
    (global.set $live (i32.add (global.get $live) (i32.const 1)))
    (global.set $made (i32.add (global.get $made) (i32.const 1)))
    (global.set $asked (local.get $size))
    (global.set $last (i32.const 4096))
    (global.get $last))
  (func $give (param i32)
    (if (i32.ne (local.get 0) (global.get $last)) (then unreachable))
    (global.set $live (i32.sub (global.get $live) (i32.const 1))))
"""
EXECUTE = """
  (func (export "plugin_tool_execute") (param $tool i32) (param $input i32) (result i32)
    (if (i32.ne (local.get $input) (global.get $last)) (then unreachable))
    (i32.store16 (i32.const 1000) (i32.add (i32.const 48) (global.get $live)))
    (i32.const 1000))
"""
ALLOCATORS = {
    "plugin_alloc, plugin_free": """
      (func (export "plugin_alloc") (param i32) (result i32) (call $take (local.get 0)))
      (func (export "plugin_free") (param i32) (call $give (local.get 0)))""",
    "malloc, free": """
      (func (export "malloc") (param i32) (result i32) (call $take (local.get 0)))
      (func (export "free") (param i32) (call $give (local.get 0)))""",
    "__new, __pin, __unpin": """
      (global $pinned (mut i32) (i32.const 0))
      (func (export "__new") (param $size i32) (param $class i32) (result i32)
        (if (i32.ne (local.get $class) (i32.const 1)) (then unreachable))
        (call $take (local.get $size)))
      (func (export "__pin") (param i32) (result i32)
        (global.set $pinned (local.get 0)) (local.get 0))
      (func (export "__unpin") (param i32)
        (if (i32.ne (local.get 0) (global.get $pinned)) (then unreachable))
        (global.set $pinned (i32.const 0))
        (call $give (local.get 0)))""",
}
ALLOCATOR_WITHOUT_FREE = {
    "plugin_alloc alone": """
      (func (export "plugin_alloc") (param i32) (result i32) (call $take (local.get 0)))""",
    "cabi_realloc": """
      (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32)
        (param $size i32) (result i32)
        (if (i32.or (local.get $old) (local.get $old_size)) (then unreachable))
        (call $take (local.get $size)))""",
}


@pytest.mark.parametrize("allocator", ALLOCATORS.values(), ids=ALLOCATORS)
def test_an_exported_allocator_is_used(
    load: Load, wat: Wat, plugin_text: Text, allocator: str
) -> None:
    text = plugin_text(plugin_tool_execute=EXECUTE, extra=COUNTING + allocator)
    plugin = load(wat(text))
    exports = plugin.instance.exports
    for number, given in enumerate(("", "x", "é" * 20, "x" * 1000), 1):
        assert plugin.execute_tool(0, given) == "1", "blocks that are live during the call"
        assert exports.global_("made").value == number
        assert exports.global_("asked").value == len(given.encode()) + 1, (
            "the terminator needs a byte"
        )
        assert exports.memory().read(4096, exports.global_("asked").value) == given.encode() + b"\0"
    assert len(exports.memory().raw) == PAGE, "no page of the host's"


@pytest.mark.parametrize("allocator", ALLOCATOR_WITHOUT_FREE.values(), ids=ALLOCATOR_WITHOUT_FREE)
def test_an_allocator_that_does_not_free(
    load: Load, wat: Wat, plugin_text: Text, allocator: str
) -> None:
    text = plugin_text(plugin_tool_execute=EXECUTE, extra=COUNTING + allocator)
    plugin = load(wat(text))
    assert [plugin.execute_tool(0, "x") for _ in range(3)] == ["1", "2", "3"]


def test_which_allocator_of_several(load: Load, wat: Wat, plugin_text: Text) -> None:
    """`plugin_alloc` first, then `malloc`, `cabi_realloc`, `__new`."""
    names = ["plugin_alloc, plugin_free", "malloc, free", "cabi_realloc", "__new, __pin, __unpin"]
    both = ALLOCATORS | ALLOCATOR_WITHOUT_FREE
    never = "unreachable"
    for index, name in enumerate(names):
        rest = "".join(
            both[other].replace("(call $take", f"({never}) (call $take")
            for other in names[index + 1 :]
        )
        text = plugin_text(plugin_tool_execute=EXECUTE, extra=COUNTING + both[name] + rest)
        assert load(wat(text)).execute_tool(0, "x") == "1"


@pytest.mark.parametrize(
    "extra",
    [
        # Functions of these names that are something else are no allocator.
        '(func (export "malloc") (param i64) (result i32) unreachable)',
        """(func (export "malloc") (param i32) (result i32) unreachable)
           (func (export "free") (param i32) (result i32) unreachable)""",
        '(func (export "malloc") (param i32) (result i32) unreachable)',
        '(func (export "cabi_realloc") (param i32) (result i32) unreachable)',
        '(func (export "__new") (param i32 i32) (result i32) unreachable)',
        '(global (export "malloc") i32 (i32.const 0))',
    ],
)
def test_what_is_no_allocator(load: Load, wat: Wat, plugin_text: Text, extra: str) -> None:
    assert load(wat(plugin_text(extra=extra))).execute_tool(0, "text") == "text"


@pytest.mark.parametrize("name", ["plugin_alloc", "plugin_free"])
def test_an_allocator_of_the_wrong_type(load: Load, wat: Wat, plugin_text: Text, name: str) -> None:
    """An export of the allocator with another type is an error, at the load or at a call."""
    text = plugin_text(extra=f'(func (export "{name}") (param i64))')
    with pytest.raises(WrongExportTypeError) as raised:
        load(wat(text)).execute_tool(0, "x")
    assert raised.value.export == name


def test_a_fresh_instance_is_made_like_the_first(load: Load, wat: Wat, plugin_text: Text) -> None:
    """`_initialize` called once, and the allocator used, in the one after a trap as well."""
    extra = """
      (global $ready (mut i32) (i32.const 0))
      (func (export "_initialize") (global.set $ready (i32.add (global.get $ready) (i32.const 1))))
    """
    execute = """
      (func (export "plugin_tool_execute") (param $tool i32) (param $input i32) (result i32)
        (if (i32.eq (i32.load8_u (local.get $input)) (i32.const 33)) (then unreachable))
        (i32.store16 (i32.const 1000) (i32.add (i32.const 48)
          (i32.add (i32.mul (i32.const 3) (global.get $ready)) (global.get $live))))
        (i32.const 1000))"""
    extra += COUNTING + ALLOCATORS["plugin_alloc, plugin_free"]
    plugin = load(wat(plugin_text(extra=extra, plugin_tool_execute=execute)))
    for _ in range(3):
        assert plugin.execute_tool(0, "x") == "4"
        with pytest.raises(ToolExecutionError, match="unreachable"):
            plugin.execute_tool(0, "!")


def test_free_that_traps(load: Load, wat: Wat, plugin_text: Text) -> None:
    extra = """
      (global $calls (mut i32) (i32.const 0))
      (func (export "plugin_alloc") (param i32) (result i32) (i32.const 2048))
      (func (export "plugin_free") (param i32) unreachable)"""
    plugin = load(wat(plugin_text(extra=extra)))
    instance = plugin.instance
    with pytest.raises(ToolExecutionError, match="unreachable in plugin_free"):
        plugin.execute_tool(0, "x")
    assert plugin.instance is not instance


def test_an_allocator_whose_block_ends_with_memory(load: Load, wat: Wat, plugin_text: Text) -> None:
    extra = """
      (func (export "plugin_alloc") (param i32) (result i32)
        (i32.sub (i32.const 65536) (local.get 0)))
      (func (export "plugin_free") (param i32))"""
    plugin = load(wat(plugin_text(extra=extra)))
    for text in ("", "x", "x" * 1000):
        assert plugin.execute_tool(0, text) == text


def test_an_allocator_that_grows_memory(load: Load) -> None:
    plugin = load("with_alloc")
    for size in (10, 3 * PAGE, 5, 10 * PAGE):
        assert plugin.execute_tool("echo", "x" * size) == "x" * size
        assert plugin.execute_tool("live", "") == "1"
    assert len(plugin.instance.exports.memory().raw) == plugin.instance.exports.memory().size
