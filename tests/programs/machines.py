"""What runs a program with host functions in Python: an engine of ours, or wasmtime.

Both take the same host functions, plain callables on ints and floats, and both give a `Program`,
which is what a host function reaches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import wasmtime

from purewasm_plugins import Global, Instance, Memory, ResourceLimits, Table, instantiate
from purewasm_plugins.wasm import load
from purewasm_plugins.wasm.types import GlobalType, Limits, MemoryType, TableType, ValType

#: Interpreters recurse deeply and take long; what is tested here is not the limits.
LIMITS = ResourceLimits(
    call_depth=20_000, fuel=None, memory_pages=4096, table_elements=None, timeout=300
)


class Imports(Protocol):
    """A module of imports."""

    def get(self, name: str) -> Any:
        """What has that name: a callable for a function, else what a machine's `new_…` made."""


class Program(Protocol):
    """An instance."""

    @property
    def exports(self) -> Mapping[str, Any]:
        """The exports, for another instance to import."""

    def call(self, name: str, *arguments: Any) -> Any:
        """Call an exported function."""

    def call_element(self, index: int, *arguments: Any) -> Any:
        """Call the function at an index of the table."""

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the memory."""

    def write(self, address: int, data: bytes) -> None:
        """Put bytes into the memory."""

    def size(self) -> int:
        """The size of the memory, in bytes."""

    def grow(self, pages: int) -> bool:
        """Make the memory larger, if that is allowed."""


class Machine(Protocol):
    """What makes instances, and what they share."""

    def load(self, data: bytes, imports: Mapping[str, Imports]) -> Program:
        """Instantiate a module, with imports by the name of their module."""

    def new_memory(self, minimum: int, maximum: int) -> Any:
        """A memory, in pages."""

    def new_table(self, minimum: int) -> Any:
        """A table of functions."""

    def new_global(self, value: int, mutable: bool) -> Any:
        """A global of type i32."""


class OwnProgram:
    """An instance of ours."""

    def __init__(self, instance: Instance, given: Sequence[Any]) -> None:
        everything = [*instance.exports.values(), *given]
        self.exports = instance.exports
        self._memory = next(item for item in everything if isinstance(item, Memory))
        self._table = next((item for item in everything if isinstance(item, Table)), None)

    def call(self, name: str, *arguments: Any) -> Any:
        return self.exports.function(name)(*arguments)

    def call_element(self, index: int, *arguments: Any) -> Any:
        assert self._table is not None
        return self._table.get(index)(*arguments)

    def read(self, address: int, size: int) -> bytes:
        return self._memory.read(address, size)

    def write(self, address: int, data: bytes) -> None:
        self._memory.write(address, data)

    def size(self) -> int:
        return self._memory.size

    def grow(self, pages: int) -> bool:
        return self._memory.try_grow(pages) >= 0


class OwnMachine:
    """An engine of ours."""

    def __init__(self, engine: str) -> None:
        self._engine = engine

    def load(self, data: bytes, imports: Mapping[str, Imports]) -> OwnProgram:
        valid = load(data)
        given: dict[str, dict[str, Any]] = {name: {} for name in imports}
        for wanted in valid.module.imports:
            given[wanted.module][wanted.name] = imports[wanted.module].get(wanted.name)
        instance = instantiate(valid, given, engine=self._engine, limits=LIMITS)
        return OwnProgram(instance, [value for names in given.values() for value in names.values()])

    def new_memory(self, minimum: int, maximum: int) -> Memory:
        return Memory(MemoryType(Limits(minimum, maximum)), LIMITS)

    def new_table(self, minimum: int) -> Table:
        return Table(TableType(ValType.FUNCREF, Limits(minimum, None)))

    def new_global(self, value: int, mutable: bool) -> Global:
        return Global(GlobalType(ValType.I32, mutable), value)


class WasmtimeProgram:
    """An instance of wasmtime's."""

    def __init__(
        self, store: wasmtime.Store, instance: wasmtime.Instance, given: Sequence[Any]
    ) -> None:
        self._store = store
        self.exports: Mapping[str, Any] = instance.exports(store)
        everything = [*self.exports.values(), *given]
        self._memory = next(item for item in everything if isinstance(item, wasmtime.Memory))
        self._table = next((item for item in everything if isinstance(item, wasmtime.Table)), None)

    def call(self, name: str, *arguments: Any) -> Any:
        function = self.exports[name]
        assert isinstance(function, wasmtime.Func)
        return function(self._store, *arguments)

    def call_element(self, index: int, *arguments: Any) -> Any:
        assert self._table is not None
        function = self._table.get(self._store, index)
        assert isinstance(function, wasmtime.Func)
        return function(self._store, *arguments)

    def read(self, address: int, size: int) -> bytes:
        return bytes(self._memory.read(self._store, address, address + size))

    def write(self, address: int, data: bytes) -> None:
        self._memory.write(self._store, data, address)

    def size(self) -> int:
        return self._memory.data_len(self._store)

    def grow(self, pages: int) -> bool:
        try:
            self._memory.grow(self._store, pages)
        except wasmtime.WasmtimeError:
            return False
        return True


class WasmtimeMachine:
    """wasmtime, one store."""

    def __init__(self) -> None:
        config = wasmtime.Config()
        # Compiling takes longer than running, otherwise.
        config.cranelift_opt_level = "none"
        config.max_wasm_stack = 1 << 20
        self._store = wasmtime.Store(wasmtime.Engine(config))

    def load(self, data: bytes, imports: Mapping[str, Imports]) -> WasmtimeProgram:
        module = wasmtime.Module(self._store.engine, data)
        given = []
        for wanted in module.imports:
            value = imports[wanted.module].get(str(wanted.name))
            if isinstance(wanted.type, wasmtime.FuncType) and not isinstance(value, wasmtime.Func):
                value = wasmtime.Func(self._store, wanted.type, value)
            given.append(value)
        return WasmtimeProgram(self._store, wasmtime.Instance(self._store, module, given), given)

    def new_memory(self, minimum: int, maximum: int) -> wasmtime.Memory:
        type = wasmtime.MemoryType(wasmtime.Limits(minimum, maximum))
        return wasmtime.Memory(self._store, type)

    def new_table(self, minimum: int) -> wasmtime.Table:
        type = wasmtime.TableType(wasmtime.ValType.funcref(), wasmtime.Limits(minimum, None))
        return wasmtime.Table(self._store, type, None)

    def new_global(self, value: int, mutable: bool) -> wasmtime.Global:
        type = wasmtime.GlobalType(wasmtime.ValType.i32(), mutable)
        return wasmtime.Global(self._store, type, wasmtime.Val.i32(value))


def machine(name: str) -> Machine:
    """The engine of that name, or wasmtime."""
    return WasmtimeMachine() if name == "wasmtime" else OwnMachine(name)


def digest(program: Program) -> str:
    """A hash of its memory, which is the same wherever it did the same."""
    return hashlib.sha256(program.read(0, program.size())).hexdigest()
