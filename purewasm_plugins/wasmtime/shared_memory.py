"""`SharedMemory`: refused, as there are no threads."""

from __future__ import annotations

from purewasm_plugins.wasmtime.engine import Engine
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.managed import Managed
from purewasm_plugins.wasmtime.types import MemoryType

__all__ = ["SharedMemory"]


class SharedMemory(Managed):
    """A memory that threads share, which this package does not have."""

    def __init__(self, engine: Engine, ty: MemoryType) -> None:
        """Refuse it.

        Raises:
            AttributeError: `engine` is no engine, or `ty` no `MemoryType`.
            WasmtimeError: always, else.
        """
        engine.check_open()
        if not ty.is_shared:
            raise WasmtimeError("shared memory must have the `shared` flag enabled on its type")
        raise WasmtimeError("shared memories are not supported: purewasm_plugins has no threads")
