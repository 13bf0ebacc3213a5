"""A module that passes calls on to WASI, and what calls it on our engines.

Its exports are the functions of WASI, with the same parameters. A test writes paths and buffers
into its memory, calls, and reads the answer.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Protocol

from purewasm_plugins import Module, ResourceLimits, Wasi
from purewasm_plugins.wasi.preview1 import SIGNATURES
from tests.conftest import assemble

PAGES = 4

_TYPES = {"i": "i32", "I": "i64"}


def driver(module: str = "wasi_snapshot_preview1", pages: int = PAGES) -> str:
    """The text of the module; `module` names the module of its imports."""
    imports, exports = [], []
    for name, letters in SIGNATURES.items():
        type = "".join(f" (param {_TYPES[letter]})" for letter in letters)
        type += "" if name == "proc_exit" else " (result i32)"
        passed = "".join(f" (local.get {index})" for index in range(len(letters)))
        imports.append(f'(import "{module}" "{name}" (func ${name}{type}))')
        exports.append(f'(func (export "{name}"){type} (call ${name}{passed}))')
    return f'(module {" ".join(imports)} (memory (export "memory") {pages}) {" ".join(exports)})'


def signed(name: str, arguments: Sequence[int]) -> list[int]:
    """The arguments of a function of WASI as they pass the border: as signed numbers."""
    bits = [32 if letter == "i" else 64 for letter in SIGNATURES[name]]
    return [
        ((value + (1 << (size - 1))) % (1 << size)) - (1 << (size - 1))
        for value, size in zip(arguments, bits, strict=True)
    ]


class Guest(Protocol):
    """An instance of the driver."""

    def call(self, name: str, *arguments: int) -> int:
        """Call a function of WASI; the result is an error number."""

    def read(self, address: int, size: int) -> bytes:
        """Read its memory."""

    def write(self, address: int, data: bytes) -> None:
        """Write its memory."""

    def close(self) -> None:
        """Give up what it has open."""


@functools.cache
def _our_module(name: str, pages: int) -> Module:
    return Module.compile(assemble(driver(name, pages)))


class OurGuest:
    """The driver on an engine of ours."""

    def __init__(
        self,
        wasi: Wasi,
        engine: str = "translator",
        *,
        module: str = "wasi_snapshot_preview1",
        pages: int = PAGES,
        limits: ResourceLimits | None = None,
    ) -> None:
        given = limits or ResourceLimits(fuel=None, timeout=60)
        compiled = _our_module(module, pages)
        self.instance = compiled.instantiate(engine=engine, limits=given, wasi=wasi)
        self.memory = self.instance.exports.memory()
        self.read = self.memory.read
        self.write = self.memory.write

    def call(self, name: str, *arguments: int) -> int:
        result: int = self.instance.exports.function(name)(*signed(name, arguments))
        return result

    def close(self) -> None:
        self.instance.discard()
