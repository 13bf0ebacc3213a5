"""What users and engines hold: `Function`, `Memory`, `Table`, `Global`, `Instance`; and `Engine`.

A memory, a table and a global are the runtime structure of the core specification (section 4.2),
the same for every engine, so that instances of different engines can share them. An engine adds
only the code behind the functions that a module defines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from purewasm_plugins.errors import (
    Trap,
    WasmError,
    escape_controls,
)
from purewasm_plugins.runtime.limits import (
    Budget,
    ResourceLimits,
)
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.runtime.table import Table
from purewasm_plugins.runtime.values import DEFAULT, FROM_RAW, FunctionReference, to_raw
from purewasm_plugins.wasm import ValidModule
from purewasm_plugins.wasm.types import (
    FuncType,
    GlobalType,
)


class HostException(BaseException):
    """Carries what a host function raised through an engine, which must not mistake it for a trap.

    It never leaves the package: `Function.__call__` raises `exception` itself.
    """

    def __init__(self, exception: Exception) -> None:
        super().__init__(exception)
        self.exception = exception


class Function(FunctionReference):
    """A function: one that a module defines, or a Python callable with a WebAssembly type.

    Attributes:
        type: its parameters and results.
        name: for messages: an export's or the name section's name, or None.
        instance: the instance whose module defines it; None for a host function.
        index: its index in that module; None for a host function.
        entry: the same function on raw values (see `values`), for engines and other instances.
            It returns None, one value, or a tuple, and raises `Trap` or `HostException`.
    """

    __slots__ = ("entry", "index", "instance", "name", "type")

    def __init__(
        self,
        type: FuncType,
        host: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
    ) -> None:
        """Give a Python callable a WebAssembly type.

        Args:
            type: what `host` takes and returns. It is called with border values (see `values`)
                and returns None, one value, or a tuple, after the number of results.
        """
        self.type = type
        self.name = name
        self.instance: Instance | None = None
        self.index: int | None = None
        self.entry: Callable[..., Any] = _not_linked if host is None else _host_entry(type, host)

    @classmethod
    def defined(cls, type: FuncType, instance: Instance, index: int, name: str | None) -> Function:
        """A function that a module defines; the engine sets its `entry`."""
        function = cls(type, name=name)
        function.instance = instance
        function.index = index
        return function

    def __call__(self, *arguments: Any) -> Any:
        """Call the function.

        Args:
            arguments: one border value for each parameter.

        Returns:
            None, the result, or a tuple of the results.

        Raises:
            TypeError: the number or the type of the arguments is wrong.
            ValueError: an argument does not fit its type.
            Trap: execution was aborted.
            OutOfMemory: Python had no room for what execution took.
        """
        type = self.type
        if len(arguments) != len(type.params):
            raise TypeError(
                f"{self} takes {len(type.params)} arguments, and {len(arguments)} were given"
            )
        raw = [to_raw(*pair) for pair in zip(type.params, arguments, strict=True)]
        try:
            result = self.entry(*raw)
        except HostException as carrier:
            raise carrier.exception from None
        if len(type.results) == 1:
            return FROM_RAW[type.results[0]](result)
        if not type.results:
            return None
        return tuple(FROM_RAW[t](value) for t, value in zip(type.results, result, strict=True))

    def __repr__(self) -> str:
        name = self.name if self.name is not None else self.index
        return escape_controls(f"<Function {name}: {self.type}>")


def _not_linked(*arguments: Any) -> NoReturn:
    raise WasmError("the function was called before its instance was linked")


def _host_entry(type: FuncType, host: Callable[..., Any]) -> Callable[..., Any]:
    from_raw = tuple(FROM_RAW[param] for param in type.params)
    results = type.results

    def entry(*arguments: Any) -> Any:
        try:
            value = host(*[convert(raw) for convert, raw in zip(from_raw, arguments, strict=True)])
            if len(results) == 1:
                return to_raw(results[0], value)
            values = () if value is None else value
            if not isinstance(values, (tuple, list)) or len(values) != len(results):
                raise TypeError(f"the host function must return {len(results)} values: {value!r}")
            return tuple(to_raw(*pair) for pair in zip(results, values, strict=True)) or None
        except Trap:
            raise
        except Exception as exception:
            raise HostException(exception) from None

    return entry


class Global:
    """A global variable (core specification, 4.2.9).

    Attributes:
        type: its value type, and whether it is mutable.
        raw: its value as engines hold it (see `values`).
    """

    __slots__ = ("raw", "type")

    def __init__(self, type: GlobalType, value: Any = None) -> None:
        """Make a global; without a value it starts as the default of its type.

        Raises:
            TypeError, ValueError: it is no value of that type.
        """
        self.type = type
        default = value is None and not type.value.is_reference
        self.raw: Any = DEFAULT[type.value] if default else to_raw(type.value, value)

    @property
    def value(self) -> Any:
        """The value; it can be set where the global is mutable.

        Raises:
            TypeError, ValueError: it is immutable, or this is no value of its type.
        """
        return FROM_RAW[self.type.value](self.raw)

    @value.setter
    def value(self, value: Any) -> None:
        if not self.type.mutable:
            raise TypeError("the global is immutable")
        self.raw = to_raw(self.type.value, value)

    def __repr__(self) -> str:
        return f"<Global {self.type} = {self.value}>"


Extern = Function | Memory | Table | Global


class Exports(Mapping[str, Extern]):
    """What an instance exports, by name, in the order of its module."""

    def __init__(self, entries: Mapping[str, Extern]) -> None:
        self._entries = entries

    def __getitem__(self, name: str) -> Extern:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return escape_controls(f"<Exports {', '.join(self._entries)}>")


class Instance:
    """A module instance (core specification, 4.2.5); `instantiate` makes them.

    Attributes:
        module: what it is an instance of.
        limits: what it may use.
        exports: name to `Function`, `Memory`, `Table` or `Global`.
        functions, tables, memories, globals: by index, imported ones first.
        element_segments: the references of each; an empty list once dropped.
        data_segments: the bytes of each, views of the module's; empty once dropped.
        budget: what meters its calls.
    """

    def __init__(self, module: ValidModule, limits: ResourceLimits) -> None:
        self.module = module
        self.limits = limits
        self.exports: Mapping[str, Extern] = {}
        self.functions: list[Function] = []
        self.tables: list[Table] = []
        self.memories: list[Memory] = []
        self.globals: list[Global] = []
        self.element_segments: list[list[Any]] = []
        self.data_segments: list[bytes | memoryview] = []
        self.budget = Budget(limits)

    @property
    def fuel_used(self) -> int:
        """Units of fuel that the running call, or else the last one, has used."""
        return self.budget.fuel_used

    def cancel(self) -> None:
        """End the running call with `Cancelled`; from another thread, or from a host function."""
        self.budget.cancel()

    def __repr__(self) -> str:
        return escape_controls(f"<Instance exporting {', '.join(self.exports)}>")
