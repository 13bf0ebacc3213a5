"""`Engine`: the options that its stores share, and their epoch."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

from purewasm_plugins.wasmtime.config import DEFAULT_STACK, Config
from purewasm_plugins.wasmtime.managed import Managed

__all__ = ["Engine", "Watcher"]

#: Bytes of `Config.max_wasm_stack` that allow one active function: machine code uses some dozens
#: for a small one. The default allows 8192.
_BYTES_PER_CALL = 64


class Watcher:
    """What an engine tells that its epoch has changed: the state of a store."""

    __slots__ = ("__weakref__",)

    def check_epoch(self) -> None:
        """Interrupt what runs if the deadline has come. Any thread may call it."""


class Engine(Managed):
    """The options of stores and modules, and the epoch of the stores.

    Attributes:
        fuel: for this package only: whether code uses fuel.
        interruptible: for this package only: whether epochs interrupt code.
        call_depth: for this package only: functions that may be active at once.
        keeps_code: for this package only: whether what is translated is kept for later processes.
        epoch: for this package only: how often `increment_epoch` was called.
    """

    def __init__(self, config: Config | None = None) -> None:
        """Take options.

        Args:
            config: the options, which cannot be used again; None for the defaults.

        Raises:
            TypeError: it is no `Config`.
            ValueError: it was closed, or has been given to an engine before.
        """
        if config is not None and not isinstance(config, Config):
            raise TypeError("expected Config")
        values: Mapping[str, Any] = {} if config is None else config.taken()
        self.fuel: bool = values.get("consume_fuel", False)
        self.interruptible = bool(values.get("epoch_interruption", False))
        stack: int = values.get("max_wasm_stack", DEFAULT_STACK)
        self.call_depth = max(stack // _BYTES_PER_CALL, 1)
        self.keeps_code = bool(values.get("cache"))
        self.epoch = 0
        # A signal's handler may increment the epoch while its thread holds the lock.
        self._lock = threading.RLock()
        self._watchers: WeakSet[Watcher] = WeakSet()

    def watch(self, watcher: Watcher) -> None:
        """Tell a store of each change of the epoch, as long as it exists."""
        with self._lock:
            self._watchers.add(watcher)

    def increment_epoch(self) -> None:
        """Add one to the epoch: stores whose deadline that is are interrupted.

        Any thread may call it, and a signal's handler.
        """
        self.check_open()
        with self._lock:
            self.epoch += 1
            watchers = [*self._watchers]
        for watcher in watchers:
            watcher.check_epoch()

    def is_pulley(self) -> bool:
        """Return whether the engine runs Pulley's bytecode: it does not."""
        self.check_open()
        return False
