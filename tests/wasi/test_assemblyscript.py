"""The functions that programs in AssemblyScript import."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from purewasm_plugins import (
    Aborted,
    Exited,
    FixedClock,
    FuncType,
    Instance,
    LinkError,
    OutOfFuel,
    Quotas,
    ResourceLimits,
    Trap,
    ValType,
    Wasi,
    instantiate,
)
from purewasm_plugins.wasi.assemblyscript import find
from purewasm_plugins.wasi.state import WasiState
from tests.conftest import ROOT, assemble

CONSOLE = (ROOT / "fixtures" / "programs" / "console_assemblyscript.wasm").read_bytes()

#: Each function that a program gets, with its type.
FUNCTIONS = {
    "abort": "(param i32 i32 i32 i32)",
    "trace": "(param i32 i32 f64 f64 f64 f64 f64)",
    "seed": "(result f64)",
    "console.log": "(param i32)",
    "console.error": "(param i32)",
    "console.assert": "(param i32 i32)",
    "process.exit": "(param i32)",
    "Date.now": "(result f64)",
    "performance.now": "(result f64)",
}

Program = Callable[..., Instance]


@pytest.fixture
def program(engine: str) -> Program:
    """`program(name, wasi, text, module="env")`: an instance with a string that exports an import.

    The import is exported as "call". The string is at 8, and its size before it.
    """

    def program(
        name: str, wasi: Wasi, data: bytes = b"", module: str = "env", fuel: int | None = None
    ) -> Instance:
        type = FUNCTIONS[name if module == "env" else f"console.{name}"]
        count = len(type.split()) - 1 if "param" in type else 0
        arguments = "".join(f"(local.get {index})" for index in range(count))
        text = f"""(module
            (import "{module}" "{name}" (func $call {type}))
            (memory (export "memory") 100)
            (func (export "call") {type} (call $call {arguments})))"""
        limits = ResourceLimits(fuel=fuel)
        instance = instantiate(assemble(text), engine=engine, wasi=wasi, limits=limits)
        instance.exports.memory().write(4, len(data).to_bytes(4, "little") + data)
        return instance

    return program


def test_a_program_in_assemblyscript(engine: str) -> None:
    stdout, stderr = bytearray(), bytearray()
    wasi = Wasi(stdout=stdout.extend, stderr=stderr.extend, clock="host", random="host")
    instance = instantiate(CONSOLE, engine=engine, wasi=wasi)
    with pytest.raises(Aborted) as caught:
        instance.exports.function("_start")()
    assert caught.value.details == "a bad end: \U0001f600 in console.ts:4:14"
    assert stdout.decode().splitlines() == [
        *("log ä€\U0001f600", "info", "debug", "random: yes", "today: yes", "passed: yes")
    ]
    assert stderr.decode().splitlines() == [
        *("warn", "error", "Assertion failed: seen", "trace: no numbers"),
        "trace: numbers 1 2.5 -3 1e+300 NaN",
    ]


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("Grüße".encode("utf-16-le"), "Grüße"),
        (b"", ""),
        (b"a\0b\0c", "ab"),
        (b"\x00\xd8a\0", "�a"),
        (b"a\0\0\0b\0", "a\0b"),
        (b"a\0" * 100_000, "a" * 100_000),
    ],
    ids=["text", "empty", "odd", "surrogate", "null", "long"],
)
def test_strings(program: Program, data: bytes, shown: str) -> None:
    instance = program("console.log", Wasi(), data)
    instance.exports.function("call")(8)
    assert instance.wasi is not None
    assert instance.wasi.stdout.decode() == f"{shown}\n"


@pytest.mark.parametrize(("name", "stream"), [("log", "stdout"), ("error", "stderr")])
def test_the_module_console(program: Program, name: str, stream: str) -> None:
    instance = program(name, Wasi(), "hi".encode("utf-16-le"), "console")
    instance.exports.function("call")(8)
    assert getattr(instance.wasi, stream) == b"hi\n"


@pytest.mark.parametrize("pointer", [1, 3, 100 * 65536 - 4, 100 * 65536 + 4, -1])
def test_a_pointer_outside_the_memory(program: Program, pointer: int) -> None:
    instance = program("console.log", Wasi())
    instance.exports.memory().write(100 * 65536 - 8, b"\xff" * 8)
    with pytest.raises(Trap, match="out of bounds"):
        instance.exports.function("call")(pointer)


def test_no_string(program: Program) -> None:
    instance = program("console.log", Wasi())
    instance.exports.function("call")(0)
    assert instance.wasi is not None
    assert instance.wasi.stdout == b"null\n"


def test_long_strings_are_paid_for(program: Program) -> None:
    long = b"a\0" * 500_000
    assert program("console.log", Wasi(), long, fuel=1000).exports.function("call")(8) is None
    with pytest.raises(OutOfFuel):
        program("console.log", Wasi(), long, fuel=100).exports.function("call")(8)


def test_what_the_quota_of_output_refuses_is_dropped(program: Program) -> None:
    wasi = Wasi(quotas=Quotas(output_bytes=6))
    instance = program("console.log", wasi, "hello".encode("utf-16-le"))
    for _ in range(2):
        instance.exports.function("call")(8)
    assert instance.wasi is not None
    assert instance.wasi.stdout == b"hello\n"


@pytest.mark.parametrize(
    ("message", "file", "details"),
    [
        (8, 8, "oh in oh:3:-4"),
        (0, 8, "the module called abort in oh:3:-4"),
        (0, 0, "the module called abort in null:3:-4"),
    ],
)
def test_abort(program: Program, message: int, file: int, details: str) -> None:
    instance = program("abort", Wasi(), "oh".encode("utf-16-le"))
    with pytest.raises(Aborted) as caught:
        instance.exports.function("call")(message, file, 3, -4)
    assert caught.value.details == details.replace("-4", str(2**32 - 4))


def test_the_message_of_an_abort_is_bounded(program: Program) -> None:
    instance = program("abort", Wasi(), b"a\0" * 1_000_000)
    with pytest.raises(Aborted) as caught:
        instance.exports.function("call")(8, 8, 1, 1)
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, ""), (2, " 1 -0.5"), (5, " 1 -0.5 Infinity 7 0"), (-1, " 1 -0.5 Infinity 7 0")],
)
def test_trace(program: Program, count: int, shown: str) -> None:
    instance = program("trace", Wasi(), "at".encode("utf-16-le"))
    instance.exports.function("call")(8, count, 1.0, -0.5, float("inf"), 7.0, -0.0)
    assert instance.wasi is not None
    assert instance.wasi.stderr.decode() == f"trace: at{shown}\n"


def test_an_end(program: Program) -> None:
    with pytest.raises(Exited) as caught:
        program("process.exit", Wasi()).exports.function("call")(3)
    assert caught.value.code == 3


@pytest.mark.parametrize(
    ("name", "expected"), [("Date.now", [1e12, 1e12 + 2000]), ("performance.now", [0.0, 2000.0])]
)
def test_times(program: Program, name: str, expected: list[float]) -> None:
    wasi = Wasi(clock=FixedClock(10**18, 2 * 10**9))
    call = program(name, wasi).exports.function("call")
    assert [call(), call()] == expected


def test_a_seed(program: Program) -> None:
    found = [
        program("seed", Wasi(random=seed)).exports.function("call")() for seed in (1, 1, 2, "host")
    ]
    assert found[0] == found[1]
    assert len({*found}) == 3
    assert all(number >= 1 for number in found)


@pytest.mark.parametrize(
    ("module", "name"),
    [("env", "log"), ("env", "console.table"), ("console", "console.log"), ("other", "abort")],
)
def test_other_imports(module: str, name: str) -> None:
    text = f'(module (import "{module}" "{name}" (func (param i32))))'
    with pytest.raises(LinkError, match="unknown import"):
        instantiate(assemble(text), wasi=True)


def test_other_types() -> None:
    state = WasiState(Wasi())
    assert find("env", "console.log", FuncType((ValType.I64,)), state) is None
    assert find("env", "console.log", FuncType((ValType.I32,)), state) is not None
