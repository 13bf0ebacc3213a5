"""`Caller`: what a host function sees of the instance that calls it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wasmtime.wat import exports, host

TEXT = """
(module
  (import "" "" (func $h (result i32)))
  (memory (export "memory") 1)
  (table $t (export "table") 2 funcref)
  (global (export "global") i32 (i32.const 8))
  (elem (table $t) (i32.const 0) func $h)
  (data (i32.const 0) "text")
  (export "again" (func $h))
  (func (export "nine") (result i32) (i32.const 9))
  (func (export "call") (result i32) (call $h))
  (func (export "indirect") (param i32) (result i32)
    (call_indirect (result i32) (local.get 0))))
"""


def seen(library: Any, look: Any) -> Any:
    """Return what a host function finds that is given its caller."""
    store = library.Store()
    found = []

    def called(caller: Any) -> int:
        found.append(look(caller))
        return 5

    module = exports(library, TEXT, [host(library, store, "-> i32", called, True)], store)
    assert module.call() == 5
    return found[0]


def test_exports_of_each_kind(library: Any) -> None:
    assert seen(library, lambda caller: caller["memory"].read(caller, 0, 4)) == b"text"
    assert seen(library, lambda caller: caller["table"].size(caller)) == 2
    assert seen(library, lambda caller: caller["global"].value(caller)) == 8
    assert seen(library, lambda caller: caller["nine"](caller)) == 9
    assert seen(library, lambda caller: caller.get("nothing")) is None


def test_an_export_that_is_not_there(library: Any) -> None:
    def look(caller: Any) -> None:
        with pytest.raises(KeyError, match="failed to find export nothing"):
            caller["nothing"]
        with pytest.raises(AttributeError):
            caller.get(3)

    seen(library, look)


def test_it_is_of_no_use_after_the_call(library: Any) -> None:
    caller, memory = seen(library, lambda caller: (caller, caller["memory"]))
    assert caller.get("memory") is None
    with pytest.raises(KeyError):
        caller["memory"]
    with pytest.raises(ValueError, match="caller is no longer valid"):
        memory.size(caller)


def test_it_is_of_no_use_after_an_exception(library: Any) -> None:
    store = library.Store()
    kept = []

    def called(caller: Any) -> int:
        kept.append(caller)
        raise LookupError

    module = exports(library, TEXT, [host(library, store, "-> i32", called, True)], store)
    with pytest.raises(LookupError):
        module.call()
    assert kept[0].get("memory") is None


def test_who_calls(library: Any) -> None:
    """The instance whose code calls, also through a table; none where the host itself calls."""
    store = library.Store()
    function = host(
        library, store, "-> i32", lambda caller: int(caller.get("memory") is not None), True
    )
    module = exports(library, TEXT, [function], store)
    module.table.set(store, 1, function)
    assert module.call() == 1
    assert module.indirect(0) == 1
    assert module.indirect(1) == 1
    assert module.again() == 0
    assert function(store) == 0


def test_things_are_made_with_a_caller(library: Any) -> None:
    def make(caller: Any) -> int:
        memory = library.Memory(caller, library.MemoryType(library.Limits(2, None)))
        return int(memory.size(caller))

    assert seen(library, make) == 2
