"""The engines that an instance of the debugger runs on.

An engine imports pywasm when it is made: where pywasm is not installed, everything else of the
debugger can be imported, and the error names the package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from purewasm_plugins.runtime.instance import Instance


class DebugEngine:
    """The pywasm engine, built so that a `DebugSession` can step what runs on it.

    A session makes an instance of its own, unless it is given one that runs on this engine.
    """

    name = "pywasm"

    def __init__(self) -> None:
        """Make the engine.

        Raises:
            UnknownEngineError: the package pywasm is not installed.
            WasmError: Python runs without assertions.
        """
        from purewasm_plugins.engine.reference.stepping import SteppedInterpreter

        self._engine = SteppedInterpreter()

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """Make the functions of an instance callable; see `Engine.link`."""
        return self._engine.link(instance)


class CoverageEngine:
    """The pywasm engine, counting how often each instruction of what it links runs."""

    name = "pywasm"

    def __init__(self) -> None:
        """Make the engine.

        Raises:
            UnknownEngineError: the package pywasm is not installed.
            WasmError: Python runs without assertions.
        """
        from purewasm_plugins.engine.reference.counting import CountingInterpreter

        self._engine = CountingInterpreter()

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """Make the functions of an instance callable; see `Engine.link`."""
        return self._engine.link(instance)

    def counts(self) -> Counter[int]:
        """Return how often the instruction at each byte offset ran."""
        return self._engine.counts()

    def reset(self) -> None:
        """Set the counts to 0, for example after a plugin has been loaded."""
        self._engine.reset()
