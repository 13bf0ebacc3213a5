"""`Func` and `Caller`: calls from Python into modules, and from modules into Python."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from purewasm_plugins.runtime.glue import lazy_entry
from purewasm_plugins.runtime.imports import Caller as RuntimeCaller
from purewasm_plugins.runtime.instance import Function
from purewasm_plugins.wasm import types as wasm
from purewasm_plugins.wasmtime.glue import call_glue, host_glue
from purewasm_plugins.wasmtime.state import AsExtern, Context, StoreState
from purewasm_plugins.wasmtime.types import FuncType

__all__ = ["Caller", "Func", "host_function"]


class Func(AsExtern):
    """A function of a module, or of Python with a type; it is called with the store first.

    Attributes:
        inner: for this package only: the function as the runtime has it.
        state: for this package only: the state of the store that it belongs to.
        entry: for this package only: the function on raw values.
    """

    inner: Function

    def __init__(
        self,
        store: Context,
        ty: FuncType,
        func: Callable[..., Any],
        access_caller: bool = False,
    ) -> None:
        """Give a Python function a type.

        Args:
            store: the store that it belongs to.
            ty: its parameters and results.
            func: the function. It gets Python values, and returns None, one value, or a sequence,
                after the number of results. What it raises leaves the call of the module as it is.
            access_caller: whether it gets a `Caller` before the values.

        Raises:
            TypeError: `store` is no store, or `ty` no `FuncType`.
            ValueError: the store is closed.
        """
        if not isinstance(store, Context):
            raise TypeError("expected a Store")
        if not isinstance(ty, FuncType):
            raise TypeError("expected a FuncType")
        ty.check_open()
        self._take(store.context(), host_function(ty.inner, func, access_caller, store.context()))

    @classmethod
    def of(cls, inner: Function, state: StoreState) -> Func:
        """Return the function that the runtime has as `inner`; for this package only."""
        func = cls.__new__(cls)
        func._take(state, inner)
        return func

    def _take(self, state: StoreState, inner: Function) -> None:
        self.inner = inner
        self.state = state
        self.entry = inner.entry
        self._call = _first_call
        if inner.takes_caller and inner.host is not None:
            # The host itself calls it here: no instance does.
            self.entry = lazy_entry(inner.type, partial(inner.host, None), None, inner.raw)

    def type(self, store: Context) -> FuncType:
        """Return its type."""
        return FuncType.of(self.of_store(store.context()).type)

    def __call__(self, store: Context, *params: Any) -> Any:
        """Call the function.

        Args:
            store: the store that it belongs to, or a `Caller` of it.
            params: a Python value, or a `Val`, for each parameter. An int loses the bits that do
                not fit its type.

        Returns:
            None, the result, or a list of the results.

        Raises:
            WasmtimeError: the number of the arguments is wrong.
            TypeError: an argument has a wrong type.
            Trap: execution was aborted.
            ExitTrap: the program called `proc_exit` of WASI.
            ValueError: the store is closed.
            BaseException: what a host function has raised.
        """
        return self._call(self, store, params)


def _first_call(func: Func, store: Context, params: tuple[Any, ...]) -> Any:
    """Call a function, and remember the glue of its type."""
    call = call_glue(func.inner.type)
    func._call = partial(_call_and_store, call) if func.state.copies_files else call
    return func._call(func, store, params)


def _call_and_store(
    call: Callable[..., Any], func: Func, store: Context, params: tuple[Any, ...]
) -> Any:
    """Call a function that may change files in copies of directories."""
    try:
        return call(func, store, params)
    finally:
        func.state.store_files()


def host_function(
    type: wasm.FuncType, function: Callable[..., Any], access_caller: bool, state: StoreState
) -> Function:
    """Return a Python function as the runtime imports it."""
    host = host_glue(type, bool(access_caller))(function, state, Caller)
    return Function(type, host, raw=True)


class Caller(Context):
    """The instance that calls a host function, for that function to use.

    It can be passed as the store. After the call it is of no use.
    """

    def __init__(self, inner: RuntimeCaller | None, state: StoreState) -> None:
        """Take the instance, None where the host calls, and its store; for this package only."""
        self._inner = inner
        self._state: StoreState | None = state

    def __getitem__(self, name: str) -> AsExtern:
        """Return the export of that name.

        Raises:
            KeyError: there is none, or the call is over.
        """
        found = self.get(name)
        if found is None:
            raise KeyError(f"failed to find export {name}")
        return found

    def get(self, name: str) -> AsExtern | None:
        """Return the export of that name; None where there is none, or the call is over.

        Raises:
            AttributeError: `name` is no text.
        """
        name.encode()
        inner, state = self._inner, self._state
        if inner is None or state is None:
            return None
        found = inner.exports.get(name)
        return None if found is None else state.wrap(state, found)

    def context(self) -> StoreState:
        """Return the state of the store; for this package only.

        Raises:
            ValueError: the call is over.
        """
        if self._state is None:
            raise ValueError("caller is no longer valid")
        return self._state

    def invalidate(self) -> None:
        """End the use of it; for this package only."""
        self._inner = self._state = None
