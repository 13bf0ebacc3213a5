"""The guests of pwasm, run by this package: MicroPython and QuickJS, as a user would write it.

Only the public interface is used. The classes do what pwasm's own classes of the same names do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from purewasm_plugins import Function, Global, Memory, Module, RawFunction, ResourceLimits, Table

#: Calls of `invoke_*` in each other, after which MicroPython raises its own RuntimeError.
MAX_DEPTH = 50


class GuestError(Exception):
    """The guest raised an exception; the text is the guest's."""


class LongJump(Exception):
    """Unwinds the WebAssembly calls up to the nearest `invoke_*`."""


class _Guest:
    """What both have: their sources lie in the memory of the guest's own `malloc`."""

    def __init__(self) -> None:
        self.written: dict[int, bytearray] = {}

    def _start(self, instance: Any) -> None:
        exports = instance.exports
        self.instance = instance
        self._memory: Memory = exports.memory()
        self._malloc: Function = exports.function("malloc")
        self._free: Function = exports.function("free")

    def _host_write(self, channel: int, pointer: int, size: int) -> None:
        self.written.setdefault(channel, bytearray()).extend(self._memory.read(pointer, size))

    def _run(self, function: Function, source: str) -> int:
        """Call a function of the guest with the address and the size of a source."""
        self.written = {}
        data = source.encode()
        pointer = self._malloc(len(data) + 1)
        self._memory.write(pointer, data + b"\0")
        try:
            status: int = function(pointer, len(data))
        finally:
            self._free(pointer)
        return status

    def _text(self, channel: int) -> str:
        return self.written.get(channel, b"").decode("utf-8", "replace")


class MicroPython(_Guest):
    """A MicroPython interpreter, which implements exceptions with `invoke_*` and a long jump.

    With `wasi=True` a module gets such functions from this package. These count their depth beside:
    where it is too large, MicroPython raises an exception of its own, as with pwasm.
    """

    def __init__(self, module: Module, limits: ResourceLimits | None = None) -> None:
        super().__init__()
        self._depth = 0
        env: dict[str, object] = {
            "host_write": self._host_write,
            "host_call": lambda *_: 0,
            "host_take": lambda *_: None,
            "_emscripten_throw_longjmp": self._throw,
        }
        for entry in module.imports:
            if entry.name.startswith("invoke_"):
                env[entry.name] = self._trampoline(None if entry.name[7] == "v" else 0)
        instance = module.instantiate({"env": env}, limits=limits)
        self._start(instance)
        exports = instance.exports
        self._table: Table = exports.table("__indirect_function_table")
        self._stack_pointer: Global = exports.global_("__stack_pointer")
        self._set_threw: Function = exports.function("setThrew")
        self._too_deep: Function = exports.function("mp_sandbox_recursion_error")
        self._exec: Function = exports.function("mp_sandbox_exec")
        exports.function("_initialize")()
        exports.function("mp_sandbox_init")(256 * 1024)

    def _throw(self) -> None:
        raise LongJump

    def _trampoline(self, result: int | None) -> RawFunction:
        @RawFunction
        def invoke(index: int, *arguments: Any) -> Any:
            stack = self._stack_pointer.value
            self._depth += 1
            try:
                if self._depth > MAX_DEPTH:
                    self._too_deep()
                return self._table.get(index).call_raw(*arguments)
            except LongJump:
                self._stack_pointer.value = stack
                self._set_threw(1, 0)
                return result
            finally:
                self._depth -= 1

        return invoke

    def run(self, source: str) -> str:
        """Run a source, and return what it prints."""
        if self._run(self._exec, source):
            raise GuestError(self._text(2))
        return self._text(1)


class QuickJS(_Guest):
    """A QuickJS interpreter."""

    def __init__(self, module: Module, limits: ResourceLimits | None = None) -> None:
        super().__init__()
        env: dict[str, Callable[..., Any]] = {
            "host_write": self._host_write,
            "host_call": lambda *_: 0,
            "host_take": lambda *_: None,
            "host_interrupt": lambda: 0,
        }
        self._start(module.instantiate({"env": env}, limits=limits, wasi=True))
        exports = self.instance.exports
        self._eval: Function = exports.function("qjs_eval")
        exports.function("_initialize")()
        exports.function("qjs_init")(0, 512 * 1024)

    def run(self, source: str) -> Any:
        """Run a source, and return the value of its last expression."""
        if self._run(self._eval, source):
            raise GuestError(self._text(4))
        return json.loads(self._text(3))
