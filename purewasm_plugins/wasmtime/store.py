"""`Store`: what functions, memories and the rest belong to, with its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from purewasm_plugins.runtime.instance import Extern, Function
from purewasm_plugins.runtime.instance import Global as RuntimeGlobal
from purewasm_plugins.runtime.memory import Memory as RuntimeMemory
from purewasm_plugins.wasmtime.engine import Engine
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.fuel import Tank
from purewasm_plugins.wasmtime.functions import Caller, Func
from purewasm_plugins.wasmtime.globals import Global
from purewasm_plugins.wasmtime.managed import Managed
from purewasm_plugins.wasmtime.memories import Memory
from purewasm_plugins.wasmtime.state import AsExtern, Context, StoreState
from purewasm_plugins.wasmtime.tables import Table

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi

__all__ = ["Store", "StoreContext", "Storelike"]


class Grants(Protocol):
    """What `Store.set_wasi` takes: `WasiConfig`."""

    def _grants(self) -> Wasi:
        """Return what it grants, and make it unusable."""


class Store(Context, Managed):
    """What functions, memories, tables, globals and instances belong to.

    Each of their methods takes the store, or a `Caller` of it. A store must be used by one thread
    at a time. It is closed where the program drops it: then what belongs to it is of no use.

    Attributes:
        engine: its engine.
        state: for this package only.
    """

    def __init__(self, engine: Engine | None = None, data: Any | None = None) -> None:
        """Make a store.

        Args:
            engine: its engine; None for a new one.
            data: what `data` returns.

        Raises:
            TypeError: `engine` is no engine.
            ValueError: the engine is closed.
        """
        if engine is None:
            engine = Engine()
        elif not isinstance(engine, Engine):
            raise TypeError("expected an Engine")
        engine.check_open()
        self.engine = engine
        self.state = StoreState(engine, data or None, wrapped)

    def release(self) -> None:
        """Free the instances, and close what WASI has open."""
        self.state.close()

    def __del__(self) -> None:
        if hasattr(self, "state"):
            self.close()

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied: the end of the copy would be the end of the store."""
        raise TypeError("a Store cannot be copied or pickled")

    def context(self) -> StoreState:
        """Return the state; for this package only.

        Raises:
            ValueError: the store is closed.
        """
        if self._closed:
            raise ValueError("already closed")
        return self.state

    def data(self) -> Any | None:
        """Return what the program keeps with the store."""
        return self.context().data

    def gc(self) -> None:
        """Do nothing: Python's garbage collector frees what references hold."""
        self.context()

    def set_fuel(self, fuel: int) -> None:
        """Have so many units of fuel left: see `Config.consume_fuel`.

        Raises:
            WasmtimeError: the engine's configuration does not let code use fuel.
            TypeError: `fuel` is no int.
        """
        state = self.context()
        if not isinstance(fuel, int):
            raise TypeError(f"expected an int, got {type(fuel).__name__}")
        _tank_of(state).set(fuel & 0xFFFFFFFFFFFFFFFF)

    def get_fuel(self) -> int:
        """Return how many units of fuel are left.

        Raises:
            WasmtimeError: the engine's configuration does not let code use fuel.
        """
        return _tank_of(self.context()).get()

    def set_wasi(self, wasi: Grants) -> None:
        """Give the store's instances what a `WasiConfig` grants; it cannot be used again.

        Raises:
            WasmtimeError: something that it grants is not there.
            ValueError: it was given to a store before.
        """
        state = self.context()
        # Imported here: many programs use no WASI.
        from purewasm_plugins.wasmtime.store_wasi import give

        give(state, wasi._grants())

    def set_wasi_http(self) -> None:
        """Refuse HTTP, which only components use.

        Raises:
            WasmtimeError: always.
        """
        self.context()
        raise WasmtimeError("wasi:http is for components, which purewasm_plugins does not have")

    def set_epoch_deadline(self, ticks_after_current: int) -> None:
        """Interrupt code after so many more increments of the engine's epoch.

        Without a deadline a store of an engine with `Config.epoch_interruption` runs no code.

        Raises:
            TypeError: it is no int.
        """
        state = self.context()
        if not isinstance(ticks_after_current, int):
            raise TypeError(f"expected an int, got {type(ticks_after_current).__name__}")
        state.set_epoch_deadline(ticks_after_current)

    def set_limits(
        self,
        memory_size: int = -1,
        table_elements: int = -1,
        instances: int = -1,
        tables: int = -1,
        memories: int = -1,
    ) -> None:
        """Limit what modules may have in the store, from now on; a negative number is no limit.

        Args:
            memory_size: bytes of each memory. A module that declares more is refused, and a memory
                that would grow further does not. Without a limit a gigabyte is the most, as it is
                for a memory that was made before a larger limit was set.
            table_elements: elements of each table, in the same way. All tables of an instance may
                have ten million together, or as many as one of them.
            instances: instances that are made in the store.
            tables: tables that modules make in the store.
            memories: memories that modules make in the store.
        """
        state = self.context()
        limits = {
            "memory_size": memory_size,
            "table_elements": table_elements,
            "instances": instances,
            "tables": tables,
            "memories": memories,
        }
        for name, limit in limits.items():
            if not isinstance(limit, int):
                raise TypeError(f"expected an int as {name}, got {type(limit).__name__}")
        for name, limit in limits.items():
            setattr(state.limits, name, None if limit < 0 else limit)
        state.apply_limits()


class StoreContext(Context):
    """A store during a call; `Caller` is what host functions get instead of it here."""


Storelike = Store | Caller | StoreContext


def _tank_of(state: StoreState) -> Tank:
    if state.tank is None:
        raise WasmtimeError("fuel is not configured in this store")
    return state.tank


def wrapped(state: StoreState, inner: Extern) -> AsExtern:
    """Return what users see of what the runtime has; for this package only."""
    if isinstance(inner, Function):
        return Func.of(inner, state)
    if isinstance(inner, RuntimeMemory):
        return Memory.of(inner, state)
    if isinstance(inner, RuntimeGlobal):
        return Global.of(inner, state)
    return Table.of(inner, state)
