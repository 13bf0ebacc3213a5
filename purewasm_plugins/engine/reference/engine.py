"""The engine `pywasm`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from purewasm_plugins.engine.reference.machine import ReferenceMachine
from purewasm_plugins.errors import WasmError
from purewasm_plugins.runtime.instance import Instance


class Interpreter:
    """The engine that runs the specification's abstract machine."""

    name = "pywasm"

    def __init__(self) -> None:
        """Make the engine.

        Raises:
            WasmError: Python runs without assertions, and pywasm reads the module inside them.
        """
        if not __debug__:
            raise WasmError("the pywasm engine needs Python's assertions: run Python without -O")

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """Make the functions of an instance callable; see `Engine.link`."""
        return ReferenceMachine(instance).entries
