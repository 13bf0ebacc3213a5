"""`wat2wasm`: the text format."""

from __future__ import annotations

from purewasm_plugins.errors import DecodeError, TextError, ValidationError, escape_controls
from purewasm_plugins.wasmtime.errors import WasmtimeError

__all__ = ["from_text", "to_wasm", "wat2wasm", "worded"]


def wat2wasm(wat: str | bytes) -> bytearray:
    """Return the binary of a module in the text format.

    Raises:
        WasmtimeError: it is no module; the text of the error shows the line.
        TypeError: it is neither text nor bytes.
    """
    if not isinstance(wat, (str, bytes, bytearray)):
        raise TypeError(f"expected text or bytes, got {type(wat).__name__}")
    data = bytes(wat) if isinstance(wat, bytearray) else wat
    if isinstance(data, bytes) and data[:1] == b"\0":
        return bytearray(data)
    return bytearray(from_text(data))


def from_text(text: str | bytes) -> bytes:
    """Return the binary of a module in the text format; for this package only.

    Raises:
        WasmtimeError: it is no module.
    """
    # Imported here: most modules are bytes.
    from purewasm_plugins.wasm.text.assembler import assemble

    try:
        return assemble(text)
    except TextError as error:
        raise WasmtimeError(_shown(error)) from error
    except DecodeError as error:
        raise WasmtimeError(str(error)) from error


def to_wasm(wasm: str | bytes | bytearray) -> tuple[bytes, str | bytes | None]:
    """Return the binary of a module, and its text if it was given as text; for this package only.

    Raises:
        WasmtimeError: it is a text, and no module.
        TypeError: it is neither text nor bytes.
    """
    if isinstance(wasm, str) and wasm and ord(wasm[0]):
        return from_text(wasm), wasm
    if isinstance(wasm, bytes) and wasm and wasm[0]:
        return from_text(wasm), wasm
    if not isinstance(wasm, (bytes, bytearray)):
        raise TypeError("expected wasm bytes")
    return bytes(wasm), None


def worded(error: ValidationError, text: str | bytes | None) -> str:
    """Return the words of an error, with its place in the text of the module, where it has one."""
    if text is None:
        return str(error)
    from purewasm_plugins.wasm.text.assembler import place_of

    place = place_of(text, error)
    return str(error) if place is None else _shown(place)


def _shown(error: TextError) -> str:
    """Return an error of a text with the line, and a caret under the fault."""
    line, caret = error.excerpt
    number = str(error.line)
    margin = " " * (len(number) + 4)
    return "\n".join(
        [
            escape_controls(error.message),
            f"{margin}--> <anon>:{error.line}:{error.column}",
            f"{margin} |",
            f"    {number} | {line}",
            f"{margin} | {caret}",
        ]
    )
