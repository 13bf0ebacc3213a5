"""Glue between Python and WebAssembly: Python functions that are generated from a signature.

A function is called with one statement for each parameter and result, and no loop over them. The
text is generated, and compiled, when a function of its signature is first called; this is the one
for a host function of the type `(i32, f64) -> i32`::

    def make(host, caller, budget):
        def call(l0, l1):
            try:
                result = host(+l0 if l0 < 0x80000000 else l0 - 0x100000000, l1)
                if type(result) is not int or not 0 <= result < 0x100000000:
                    result = to_i32(result)
            except Trap:
                raise
            except Exception as exception:
                raise HostException(exception) from None
            return result
        return call

Generated functions hold the result of a comparison as a bool: `+` makes it an int.
"""

from __future__ import annotations

from time import monotonic

from purewasm_plugins.errors import Trap
from purewasm_plugins.runtime.values import TO_RAW
from purewasm_plugins.support.light import lru_cache
from purewasm_plugins.support.typed import Any, Callable, NoReturn, Sequence
from purewasm_plugins.wasm.types import FuncType, ValType

__all__ = [
    *("HostException", "entry_glue", "host_glue", "lazy_entry", "python_glue"),
    # For glue of other signatures.
    *("compiled", "indented", "names", "to_border"),
]

#: Signatures of which the glue is kept, of each kind. It takes five kilobytes.
_KEPT = 256

#: Half and whole of the range of the unsigned integers of each type.
_RANGES = {
    ValType.I32: ("0x80000000", "0x100000000"),
    ValType.I64: ("0x8000000000000000", "0x10000000000000000"),
}


class HostException(BaseException):
    """The carrier of what a host function raised, through an engine that takes it for no trap.

    It never leaves the package: `Function.__call__` raises `exception` itself.
    """

    def __init__(self, exception: Exception) -> None:
        super().__init__(exception)
        self.exception = exception

    def unpack(self) -> NoReturn:
        """Raise `exception` with the cause and the context that the host function gave it."""
        exception = self.exception
        context = exception.__context__
        try:
            raise exception
        finally:
            # Else it would be the carrier.
            exception.__context__ = context
            # The exception has this frame: they would be freed only by a garbage collection.
            del exception, context, self


@lru_cache(_KEPT)
def python_glue(type: FuncType, raw: bool) -> Callable[..., Any]:
    """Return what calls a function from Python.

    Args:
        type: the function's.
        raw: whether it returns raw values. An argument may be a raw value always.

    Returns:
        A function of a `Function` of that type, and of a tuple of values for it.
    """
    params, results = names(type.params), names(type.results, "r")
    unpack = ["if arguments:", "    raise wrong_count(function, arguments)"]
    if params:
        unpack = [
            "try:",
            f"    ({', '.join(params)},) = arguments",
            "except ValueError:",
            "    raise wrong_count(function, arguments) from None",
        ]
    body = [line for pair in zip(params, type.params, strict=True) for line in _to_raw(*pair)]
    call = [
        "try:",
        f"    {', '.join(results) or 'none'} = function.entry({', '.join(params)})",
        "except HostException as carrier:",
        "    carrier.unpack()",
        f"return {', '.join(map(_unsigned if raw else to_border, results, type.results))}",
    ]
    text = ["def call(function, arguments):", *indented(unpack + body + call)]
    return compiled(text, _NAMESPACE)


@lru_cache(_KEPT)
def host_glue(
    type: FuncType, takes_caller: bool, raw: bool, before: str = "", after: str = ""
) -> Callable[..., Callable[..., Any]]:
    """Return what makes a function on raw values of a host function.

    Args:
        type: the host function's.
        takes_caller: whether it gets a `Caller` before the values.
        raw: whether it gets raw values.
        before, after: statements before the call, and after it: they may use `budget`.

    Returns:
        A function of the host function, its `Caller` or None, and a budget for the statements.
    """
    params, results = names(type.params), names(type.results, "r")
    convert = _unsigned if raw else to_border
    given = ["caller"] if takes_caller else []
    given += map(convert, params, type.params)
    body = [f"result = host({', '.join(given)})"]
    if len(results) == 1:
        body += _to_raw("result", type.results[0])
    else:
        absent = "" if results else "result is not None and "
        wrong = f"not isinstance(result, (tuple, list)) or len(result) != {len(results)}"
        body += [f"if {absent}({wrong}):", f"    raise wrong_results({len(results)}, result)"]
        if results:
            body.append(f"{', '.join(results)} = result")
        for name, result in zip(results, type.results, strict=True):
            body += _to_raw(name, result)
        body.append(f"result = {', '.join(results) or None}")
    return _maker(
        params,
        [
            *before.splitlines(),
            "try:",
            *indented(body),
            "except Trap:",
            "    raise",
            "except Exception as exception:",
            "    raise HostException(exception) from None",
            *after.splitlines(),
            "return result",
        ],
    )


