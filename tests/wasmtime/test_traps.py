"""`Trap`: its reason, its frames and its text."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from tests.wasmtime.wat import exports, host

#: The code of a function, what traps in it by the name of its code, and the words.
TRAPS = [
    ("unreachable", "UNREACHABLE", "wasm `unreachable` instruction executed"),
    (
        "(drop (i32.div_s (i32.const 1) (i32.const 0)))",
        "INTEGER_DIVISION_BY_ZERO",
        "integer divide by zero",
    ),
    (
        "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))",
        "INTEGER_OVERFLOW",
        "integer overflow",
    ),
    (
        "(drop (i32.trunc_f64_s (f64.const 1e30)))",
        "INTEGER_OVERFLOW",
        "integer overflow",
    ),
    (
        "(drop (i32.trunc_f64_s (f64.const nan)))",
        "BAD_CONVERSION_TO_INTEGER",
        "invalid conversion to integer",
    ),
    (
        "(drop (i32.load (i32.const 65536)))",
        "MEMORY_OUT_OF_BOUNDS",
        "out of bounds memory access",
    ),
    (
        "(memory.fill (i32.const 65536) (i32.const 0) (i32.const 1))",
        "MEMORY_OUT_OF_BOUNDS",
        "out of bounds memory access",
    ),
    (
        "(drop (table.get (i32.const 9)))",
        "TABLE_OUT_OF_BOUNDS",
        "undefined element: out of bounds table access",
    ),
    (
        "(call_indirect (i32.const 9))",
        "TABLE_OUT_OF_BOUNDS",
        "undefined element: out of bounds table access",
    ),
    ("(call_indirect (i32.const 0))", "INDIRECT_CALL_TO_NULL", "uninitialized element"),
    (
        "(call_indirect (param i32) (i32.const 0) (i32.const 1))",
        "BAD_SIGNATURE",
        "indirect call type mismatch",
    ),
]


@pytest.mark.parametrize(("code", "name", "words"), TRAPS, ids=[code for code, _, _ in TRAPS])
def test_reasons(library: Any, code: str, name: str, words: str) -> None:
    module = exports(
        library,
        f"""(module $math (memory 1) (table 2 funcref) (elem (i32.const 1) $inner)
              (func $inner {code}) (func (export "outer") nop nop (call $inner)))""",
    )
    with pytest.raises(library.Trap) as raised:
        module.outer()
    trap = raised.value
    assert trap.trap_code is library.TrapCode[name]
    assert trap.message == str(trap)
    assert str(trap).startswith("error while executing at wasm backtrace:\n    0: ")
    assert str(trap).endswith(f"wasm trap: {words}\n")
    inner, outer = trap.frames
    assert (inner.func_index, inner.func_name, inner.module_name) == (0, "inner", "math")
    assert (outer.func_index, outer.func_name, outer.module_name) == (1, None, "math")
    # The call is behind the number of locals and two `nop`.
    assert outer.func_offset == 3
    assert inner.module_offset < outer.module_offset


def test_a_closed_frame(library: Any) -> None:
    module = exports(library, '(module (func (export "f") unreachable))')
    with pytest.raises(library.Trap) as raised:
        module.f()
    (frame,) = raised.value.frames
    frame.close()
    for name in ("func_index", "func_name", "module_name", "module_offset", "func_offset"):
        with pytest.raises(ValueError, match="already closed"):
            getattr(frame, name)


def test_the_text(library: Any) -> None:
    module = exports(
        library,
        """(module $m (func (export "init") (local i64 i64 f32) call $foo)
             (func $foo call $bar) (func $bar unreachable))""",
    )
    with pytest.raises(library.Trap) as raised:
        module.init()
    assert [frame.func_offset for frame in raised.value.frames] == [1, 1, 5]
    assert (
        str(raised.value)
        == """\
error while executing at wasm backtrace:
    0:     0x31 - m!bar
    1:     0x2c - m!foo
    2:     0x27 - m!<wasm function 0>

Caused by:
    wasm trap: wasm `unreachable` instruction executed
