"""Glue between Python and functions of modules, generated from a type: no loop over the values.

The text is made when a function of its type is first used. This is what calls one of the type
`(i32, f64) -> i32`::

    def call(func, store, arguments):
        state = store.context()
        if state is not func.state:
            raise wrong_store()
        try:
            (l0, l1,) = arguments
        except ValueError:
            raise wrong_count(arguments, 2) from None
        if type(l0) is int:
            l0 &= 0xFFFFFFFF
        else:
            l0 = to_i32(l0, state)
        if type(l1) is not float:
            l1 = to_f64(l1, state)
        try:
            r0 = func.entry(l0, l1)
        except HostException as carrier:
            carrier.unpack()
        except WasmError as error:
            raise outward(error, state.modules()) from None
        return +r0 if r0 < 0x80000000 else r0 - 0x100000000
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from purewasm_plugins.errors import WasmError
from purewasm_plugins.runtime.glue import HostException, compiled, indented, names, to_border
from purewasm_plugins.runtime.imports import Caller as RuntimeCaller
from purewasm_plugins.wasm.types import FuncType, ValType
from purewasm_plugins.wasmtime.conversion import CONVERT, MASKS
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.state import wrong_store
from purewasm_plugins.wasmtime.traps import outward

__all__ = ["call_glue", "host_glue"]

#: Types of which the glue is kept, of each kind.
_KEPT = 256


@lru_cache(_KEPT)
def call_glue(type: FuncType) -> Callable[..., Any]:
    """Return what calls a function of a type: a function of `Func`, store and arguments."""
    params, results = names(type.params), names(type.results, "r")
    unpack = ["if arguments:", f"    raise wrong_count(arguments, {len(params)})"]
    if params:
        unpack = [
            "try:",
            f"    ({', '.join(params)},) = arguments",
            "except ValueError:",
            f"    raise wrong_count(arguments, {len(params)}) from None",
        ]
    body = [
        "state = store.context()",
        "if state is not func.state:",
        "    raise wrong_store()",
        *unpack,
        *(line for pair in zip(params, type.params, strict=True) for line in _to_raw(*pair)),
        "try:",
        f"    {', '.join(results) or 'none'} = func.entry({', '.join(params)})",
        "except HostException as carrier:",
        "    carrier.unpack()",
        "except WasmError as error:",
        "    raise outward(error, state.modules()) from None",
    ]
    values = ", ".join(map(_to_python, results, type.results))
    if results:
        body.append(f"return {values}" if len(results) == 1 else f"return [{values}]")
    return compiled(["def call(func, store, arguments):", *indented(body)], _NAMESPACE)


@lru_cache(_KEPT)
def host_glue(type: FuncType, access_caller: bool) -> Callable[..., Callable[..., Any]]:
    """Return what makes a raw host function of a Python function.

    Args:
        type: its type.
        access_caller: whether it gets a `Caller` first.

    Returns:
        A function of the Python function, the state of its store, and the class `Caller`.
    """
    params = names(type.params)
    given = [*(["handle"] if access_caller else ()), *map(_to_python, params, type.params)]
    body = [f"result = function({', '.join(given)})", *_checked_result(type.results)]
    if access_caller:
        body = [
            "handle = caller_type(caller, state)",
            "try:",
            *indented(body),
            "finally:",
            "    handle.invalidate()",
        ]
        params = ["caller: RuntimeCaller", *params]
    text = [
        "def make(function, state, caller_type):",
        f"    def call({', '.join(params)}):",
        *indented(indented(body)),
        "    return call",
    ]
    return compiled(text, _NAMESPACE)


def _checked_result(types: Sequence[ValType]) -> list[str]:
    """Return the statements that return what a Python function has returned."""
    if not types:
        return ["if result is not None:", "    raise unwanted_result()"]
    if len(types) == 1:
        return [*_to_raw("result", types[0]), "return result"]
    results = names(types, "r")
    return [
        f"if len(result) != {len(types)}:",
        "    raise wrong_results()",
        f"{', '.join(results)} = result",
        *(line for pair in zip(results, types, strict=True) for line in _to_raw(*pair)),
        f"return {', '.join(results)}",
    ]


def _to_raw(name: str, type: ValType) -> list[str]:
    """Return the statements that replace a Python value by the raw value."""
    convert = f"{name} = to_{type.name.lower()}({name}, state)"
    if type in MASKS:
        return [
            f"if type({name}) is int:",
            f"    {name} &= {MASKS[type]:#x}",
            "else:",
            f"    {convert}",
        ]
    if type is ValType.F64:
        return [f"if type({name}) is not float:", f"    {convert}"]
    return [convert]


def _to_python(name: str, type: ValType) -> str:
    """Return the expression of a raw value as a Python value."""
    if type is ValType.FUNCREF:
        return f"None if {name} is None else state.wrap(state, {name})"
    return to_border(name, type)


def _wrong_count(arguments: tuple[Any, ...], wanted: int) -> WasmtimeError:
    many = "many" if len(arguments) > wanted else "few"
    return WasmtimeError(
        f"too {many} parameters provided: given {len(arguments)}, expected {wanted}"
    )


def _wrong_results() -> WasmtimeError:
    return WasmtimeError("callback produced wrong number of results")


def _unwanted_result() -> WasmtimeError:
    return WasmtimeError("callback produced results when it shouldn't")


#: What the glue can name. `__name__` tells that the package raised what is raised in glue.
_NAMESPACE: dict[str, Any] = {
    "__name__": __name__,
    "HostException": HostException,
    "RuntimeCaller": RuntimeCaller,
    "WasmError": WasmError,
    "outward": outward,
    "unwanted_result": _unwanted_result,
    "wrong_count": _wrong_count,
    "wrong_results": _wrong_results,
    "wrong_store": wrong_store,
    **{f"to_{kind.name.lower()}": convert for kind, convert in CONVERT.items()},
}
