"""The guests on both hosts: pwasm's own classes, and those of `ours`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.guests import ours
from benchmarks.guests.snippets import JAVASCRIPT, PYTHON, javascript
from purewasm_plugins import Module

#: Runs a source, and returns what it prints, or the value of its last expression.
Run = Callable[[str], Any]


@dataclass(frozen=True)
class Guest:
    """An interpreter.

    Attributes:
        name: of its class, here and in pwasm.
        method: of pwasm's class, to run a source.
        ours: its class over this package.
        snippets: the ten sources by name.
    """

    name: str
    method: str
    ours: Callable[[Module], Any]
    snippets: dict[str, str]

    def module_path(self) -> Path:
        """Return the path of its module, in the package pwasm.

        Raises:
            Unavailable: pwasm is not installed.
        """
        path: Path = peers.pwasm_module("pwasm.guests").guest_path(self.name.lower() + ".wasm")
        return path

    def purewasm(self, module: Module) -> Run:
        """Start it on this package, with the default limits."""
        run: Run = self.ours(module).run
        return run

    def pwasm(self) -> Run:
        """Start it on pwasm, with the same limits. pwasm keeps the module that it decoded."""
        guest = getattr(peers.pwasm_module("pwasm.guests"), self.name)(
            max_memory=peers.MEMORY, fuel=peers.FUEL, timeout=peers.TIMEOUT
        )
        run = getattr(guest, self.method)
        return lambda source: run(source, fuel=peers.FUEL)


GUESTS = (
    Guest("MicroPython", "exec", ours.MicroPython, PYTHON),
    Guest("QuickJS", "eval", ours.QuickJS, {name: javascript(name) for name in JAVASCRIPT}),
)
