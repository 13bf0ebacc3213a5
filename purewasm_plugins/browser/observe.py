"""An engine that records the calls of a plugin's tools.

`Observed` wraps another engine. It passes on that engine's functions, and puts an `Observer` in
front of `plugin_tool_execute`, the export that runs every tool.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from purewasm_plugins.engine import Engine
from purewasm_plugins.plugin.abi import REQUIRED
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.wasm.types import ExternKind

EXECUTE = "plugin_tool_execute"


class Observer:
    """The record of the last call.

    Attributes:
        instance: the instance that ran; None before the first call.
        input: the pointer that the tool received; None before the first call.
        output: the pointer that the tool returned; None where the call failed.
        before: the memory at the beginning of the call; None where it was too large to copy.
        left: the bytes in the place of the input at the end of the call. The host erases the input
            after the call.
        pages: the size of the memory at the beginning of the call, in pages of 64 KiB.
        fuel: the units of fuel that the call used.
        seconds: the time inside the plugin.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Clear the record before another call."""
        self.instance: Instance | None = None
        self.input: int | None = None
        self.output: int | None = None
        self.before: bytes | None = None
        self.left = b""
        self.pages = 0
        self.fuel = 0
        self.seconds = 0.0

    def watch(self, instance: Instance, entry: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `plugin_tool_execute` of an instance in a function that records its calls."""

        def watched(tool: int, pointer: int) -> Any:
            self.forget()
            self.instance, self.input = instance, pointer
            memory = instance.exports.get("memory")
            data = memory.raw if isinstance(memory, Memory) else bytearray()
            end = data.find(0, pointer) + 1
            if isinstance(memory, Memory):
                self.pages = memory.pages
                try:
                    self.before = bytes(data)
                except MemoryError:
                    self.before = None
            started = time.perf_counter()
            try:
                self.output = entry(tool, pointer)
            finally:
                self.seconds = time.perf_counter() - started
                self.fuel = instance.fuel_used
                self.left = bytes(data[pointer:end])
            return self.output

        return watched


class Observed:
    """An engine around another engine, for an observer."""

    def __init__(self, engine: Engine, observer: Observer) -> None:
        self.name = engine.name
        self._engine = engine
        self._observer = observer

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """Link an instance with the other engine, and observe its tools."""
        entries = list(self._engine.link(instance))
        module = instance.module.module
        for export in module.exports:
            index = export.index - module.imported_functions
            if export.name != EXECUTE or export.kind is not ExternKind.FUNCTION or index < 0:
                continue
            if module.function_type(export.index) == REQUIRED[EXECUTE]:
                entries[index] = self._observer.watch(instance, entries[index])
        return entries
