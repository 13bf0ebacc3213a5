"""The driver on wasmtime."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import wasmtime

from purewasm_plugins.wasi.preview1 import SIGNATURES
from tests.conftest import assemble

from .driver import driver, signed


@functools.cache
def _wasmtime_module() -> tuple[wasmtime.Engine, wasmtime.Linker, wasmtime.Module]:
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    return engine, linker, wasmtime.Module(engine, assemble(driver()))


class WasmtimeGuest:
    """The driver on wasmtime."""

    def __init__(self, directories: dict[str, tuple[Path, bool]]) -> None:
        """Take the directories: the path that it sees, to that on the host and "may be changed"."""
        engine, linker, module = _wasmtime_module()
        self._store = wasmtime.Store(engine)
        wasi = wasmtime.WasiConfig()
        for guest_path, (path, changeable) in directories.items():
            wasi.preopen_dir(str(path), guest_path, changeable)
        self._store.set_wasi(wasi)
        exports = linker.instantiate(self._store, module).exports(self._store)
        self._functions: dict[str, Any] = {name: exports[name] for name in SIGNATURES}
        self._memory: Any = exports["memory"]

    def call(self, name: str, *arguments: int) -> int:
        result: int = self._functions[name](self._store, *signed(name, arguments))
        return result

    def read(self, address: int, size: int) -> bytes:
        return bytes(self._memory.read(self._store, address, address + size))

    def write(self, address: int, data: bytes) -> None:
        self._memory.write(self._store, data, address)

    def close(self) -> None:
        self._store.close()