@lru_cache(_KEPT)
def entry_glue(params: int, before: str, after: str) -> Callable[..., Callable[..., Any]]:
    """Return what makes a function around an entry, with statements before and after the call.

    Args:
        params: how many parameters the entry has.
        before, after: the statements; they may use `budget`.

    Returns:
        A function of the entry, of None, and of a budget for the statements.
    """
    names = [f"l{index}" for index in range(params)]
    call = f"result = host({', '.join(names)})"
    return _maker(names, [*before.splitlines(), call, *after.splitlines(), "return result"])


def lazy_entry(
    type: FuncType, host: Callable[..., Any], caller: object | None, raw: bool
) -> Callable[..., Any]:
    """Return a host function as a function on raw values, whose glue is made at the first call."""
    entry: Callable[..., Any] | None = None

    def call(*arguments: Any) -> Any:
        nonlocal entry
        if entry is None:
            entry = host_glue(type, caller is not None, raw)(host, caller, None)
        return entry(*arguments)

    return call


def names(types: Sequence[ValType], prefix: str = "l") -> list[str]:
    """Return a name for a value of each type."""
    return [f"{prefix}{index}" for index in range(len(types))]


def indented(lines: list[str]) -> list[str]:
    """Return lines one level deeper."""
    return ["    " + line for line in lines]


def to_border(name: str, type: ValType) -> str:
    """Return the expression of a raw value as a border value."""
    if type not in _RANGES:
        return name
    half, whole = _RANGES[type]
    return f"+{name} if {name} < {half} else {name} - {whole}"


def _unsigned(name: str, type: ValType) -> str:
    """Return the expression of a raw value of generated code as users see raw values."""
    return f"+{name}" if type in _RANGES else name


def _to_raw(name: str, type: ValType) -> list[str]:
    """Return the statements that replace a border value by the raw value."""
    if type is ValType.EXTERNREF:
        return []
    convert = f"{name} = to_{type.name.lower()}({name})"
    if type in _RANGES:
        whole = _RANGES[type][1]
        return [f"if type({name}) is not int or not 0 <= {name} < {whole}:", f"    {convert}"]
    if type is ValType.F64:
        return [f"if type({name}) is not float:", f"    {convert}"]
    return [convert]


def _maker(params: list[str], body: list[str]) -> Callable[..., Callable[..., Any]]:
    call = [f"def call({', '.join(params)}):", *indented(body)]
    text = ["def make(host, caller, budget):", *indented(call), "    return call"]
    return compiled(text, _NAMESPACE)


def compiled(lines: list[str], namespace: dict[str, Any]) -> Callable[..., Any]:
    """Return the function that is the first statement of a text; `namespace` has what it names."""
    found: dict[str, Any] = {}
    exec(compile("\n".join(lines), "<wasm glue>", "exec"), namespace, found)
    (function,) = found.values()
    return function  # type: ignore[no-any-return]


def _wrong_count(function: Any, arguments: tuple[Any, ...]) -> TypeError:
    count = len(function.type.params)
    return TypeError(f"{function} takes {count} arguments, and {len(arguments)} were given")


def _wrong_results(count: int, values: Any) -> TypeError:
    if values is None:
        values = ()
    return TypeError(f"the host function must return {count} values: {values!r}")


#: What the glue can name. `__name__` tells that the package raised what is raised in glue.
_NAMESPACE: dict[str, Any] = {
    "__name__": __name__,
    "HostException": HostException,
    "Trap": Trap,
    "monotonic": monotonic,
    "wrong_count": _wrong_count,
    "wrong_results": _wrong_results,
    **{f"to_{type.name.lower()}": convert for type, convert in TO_RAW.items()},
}
