"""Functions made to cost their translator as much as they can, each by its kind."""

from __future__ import annotations

from collections.abc import Callable

from purewasm_plugins.wasm.binary.encoder import module, section, unsigned, vector

LOCAL_0 = b"\x20\x00"
#: From an `i32` to an `i32`.
TYPE = b"\x60\x01\x7f\x01\x7f"


def _function(body: bytes, locals_: int = 0) -> bytes:
    """A module whose one function, `run`, has that body; local 0 is its result."""
    groups = vector([b"\x01\x7f"] * locals_)
    return _module(vector([TYPE]), groups + body + LOCAL_0 + b"\x0b")


def _module(types: bytes, *codes: bytes) -> bytes:
    """A module whose functions, of type 0 but the last, have these bodies; that one is `run`."""
    last = len(codes) - 1
    kinds = [b"\x00"] * last + [bytes([last])]
    return module(
        section(1, types),
        section(3, vector(kinds)),
        section(4, b"\x01\x70\x00\x01"),
        section(5, b"\x01\x00\x01"),
        section(7, b"\x01\x03run\x00" + unsigned(last)),
        section(10, vector([unsigned(len(code)) + code for code in codes])),
    )


def branch_tables(tables: int, labels: int) -> bytes:
    """Make `br_table`s whose labels alternate, so that each label is a separate range."""
    alternating = vector([b"\x00", b"\x01"] * (labels // 2)) + b"\x00"
    one = b"\x02\x40\x02\x40" + LOCAL_0 + b"\x0e" + alternating + b"\x0b\x0b"
    return _function(one * tables)


def indirect_calls(calls: int, types: int) -> bytes:
    """`call_indirect`s of the last of many different types."""
    codes = (0x7F, 0x7E, 0x7D, 0x7C)
    many = [
        b"\x60" + vector([bytes([codes[index >> 2 * digit & 3]]) for digit in range(8)]) + b"\x00"
        for index in range(types - 2)
    ]
    call = b"\x41\x00\x11" + unsigned(types - 1) + b"\x00"
    body = b"\x00" + call * calls + LOCAL_0 + b"\x0b"
    return _module(vector([TYPE, *many, b"\x60\x00\x00"]), body)


def loops(count: int) -> bytes:
    """Loops that count in one local."""
    # The loop ends when local 0, less one, is zero.
    one = b"\x03\x40" + LOCAL_0 + b"\x41\x01\x6b\x22\x00\x0d\x00\x0b"
    return _function(one * count)


def constants(locals_: int, ifs: int) -> bytes:
    """Locals of known values before many places where values are forgotten."""
    known = b"".join(b"\x41\x05\x21" + unsigned(index) for index in range(1, locals_ + 1))
    return _function(known + (LOCAL_0 + b"\x04\x40\x41\x07\x21\x01\x0b") * ifs, locals_)


def straight(size: int) -> bytes:
    """A body without any branch."""
    return _function((LOCAL_0 + LOCAL_0 + b"\x6a\x21\x00") * (size // 7))


def wide_calls(calls: int) -> bytes:
    """Calls that take and give a thousand operands."""
    wide = b"\x60" + vector([b"\x7f"] * 1000) + vector([b"\x7f"] * 1000)
    body = b"\x00" + LOCAL_0 * 1000 + b"\x10\x00" * calls + b"\x1a" * 999 + b"\x0b"
    other = b"\x00" + LOCAL_0 * 1000 + b"\x0b"
    return _module(vector([wide, TYPE]), other, body)


def unevaluated(operands: int, locals_: int) -> bytes:
    """Operands of many different locals that are unevaluated at the same time."""
    gets = b"".join(b"\x20" + unsigned(1 + index % locals_) for index in range(operands))
    return _function(gets + b"\x1a" * operands, locals_)


def deep_ifs(height: int, ifs: int) -> bytes:
    """`if`s above many operands."""
    return _function(LOCAL_0 * height + (LOCAL_0 + b"\x04\x40\x0b") * ifs + b"\x1a" * height)


def nested(opening: bytes, depth: int) -> bytes:
    """Constructs in each other, each the target of a branch."""
    return _function(
        (opening + LOCAL_0 + b"\x0d\x00") * depth + b"\x41\x01\x21\x00" + b"\x0b" * depth
    )


#: Some are refused at first sight; the smaller ones are as large as they can be without that.
ATTACKS: dict[str, Callable[[], bytes]] = {
    "ten branch tables": lambda: branch_tables(10, 65_000),
    "a branch table": lambda: branch_tables(1, 65_000),
    "indirect calls": lambda: indirect_calls(3_000, 20_000),
    "loops": lambda: loops(20_000),
    "fewer loops": lambda: loops(16_000),
    "constants": lambda: constants(10_000, 4_000),
    "straight": lambda: straight(6_000_000),
    "less of it straight": lambda: straight(190_000),
    "wide calls": lambda: wide_calls(9_000),
    "unevaluated": lambda: unevaluated(80_000, 49_000),
    "fewer unevaluated": lambda: unevaluated(40_000, 49_000),
    "deep ifs": lambda: deep_ifs(30_000, 15_000),
    "nested blocks": lambda: nested(b"\x02\x40", 27_000),
    "nested loops": lambda: nested(b"\x03\x40", 27_000),
    "empty blocks": lambda: _function(b"\x02\x40\x0b" * 65_000),
    "no operation": lambda: _function(b"\x01" * 195_000),
    "one byte each": lambda: _function(LOCAL_0 + b"\x45" * 195_000 + b"\x1a"),
    "floats": lambda: _function((LOCAL_0 + b"\xb2" + LOCAL_0 + b"\xb2\x92\xa8\x21\x00") * 19_000),
}
