"""Modules made to cost more than they weigh: each is loaded, or refused, soon and in little memory.

Sizes that a module declares are for `ResourceLimits`; loading one allocates nothing for them.
"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from purewasm_plugins.errors import DecodeError, ValidationError, WasmError
from purewasm_plugins.wasm import FuncType, load
from purewasm_plugins.wasm.binary.encoder import module, section, signed, unsigned, vector
from tests.conftest import ROOT
from tests.wasm.modules import function_module

MEBIBYTE = 1 << 20
MOST = unsigned(0xFFFFFFFF)
NULLARY = section(1, vector([b"\x60\0\0"]))


def body(code: bytes) -> bytes:
    return function_module(FuncType(), code)


def with_locals(declarations: bytes) -> bytes:
    content = declarations + b"\x0b"
    code = vector([unsigned(len(content)) + content])
    return module(NULLARY, section(3, vector([b"\0"])), section(10, code))


def with_functions(*bodies: bytes) -> bytes:
    code = vector(unsigned(len(content)) + content for content in bodies)
    return module(NULLARY, section(3, vector([b"\0"] * len(bodies))), section(10, code))


def wide_calls() -> bytes:
    """Each call checks two thousand operands, and finds another stack than the last one did."""
    wide = b"\x60" + vector([b"\x7f"] * 1000) * 2
    content = b"\0\0" + b"\x41\0\x10\0" * 10_000 + b"\x0b"
    return module(
        section(1, vector([wide])),
        section(3, vector([b"\0"])),
        section(10, vector([unsigned(len(content)) + content])),
    )


def wide_blocks(types: int, times: int) -> bytes:
    """Each block has a type of its own, with a thousand parameters and results."""
    wide = [
        b"\x60"
        + vector([b"\x7f", b"\x7e", b"\x7d", b"\x7c"][n >> i % 8 & 3] for i in range(999)) * 2
        for n in range(types)
    ]
    content = (
        b"\0\0"
        + b"".join(b"\x02" + signed(n) + b"\0\x0b\0" for n in range(types)) * times
        + b"\x0b"
    )
    return module(
        section(1, vector([*wide, b"\x60\0\0"])),
        section(3, vector([unsigned(types)])),
        section(10, vector([unsigned(len(content)) + content])),
    )


#: The module, and what becomes of it: None if it is valid.
HOSTILE: dict[str, tuple[bytes, type[WasmError] | None, str]] = {
    "4 GiB of memory": (module(section(5, b"\x01\0" + unsigned(65536))), None, ""),
    "4 billion table elements": (
        module(section(4, b"\x01\x70\0" + MOST)),
        ValidationError,
        "table size must be at most 10000000 entries",
    ),
    "4 billion locals": (with_locals(b"\x01" + MOST + b"\x7f"), DecodeError, "too many locals"),
    "4 billion locals in sum": (
        with_locals(vector([unsigned(1 << 16) + b"\x7f"] * 2000)),
        DecodeError,
        "too many locals",
    ),
    "4 billion kinds of locals": (with_locals(MOST), DecodeError, "too many locals"),
    "4 billion types": (module(section(1, MOST)), DecodeError, "too many types"),
    "4 billion parameters": (module(section(1, b"\x01\x60" + MOST)), DecodeError, "unexpected end"),
    "1001 parameters": (
        module(section(1, b"\x01\x60" + vector([b"\x7f"] * 1001) + b"\0")),
        DecodeError,
        "too many parameters",
    ),
    "1001 results": (
        module(section(1, b"\x01\x60\0" + vector([b"\x7f"] * 1001))),
        DecodeError,
        "too many results",
    ),
    "4 billion functions": (module(section(3, MOST)), DecodeError, "too many functions"),
    "4 billion imports": (module(section(2, MOST)), DecodeError, "too many imports"),
    "4 billion exports": (module(section(7, MOST)), DecodeError, "too many exports"),
    "4 billion items": (module(section(9, b"\x01\x01\0" + MOST)), DecodeError, "too many items"),
    "4 billion data segments": (module(section(11, MOST)), DecodeError, "too many data segments"),
    "60 000 functions": (module(section(3, vector([b"\0"] * 60_000))), DecodeError, "too many fun"),
    "270 000 definitions": (
        module(
            section(1, vector([b"\x60\0\0"] * 90_000)),
            section(6, vector([b"\x7f\0\x41\0\x0b"] * 90_000)),
            section(9, vector([b"\x01\0\0"] * 90_000)),
        ),
        DecodeError,
        "too many definitions in all",
    ),
    "260 000 custom sections": (
        module(section(0, b"\0") * 260_000),
        DecodeError,
        "too many definitions in all",
    ),
    "270 000 groups of locals": (
        with_functions(*[vector([b"\0\x7f"] * 45_000) + b"\x0b"] * 6),
        DecodeError,
        "too many definitions in all",
    ),
    "260 000 items that are expressions": (
        module(section(9, vector([b"\x05\x70" + vector([b"\xd0\x70\x0b"] * 130_000)] * 2))),
        DecodeError,
        "too many definitions in all",
    ),
    "2 100 000 items": (
        module(section(9, vector([b"\x01\0" + vector([b"\0"] * 700_000)] * 3))),
        DecodeError,
        "too many items in all",
    ),
    "2 200 000 parameters and results": (
        module(section(1, vector([b"\x60" + vector([b"\x7f"] * 1000) * 2] * 1100))),
        DecodeError,
        "too many parameters and results in all",
    ),
    "4 billion labels": (body(b"\0\x0e" + MOST), DecodeError, "too many labels"),
    "a name of 4 GiB": (module(section(0, MOST)), DecodeError, "length out of bounds"),
    "a function of 8 MB": (
        body(bytes(8_000_000)),
        DecodeError,
        "function body larger than 7654321",
    ),
    "100 000 nested blocks": (body(b"\x02\x40" * 100_000 + b"\x0b" * 100_001), None, ""),
    "100 000 nested ifs": (body(b"\x41\0\x04\x40" * 100_000 + b"\x0b" * 100_001), None, ""),
    "100 000 open blocks": (body(b"\x02\x40" * 100_000), DecodeError, "END opcode expected"),
    "250 000 open blocks": (
        body(b"\x02\x40" * 250_000),
        ValidationError,
        "too many operands or blocks at a time",
    ),
    "110 000 operands": (
        body(b"\x41\0" * 110_000 + b"\x1a" * 110_000 + b"\x0b"),
        ValidationError,
        "too many operands on the stack",
    ),
    "120 000 operands in blocks": (
        body(b"\x41\0\x41\0\x02\x40" * 60_000 + b"\0" + b"\x0b" * 60_001),
        ValidationError,
        "too many operands or blocks at a time",
    ),
    "a number of 10 000 bytes": (
        body(b"\x41" + b"\x80" * 10_000 + b"\0\x1a\x0b"),
        DecodeError,
        "integer representation too long",
    ),
    "a count of 10 000 bytes": (
        module(section(1, b"\x80" * 10_000)),
        DecodeError,
        "integer representation too long",
    ),
    "locals of many kinds": (
        with_functions(*(b"\x01" + unsigned(n) + b"\x7f\x0b" for n in range(1, 10_000))),
        None,
        "",
    ),
    "calls with 1000 operands": (wide_calls(), ValidationError, "too many operands in all"),
    "blocks with 1000 operands": (
        wide_blocks(types=100, times=5),
        ValidationError,
        "too many operands in all",
    ),
    "blocks with 1000 operands, of 300 types": (
        wide_blocks(types=300, times=1),
        ValidationError,
        "too many operands in all",
    ),
}


@pytest.mark.parametrize(("data", "error", "message"), HOSTILE.values(), ids=HOSTILE)
def test_hostile(data: bytes, error: type[WasmError] | None, message: str) -> None:
    begin = time.process_time()
    check(data, error, message)
    assert time.process_time() - begin < 20


def check(data: bytes, error: type[WasmError] | None, message: str) -> None:
    if error is None:
        load(data)
        return
    with pytest.raises(error) as raised:
        load(data)
    assert str(raised.value).startswith(message)


def test_memory() -> None:
    """All of them together, in a process of their own, as a peak never goes down again."""
    pytest.importorskip("resource")
    program = "from tests.wasm.test_hostile import print_growth; print_growth()"
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(run.stdout) < 100 * MEBIBYTE


def print_growth() -> None:
    """Load every hostile module and print by how many bytes the process has grown at most."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data, error, message in HOSTILE.values():
        check(data, error, message)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit)


NO_ROOM = """
import resource, sys
from purewasm_plugins import OutOfMemory
from purewasm_plugins.wasm import load
data = sys.stdin.buffer.read()
load(data[:8])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 20),) * 2)
try:
    load(data)
except OutOfMemory as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says how much is used")
def test_no_room_for_what_a_module_defines() -> None:
    data = module(section(6, vector([b"\x7f\x01\x41\x05\x0b"] * 99_000)))
    command = [sys.executable, "-c", NO_ROOM]
    done = subprocess.run(command, cwd=ROOT, input=data, capture_output=True, check=False)
    assert done.stdout == b"out of memory\n", done.stderr
