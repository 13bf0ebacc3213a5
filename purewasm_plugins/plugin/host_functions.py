"""Host functions on strings: a Python function of str as an import of a plugin.

The convention is in `ABI.md`, under "Host functions on strings": a parameter is a pointer to a
string, and a result lies in memory that the plugin's own allocator gives.
"""

from __future__ import annotations

import sys
from types import NoneType

from purewasm_plugins.errors import InvalidString, StringError
from purewasm_plugins.plugin.strings import plugin_allocator
from purewasm_plugins.runtime.instance import (
    Caller,
    Function,
    python_function,
    takes_caller,
)
from purewasm_plugins.runtime.memory import encode_string
from purewasm_plugins.support.typed import Any, Callable, Generic, ParamSpec, TypeVar
from purewasm_plugins.wasm.types import FuncType, ValType

__all__ = ["HostFunction", "host_function"]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result", bound=str | None)

#: A type of a parameter or result, as an annotation and as the text of one.
_STR = (str, "str")
_NONE = (None, NoneType, "None")
_OPTIONAL = (str | None, "str | None")

_RULE = "a host function takes strings, after an optional Caller, and returns a string or None"

#: Flags of a code object, for `*arguments` and `**named`; `inspect`, which has them, is slow to
#: import.
CO_VARARGS, CO_VARKEYWORDS = 0x04, 0x08


class HostFunction(Function, Generic[_Parameters, _Result]):
    """A Python function of strings as a plugin imports it; `host_function` makes them.

    Called from Python it is the function itself, on strings.

    Attributes:
        function: the Python function.
    """

    def __init__(self, function: Callable[_Parameters, _Result]) -> None:
        """Make an import of a function; see `host_function`."""
        # Imported here, as most programs have no host functions.
        from functools import update_wrapper

        type = _type(function)
        name = getattr(function, "__name__", "")
        super().__init__(type, _Call(function, name, bool(type.results)), name=name)
        self.function = function
        update_wrapper(self, function)

    def __call__(self, *arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
        """Call the Python function."""
        return self.function(*arguments, **named)

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle by its name where it is a decorated function, else by that of its function."""
        path = getattr(self.function, "__qualname__", "")
        found: Any = sys.modules.get(self.function.__module__)
        for name in path.split("."):
            found = getattr(found, name, None)
        return path if found is self else (host_function, (self.function,))


def host_function(
    function: Callable[_Parameters, _Result],
) -> HostFunction[_Parameters, _Result]:
    """Make an import of a Python function that takes strings and returns a string or nothing.

    In WebAssembly it takes an `i32` for each parameter, a pointer to a string, and returns one for
    a string; a function annotated as `str | None` returns 0 for None. What it returns is written
    into memory that the plugin's own allocator gives, and that the plugin has to free; the plugin
    must export one (`plugin_alloc`, or what else `ABI.md` lists under "Where inputs go").

        >>> from purewasm_plugins import WasmPlugin, example, host_function
        >>> @host_function
        ... def log(text: str) -> None:
        ...     print("the plugin says:", text)
        >>> plugin = WasmPlugin.load(example("imports_host"), imports={"env": {"log": log}})
        >>> plugin.execute_tool("greet", "good morning")
        the plugin says: good morning
        'logged'

    Args:
        function: a Python function, also as a decorator of it. Each of its parameters is annotated
            as `str`, the first may be annotated as `Caller`; its result is annotated as `str`,
            None, or `str | None`.

    Returns:
        What is given in `imports`. Called from Python, it is the function.

    Raises:
        TypeError: the function has other parameters, or another result.

    Hazards:
        The texts come from the plugin, and may be anything of up to `ResourceLimits.output_bytes`
        bytes; what is not UTF-8 in them reads as U+FFFD. A pointer at which no such string can be
        read ends the call with `InvalidString`, and so does a result that is longer, or for which
        the plugin has no memory. A result that holds U+0000 or a lone surrogate raises
        `StringError`, which like all that a host function raises ends the call.
    """
    return HostFunction(function)


class _Call:
    """The function on pointers; a class, so that plugins with it can be pickled."""

    def __init__(self, function: Callable[..., str | None], name: str, returns: bool) -> None:
        self._function = function
        self._name = f"the host function {name}"
        self._takes_caller = takes_caller(function)
        self._returns = returns
        self._optional = returns and _is(_annotation(function), _OPTIONAL)

    def __call__(self, caller: Caller, *pointers: int) -> int | None:
        memory, limit = caller.memory, caller.instance.limits.output_bytes
        arguments: list[Any] = [memory.read_string(pointer, limit) for pointer in pointers]
        if self._takes_caller:
            arguments.insert(0, caller)
        result = self._function(*arguments)
        if result is None and self._optional:
            return 0
        if not isinstance(result, str if self._returns else NoneType):
            wanted = "str" if self._returns else "None"
            raise TypeError(f"{self._name} must return {wanted}, and returned {result!r}")
        return None if result is None else self._write(caller, result)

    def _write(self, caller: Caller, text: str) -> int:
        """Put a result into the plugin's memory.

        Returns:
            Its address, as a signed i32.
        """
        data, limit = encode_string(text), caller.instance.limits.output_bytes
        if limit is not None and len(data) - 1 > limit:
            raise InvalidString(
                f"{self._name} returned {len(data) - 1} bytes, and the limit output_bytes is"
                f" {limit}"
            )
        allocator = plugin_allocator(caller.instance, caller.memory)
        if allocator is None:
            raise InvalidString(
                f"{self._name} returns a string, and the plugin exports no allocator for it:"
                " it must export plugin_alloc"
            )
        try:
            pointer = allocator.write(data, f"what {self._name} returns")
        except StringError as error:
            raise InvalidString(error.details) from None
        return pointer - ((pointer & 0x80000000) << 1)


def _type(function: Callable[..., Any]) -> FuncType:
    """Return the type of a Python function's import.

    Raises:
        TypeError: it is not a function of strings.
    """
    found = python_function(function)
    if found is None:
        raise TypeError(
            f"host_function takes a Python function with annotations, not {function!r}:"
            " write one that calls it"
        )
    python, bound = found
    code, annotations = python.__code__, python.__annotations__
    names = code.co_varnames[bound : code.co_argcount]
    if takes_caller(function):
        names = names[1:]
    if code.co_kwonlyargcount or code.co_flags & (CO_VARARGS | CO_VARKEYWORDS):
        raise TypeError(f"{code.co_name} has parameters that are not positional: {_RULE}")
    for name in names:
        if not _is(annotations.get(name), _STR):
            raise TypeError(
                f"the parameter {name} of {code.co_name} is not annotated as str: {_RULE}"
            )
    result = annotations.get("return", ...)
    if not _is(result, _STR + _NONE + _OPTIONAL):
        raise TypeError(f"the result of {code.co_name} is not annotated as str or None: {_RULE}")
    results = () if _is(result, _NONE) else (ValType.I32,)
    return FuncType((ValType.I32,) * len(names), results)


def _annotation(function: Callable[..., Any]) -> Any:
    """Return the annotation of the result of a function that `_type` has taken."""
    found = python_function(function)
    return None if found is None else found[0].__annotations__.get("return")


def _is(annotation: Any, types: tuple[Any, ...]) -> bool:
    if isinstance(annotation, str):
        annotation = annotation.strip("'\"")
    return any(annotation is type or annotation == type for type in types)
