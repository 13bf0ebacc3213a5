"""An engine that lets somebody look on while it runs a plugin's tools.

`Observed` is an engine around another one. It hands on what that one makes, and puts an `Observer`
in front of `plugin_tool_execute`: the one door through which a tool is called.
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
    """What was seen of the last call.

    Attributes:
        instance: where it ran; None while there was no call.
        input, output: the pointers that went in and came out, where they did.
        before: the memory as it was when the call began; None where there was no room to keep it.
        left: what the call left where its input was: the plugin erases that when the call is over.
        pages: the size of the memory then, in pages.
        fuel: units that the call used.
        seconds: the time inside the plugin.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Another call is about to begin."""
        self.instance: Instance | None = None
        self.input: int | None = None
        self.output: int | None = None
        self.before: bytes | None = None
        self.left = b""
        self.pages = 0
        self.fuel = 0
        self.seconds = 0.0

    def watch(self, instance: Instance, entry: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, seen."""

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
    """The engine; see the module."""

    def __init__(self, engine: Engine, observer: Observer) -> None:
        self.name = engine.name
        self._engine = engine
        self._observer = observer

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """See `Engine.link`."""
        entries = list(self._engine.link(instance))
        module = instance.module.module
        for export in module.exports:
            index = export.index - module.imported_functions
            if export.name != EXECUTE or export.kind is not ExternKind.FUNCTION or index < 0:
                continue
            if module.function_type(export.index) == REQUIRED[EXECUTE]:
                entries[index] = self._observer.watch(instance, entries[index])
        return entries
