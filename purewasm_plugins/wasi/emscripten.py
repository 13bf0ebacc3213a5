"""The functions of the module "env" that programs compiled with Emscripten import.

Those are programs without JavaScript around them (`-s STANDALONE_WASM`), and others whose imports
are all here and in WASI. C's `setjmp` is compiled to calls of functions of the table by `invoke_*`,
and `longjmp` unwinds to the nearest of them, which then tells the program by its `setThrew`.
"""

from __future__ import annotations

from purewasm_plugins.errors import Aborted, LinkError, Trap, TrapReason
from purewasm_plugins.runtime.instance import Caller, Exports, Function, Global, RawFunction
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.runtime.table import Table
from purewasm_plugins.support.typed import Any, Callable, Protocol
from purewasm_plugins.wasi.clocks import Clock
from purewasm_plugins.wasm.types import PAGE_SIZE, FuncType, GlobalType, ValType

__all__ = ["Emscripten", "find"]

_I32, _F64 = ValType.I32, ValType.F64
_READ, _WRITE = FuncType((), (_I32,)), FuncType((_I32,))

#: What `invoke_*` needs of a program, beside its stack pointer.
_TABLE, _SET_THREW = "__indirect_function_table", FuncType((_I32, _I32))

#: Bytes of a string that the text of an error shows.
_SHOWN = 1024

#: Bytes that `getentropy` gives at most.
_MAX_ENTROPY = 256

#: The size of a memory, in pages, that its pointers can count.
_MAX_PAGES = 0xFFFF


class State(Protocol):
    """What the functions use of an instance's state.

    Attributes:
        clock: its clocks.
        emscripten: the functions of the instance, once it has imported one.
    """

    clock: Clock
    emscripten: Emscripten | None

    def random(self, size: int, /) -> bytes:
        """Return random bytes."""


def find(module: str, name: str, type: FuncType, state: State) -> RawFunction | None:
    """Return the function that an import of Emscripten's names; None where it is none of them.

    Args:
        module, name: the two names of the import. The module is "env".
        type: its declared type.
        state: that of the instance.
    """
    if module != "env":
        return None
    functions = state.emscripten = state.emscripten or Emscripten(state)
    if name.startswith("invoke_"):
        fits = type.params[:1] == (ValType.I32,) and len(type.results) <= 1
        return RawFunction(functions.invoke(type)) if fits else None
    method = _FUNCTIONS.get((name, type))
    return None if method is None else RawFunction(getattr(functions, method))


class _LongJump(Exception):
    """Unwinds the calls of a program up to the nearest `invoke_*`; it never leaves this module."""

    def __init__(self, functions: Emscripten) -> None:
        super().__init__()
        self.functions = functions


class _Links:
    """What `invoke_*` uses of a program.

    Attributes:
        table: its table of functions.
        stack: its stack pointer: what has `raw`, as a global does.
        set_threw: tells it of a long jump.
    """

    def __init__(self, exports: Exports) -> None:
        """Find it among the exports.

        Raises:
            LinkError: it is not there.
        """
        table = exports.get(_TABLE)
        if not isinstance(table, Table) or table.type.element is not ValType.FUNCREF:
            raise LinkError("env", "invoke_*", f"the module exports no table {_TABLE} of functions")
        self.table = table
        self.set_threw = _first(exports, _SET_THREW, "setThrew")
        pointer = exports.get("__stack_pointer")
        usable = isinstance(pointer, Global) and pointer.type == GlobalType(_I32, True)
        self.stack: Any = pointer if usable else _StackFunctions(exports)


class _StackFunctions:
    """The stack pointer of a program that exports functions for it, as a global has its value."""

    def __init__(self, exports: Exports) -> None:
        # The names of one Emscripten after another.
        self._save = _first(
            exports, _READ, "stackSave", "emscripten_stack_get_current", "stack_save"
        )
        self._restore = _first(
            exports, _WRITE, "stackRestore", "_emscripten_stack_restore", "stack_restore"
        )

    @property
    def raw(self) -> Any:
        return self._save()

    @raw.setter
    def raw(self, value: Any) -> None:
        self._restore(value)


