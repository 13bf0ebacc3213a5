"""The objects of users and engines: `Function`, `Global`, `Exports`, `Instance`, and `Caller`.

They are the runtime structure of the core specification (section 4.2), the same for every engine,
so that instances of different engines can share them; `Memory` and `Table` have files of their own.
An engine adds only the code of the functions that a module defines.
"""

from __future__ import annotations

from types import FunctionType, MethodType

from purewasm_plugins.errors import (
    ExportKindError,
    UnknownExportError,
    WasmError,
    escape_controls,
)
from purewasm_plugins.runtime.glue import lazy_entry, python_glue
from purewasm_plugins.runtime.limits import Budget, ResourceLimits
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.runtime.table import Table
from purewasm_plugins.runtime.values import DEFAULT, FROM_RAW, FunctionReference, to_raw
from purewasm_plugins.support.typed import (
    TYPE_CHECKING,
    Any,
    Callable,
    Iterator,
    Mapping,
    NoReturn,
    TypeVar,
)
from purewasm_plugins.wasm import ValidModule
from purewasm_plugins.wasm.types import FuncType, GlobalType


class Function(FunctionReference):
    """A function: one that a module defines, or a Python callable with a WebAssembly type.

        >>> from purewasm_plugins import FuncType, Function, ValType
        >>> add = Function(FuncType((ValType.I32, ValType.I32), (ValType.I32,)), lambda a, b: a + b)
        >>> add(2, 3)
        5

    Attributes:
        type: its parameters and results.
        name: for messages: an export's or the name section's name, or None.
        instance: the instance whose module defines it; None for a host function.
        index: its index in that module; None for a host function.
        host: the Python callable of a host function, else None.
        raw: whether a host function gets raw values.
        takes_caller: whether the callable takes a `Caller`.
        caller: the `Caller` that it gets; None before an instance has imported it.
        entry: the same function on raw values (see `values`), for engines and other instances.
            It returns None, one value, or a tuple, and raises `Trap` or `HostException`. A bool may
            stand for an int.
    """

    __slots__ = (
        *(
            "_call",
            "_call_raw",
            "caller",
            "entry",
            "host",
            "index",
            "instance",
            "name",
            "raw",
            "takes_caller",
        ),
        "type",
    )

    def __init__(
        self,
        type: FuncType,
        host: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        raw: bool = False,
    ) -> None:
        """Give a Python callable a WebAssembly type.

        Args:
            type: the parameters and results of `host`.
            host: the callable. It is called with border values (see `values`) and returns None, one
                value, or a tuple, after the number of results. If its first parameter is annotated
                as `Caller`, it gets that before the values, and can be called only by an instance
                that imports it or finds it in a table.
            name: for messages.
            raw: whether `host` gets raw values, as the engines hold them: see "Raw host functions"
                in `HOST_FUNCTIONS.md`.
        """
        self.type = type
        self.name = name
        self.instance: Instance | None = None
        self.index: int | None = None
        self.host = host
        self.raw = raw
        self.caller: Caller | None = None
        self.takes_caller = False
        self.entry: Callable[..., Any] = _not_linked
        self._call = _first_call
        self._call_raw = _first_raw_call
        if host is not None:
            self.takes_caller = takes_caller(host)
            self.entry = lazy_entry(type, _not_imported if self.takes_caller else host, None, raw)

    @classmethod
    def defined(cls, type: FuncType, instance: Instance, index: int, name: str | None) -> Function:
        """Return a function that a module defines; the engine sets its `entry`."""
        function = cls(type, name=name)
        function.instance = instance
        function.index = index
        return function

    def imported_by(self, instance: Instance) -> Function:
        """Return what an instance imports: this function, or one with the instance's `Caller`."""
        if self.host is None or not self.takes_caller:
            return self
        function = Function(self.type, self.host, name=self.name, raw=self.raw)
        function.caller = Caller(instance)
        function.entry = lazy_entry(self.type, self.host, function.caller, self.raw)
        return function

    def called_by(self, instance: Instance) -> Function:
        """Return what an instance calls for a reference to this function.

        It is this function, or one with the instance's `Caller` where no instance has imported it:
        the host has put it into a table.
        """
        return self.imported_by(instance) if self.caller is None else self

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
        return self._call(self, arguments)

    def call_raw(self, *arguments: Any) -> Any:
        """Call the function on raw values: what `__call__` does, but i32 and i64 are unsigned.

        It is how a raw host function calls back with what it was given.

            >>> from purewasm_plugins import example, instantiate
            >>> exports = instantiate(example("echo").read_bytes()).exports
            >>> exports.function("plugin_tools_count").call_raw()
            1

        Args:
            arguments: one value for each parameter; border values are taken as well.

        Returns:
            None, the raw result, or a tuple of the raw results.

        Raises:
            As `__call__`.
        """
        return self._call_raw(self, arguments)

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle a host function, whose callable must pickle itself."""
        if self.host is None:
            raise TypeError(f"{self} cannot be pickled: it belongs to an instance")
        return _host_function, (self.type, self.host, self.name, self.raw)

    def __repr__(self) -> str:
        name = self.name if self.name is not None else self.index
        return escape_controls(f"<Function {name}: {self.type}>")


class RawFunction:
    """A Python callable on raw values, for `imports`: the module declares its type.

    It can be used as a decorator. `Function(type, function, raw=True)` is the same with a type.

        >>> from purewasm_plugins import RawFunction
        >>> @RawFunction
        ... def is_high(pointer: int) -> int:
        ...     return pointer >= 0x80000000
        >>> imports = {"env": {"is_high": is_high}}

    Hazards:
        What is returned is checked as that of any host function: no result can harm the engine. See
        "Raw host functions" in `HOST_FUNCTIONS.md`.

    Attributes:
        function: the callable; it gets a `Caller` first where its first parameter says so.
    """

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        """Take the callable."""
        self.function = function


def _host_function(
    type: FuncType, host: Callable[..., Any], name: str | None, raw: bool
) -> Function:
    """Return a host function that was pickled."""
    return Function(type, host, name=name, raw=raw)


def _first_call(function: Function, arguments: tuple[Any, ...]) -> Any:
    """Call a function from Python, and remember the glue of its type."""
    function._call = python_glue(function.type, False)
    return function._call(function, arguments)


def _first_raw_call(function: Function, arguments: tuple[Any, ...]) -> Any:
    """Do the same for raw values."""
    function._call_raw = python_glue(function.type, True)
    return function._call_raw(function, arguments)


def _not_linked(*arguments: Any) -> NoReturn:
    raise WasmError("the function was called before its instance was linked")


def discarded(*arguments: Any) -> NoReturn:
    """Refuse a call: it is the entry of the functions of an instance that was discarded."""
    raise WasmError("the function's instance was discarded, after a call of it had ended early")


def _not_imported(*arguments: Any) -> NoReturn:
    raise WasmError("the host function takes a Caller, and no instance has imported it")


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

_Kind = TypeVar("_Kind", Function, Memory, Table, Global)


class Exports(Mapping[str, Extern]):
    """The exports of an instance by name, in the order of its module.

    It is a mapping, and it has a method for each kind of export that returns just that kind:

        >>> from purewasm_plugins import example, instantiate
        >>> exports = instantiate(example("echo").read_bytes()).exports
        >>> exports.function("plugin_tools_count")()
        1
        >>> exports.memory().pages
        1
        >>> exports.function("plugin_tool_count")
        Traceback (most recent call last):
        ...
        purewasm_plugins.errors.UnknownExportError: there is no export 'plugin_tool_count'; ...

    Each of them, and the mapping itself, raises `UnknownExportError` (a `KeyError`) where there is
    no export of that name, and `ExportKindError` (a `TypeError`) where it is of another kind.
    """

    def __init__(self, entries: Mapping[str, Extern]) -> None:
        """Take the exports."""
        self._entries = entries

    def function(self, name: str) -> Function:
        """Return the exported function of that name."""
        return self._export(name, Function)

    def memory(self, name: str = "memory") -> Memory:
        """Return the exported memory of that name."""
        return self._export(name, Memory)

    def table(self, name: str) -> Table:
        """Return the exported table of that name."""
        return self._export(name, Table)

    def global_(self, name: str) -> Global:
        """Return the exported global of that name."""
        return self._export(name, Global)

    def _export(self, name: str, kind: type[_Kind]) -> _Kind:
        found = self[name]
        if not isinstance(found, kind):
            raise ExportKindError(name, kind.__name__.lower(), _kind_of(found))
        return found

    def __getitem__(self, name: str) -> Extern:
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownExportError(name, tuple(self._entries)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    if not TYPE_CHECKING:

        def get(self, name, default=None, /):
            """Return the export of that name, or `default`."""
            # `Mapping.get` would make an `UnknownExportError` for each optional export.
            return self._entries.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return escape_controls(f"<Exports {', '.join(self._entries)}>")


def _kind_of(extern: Extern) -> str:
    # A subclass, such as an engine's own global, is of its base's kind.
    kinds = (Function, Memory, Table, Global)
    return next(kind.__name__.lower() for kind in kinds if isinstance(extern, kind))


class HostState:
    """What the functions of WASI hold for an instance; this one is of an instance without WASI.

    Attributes:
        stdout, stderr: what the module has written there, where that is captured.
        exceeded: the quotas that have refused something, by the names of their fields.
    """

    @property
    def exceeded(self) -> frozenset[str]:
        """See above."""
        return frozenset()

    @property
    def stdout(self) -> bytes:
        """See above."""
        return b""

    @property
    def stderr(self) -> bytes:
        """See above."""
        return b""

    def begin_call(self) -> None:
        """Forget what was captured, and begin the quota of output anew."""

    def finish_call(self) -> None:
        """Store what was changed in directories.

        Raises:
            GrantError: it cannot be stored.
        """

    def close(self) -> None:
        """Close what is open. It can be called again."""


class Instance:
    """A module instance (core specification, 4.2.5); `instantiate` makes them.

    Attributes:
        module: the module of which it is an instance.
        limits: what it may use.
        exports: its exports, by name.
        functions, tables, memories, globals: by index, imported ones first.
        element_segments: the references of each; an empty list once dropped.
        data_segments: the bytes of each, views of the module's; empty once dropped.
        budget: the meter of its calls.
        unlink: for `discard`: an engine may set it to what breaks its own cycles of references.
        wasi: the state of WASI in it, with what it wrote to its output streams.
    """

    def __init__(self, module: ValidModule, limits: ResourceLimits) -> None:
        """Make an instance that has nothing yet."""
        self.module = module
        self.limits = limits
        self.exports = Exports({})
        self.functions: list[Function] = []
        self.tables: list[Table] = []
        self.memories: list[Memory] = []
        self.globals: list[Global] = []
        self.element_segments: list[list[Any]] = []
        self.data_segments: list[bytes | memoryview] = []
        self.budget = Budget(limits)
        self.unlink: Callable[[], None] | None = None
        self.wasi = HostState()

    def discard(self) -> None:
        """Break the cycles of references of an instance that must not be used again.

        Its memory is then freed with the last reference to it, and not by Python's next garbage
        collection: the next instance gets the same pages of the machine, which are mapped already.
        (To map the four megabytes of a small plugin takes a millisecond, twenty times as long as to
        clear them.) Memories, tables, globals and exports can still be read; to call one of the
        functions raises `WasmError`.
        """
        for function in self.functions:
            # An imported function that takes a `Caller` is a copy for this instance.
            if function.instance is self or function.takes_caller:
                function.instance = function.caller = None
                function.entry = discarded
        unlink, self.unlink = self.unlink, None
        if unlink is not None:
            unlink()
        self.wasi.close()

    @property
    def fuel_used(self) -> int:
        """Units of fuel that the running call, or else the last one, has used."""
        return self.budget.fuel_used

    def cancel(self) -> None:
        """End the running call with `Cancelled`; from another thread, or from a host function."""
        self.budget.cancel()

    def __repr__(self) -> str:
        return escape_controls(f"<Instance exporting {', '.join(self.exports)}>")


class Caller:
    """The instance that imported a host function, for that function to use.

    A host function whose first parameter is annotated as `Caller` gets it before the values that
    the module passes; others do not, and cost nothing more for it:

        def log(caller: Caller, pointer: int) -> None:
            print(caller.memory.read_string(pointer))

        plugin = WasmPlugin.load("plugin.wasm", imports={"env": {"log": log}})

    It is there as soon as code of the module runs, so in the module's start function and while a
    plugin is loaded, too.

    Hazards:
        Calling back: `caller.exports.function("f")(…)` is part of the running call. It uses its
        fuel and its time, and where it traps the whole call should end: let the `Trap` through. A
        plugin's tools cannot be called from within (`WasmPlugin.execute_tool` refuses it).

        Growth: what the host function calls may grow the memory. A view of the memory
        (`Memory.view`) must not be held meanwhile: the growth is then refused with `MemoryInUse`.

        Keeping it: after the call, the memory goes on changing, and a plugin may discard its
        instance (after a trap, always): what a kept `Caller` shows is then of an instance that
        nothing uses, and its functions raise `WasmError`. Copy what you need: what is kept keeps
        the memory, too.

    Attributes:
        instance: the instance.
    """

    __slots__ = ("instance",)

    def __init__(self, instance: Instance) -> None:
        """Take the instance."""
        self.instance = instance

    @property
    def exports(self) -> Exports:
        """The exports of the instance."""
        return self.instance.exports

    @property
    def memory(self) -> Memory:
        """The instance's memory, whether it exports it or not.

        Raises:
            UnknownExportError: the module has none.
        """
        memories = self.instance.memories
        return memories[0] if memories else self.exports.memory()

    def __repr__(self) -> str:
        return f"<Caller {self.instance!r}>"


def python_function(host: Callable[..., Any]) -> tuple[FunctionType, int] | None:
    """Find the Python function that runs when a callable is called.

    `inspect.signature` finds it too, but importing `inspect` takes as long as loading a plugin.

    Returns:
        The function, and how many of its first parameters the callable gives it: `self`, and those
        of a `partial`. None for a class, and for a callable that is not written in Python.
    """
    from functools import partial

    function: Any = host
    bound = 0
    while not isinstance(function, FunctionType):
        if isinstance(function, partial):
            bound += len(function.args)
            function = function.func
        elif isinstance(function, MethodType):
            bound += 1
            function = function.__func__
        else:
            call = getattr(type(function), "__call__", None)  # noqa: B004
            if not isinstance(call, FunctionType):
                return None
            bound += 1
            function = call
    while isinstance(wrapped := getattr(function, "__wrapped__", None), FunctionType):
        function = wrapped
    return function, bound


def takes_caller(host: Callable[..., Any]) -> bool:
    """Return whether the first parameter of a callable is annotated as `Caller`."""
    found = python_function(host)
    if found is None:
        return False
    function, bound = found
    code = function.__code__
    if code.co_argcount <= bound:
        return False
    annotation = function.__annotations__.get(code.co_varnames[bound])
    if isinstance(annotation, str):
        annotation = _named(annotation.strip("'\""), function.__globals__)
    return annotation is Caller


def _named(name: str, namespace: Mapping[str, Any]) -> Any:
    """Return what the text of an annotation names; `Caller` for that word if it is no global name.

    It may then be a name of the function around, and those are not accessible.
    """
    first, *rest = name.split(".")
    found = namespace.get(first)
    for attribute in rest:
        found = getattr(found, attribute, None)
    return Caller if found is None and [first, *rest][-1] == Caller.__name__ else found
