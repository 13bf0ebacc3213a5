"""Decoding of integers, names and value types (sections 5.2 and 5.3).

Every function takes the module's bytes and a position, and returns a value and the position after
it. It raises `DecodeError` with the wording of the specification's test suite.
"""

from __future__ import annotations

from purewasm_plugins.errors import DecodeError
from purewasm_plugins.wasm.types import ValType

#: Types of features that came after core 2.0, for error messages.
_LATER_TYPES = {
    0x63: "typed function references are",
    0x64: "typed function references are",
    0x69: "exception handling is",
    0x74: "exception handling is",
    0x68: "stack switching is",
    0x75: "stack switching is",
    **dict.fromkeys((0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x71, 0x72, 0x73), "garbage collection is"),
    **dict.fromkeys((0x77, 0x78), "garbage collection is"),
}

_VALUE_TYPES = {int(type_): type_ for type_ in ValType}
_REFERENCE_TYPES = {int(type_): type_ for type_ in ValType if type_.is_reference}


def unexpected_end(data: bytes) -> DecodeError:
    """Return the error for a module that ends inside of something."""
    return DecodeError("unexpected end of section or function", len(data))


def read_byte(data: bytes, position: int) -> tuple[int, int]:
    """Read a byte."""
    if position >= len(data):
        raise unexpected_end(data)
    return data[position], position + 1


def read_bytes(data: bytes, position: int, size: int) -> tuple[bytes, int]:
    """Read and copy `size` bytes."""
    end = position + size
    if end > len(data):
        raise unexpected_end(data)
    return data[position:end], end


def read_unsigned(data: bytes, position: int, bits: int = 32) -> tuple[int, int]:
    """Read an unsigned LEB128 integer of at most `bits` bits (section 5.2.2)."""
    start = position
    value = shift = 0
    while True:
        if position >= len(data):
            raise unexpected_end(data)
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if shift + 7 >= bits:
            if byte & 0x80:
                raise DecodeError("integer representation too long", start)
            if value >> bits:
                raise DecodeError("integer too large", start)
            return value, position
        if byte < 0x80:
            return value, position
        shift += 7


def read_signed(data: bytes, position: int, bits: int) -> tuple[int, int]:
    """Read a signed LEB128 integer of at most `bits` bits (section 5.2.2)."""
    start = position
    value = shift = 0
    while True:
        if position >= len(data):
            raise unexpected_end(data)
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift >= bits and byte & 0x80:
            raise DecodeError("integer representation too long", start)
        if byte < 0x80:
            break
    if byte & 0x40:
        value -= 1 << shift
    if value >> (bits - 1) not in (0, -1):
        raise DecodeError("integer too large", start)
    return value, position


def read_name(data: bytes, position: int) -> tuple[str, int]:
    """Read a name: a length and that many bytes of UTF-8 (section 5.2.4)."""
    size, start = read_unsigned(data, position)
    end = start + size
    if end > len(data):
        raise DecodeError("length out of bounds", position)
    try:
        return data[start:end].decode("utf-8"), end
    except UnicodeDecodeError as error:
        raise DecodeError("malformed UTF-8 encoding", start + error.start) from None


def _unknown_type(what: str, byte: int, position: int) -> DecodeError:
    later = _LATER_TYPES.get(byte)
    reason = f"{later} not supported" if later else f"{byte:#04x}"
    return DecodeError(f"malformed {what} type: {reason}", position)


def read_value_type(data: bytes, position: int) -> tuple[ValType, int]:
    """Read a value type (section 5.3.4)."""
    byte, after = read_byte(data, position)
    type_ = _VALUE_TYPES.get(byte)
    if type_ is None:
        raise _unknown_type("value", byte, position)
    return type_, after


def read_value_types(data: bytes, position: int) -> tuple[tuple[ValType, ...], int]:
    """Read a vector of value types (section 5.3.5)."""
    count, start = read_unsigned(data, position)
    end = start + count
    if end > len(data):
        raise unexpected_end(data)
    try:
        return tuple(map(_VALUE_TYPES.__getitem__, data[start:end])), end
    except KeyError as error:
        byte = error.args[0]
        raise _unknown_type("value", byte, data.index(byte, start, end)) from None


def read_reference_type(data: bytes, position: int) -> tuple[ValType, int]:
    """Read a reference type (section 5.3.3)."""
    byte, after = read_byte(data, position)
    type_ = _REFERENCE_TYPES.get(byte)
    if type_ is None:
        raise _unknown_type("reference", byte, position)
    return type_, after


def read_block_type(data: bytes, position: int) -> tuple[ValType | int | None, int]:
    """Read a block type: None, one result type, or the index of a function type (section 5.4.1)."""
    byte, after = read_byte(data, position)
    if byte == 0x40:
        return None, after
    type_ = _VALUE_TYPES.get(byte)
    if type_ is not None:
        return type_, after
    if 0x40 < byte < 0x80:
        raise _unknown_type("value", byte, position)
    index, after = read_signed(data, position, 33)
    if index < 0:
        raise DecodeError("malformed block type", position)
    return index, after
