"""Lockstep names the first function that two engines disagree on, and reports change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks import lockstep
from benchmarks.hosts import Memory
from benchmarks.lockstep import Call, Difference, described, first_difference, main
from purewasm_plugins.wasm import ValType, load
from tests.conftest import assemble
from tests.differential import machines
from tests.differential.machines import OurMachine, arguments
from tests.differential.mistaken import Mistaken
from tests.differential.rewriting import TRACE, traced
from tests.random_modules.modules import random_module

SUBTRACT, ADD = b"\x6b", b"\x6a"

#: `$inner` is wrong about 100; `$outer` calls it with its parameter plus one.
NESTED = """(module (memory 1)
    (func $inner (param i32) (result i32)
        (if (result i32) (i32.eq (local.get 0) (i32.const 100))
            (then (i32.sub (local.get 0) (i32.const 1)))
            (else (local.get 0))))
    (func $outer (export "outer") (param i32) (result i32)
        (drop (call $inner (local.get 0)))
        (call $inner (i32.add (local.get 0) (i32.const 1)))))"""


def find(text: str, *calls: Call, mistake: tuple[bytes, bytes] = (SUBTRACT, ADD)) -> list[str]:
    """Return the report of lockstep for the translator and a wrong engine."""
    data = assemble(text)
    difference = first_difference(data, calls, [Mistaken(*mistake), "translator"])
    if difference is None:
        return []
    return described(difference, load(data).module, ["mistaken", "translator"])


def test_a_result() -> None:
    assert find(NESTED, Call("outer", (99,))) == [
        "4 calls and returns are the same. Then it differs",
        "  in function 0 (inner), called with (i32 100 (0x64))",
        "  called by function 1 (outer), called with (i32 99 (0x63))",
        "  mistaken:   returns (i32 101 (0x65)) from function 0 (inner)",
        "  translator: returns (i32 99 (0x63)) from function 0 (inner)",
    ]


def test_nothing_where_nothing_differs() -> None:
    assert find(NESTED, Call("outer", (5,)), Call("outer", (6,))) == []


def test_an_argument() -> None:
    text = """(module (func $f (param f64)) (func (export "g") (param i32)
        (call $f (f64.convert_i32_s (i32.sub (local.get 0) (i32.const 1))))))"""
    assert find(text, Call("g", (7,))) == [
        "1 calls and returns are the same. Then it differs",
        "  in function 1 (g), called with (i32 7)",
        "  mistaken:   calls function 0 (f) with (f64 8.0)",
        "  translator: calls function 0 (f) with (f64 6.0)",
    ]


def test_another_way() -> None:
    text = """(module (func $f) (func (export "g") (param i32)
        (if (i32.sub (local.get 0) (i32.const 1)) (then (call $f)))))"""
    assert find(text, Call("g", (1,))) == [
        "1 calls and returns are the same. Then it differs",
        "  in function 1 (g), called with (i32 1)",
        "  mistaken:   calls function 0 (f) with ()",
        "  translator: returns () from function 1 (g)",
    ]


def test_a_trap() -> None:
    text = """(module (func (export "g") (param i32) (result i32)
        (i32.div_u (i32.const 6) (i32.sub (local.get 0) (i32.const 1)))))"""
    assert find(text, Call("g", (1,)))[2:] == [
        "  mistaken:   returns (i32 3) from function 0 (g)",
        "  translator: the call from outside trapped integer divide by zero",
    ]


def test_what_is_no_trap() -> None:
    text = """(module (func (export "g") (result i32) i32.const 1 i32.const 2 i32.sub))"""
    lines = find(text, Call("g"), mistake=(b"\x41\x01\x41\x02", b"\x01\x01\x01\x01"))
    assert lines[2].startswith("  mistaken:   the call from outside raised WasmError: function ")


def test_the_call_before_the_result_is_used() -> None:
    """The first run compares memory rarely; the first difference is found."""
    text = """(module (memory 1)
        (func $work (param i32) (i32.store8 (local.get 0) (i32.const 1)))
        (func $wrong (param i32) (i32.store8 (local.get 0)
            (i32.sub (i32.const 8) (i32.eq (local.get 0) (i32.const 900)))))
        (func (export "g") (param $n i32) (result i32) (local $i i32)
            (loop
                (call $work (local.get $i))
                (call $wrong (local.get $i))
                (br_if 0 (i32.lt_u
                    (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
            (i32.load8_u (i32.const 900))))"""
    assert find(text, Call("g", (3000,))) == [
        "3,604 calls and returns are the same. Then it differs",
        "  in function 1 (wrong), called with (i32 900 (0x384))",
        "  called by function 2 (g), called with (i32 3000 (0xbb8))",
        "  both:       returns () from function 1 (wrong)",
        "  memory from 0x384 on:",
        f"  mistaken:   09{' 00' * 15}",
        f"  translator: 07{' 00' * 15}",
    ]


def test_engines_of_every_kind() -> None:
    data = assemble(NESTED)
    for reference in ("pywasm", "wasmtime"):
        assert first_difference(data, [Call("outer", (99,))], ["translator", reference]) is None
        engines = [Mistaken(SUBTRACT, ADD), reference]
        found = first_difference(data, [Call("outer", (99,))], engines)
        assert isinstance(found, Difference)
        assert found.number == 5


def test_vectors_and_references() -> None:
    text = """(module
        (func $f (param v128 funcref) (result v128) (local.get 0))
        (elem declare func $f)
        (func (export "g") (drop (call $f (v128.const i64x2 1 2) (ref.func $f)))
            (drop (call $f (v128.const i64x2 1 -1) (ref.null func)))))"""
    assert find(text, Call("g"), mistake=(b"\xff" * 8, b"\xfe" + b"\xff" * 7))[1:] == [
        "  in function 1 (g), called with ()",
        "  mistaken:   calls function 0 (f) with (1, -2, False)",
        "  translator: calls function 0 (f) with (1, -1, False)",
    ]


#: Writes the clock, random bytes, and then its input to standard output.
WASI = """(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get"
        (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open" (func $open (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "env" "length" (func $length (param i32) (result i32)))
    (memory (export "memory") 1)
    (global $initialized (mut i32) (i32.const 0))
    (func (export "_initialize") (global.set $initialized (i32.const 1)))
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
    (func (export "main") (param i32) (result i32)
        (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 16)))
        (drop (call $random (i32.const 24) (i32.const 8)))
        (i32.store (i32.const 0) (local.get 0))
        (i32.store (i32.const 4) (call $length (local.get 0)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.add (i32.mul (call $open) (i32.const 100))
            (i32.add (global.get $initialized) (i32.load (i32.const 8)))))
    (func (export "leave") (call $exit (i32.const 3))))"""


def length_host(memory: Memory) -> Mapping[str, Mapping[str, Callable[..., Any]]]:
    """A host function that reads the memory."""
    return {"env": {"length": lambda address: memory.read(address, 100).index(0)}}


def test_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "program.wasm"
    path.write_bytes(assemble(WASI))
    host = ["--host", f"{__name__}:length_host"]
    call = ["main", "hello", "then", "leave"]
    for reference in ("pywasm", "wasmtime"):
        engines = ["--engines", "translator", reference]
        assert main([str(path), *engines, *host, *call]) == 0
        captured = capsys.readouterr()
        assert captured.out == "They are the same.\n"
        # `_initialize`, `malloc` and `main` are entered and left, `leave` is entered, and three
        # calls end.
        assert captured.err.startswith(f"{reference}: 10 calls and returns in ")


def test_the_command_says_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "nested.wasm"
    path.write_bytes(assemble(NESTED))

    def mistaken(data: bytes, calls: Sequence[Call], *_: Any, **__: Any) -> Difference | None:
        return first_difference(data, calls, [Mistaken(SUBTRACT, ADD), "translator"])

    monkeypatch.setattr(lockstep, "first_difference", mistaken)
    assert main([str(path), "outer", "0x63"]) == 1
    assert capsys.readouterr().out.startswith("4 calls and returns are the same.")


@pytest.mark.parametrize(
    ("text", "export", "said"),
    [
        ('(module (func (export "f")))', "g", "the module does not export 'g'"),
        ('(module (import "a" "b" (memory 1)) (func (export "f")))', "f", "import 'b' is no func"),
    ],
)
def test_what_cannot_be_run(
    text: str, export: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "module.wasm"
    path.write_bytes(assemble(text))
    with pytest.raises(SystemExit):
        main([str(path), export])
    assert said in capsys.readouterr().err


def test_reports_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module has the same results with and without reports."""
    monkeypatch.setattr(machines, "host_function", lambda *_: lambda *_: None)
    for seed in range(15):
        data = random_module(Random(seed), canonical_nans=True)
        plain = OurMachine("translator", load(data))
        reporting = OurMachine("translator", load(traced(data)))
        assert plain.start() == reporting.start()
        module = load(data).module
        for export in module.exports:
            if export.name.startswith("f"):
                type_ = module.function_type(export.index)
                given = [
                    bytes(16) if param is ValType.V128 else value
                    for param, value in zip(
                        type_.params, arguments(export.name, 1, type_), strict=True
                    )
                ]
                outcome = plain.call(export.name, given)
                if outcome.kind != "limited":
                    assert reporting.call(export.name, given) == outcome, (seed, export.name)
                    assert dict(plain.state()) == dict(reporting.state())
        names = {entry.module for entry in load(traced(data)).module.imports}
        assert names == {TRACE}
