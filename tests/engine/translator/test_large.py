"""Functions that CPython would refuse if they were written as they nest; wasmtime is the oracle."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import wasmtime

from purewasm_plugins import ResourceLimits, Trap, TrapReason, instantiate
from purewasm_plugins.engine.translator.caching import ModuleCode

Wat = Callable[[str], bytes]

HEAD = '(module (func (export "f") (param i32) (result i32) (local i32) '
STEP = "(local.set 1 (i32.add (local.get 1) (i32.const 1)))"
DEEP = 2000


def blocks() -> str:
    opened = "".join(
        f"(block {STEP} (br_if 0 (i32.eq (local.get 0) (i32.const {i})))" for i in range(DEEP)
    )
    closed = "".join(
        f"{STEP} (br_if {min(3, DEEP - 1 - i)} (i32.eq (local.get 0) (i32.const {i + 5000}))))"
        for i in range(DEEP)
    )
    return f"{HEAD}{opened}{closed}(local.get 1)))"


def loops() -> str:
    body = "".join(
        f"(loop {STEP} (br_if {min(i, 5)} (i32.lt_u (local.get 1) (local.get 0)))"
        for i in range(DEEP)
    )
    return f"{HEAD}{body}{')' * DEEP}(local.get 1)))"


def ifs() -> str:
    opened = "".join(
        f"(if (i32.ne (local.get 0) (i32.const {i})) (then {STEP}" for i in range(DEEP)
    )
    closed = "".join(f") (else (local.set 1 (i32.const {i})))) " for i in range(DEEP))
    return f"{HEAD}{opened}{closed}(local.get 1)))"


def valued() -> str:
    body = "".join(
        f"(br_if {min(999 - i, 7)} (i32.eq (local.get 0) (i32.const {i})))(i32.const 3) (i32.add) )"
        for i in range(1000)
    )
    return f"{HEAD}{'(block (result i32) ' * 1000}(local.get 0){body}))"


def table() -> str:
    body = "".join(
        f") (if (i32.and (local.get 0) (i32.const 1)) (then (return (i32.const {i * 3}))))"
        for i in range(5000)
    )
    labels = " ".join(map(str, range(5000)))
    return f"{HEAD}{'(block ' * 5000}(br_table {labels} (local.get 0)){body}(i32.const 7)))"


def locals_() -> str:
    body = "".join(
        f"(local.set {i} (i32.add (local.get {i - 1}) (local.get {i * 7 % 5000})))"
        for i in range(2, 5001)
    )
    return f"{HEAD}(local {'i32 ' * 5000}) {body}(local.get 5000)))"


def long() -> str:
    body = "".join(
        f"(local.set 1 (i32.xor (i32.add (local.get 1) (local.get 0)) (i32.const {i})))"
        for i in range(17_000)
    )
    return f"{HEAD}{body}(local.get 1)))"


def operands() -> str:
    return f"{HEAD}{'(local.get 0)' * 5000}{'(i32.add)' * 4999}))"


def chain() -> str:
    return f"{HEAD}(local.get 0){'(i32.const 3)(i32.xor)(i32.eqz)' * 5000}))"


@pytest.mark.parametrize(
    "text", [blocks, loops, ifs, valued, table, locals_, long, operands, chain]
)
def test_large(text: Callable[[], str], wat: Wat) -> None:
    data = wat(text())
    limits = ResourceLimits(translated_characters=None, timeout=None)
    function = instantiate(data, engine="translator", limits=limits).exports.function("f")
    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, data), [])
    oracle = instance.exports(store)["f"]
    assert isinstance(oracle, wasmtime.Func)
    for argument in (0, 1, 5, 999, 1999, 2000, 4998, 4999, 5000, 6999, 100_000, -1):
        if (text is loops and argument > 10_000) or argument < 0:
            continue
        assert function(argument) == oracle(store, argument)


def test_deep_recursion(wat: Wat) -> None:
    data = wat(
        """(module (func $f (export "f") (param i32) (result i32)
             (if (result i32) (local.get 0)
               (then (i32.add (call $f (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
               (else (i32.const 0)))))"""
    )
    limits = ResourceLimits(call_depth=50_000)
    function = instantiate(data, engine="translator", limits=limits).exports.function("f")
    assert function(49_990) == 49_990
    for _ in range(2):
        with pytest.raises(Trap) as raised:
            function(60_000)
        assert raised.value.reason is TrapReason.CALL_STACK_EXHAUSTED
    assert function(10) == 10


def test_the_backtrace_of_a_recursion(wat: Wat, monkeypatch: pytest.MonkeyPatch) -> None:
    """The positions of a large function are read once, and not once for each frame."""
    read: list[int] = []
    positions = ModuleCode.positions

    def reading(code: ModuleCode, index: int) -> bytes:
        read.append(index)
        return positions(code, index)

    monkeypatch.setattr(ModuleCode, "positions", reading)
    exports = instantiate(
        wat('(module (func $f (export "f") (call $g)) (func $g (call $f)))')
    ).exports
    with pytest.raises(Trap) as raised:
        exports.function("f")()
    assert len(raised.value.frames) > 500
    assert sorted(read) == [0, 1]
