"""From a module and what is given for its imports to an instance in a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from purewasm_plugins.engine.instantiate import instantiate
from purewasm_plugins.engine.translator import Translator
from purewasm_plugins.engine.translator.metering import SlicedBudget
from purewasm_plugins.errors import WasmError, escape_controls
from purewasm_plugins.module import Module as Compiled
from purewasm_plugins.runtime.glue import HostException
from purewasm_plugins.runtime.instance import Extern, Instance
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.mismatches import mismatch
from purewasm_plugins.wasmtime.modules import Module
from purewasm_plugins.wasmtime.state import StoreState
from purewasm_plugins.wasmtime.traps import outward

__all__ = ["check_types", "make_instance", "shown_import"]


class _StoreEngine:
    """The translator for instances of a store: their budgets are the store's."""

    name = Translator.name

    def __init__(self, state: StoreState, compiled: Compiled) -> None:
        self._state = state
        self._translator = Translator(cache=compiled.cache)

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """Return the entry of each function; see `Engine` of the runtime."""
        entries = [*self._translator.link(instance)]
        tank, budget = self._state.tank, instance.budget
        if tank is not None and isinstance(budget, SlicedBudget):
            entries = tank.metered(budget, entries)
        self._state.add_instance(instance)
        return entries


class _InOrder(Mapping[str, Any]):
    """What is given for imports in the order of the module, whatever their names.

    A module may declare several imports of one name: a mapping could not give each its own.
    """

    def __init__(self, given: Sequence[Extern]) -> None:
        self._given = iter(given)

    def __getitem__(self, name: str) -> Extern:
        return next(self._given)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class _Namespaces(Mapping[str, Mapping[str, Any]]):
    """The same for the names of the modules of imports."""

    def __init__(self, given: Sequence[Extern]) -> None:
        self._in_order = _InOrder(given)

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        return self._in_order

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def make_instance(state: StoreState, module: Module, given: Sequence[Extern]) -> Instance:
    """Make an instance and run its start function.

    Args:
        state: of the store.
        module: the module.
        given: one for each import, in the order of the module.

    Raises:
        WasmtimeError: an import has another type, or a limit of the store forbids it.
        Trap: a segment does not fit, or the start function trapped.
        BaseException: what a host function has raised.
    """
    if module.engine is not state.engine:
        raise WasmtimeError("cross-`Engine` instantiation is not currently supported")
    compiled = module.inner
    valid = compiled.valid
    check_types(compiled, given)
    state.check_new_instance(valid.module)
    engine = _StoreEngine(state, compiled)
    limits = state.resource_limits()
    try:
        return instantiate(valid, _Namespaces(given), engine=engine, limits=limits)
    except HostException as carrier:
        carrier.unpack()
    except WasmError as error:
        raise outward(error, state.modules()) from None


def shown_import(module: str, name: str) -> str:
    """Return the names of an import for a message; a module chooses them."""
    return escape_controls(f"`{module}::{name}`")


def check_types(compiled: Compiled, given: Iterable[Extern]) -> None:
    """Refuse what does not fit the types of the imports.

    Args:
        compiled: the module.
        given: one for each import, in the order of the module.

    Raises:
        WasmtimeError: an import has another type.
    """
    for entry, item in zip(compiled.imports, given, strict=True):
        details = mismatch(entry.type, item)
        if details is not None:
            names = shown_import(entry.module, entry.name)
            raise WasmtimeError(
                f"incompatible import type for {names}\n\nCaused by:\n    {details}\n"
            )