"""
    )


def test_a_module_without_a_name(library: Any) -> None:
    module = exports(library, '(module (func (export "f") unreachable))')
    with pytest.raises(library.Trap, match="- <unknown>!<wasm function 0>") as raised:
        module.f()
    assert raised.value.frames[0].module_name is None


def test_frames_of_two_modules(library: Any) -> None:
    store = library.Store()
    deep = exports(library, '(module $deep (func $in (export "f") unreachable))', store=store)
    function = deep.instance.exports(store)["f"]
    top = exports(
        library,
        '(module $top (import "" "" (func $i)) (func $out (export "f") (local i32) (call $i)))',
        [function],
        store,
    )
    with pytest.raises(library.Trap) as raised:
        top.f()
    seen = [(frame.module_name, frame.func_name) for frame in raised.value.frames]
    assert seen == [("deep", "in"), ("top", "out")]
    assert [frame.func_offset for frame in raised.value.frames] == [1, 3]


def test_endless_recursion(library: Any) -> None:
    module = exports(
        library,
        """(module (func $f (export "f") (call $f))
             (func $depth (export "depth") (param i32) (result i32)
               (if (result i32) (local.get 0)
                 (then (i32.add (i32.const 1)
                                (call $depth (i32.sub (local.get 0) (i32.const 1)))))
                 (else (i32.const 0)))))""",
    )
    with pytest.raises(library.Trap, match="call stack exhausted") as raised:
        module.f()
    assert raised.value.trap_code is library.TrapCode.STACK_OVERFLOW
    assert len(raised.value.frames) == 20
    assert module.depth(5000) == 5000


def test_a_smaller_stack(library: Any) -> None:
    config = library.Config()
    config.max_wasm_stack = 64 * 1024
    store = library.Store(library.Engine(config))
    text = """(module (func $f (export "f") (param i32) (result i32)
                (if (result i32) (local.get 0)
                  (then (call $f (i32.sub (local.get 0) (i32.const 1))))
                  (else (i32.const 7)))))"""
    module = exports(library, text, store=store)
    assert module.f(500) == 7
    with pytest.raises(library.Trap, match="call stack exhausted"):
        module.f(100_000)


def test_traps_of_an_instantiation(library: Any) -> None:
    for text, name in (
        ('(module (memory 1) (data (i32.const 65536) "a"))', "MEMORY_OUT_OF_BOUNDS"),
        ("(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))", "TABLE_OUT_OF_BOUNDS"),
        ("(module (func $s unreachable) (start $s))", "UNREACHABLE"),
    ):
        with pytest.raises(library.Trap) as raised:
            exports(library, text)
        assert raised.value.trap_code is library.TrapCode[name]


def test_a_trap_of_the_host(library: Any) -> None:
    trap = library.Trap("why")
    assert (trap.message, str(trap), trap.frames, trap.trap_code) == ("why", "why", [], None)
    with pytest.raises(AttributeError):
        library.Trap(3)
    trap.close()
    with pytest.raises(ValueError, match="already closed"):
        trap.message  # noqa: B018


def test_the_codes(wasmtime: Any, library: Any) -> None:
    assert {code.name: code.value for code in library.TrapCode} == {
        code.name: code.value for code in wasmtime.TrapCode
    }


def test_errors_can_be_copied_and_pickled(ours: Any) -> None:
    for error in (ours.WasmtimeError("what"), ours.ExitTrap(3), ours.Trap("why")):
        for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
            assert (type(twin), str(twin)) == (type(error), str(error))
    assert pickle.loads(pickle.dumps(ours.ExitTrap(3))).code == 3


EXIT = """
(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "exit") (param i32) (call $exit (local.get 0)))
  (func (export "one") (result i32) (i32.const 1)))
"""


def exiting(library: Any) -> tuple[Any, Any]:
    linker = library.Linker(library.Engine())
    linker.define_wasi()
    store = library.Store(linker.engine)
    store.set_wasi(library.WasiConfig())
    instance = linker.instantiate(store, library.Module(linker.engine, EXIT))
    return store, instance.exports(store)


@pytest.mark.parametrize("code", [0, 1, 125])
def test_exit(library: Any, code: int) -> None:
    store, exported = exiting(library)
    for _ in range(2):
        with pytest.raises(library.ExitTrap, match=f"Exited with i32 exit status {code}") as raised:
            exported["exit"](store, code)
        assert raised.value.code == code
        assert isinstance(raised.value, library.WasmtimeError)
    assert exported["one"](store) == 1


@pytest.mark.parametrize("code", [126, 300, -1])
def test_an_exit_status_that_is_none(library: Any, code: int) -> None:
    store, exported = exiting(library)
    with pytest.raises(library.WasmtimeError, match="exit with invalid exit status") as raised:
        exported["exit"](store, code)
    assert not isinstance(raised.value, library.ExitTrap)


def test_a_nested_exit(library: Any) -> None:
    """It goes through a host function as any exception does."""
    store, exported = exiting(library)
    outer = exports(
        library,
        '(module (import "" "" (func $h)) (func (export "f") (call $h)))',
        [host(library, store, "->", lambda: exported["exit"](store, 4))],
        store,
    )
    with pytest.raises(library.ExitTrap) as raised:
        outer.f()
    assert raised.value.code == 4
