"""Stands for the package wasmtime, inside Pyodide: of it, only the assembler.

wasmtime is native and does not exist there. The tests use it to make modules out of text; that is
done by the real one, outside, and the answer comes back.
"""

from __future__ import annotations

import base64
import json

from assembler import assemble  # type: ignore[import-not-found]


class WasmtimeError(Exception):
    """As wasmtime's."""


def wat2wasm(text: str | bytes) -> bytes:
    """The bytes of a module's text."""
    if isinstance(text, bytes):
        text = text.decode()
    answer = json.loads(assemble(text))
    if "error" in answer:
        raise WasmtimeError(answer["error"])
    return base64.b64decode(answer["wasm"])