def _first(exports: Exports, type: FuncType, *names: str) -> Callable[..., Any]:
    """Return the first function of these names that a program exports.

    Raises:
        LinkError: there is none of that type.
    """
    for name in names:
        found = exports.get(name)
        if isinstance(found, Function) and found.type == type:
            return found.call_raw
    details = f"the module exports no function {names[0]} of the type {type}"
    raise LinkError("env", "invoke_*", details)


class Emscripten:
    """The functions of one instance."""

    def __init__(self, state: State) -> None:
        """Take the state of the instance."""
        self._clock = state.clock
        self._random = state.random
        self._links: _Links | None = None
        #: Calls of `invoke_*` that are active: the number of places that a long jump can end at.
        self._active = 0
        self._upper_half = 0

    # Calls that a long jump ends

    def invoke(self, type: FuncType) -> Callable[..., Any]:
        """Return the function `invoke_*` of a type: it calls a function of the table.

        A long jump out of that function ends there, and the result is then 0. Everything else that
        ends a call passes through.

        Before WebAssembly's i64 was JavaScript's, an import had two i32 for each, the lower half
        first; the upper half of a result is got by `getTempRet0`.
        """
        called = FuncType(type.params[1:], type.results)
        result = 0 if type.results else None
        # The type of a function before: to compare the objects is faster.
        known = called

        def call(caller: Caller, index: int, *arguments: Any) -> Any:
            nonlocal known
            links = self._links
            if links is None:
                links = self._links = _Links(caller.exports)
            function = links.table.get(index)
            if function is None:
                raise Trap(TrapReason.UNINITIALIZED_ELEMENT)
            halves = False
            if function.type is not known:
                if halves := function.type != called:
                    arguments = _joined(function.type, called, arguments)
                else:
                    known = function.type
            stack = links.stack
            pointer = stack.raw
            self._active += 1
            jumped = False
            try:
                found = function.call_raw(*arguments)
            except _LongJump as jump:
                if jump.functions is not self:
                    raise
                # It refers to the carrier that brought it here, and that to it.
                jump.__context__ = None
                jumped = True
            finally:
                self._active -= 1
            if jumped:
                # What these call may jump, too: no more to here.
                stack.raw = pointer
                links.set_threw(1, 0)
                return result
            return self._lower_half(found) if halves and result == 0 else found

        return call

    def _lower_half(self, value: Any) -> Any:
        """Return the lower half of an i64, and keep the upper; any other value stays as it is."""
        if isinstance(value, int):
            self._upper_half = value >> 32
            return value & 0xFFFFFFFF
        return value

    def throw_longjmp(self) -> None:
        """Jump to the nearest `invoke_*`."""
        if not self._active:
            raise Aborted("longjmp to a function that has returned")
        raise _LongJump(self)

    def longjmp(self, caller: Caller, buffer: int, value: int) -> None:
        """Jump to a `setjmp`, which then returns a value other than 0."""
        _first(caller.exports, _SET_THREW, "setThrew")(buffer, value or 1)
        self.throw_longjmp()

    def get_temporary(self) -> int:
        """Return the upper half of the 64-bit result of the last call."""
        return self._upper_half

    def set_temporary(self, value: int) -> None:
        """Set the upper half of a 64-bit result."""
        self._upper_half = value

    # Memory

    def resize_heap(self, caller: Caller, size: int) -> int:
        """Make the memory larger, and return whether it is."""
        memory, spend = caller.memory, caller.instance.budget.spend
        missing = -(-size // PAGE_SIZE) - memory.pages
        if missing <= 0:
            return 1
        # A heap that grows by little at a time would be copied again and again.
        ample = min(max(missing, memory.pages // 5), _most_pages(memory) - memory.pages)
        return int(
            (ample > missing and memory.try_grow(ample, spend) >= 0)
            or memory.try_grow(missing, spend) >= 0
        )

    def heap_max(self, caller: Caller) -> int:
        """Return how large the memory may become, in bytes."""
        return _most_pages(caller.memory) * PAGE_SIZE

    def memory_grew(self, index: int) -> None:
        """Take note that a memory has grown."""

    def copy(self, caller: Caller, target: int, source: int, size: int) -> None:
        """Copy bytes of the memory."""
        caller.memory.copy(target, source, size, caller.instance.budget.spend)

    def copy_and_return(self, caller: Caller, target: int, source: int, size: int) -> int:
        """Copy bytes of the memory, and return where they are now."""
        self.copy(caller, target, source, size)
        return target

    # Ends

    def abort(self) -> None:
        """End the call."""
        raise Aborted("the module called abort")

    def assert_fail(
        self, caller: Caller, condition: int, file: int, line: int, function: int
    ) -> None:
        """End the call with an assertion and its place in the source."""
        texts = [_text(caller, pointer) for pointer in (condition, file, function)]
        raise Aborted(f"Assertion failed: {texts[0]}, at {texts[1]}:{line}, {texts[2]}")

    # Clocks and random numbers

    def entropy(self, caller: Caller, pointer: int, size: int) -> int:
        """Put up to 256 random bytes into the memory; -1 for more, as POSIX has it."""
        if size > _MAX_ENTROPY:
            return -1
        caller.memory.write(pointer, self._random(size))
        return 0

    def now(self) -> float:
        """Return the milliseconds since some moment."""
        return self._clock.monotonic() / 1e6

    def date_now(self) -> float:
        """Return the milliseconds since 1970."""
        return self._clock.realtime() / 1e6

    def resolution(self) -> float:
        """Return the least difference of two readings, in nanoseconds."""
        return float(self._clock.resolution())

    def is_monotonic(self) -> int:
        """Return whether the clock never goes back."""
        return 1


_NOTHING, _TIME = FuncType(), FuncType((), (_F64,))
_COPY = FuncType((_I32,) * 3)

#: Each function with a type that it has had, and the method that it is.
_FUNCTIONS = {
    ("_emscripten_throw_longjmp", _NOTHING): "throw_longjmp",
    ("emscripten_longjmp", _SET_THREW): "longjmp",
    ("getTempRet0", _READ): "get_temporary",
    ("setTempRet0", _WRITE): "set_temporary",
    ("emscripten_resize_heap", FuncType((_I32,), (_I32,))): "resize_heap",
    ("emscripten_get_heap_max", _READ): "heap_max",
    ("emscripten_notify_memory_growth", _WRITE): "memory_grew",
    ("emscripten_memcpy_big", FuncType((_I32,) * 3, (_I32,))): "copy_and_return",
    ("emscripten_memcpy_big", _COPY): "copy",
    ("emscripten_memcpy_js", _COPY): "copy",
    ("_emscripten_memcpy_js", _COPY): "copy",
    ("abort", _NOTHING): "abort",
    ("_abort_js", _NOTHING): "abort",
    ("__assert_fail", FuncType((_I32,) * 4)): "assert_fail",
    ("getentropy", FuncType((_I32,) * 2, (_I32,))): "entropy",
    ("emscripten_get_now", _TIME): "now",
    ("emscripten_date_now", _TIME): "date_now",
    ("emscripten_get_now_res", _TIME): "resolution",
    ("_emscripten_get_now_is_monotonic", _READ): "is_monotonic",
}


def _in_halves(type: FuncType) -> FuncType:
    """Return a type with two i32 for each i64 among the parameters, and one for a result."""
    params: list[ValType] = []
    for param in type.params:
        params += [_I32, _I32] if param is ValType.I64 else [param]
    results = [_I32 if result is ValType.I64 else result for result in type.results]
    return FuncType(tuple(params), tuple(results))


def _joined(type: FuncType, called: FuncType, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments of a function, from those of a call in halves.

    Raises:
        Trap: the call is of another type.
    """
    if _in_halves(type) != called:
        raise Trap(TrapReason.INDIRECT_CALL_TYPE_MISMATCH)
    rest = iter(arguments)
    return tuple(
        next(rest) | next(rest) << 32 if param is ValType.I64 else next(rest)
        for param in type.params
    )


def _most_pages(memory: Memory) -> int:
    return min(memory.maximum, memory.page_limit, _MAX_PAGES)


def _text(caller: Caller, pointer: int) -> str:
    """Read a string that a zero byte ends, or its beginning; "?" at address 0."""
    if not pointer:
        return "?"
    memory = caller.memory
    data = memory.read(pointer, max(0, min(_SHOWN, memory.size - pointer)))
    return data.partition(b"\0")[0].decode("utf-8", "replace")
