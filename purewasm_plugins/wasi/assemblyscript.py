"""The functions of the module "env" that programs in AssemblyScript import.

A string is the address of UTF-16 text, little-endian, whose size in bytes is the number before it.
"""

from __future__ import annotations

from purewasm_plugins.errors import Aborted, Exited
from purewasm_plugins.runtime.instance import Caller, RawFunction
from purewasm_plugins.runtime.limits import BYTES_PER_UNIT
from purewasm_plugins.runtime.memory import STRING_LIMIT
from purewasm_plugins.support.typed import Protocol
from purewasm_plugins.wasi.clocks import Clock
from purewasm_plugins.wasm.types import FuncType, ValType

__all__ = ["find"]

#: Bytes of a string that the text of an error shows.
_SHOWN = 4096


class State(Protocol):
    """What the functions use of an instance's state.

    Attributes:
        clock: its clocks.
    """

    clock: Clock

    def write(self, descriptor: int, data: bytes) -> None:
        """Write to standard output (1) or standard error (2)."""

    def random(self, size: int, /) -> bytes:
        """Return random bytes."""


def find(module: str, name: str, type: FuncType, state: State) -> RawFunction | None:
    """Return the function that an import of AssemblyScript names; None where it is none of them.

    Args:
        module, name: the two names of the import. The module is "env", or "console" with the name
            of a function of the console.
        type: its declared type.
        state: that of the instance.
    """
    if module == "console":
        name = f"console.{name}"
    elif module != "env":
        return None
    method = _FUNCTIONS.get((name, type))
    return None if method is None else RawFunction(getattr(_Functions(state), method))


class _Functions:
    """The functions, on the state of an instance."""

    def __init__(self, state: State) -> None:
        self._state = state

    def abort(self, caller: Caller, message: int, file: int, line: int, column: int) -> None:
        """End the call with a message, and the place in the source."""
        text = _text(caller, message, _SHOWN) if message else "the module called abort"
        place = f"{_text(caller, file, _SHOWN)}:{line}:{column}"
        raise Aborted(f"{text} in {place}")

    def trace(self, caller: Caller, message: int, count: int, *values: float) -> None:
        """Write a message and up to five numbers to standard error."""
        words = [_text(caller, message), *map(_number, values[:count])]
        self._say(2, f"trace: {' '.join(words)}")

    def seed(self) -> float:
        """Return a positive number that random numbers begin with."""
        return 1.0 + int.from_bytes(self._state.random(6), "little")

    def log(self, caller: Caller, message: int) -> None:
        """Write a line to standard output."""
        self._say(1, _text(caller, message))

    def error(self, caller: Caller, message: int) -> None:
        """Write a line to standard error."""
        self._say(2, _text(caller, message))

    def check(self, caller: Caller, condition: int, message: int) -> None:
        """Write a line to standard error unless a condition holds."""
        if not condition:
            self._say(2, f"Assertion failed: {_text(caller, message)}")

    def exit(self, code: int) -> None:
        """End the program."""
        raise Exited(code)

    def now(self) -> float:
        """Return the milliseconds since 1970."""
        return float(self._state.clock.realtime() // 1_000_000)

    def elapsed(self) -> float:
        """Return the milliseconds since some moment."""
        return self._state.clock.monotonic() / 1e6

    def _say(self, descriptor: int, line: str) -> None:
        self._state.write(descriptor, line.encode("utf-8", "replace") + b"\n")


_I32, _F64 = ValType.I32, ValType.F64
_MESSAGE, _TIME = FuncType((_I32,)), FuncType((), (_F64,))

#: Each function with its type, and the method that it is.
_FUNCTIONS = {
    ("abort", FuncType((_I32,) * 4)): "abort",
    ("trace", FuncType((_I32,) * 2 + (_F64,) * 5)): "trace",
    ("seed", _TIME): "seed",
    ("console.log", _MESSAGE): "log",
    ("console.info", _MESSAGE): "log",
    ("console.debug", _MESSAGE): "log",
    ("console.warn", _MESSAGE): "error",
    ("console.error", _MESSAGE): "error",
    ("console.assert", FuncType((_I32,) * 2)): "check",
    ("process.exit", FuncType((_I32,))): "exit",
    ("Date.now", _TIME): "now",
    ("performance.now", _TIME): "elapsed",
}


def _text(caller: Caller, pointer: int, limit: int = STRING_LIMIT) -> str:
    """Read a string, or its beginning; "null" at address 0.

    Raises:
        Trap: it does not lie inside the memory.
    """
    if not pointer:
        return "null"
    memory = caller.memory
    size = min(memory.read_u32(pointer - 4), limit) & ~1
    caller.instance.budget.spend(size // BYTES_PER_UNIT)
    return memory.read(pointer, size).decode("utf-16-le", "replace")


def _number(value: float) -> str:
    """Write a number as JavaScript does, if it is none of the very large or small ones."""
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(value), str(value))
