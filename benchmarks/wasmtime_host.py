"""The plugin ABI over wasmtime-py, written by hand without this package.

It has no checks beyond the memory's own bounds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import wasmtime


class WasmtimePlugin:
    """A plugin. Inputs go to memory from its allocator, or else to new pages."""

    def __init__(self, path: Path, engine: wasmtime.Engine | None = None) -> None:
        self.store = wasmtime.Store(engine or wasmtime.Engine())
        linker = wasmtime.Linker(self.store.engine)
        module = wasmtime.Module.from_file(self.store.engine, str(path))
        if any(entry.module == "wasi_snapshot_preview1" for entry in module.imports):
            linker.define_wasi()
            self.store.set_wasi(wasmtime.WasiConfig())
        exports: Any = linker.instantiate(self.store, module).exports(self.store)
        if "_initialize" in exports:
            exports["_initialize"](self.store)
        self.memory: wasmtime.Memory = exports["memory"]
        self.execute = exports["plugin_tool_execute"]
        self.allocate = exports.get("plugin_alloc") or exports.get("malloc")
        self.release = exports.get("plugin_free") or exports.get("free")
        self.arena: int = self.memory.data_len(self.store)
        self.capacity = 0
        tool_name = exports["plugin_tool_name"]
        count = exports["plugin_tools_count"](self.store)
        self.name = self._string(exports["plugin_name"](self.store))
        self.version = self._string(exports["plugin_version"](self.store))
        self.description = self._string(exports["plugin_description"](self.store))
        self.tools = [self._string(tool_name(self.store, index)) for index in range(count)]

    def execute_tool(self, index: int, text: str) -> str:
        data = text.encode() + b"\0"
        place = self._place(len(data))
        self.memory.write(self.store, data, place)
        output = self._string(self.execute(self.store, index, place))
        if self.release is not None and self.allocate is not None:
            self.release(self.store, place)
        return output

    def _place(self, size: int) -> int:
        if self.allocate is not None:
            return int(self.allocate(self.store, size))
        if size > self.capacity:
            pages = -(-(size - self.capacity) // 65536)
            before: int = self.memory.grow(self.store, pages) * 65536
            if before != self.arena + self.capacity:
                self.arena, self.capacity = before, 0
            self.capacity += pages * 65536
        return self.arena

    def _string(self, pointer: int) -> str:
        start = pointer & 0xFFFFFFFF
        size = 256
        while True:
            part = self.memory.read(self.store, start, start + size)
            end = part.find(0)
            if end >= 0:
                return bytes(part[:end]).decode(errors="replace")
            size *= 8
