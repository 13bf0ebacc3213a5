"""WASI of a store: imported where a store is given some, or a linker defines its functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from purewasm_plugins.errors import GrantError
from purewasm_plugins.runtime.instance import Caller, Function
from purewasm_plugins.wasi import host_files
from purewasm_plugins.wasi.grants import Wasi
from purewasm_plugins.wasi.preview1 import MODULES, SIGNATURES, Preview1, type_of
from purewasm_plugins.wasi.state import WasiState
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.state import StoreState

__all__ = ["MODULE", "definitions", "give"]

#: The first of the two names of the functions' imports.
MODULE = "wasi_snapshot_preview1"


def give(state: StoreState, grants: Wasi) -> None:
    """Give a store's instances what was granted, in place of what they had.

    Raises:
        WasmtimeError: something that is granted is not there.
    """
    try:
        wasi = WasiState(grants)
    except GrantError as error:
        raise WasmtimeError(str(error)) from error
    functions = Preview1(wasi, MODULES[MODULE])
    hosts = {name: functions.host(name) for name in SIGNATURES}
    state.set_wasi(wasi, hosts, copies_files=not host_files.IN_PLACE)


def definitions() -> dict[str, Callable[[StoreState], Function]]:
    """Return the functions by name, each as a function of the state of a store."""
    return {name: partial(_function, name) for name in SIGNATURES}


def _function(name: str, state: StoreState) -> Function:
    """Return a function that uses what the store has been given when it is called."""

    def call(caller: Caller, *arguments: int) -> int:
        if caller is None:
            raise WasmtimeError("missing required memory export: no instance calls")
        function = state.wasi_functions.get(name)
        if function is None:
            raise WasmtimeError("the store has no WASI: Store.set_wasi(WasiConfig()) gives it")
        return function(caller, *arguments)

    return Function(type_of(name), call, raw=True)
