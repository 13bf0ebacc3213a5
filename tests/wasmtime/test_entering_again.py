"""Host functions that use the store while a module of it runs: the same on both libraries."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import purewasm_plugins.wasmtime
from tests.wasmtime.wat import host

MODULE = """(module $again
  (import "host" "f" (func $host (param i32) (result i32)))
  (memory (export "memory") 1 4) (table (export "table") 2 funcref)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "trap") (result i32) unreachable)
  (func $deep (export "deep") (result i32) (call $deep))
  (func (export "call") (param i32) (result i32) (call $host (local.get 0)))
  (func (export "indirect") (call_indirect (i32.const 0))))"""


class Run:
    """One library, calling a module whose host function uses the store.

    Attributes:
        seen: what has happened.
    """

    def __init__(self, library: Any) -> None:
        self.library = library
        self.seen: list[Any] = []
        self.store = library.Store()
        module = library.Module(self.store.engine, MODULE)
        function = host(library, self.store, "i32 -> i32", self.act)
        instance = library.Instance(self.store, module, [function])
        self.exports = instance.exports(self.store)
        for number in range(len(ACTS)):
            self.note(partial(self.call, "call", number))
            self.note(partial(self.call, "indirect"))

    def call(self, name: str, *arguments: Any) -> Any:
        """Call an export."""
        return self.exports[name](self.store, *arguments)

    def note(self, act: Callable[[], Any]) -> None:
        """Remember what an action returns or raises."""
        try:
            self.seen.append(act())
        except BaseException as error:
            # The backtraces differ: wasmtime's has all calls of modules.
            text = str(error).rpartition("Caused by:")[2]
            self.seen.append((type(error).__name__, text))

    def act(self, number: int) -> Any:
        """Do what the host function does for a number."""
        self.seen.append(number)
        return ACTS[number](self)


def _grows(run: Run) -> Any:
    memory = run.exports["memory"]
    memory.grow(run.store, 1)
    memory.write(run.store, b"new", 65536)
    return memory.size(run.store)


def _goes_on(name: str, *arguments: Any) -> Callable[[Run], Any]:
    def act(run: Run) -> Any:
        run.note(lambda: run.call(name, *arguments))
        return 9

    return act


def _sets_a_table(run: Run) -> Any:
    function = host(run.library, run.store, "->", lambda: run.seen.append("late"))
    run.exports["table"].set(run.store, 0, function)
    return 1


def _instantiates(run: Run) -> Any:
    text = '(module (func (export "seven") (result i32) (i32.const 7)))'
    module = run.library.Module(run.store.engine, text)
    instance = run.library.Linker(run.store.engine).instantiate(run.store, module)
    return instance.exports(run.store)["seven"](run.store)


def _limits(run: Run) -> Any:
    run.store.set_limits(memory_size=2 * 65536)
    run.note(lambda: run.exports["memory"].grow(run.store, 1))
    return run.exports["memory"].grow(run.store, 0)


def _raises(error: Callable[[Any], BaseException]) -> Callable[[Run], Any]:
    def act(run: Run) -> Any:
        raise error(run.library)

    return act


#: What the host function does; 0 raises an exception of Python.
ACTS: list[Callable[[Run], Any]] = [
    _raises(lambda library: KeyError("k")),
    _raises(lambda library: library.Trap("mine")),
    _raises(lambda library: library.WasmtimeError("mine")),
    _raises(lambda library: GeneratorExit()),
    _raises(lambda library: SystemExit(4)),
    lambda run: run.call("add", 1, 2),
    lambda run: run.call("trap"),
    lambda run: run.call("deep"),
    lambda run: run.call("call", 5),
    lambda run: run.call("call", 0),
    lambda run: run.call("call", 6),
    _goes_on("trap"),
    _goes_on("deep"),
    _goes_on("call", 0),
    _goes_on("call", 1),
    _goes_on("call", 11),
    _grows,
    _sets_a_table,
    _instantiates,
    _limits,
    lambda run: run.store.gc(),
]


def test_host_functions_that_use_the_store(oracle: Any) -> None:
    assert Run(purewasm_plugins.wasmtime).seen == Run(oracle).seen
