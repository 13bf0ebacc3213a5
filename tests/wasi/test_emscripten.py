"""The functions that programs compiled with Emscripten import."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import (
    Aborted,
    DeadlineExceeded,
    Exited,
    FixedClock,
    FuncType,
    Instance,
    LinkError,
    OutOfFuel,
    ResourceLimits,
    Trap,
    ValType,
    Wasi,
    instantiate,
)
from purewasm_plugins.command import CommandResult, run_command
from purewasm_plugins.debugger import DebugSession
from purewasm_plugins.wasi.emscripten import find
from purewasm_plugins.wasi.state import WasiState
from tests.conftest import ROOT, assemble

Start = Callable[..., Instance]

PAGE = 65536

#: What each program exports for long jumps: `setThrew` counts its calls and keeps the last values.
JUMPS = """
  (memory (export "memory") 1)
  (global $sp (mut i32) (i32.const 1000))
  (global $threw (mut i32) (i32.const 0))
  (func (export "setThrew") (param i32 i32)
    (global.set $threw (i32.add (i32.const 1000) (local.get 0))))
  (func (export "threw") (result i32) (global.get $threw))
  (func (export "sp") (result i32) (global.get $sp))
"""

STACK_GLOBAL = '(export "__stack_pointer" (global $sp))'


def stack_functions(save: str, restore: str) -> str:
    return f"""
      (func (export "{save}") (result i32) (global.get $sp))
      (func (export "{restore}") (param i32) (global.set $sp (local.get 0)))"""


STACKS = {
    "global": STACK_GLOBAL,
    "functions": stack_functions("stackSave", "stackRestore"),
    "later names": stack_functions("emscripten_stack_get_current", "_emscripten_stack_restore"),
}

#: A program whose functions in the table jump, trap, exit, loop, or return, when `run` calls them.
CALLS = """
(module
  (import "env" "invoke_ii" (func $invoke (param i32 i32) (result i32)))
  (import "env" "_emscripten_throw_longjmp" (func $jump))
  (import "env" "host" (func $host (param i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (table (export "__indirect_function_table") 10 funcref)
  (elem (i32.const 1) $answer $jumping $trapping $exiting $looping $nested $calling $void)
  (type $f (func (param i32) (result i32)))
  (func $answer (type $f) (i32.mul (local.get 0) (i32.const 2)))
  (func $jumping (type $f)
    (global.set $sp (i32.sub (global.get $sp) (i32.const 100)))
    (call $jump) (unreachable))
  (func $trapping (type $f) (i32.div_u (local.get 0) (i32.const 0)))
  (func $exiting (type $f) (call $exit (local.get 0)) (unreachable))
  (func $looping (type $f) (loop (br 0)) (unreachable))
  (func $nested (type $f)
    (if (result i32) (local.get 0)
      (then (call $invoke (i32.const 6) (i32.sub (local.get 0) (i32.const 1))))
      (else (call $jumping (i32.const 0)))))
  (func $calling (type $f) (call $host (local.get 0)) (i32.const 5))
  (func $void)
  (func (export "run") (param i32 i32) (result i32)
    (call $invoke (local.get 0) (local.get 1)))
  (func (export "jump") (call $jump))
  %s %s)
"""
ANSWER, JUMPING, TRAPPING, EXITING, LOOPING, NESTED, CALLING, VOID, NULL, OUTSIDE = range(1, 11)


@pytest.fixture
def calls(engine: str) -> Start:
    """`calls(host=…, stack=…, **limits)`: an instance of `CALLS`."""

    def calls(
        host: Callable[..., None] = lambda value: None, stack: str = STACK_GLOBAL, **limits: Any
    ) -> Instance:
        return instantiate(
            assemble(CALLS % (JUMPS, stack)),
            {"env": {"host": host}},
            engine=engine,
            limits=ResourceLimits(**limits),
            wasi=Wasi(),
        )

    return calls


def call(instance: Instance, name: str, *arguments: Any) -> Any:
    return instance.exports.function(name)(*arguments)


def test_a_program_by_emscripten(engine: str) -> None:
    path = ROOT / "fixtures" / "programs" / "jumps_emscripten.wasm"
    lines = ("inner: 3", "inner: 4", "inner: 5", "outer: 50", "rounds: 100, 123456789abcde")
    output = "\n".join([*lines, "copied: 1", "leaving with 7", ""])
    assert run_command(path, engine=engine) == CommandResult(7, output.encode(), b"")


def test_back_and_forth_in_the_debugger() -> None:
    """A session calls host functions once: `invoke_*`, whose calls are back into it, as well."""
    data = (ROOT / "fixtures" / "programs" / "jumps_emscripten.wasm").read_bytes()
    output = bytearray()
    instance = instantiate(data, wasi=Wasi(stdout=output.extend))
    session = DebugSession.for_function(instance, "_start")
    ends = []
    for _ in range(2):
        stop = session.resume()
        assert isinstance(stop.trap, Exited)
        ends.append((stop.step, stop.trap.code, bytes(output)))
        session.go_to(stop.step // 2)
    assert ends[0] == ends[1]
    assert output.endswith(b"leaving with 7\n")


@pytest.mark.parametrize("stack", STACKS)
def test_a_long_jump_ends_at_the_nearest_call(calls: Start, stack: str) -> None:
    instance = calls(stack=STACKS[stack])
    assert call(instance, "run", ANSWER, 21) == 42
    assert call(instance, "threw") == 0
    for _ in range(3):
        assert call(instance, "run", JUMPING, 1) == 0
        assert (call(instance, "threw"), call(instance, "sp")) == (1001, 1000)
    assert call(instance, "run", ANSWER, 21) == 42


#: What replaces a part of a program, and what the program lacks then.
LACKS = {
    "no stack": (STACK_GLOBAL, "", "no function stackSave of the type () -> (i32)"),
    "another stack": (
        STACK_GLOBAL,
        '(func (export "stackSave") (param i32))',
        "no function stackSave of the type () -> (i32)",
    ),
    "an immutable stack": (
        STACK_GLOBAL,
        '(global (export "__stack_pointer") i32 (i32.const 1000))',
        "no function stackSave of the type () -> (i32)",
    ),
    "half a stack": (
        STACK_GLOBAL,
        '(func (export "stackSave") (result i32) (i32.const 0))',
        "no function stackRestore of the type (i32) -> ()",
    ),
    "no setThrew": (
        '"setThrew"',
        '"other"',
        "no function setThrew of the type (i32, i32) -> ()",
    ),
    "another setThrew": (
        '(export "setThrew") (param i32 i32)',
        '(export "setThrew") (param i32 i32 i32)',
        "no function setThrew of the type (i32, i32) -> ()",
    ),
    "no table": (
        '(export "__indirect_function_table")',
        "",
        "no table __indirect_function_table of functions",
    ),
    "another table": (
        '(table (export "__indirect_function_table") 10 funcref)',
        '(table 10 funcref) (table (export "__indirect_function_table") 10 externref)',
        "no table __indirect_function_table of functions",
    ),
}


@pytest.mark.parametrize("lack", LACKS)
def test_a_program_without_what_calls_need(lack: str, engine: str) -> None:
    part, other, reason = LACKS[lack]
    text = (CALLS % (JUMPS, STACK_GLOBAL)).replace(part, other)
    imports = {"env": {"host": lambda value: None}}
    instance = instantiate(assemble(text), imports, engine=engine, wasi=Wasi())
    with pytest.raises(LinkError) as caught:
        call(instance, "run", ANSWER, 1)
    assert str(caught.value).startswith(f"the module exports {reason}: import 'invoke_*'")


def test_long_jumps_leave_no_garbage(calls: Start) -> None:
    run = calls().exports.function("run")
    run(JUMPING, 0)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            run(JUMPING, 0)
            run(NESTED, 3)
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("depth", [0, 1, 20])
def test_nested_calls(calls: Start, depth: int) -> None:
    assert call(calls(), "run", NESTED, depth) == 0


def test_calls_nested_too_deep_are_a_trap(calls: Start) -> None:
    instance = calls()
    with pytest.raises(Trap, match="call stack exhausted"):
        call(instance, "run", NESTED, 1000)
    assert call(instance, "run", JUMPING, 0) == 0


def test_a_long_jump_that_nothing_awaits(calls: Start) -> None:
    instance = calls()
    assert call(instance, "run", JUMPING, 0) == 0
    with pytest.raises(Aborted, match="longjmp to a function that has returned"):
        call(instance, "jump")


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (TRAPPING, "integer divide by zero"),
        (NULL, "uninitialized element"),
        (OUTSIDE, "out of bounds table access"),
        (-1, "out of bounds table access"),
        (VOID, "indirect call type mismatch"),
    ],
)
def test_traps_pass_through(calls: Start, index: int, reason: str) -> None:
    instance = calls()
    with pytest.raises(Trap, match=reason):
        call(instance, "run", index, 1)
    assert call(instance, "threw") == 0


def test_other_ends_pass_through(calls: Start) -> None:
    with pytest.raises(Exited) as caught:
        call(calls(), "run", EXITING, 3)
    assert caught.value.code == 3
    with pytest.raises(DeadlineExceeded):
        call(calls(timeout=0.05), "run", LOOPING, 0)
    with pytest.raises(OutOfFuel):
        call(calls(fuel=10_000), "run", LOOPING, 0)

    def host(value: int) -> None:
        raise ValueError(value)

    with pytest.raises(ValueError, match="8"):
        call(calls(host), "run", CALLING, 8)


def test_a_long_jump_passes_the_calls_of_other_programs(calls: Start) -> None:
    """It goes from the inner program's function, through the outer's call, and not into it."""
    first: list[Instance] = []

    def back(value: int) -> None:
        if value:
            call(first[0], "run", JUMPING, 0)
        else:
            call(first[0], "jump")

    def on(value: int) -> None:
        call(second, "run", CALLING, value)

    second = calls(back)
    first.append(calls(on))
    # A jump inside the call back.
    assert call(first[0], "run", CALLING, 1) == 5
    # A jump of the first out of the second's call.
    assert call(first[0], "run", CALLING, 0) == 0
    assert (call(first[0], "threw"), call(second, "threw")) == (1001, 0)


def test_i64_in_halves(engine: str) -> None:
    """Older modules split each i64 in imports, as JavaScript had none."""
    text = f"""(module
      (import "env" "invoke_jji" (func $invoke (param i32 i32 i32 i32) (result i32)))
      (import "env" "getTempRet0" (func $upper (result i32)))
      (table (export "__indirect_function_table") 1 funcref)
      (elem (i32.const 0) $add)
      (func $add (param i64 i32) (result i64)
        (i64.add (local.get 0) (i64.extend_i32_s (local.get 1))))
      (func (export "add") (param i64 i32) (result i64)
        (local $low i32)
        (local.set $low (call $invoke (i32.const 0) (i32.wrap_i64 (local.get 0))
          (i32.wrap_i64 (i64.shr_u (local.get 0) (i64.const 32))) (local.get 1)))
        (i64.or (i64.extend_i32_u (local.get $low))
          (i64.shl (i64.extend_i32_u (call $upper)) (i64.const 32))))
      {JUMPS} {STACK_GLOBAL})"""
    add = instantiate(assemble(text), engine=engine, wasi=Wasi()).exports.function("add")
    for value in (0, 1, -1, 2**62 + 5, -(2**63), 2**32 - 1):
        assert add(value, 5) == value + 5


def one(name: str, type: str, memory: str = "1") -> str:
    """A program that exports an import as "call"."""
    count = len(type.partition("(result")[0].split()) - 1 if "param" in type else 0
    arguments = "".join(f"(local.get {index})" for index in range(count))
    return f"""(module (import "env" "{name}" (func $f {type}))
      (memory (export "memory") {memory})
      (func (export "call") {type} (call $f {arguments})))"""


@pytest.fixture
def function(engine: str) -> Start:
    """`function(name, type, memory="1", wasi=Wasi(), **limits)`: an instance that imports it."""

    def function(
        name: str, type: str, memory: str = "1", wasi: Wasi | None = None, **limits: Any
    ) -> Instance:
        text = one(name, type, memory)
        given = Wasi() if wasi is None else wasi
        limited = ResourceLimits(**limits)
        return instantiate(assemble(text), engine=engine, wasi=given, limits=limited)

    return function


RESIZE = ("emscripten_resize_heap", "(param i32) (result i32)")


@pytest.mark.parametrize(
    ("memory", "limit", "size", "done", "pages"),
    [
        ("1", 100, PAGE, 1, 1),
        ("1", 100, PAGE + 1, 1, 2),
        ("20", 100, 20 * PAGE + 1, 1, 24),
        ("95", 100, 96 * PAGE, 1, 100),
        ("95", 100, 100 * PAGE, 1, 100),
        ("95", 100, 100 * PAGE + 1, 0, 95),
        ("1 3", 100, 4 * PAGE, 0, 1),
        ("1 3", 100, 3 * PAGE, 1, 3),
        ("1", 100, -1, 0, 1),
        ("1", 100, 0, 1, 1),
    ],
)
def test_growth(function: Start, memory: str, limit: int, size: int, done: int, pages: int) -> None:
    instance = function(*RESIZE, memory, memory_pages=limit)
    assert call(instance, "call", size) == done
    assert instance.exports.memory().pages == pages


@pytest.mark.parametrize(
    ("memory", "limit", "pages"), [("1", 100, 100), ("1 3", 100, 3), ("1", None, 65535)]
)
def test_the_largest_heap(function: Start, memory: str, limit: int | None, pages: int) -> None:
    instance = function("emscripten_get_heap_max", "(result i32)", memory, memory_pages=limit)
    assert call(instance, "call") & 0xFFFFFFFF == pages * PAGE


COPIES = {
    "emscripten_memcpy_big": "(param i32 i32 i32) (result i32)",
    "emscripten_memcpy_js": "(param i32 i32 i32)",
    "_emscripten_memcpy_js": "(param i32 i32 i32)",
}


@pytest.mark.parametrize("name", COPIES)
def test_copies(function: Start, name: str) -> None:
    instance = function(name, COPIES[name], "4", fuel=100)
    memory = instance.exports.memory()
    memory.write(10, b"copied")
    assert call(instance, "call", 1000, 10, 6) == (1000 if "big" in name else None)
    assert memory.read(999, 8) == b"\0copied\0"
    with pytest.raises(Trap, match="out of bounds"):
        call(instance, "call", 0, 4 * PAGE - 5, 6)
    with pytest.raises(Trap, match="out of bounds"):
        call(instance, "call", -1, 0, 6)
    # All of it is paid for.
    call(instance, "call", 2 * PAGE, 0, 2 * PAGE)
    assert instance.fuel_used > 30


def test_calls_without_effect(function: Start) -> None:
    assert call(function("emscripten_notify_memory_growth", "(param i32)"), "call", 0) is None


@pytest.mark.parametrize("name", ["abort", "_abort_js"])
def test_abort(function: Start, name: str) -> None:
    with pytest.raises(Aborted, match="the module called abort"):
        call(function(name, ""), "call")


@pytest.mark.parametrize(
    ("pointers", "details"),
    [
        ((100, 200, 300), "a < b, at a.c:7, main"),
        ((0, 0, 0), "?, at ?:7, ?"),
        ((PAGE - 1, 100, 100), ", at a < b:7, a < b"),
    ],
)
def test_assertions(function: Start, pointers: tuple[int, int, int], details: str) -> None:
    instance = function("__assert_fail", "(param i32 i32 i32 i32)")
    memory = instance.exports.memory()
    for pointer, text in zip((100, 200, 300), ("a < b", "a.c", "main"), strict=True):
        memory.write_string(pointer, text)
    with pytest.raises(Aborted) as caught:
        call(instance, "call", pointers[0], pointers[1], 7, pointers[2])
    assert caught.value.details == f"Assertion failed: {details}"


def test_the_text_of_an_assertion_is_bounded(function: Start) -> None:
    instance = function("__assert_fail", "(param i32 i32 i32 i32)")
    instance.exports.memory().write(1, b"x" * (PAGE - 1))
    with pytest.raises(Aborted) as caught:
        call(instance, "call", 1, 2, 3, PAGE - 4)
    assert len(caught.value.details) < 3000
    with pytest.raises(Trap, match="out of bounds"):
        call(instance, "call", PAGE + 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("emscripten_get_now", [0.0, 1.5]),
        ("emscripten_date_now", [1e6, 1e6 + 1.5]),
        ("emscripten_get_now_res", [1.5e6, 1.5e6]),
    ],
)
def test_times(function: Start, name: str, expected: list[float]) -> None:
    wasi = Wasi(clock=FixedClock(10**12, 1_500_000))
    instance = function(name, "(result f64)", wasi=wasi)
    assert [call(instance, "call"), call(instance, "call")] == expected


def test_the_clock_never_goes_back(function: Start) -> None:
    assert call(function("_emscripten_get_now_is_monotonic", "(result i32)"), "call") == 1


def test_random_bytes(function: Start) -> None:
    instance = function("getentropy", "(param i32 i32) (result i32)", wasi=Wasi(random=5))
    memory = instance.exports.memory()
    assert call(instance, "call", 8, 256) == 0
    first, second = memory.read(0, 264), memory.read(8 + 128, 128)
    assert first[:8] == bytes(8)
    assert first[8:136] != second
    assert len({*first}) > 100
    assert call(instance, "call", 8, 257) == -1
    assert call(instance, "call", 8, -1) == -1
    assert memory.read(0, 264) == first
    with pytest.raises(Trap, match="out of bounds"):
        call(instance, "call", PAGE - 3, 4)


def test_a_long_jump_with_its_value(engine: str) -> None:
    """As modules of Emscripten 1 have it."""
    text = f"""(module
      (import "env" "invoke_v" (func $invoke (param i32)))
      (import "env" "emscripten_longjmp" (func $jump (param i32 i32)))
      (table (export "__indirect_function_table") 1 funcref)
      (elem (i32.const 0) $jumping)
      (func $jumping (call $jump (i32.const 77) (i32.const 5)))
      (func (export "run") (call $invoke (i32.const 0)))
      {JUMPS} {STACK_GLOBAL})"""
    seen = text.replace(
        '(export "setThrew") (param i32 i32)',
        '(export "setThrew") (param i32 i32) (if (global.get $threw) (then (return)))',
    )
    instance = instantiate(assemble(seen), engine=engine, wasi=Wasi())
    call(instance, "run")
    assert call(instance, "threw") == 1077


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("emscripten_run_script", "(param i32)"),
        ("invoke_v", ""),
        ("invoke_v", "(param i64)"),
        ("invoke_v", "(param i32) (result i32 i32)"),
        ("abort", "(param i32)"),
    ],
)
def test_other_imports(name: str, type: str) -> None:
    text = f'(module (import "env" "{name}" (func {type})))'
    with pytest.raises(LinkError, match="unknown import"):
        instantiate(assemble(text), wasi=True)


def test_another_module() -> None:
    type = FuncType((ValType.I32,))
    assert find("other", "invoke_v", type, WasiState(Wasi())) is None
    assert find("env", "invoke_v", type, WasiState(Wasi())) is not None
