"""The state of a store: its limits, its fuel, its epoch deadline, its instances, its WASI.

A store's instances, its `Caller`s and what belongs to it have the state, and not the store: so a
store that its program has dropped is closed at once, and frees the memories of its instances.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from purewasm_plugins.engine.translator.translation import MEMORY_END
from purewasm_plugins.errors import GrantError
from purewasm_plugins.runtime.instance import Extern, HostState, Instance
from purewasm_plugins.runtime.limits import Operation, ResourceLimits
from purewasm_plugins.runtime.memory import MAX_PAGES, Memory
from purewasm_plugins.runtime.table import Table
from purewasm_plugins.wasm import PAGE_SIZE, Module, ValidModule
from purewasm_plugins.wasmtime.engine import Engine, Watcher
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.fuel import Tank

__all__ = ["AsExtern", "Context", "StoreLimits", "StoreState", "wrong_store"]


#: Pages that a memory may have where nothing limits it: a gigabyte. wasmtime only reserves
#: addresses; here a module would have the machine fill four gigabytes with zeros.
#: Code for larger ones takes a fifth more time, as an address is checked in more places.
_USUAL_PAGES = MEMORY_END // PAGE_SIZE

#: Elements that the tables of an instance may have together, unless one alone may have more: 80
#: megabytes.
_USUAL_ELEMENTS = 10_000_000

#: Characters of Python that may be written for a function: its code has 800 KB or more. They take
#: four seconds and 400 MB. The largest functions of interpreters have a quarter of it.
_TRANSLATED = 4_000_000


class Context:
    """What can be passed as the store: a `Store`, or a `Caller` during its call."""

    def context(self) -> StoreState:
        """Return the state of the store; for this package only.

        Raises:
            ValueError: the store is closed, or the caller's call is over.
        """
        raise ValueError("already closed")


class StoreLimits:
    """The limits of `Store.set_limits`; None for one that is not set.

    Attributes:
        memory_size: bytes of each memory.
        table_elements: elements of each table.
        instances, tables, memories: how many of them modules may have made in the store.
    """

    __slots__ = ("instances", "memories", "memory_size", "table_elements", "tables")

    def __init__(self) -> None:
        self.memory_size: int | None = None
        self.table_elements: int | None = None
        self.instances: int | None = None
        self.tables: int | None = None
        self.memories: int | None = None


class StoreState(Watcher):
    """What all that belongs to a store shares.

    Attributes:
        engine: the engine.
        data: what the program keeps with the store.
        wrap: makes what users see of what the runtime has.
        operation: of which all calls into the store's instances are parts: the epoch cancels it.
        limits: see `StoreLimits`.
        tank: the fuel; None where it is not metered.
        wasi: the state of WASI; None without.
        wasi_functions, copies_files: see `set_wasi`.
    """

    __slots__ = (
        *("_epoch_deadline", "_instances", "_lock", "_made", "_memories", "_tables"),
        *(
            "copies_files",
            "data",
            "engine",
            "limits",
            "operation",
            "tank",
            "wasi",
            "wasi_functions",
            "wrap",
        ),
    )

    def __init__(
        self, engine: Engine, data: Any, wrap: Callable[[StoreState, Extern], AsExtern]
    ) -> None:
        """Begin without limits, without fuel, and with an epoch deadline that has come."""
        self.engine = engine
        self.data = data
        self.wrap = wrap
        self.operation = Operation(None)
        self.limits = StoreLimits()
        self.tank = Tank() if engine.fuel else None
        self.wasi: HostState | None = None
        self.wasi_functions: dict[str, Callable[..., int]] = {}
        self.copies_files = False
        self._epoch_deadline = engine.epoch
        self._instances: WeakSet[Instance] = WeakSet()
        #: How many instances, tables and memories modules have made.
        self._made = {"instance": 0, "table": 0, "memory": 0}
        #: See `add_memory` and `add_table`.
        self._memories: list[Memory] = []
        self._tables: list[Table] = []
        self._lock = threading.RLock()
        if engine.interruptible:
            engine.watch(self)
            self.check_epoch()

    # Epochs

    def set_epoch_deadline(self, ticks: int) -> None:
        """Interrupt code so many increments of the engine's epoch from now on."""
        self._epoch_deadline = self.engine.epoch + ticks
        self.check_epoch()

    def check_epoch(self) -> None:
        """Interrupt what runs if the deadline has come, else let it run. Any thread may call it."""
        with self._lock:
            come = self.engine.interruptible and self.engine.epoch >= self._epoch_deadline
            self.operation.cancelled = come
        if come:
            for instance in self.instances():
                instance.budget.recheck_limits()

    # Limits

    def resource_limits(self, elements: int = 0) -> ResourceLimits:
        """Return the limits of a new instance, or of a memory, as the runtime has them.

        Args:
            elements: that a table of the host has at first.
        """
        return ResourceLimits(
            memory_pages=self._memory_pages(),
            # The tank has it.
            fuel=None,
            timeout=None,
            call_depth=self.engine.call_depth,
            table_elements=max(elements, self.limits.table_elements or 0, _USUAL_ELEMENTS),
            translated_characters=_TRANSLATED,
            output_bytes=None,
        )

    def _memory_pages(self) -> int:
        """Return how many pages a memory may have."""
        size = self.limits.memory_size
        return _USUAL_PAGES if size is None else min(size // PAGE_SIZE, MAX_PAGES)

    def apply_limits(self) -> None:
        """Apply the limits to what there is already."""
        pages = self._memory_pages()
        memories, tables = [*self._memories], [*self._tables]
        for instance in self.instances():
            memories += instance.memories
            tables += instance.tables
        for memory in memories:
            # Code may have been translated for a memory that grows no further.
            most = MAX_PAGES if memory.page_limit > _USUAL_PAGES else _USUAL_PAGES
            memory.page_limit = min(pages, most)
        for table in tables:
            table.own_limit = self.limits.table_elements

    def check_new_instance(self, module: Module) -> None:
        """Count an instance and what it has of its own.

        Raises:
            WasmtimeError: it is more than the limits allow.
        """
        counts = {
            "instance": (1, self.limits.instances),
            "memory": (len(module.memories), self.limits.memories),
            "table": (len(module.tables), self.limits.tables),
        }
        for kind, (count, limit) in counts.items():
            wanted = self._made[kind] + count
            if limit is not None and wanted > limit:
                raise WasmtimeError(f"resource limit exceeded: {kind} count too high at {wanted}")
        for memory in module.memories:
            self.check_memory(memory.limits.minimum)
        for table in module.tables:
            self.check_table(table.limits.minimum)
        for kind, (count, _) in counts.items():
            self._made[kind] += count

    def check_memory(self, pages: int) -> None:
        """Refuse a memory whose smallest size is over the limit."""
        if pages > self._memory_pages():
            message = f"memory minimum size of {pages} pages exceeds memory limits"
            if self.limits.memory_size is None:
                message += ": without `Store.set_limits` a memory has a gigabyte at most"
            raise WasmtimeError(message)

    def check_table(self, elements: int) -> None:
        """Refuse a table whose smallest size is over the limit."""
        limit = self.limits.table_elements
        if limit is not None and elements > limit:
            raise WasmtimeError(f"table minimum size of {elements} elements exceeds table limits")

    # What belongs to the store

    def add_instance(self, instance: Instance) -> None:
        """Take an instance whose functions have just been linked."""
        instance.budget.operation = self.operation
        module = instance.module.module
        for function in instance.functions[module.imported_functions :]:
            # Traps name functions as the name section does, and not as exports do.
            function.name = None
        for table in instance.tables[module.imported_tables :]:
            table.own_limit = self.limits.table_elements
        with self._lock:
            self._instances.add(instance)

    def instances(self) -> list[Instance]:
        """Return the instances that there are. Any thread may call it."""
        with self._lock:
            return [*self._instances]

    def add_memory(self, memory: Memory) -> None:
        """Keep a memory as long as the store: the host has made it, or has a pointer to it."""
        self._memories.append(memory)

    def add_table(self, table: Table) -> None:
        """Keep a table that the host has made as long as the store."""
        table.own_limit = self.limits.table_elements
        self._tables.append(table)

    def modules(self) -> list[ValidModule]:
        """Return the modules of the instances that there are."""
        return [*{instance.module: None for instance in self.instances()}]

    # WASI

    def set_wasi(
        self, wasi: HostState, functions: dict[str, Callable[..., int]], *, copies_files: bool
    ) -> None:
        """Give WASI to all instances, those that there are included.

        Args:
            wasi: its state.
            functions: its functions by name, as raw host functions.
            copies_files: whether they work on copies of directories: see `store_files`.
        """
        if self.wasi is not None:
            self.wasi.close()
        self.wasi = wasi
        self.wasi_functions = functions
        self.copies_files = copies_files

    def store_files(self) -> None:
        """Store what was changed in copies of directories.

        Raises:
            WasmtimeError: it cannot be stored.
        """
        if self.wasi is not None:
            try:
                self.wasi.finish_call()
            except GrantError as error:
                raise WasmtimeError(str(error)) from error

    def close(self) -> None:
        """Free the instances, and close what WASI has open."""
        with self._lock:
            instances = [*self._instances]
            self._instances.clear()
        for instance in instances:
            instance.discard()
        self._memories.clear()
        self._tables.clear()
        self.wasi_functions = {}
        if self.wasi is not None:
            self.wasi.close()


class AsExtern:
    """What a module can import and export: a function, a global, a memory or a table.

    Attributes:
        inner: for this package only: the same as the runtime has it.
        state: for this package only: the state of the store that it belongs to.
    """

    inner: Any
    state: StoreState

    def of_store(self, state: StoreState) -> Any:
        """Return the same as the runtime has it; for this package only.

        Raises:
            WasmtimeError: it belongs to another store.
        """
        if state is not self.state:
            raise wrong_store()
        return self.inner


def wrong_store() -> WasmtimeError:
    """Return the error of what is used with another store than its own."""
    return WasmtimeError("object used with the wrong store")
