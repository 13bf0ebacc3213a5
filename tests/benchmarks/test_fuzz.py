"""The fuzz finds defects of engines, and reports none where there is none."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
import wasmtime

from benchmarks import fuzz, smith
from benchmarks.fuzz import ROOT, SOURCES, Task, main, run, shrink
from tests.conftest import assemble
from tests.differential.comparison import ENGINES, Difference, compare
from tests.differential.mistaken import Mistaken

#: A module, the bytes of it that an engine is wrong about, what it takes them for, the other
#: engines, and what is said of it.
WRONG = {
    "a result": (
        '(func (export "f") (param i32) (result i32) local.get 0 i32.const 9 i32.sub)',
        *(b"\x6b", b"\x6a", ()),
        "'f'(0): mistaken has returned 9, wasmtime has returned -9",
    ),
    "a vector": (
        '(func (export "f") (param v128) (result v128)'
        " local.get 0 v128.const i32x4 1 0 0 0 i32x4.sub)",
        *(b"\xfd\xb1\x01", b"\xfd\xae\x01", ()),
        "'f'(0, 0): mistaken has returned (1, 0), wasmtime has returned (4294967295, 0)",
    ),
    "a trap instead of a result": (
        '(func (export "f") (param i32) (result i32) local.get 0 local.get 0 i32.and)',
        *(b"\x71", b"\x6e", ()),
        "'f'(0): mistaken has trapped integer divide by zero, wasmtime has returned 0",
    ),
    "the kind of a trap": (
        '(memory 1) (func (export "f") (param i32) (result i32)'
        " (i32.load offset=65536 (local.get 0)) (i32.div_u (local.get 0)))",
        *(b"\x28\x02\x80\x80\x04", b"\x28\x02\x00\x01\x01", ()),
        "'f'(0): mistaken has trapped integer divide by zero, "
        "wasmtime has trapped out of bounds memory access",
    ),
    "memory": (
        '(memory (export "m") 1) (func (export "f") (i32.store8 (i32.const 20) (i32.const 42)))',
        *(b"\x41\x2a", b"\x41\x2b", ()),
        f"'f'(), memory 'm' from byte 0x14 on: "
        f"mistaken has 2b{'00' * 15}, wasmtime has 2a{'00' * 15}",
    ),
    "a global": (
        '(global (export "g") (mut i32) (i32.const 1))'
        '(func (export "f") (global.set 0 (i32.const 42)))',
        *(b"\x41\x2a", b"\x41\x2b", ()),
        "'f'(), global 'g': mistaken has 43, wasmtime has 42",
    ),
    "a table": (
        '(table (export "t") 2 funcref)'
        '(func (export "f") (table.set 0 (i32.const 0) (ref.func 0)))',
        *(b"\xd2\x00", b"\xd0\x70", ()),
        "'f'(), table 't': mistaken has [None, None], wasmtime has ['a function', None]",
    ),
    "instantiation": (
        '(memory 1) (func (i32.store8 (i32.const 42) (i32.const 1))) (start 0) (global (export "g")'
        " i32 (i32.const 1))",
        *(b"\x41\x01\x3a", b"\x00\x00\x3a", ()),
        "instantiation: mistaken has trapped unreachable, wasmtime has returned None",
    ),
    "fuel": (
        '(func) (func (export "f") (call 0))',
        *(b"\x10\x00", b"\x01\x01", ("pywasm",)),
        "'f'(), fuel used: mistaken has 1, pywasm has 2",
    ),
    "a limit": (
        '(func (export "f") (loop (br 0)))',
        *(b"\x0c\x00", b"\x01\x01", ("pywasm",)),
        "'f'(): mistaken has returned None, pywasm has limited out of fuel",
    ),
    "what is no trap": (
        '(func (export "f") (result i32) i32.const 1 i32.const 2 i32.sub)',
        *(b"\x41\x01\x41\x02", b"\x01\x01\x01\x01", ()),
        "'f'(): mistaken has raised WasmError: function 0 cannot be translated",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_finds_what_is_wrong(case: str) -> None:
    text, bytes_, taken_for, others, said = WRONG[case]
    data = assemble(f"(module {text})")
    difference, _ = compare(data, engines=[Mistaken(bytes_, taken_for), *others])
    assert str(difference).startswith(said)


@pytest.mark.parametrize("engines", [ENGINES, ENGINES[:1]])
def test_finds_nothing_in_what_is_right(engines: tuple[str, ...]) -> None:
    compared = [
        compare(assemble(f"(module {text})"), engines=engines) for text, *_ in WRONG.values()
    ]
    assert {difference for difference, _ in compared} == {None}
    # Two of them have no call that can be compared: one exports no function, one has no end.
    assert [calls for _, calls in compared].count(0) == 2


def test_a_limit_of_a_machine_is_no_difference() -> None:
    """Wasmtime continues after our fuel is used up."""
    data = assemble("""(module
        (func (export "long") (result i32) (local i32)
            (loop (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                (br_if 0 (i32.lt_u (local.get 0) (i32.const 100_000))))
            (local.get 0)))""")
    assert compare(data) == (None, 0)


def test_host_functions_answer_the_same_everywhere() -> None:
    data = assemble("""(module
        (import "a" "f" (func $f (param i32 f64 externref) (result i64 externref)))
        (import "a" "g" (global $g (mut f64)))
        (import "a" "m" (memory 1 2))
        (import "a" "t" (table 3 5 funcref))
        (export "m" (memory 0)) (export "t" (table 0)) (export "g" (global 0))
        (func (export "f") (param i32 f64 externref) (result i64 externref)
            (table.set 0 (i32.const 1) (ref.func 1))
            (global.set $g (f64.add (global.get $g) (f64.const 1)))
            (i64.store (i32.const 8) (i64.const 77))
            (call $f (local.get 0) (local.get 1) (local.get 2))))""")
    assert compare(data, turns=20) == (None, 20)


def test_every_source(tmp_path: Path) -> None:
    counts, failures = run(Task(seed=1, modules=24, folder=tmp_path))
    assert failures == []
    assert list(tmp_path.iterdir()) == []
    assert {what.partition(":")[0] for what in counts} == set(SOURCES)
    assert sum(counts.values()) == 24


def test_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fuzz.check_text(b"(module") == "refused"
    assert fuzz.check_text(b"(func end") == "refused"
    assert fuzz.check_text(b"(func nop)") == "the same module"
    monkeypatch.setattr(fuzz, "assemble", lambda data: bytes(wasmtime.wat2wasm("(func drop)")))
    with pytest.raises(fuzz.Wrong, match="another module"):
        fuzz.check_text(b"(func nop)")


def test_the_same_seed_makes_the_same_modules() -> None:
    def modules() -> list[bytes | None]:
        return [smith.Smith(Random(seed)).module() for seed in range(3)]

    assert modules() == modules()


def test_what_is_wrong_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "compare", lambda data: (Difference("a", "b", "'f'()", 1, 2), 1))
    said: list[str] = []
    task = Task(seed=5, modules=2, sources=("generated",), folder=tmp_path)
    counts, failures = run(task, said.append)
    assert counts == {"generated: wrong": 2}
    assert failures == [tmp_path / "fuzz-5-0.wasm", tmp_path / "fuzz-5-1.wasm"]
    assert failures[0].read_bytes() == fuzz.generated(Random("5/0"))
    assert said[0] == f"{failures[0]}: Wrong: 'f'(): a has 1, b has 2"


def test_memory_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "GROWTH", -1)
    said: list[str] = []
    run(Task(seed=5, modules=1, sources=("generated",), folder=tmp_path), said.append)
    assert said[0].endswith(" MB of memory")


def test_a_module_that_hangs_is_kept(tmp_path: Path) -> None:
    program = f"""if True:
        import time
        from pathlib import Path
        from benchmarks import fuzz
        fuzz.HANG = 0.5
        fuzz.compare = lambda data: time.sleep(300)
        fuzz.run(fuzz.Task(5, modules=1, sources=("generated",), folder=Path({str(tmp_path)!r})))
    """
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["fuzz-5-0.wasm"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--modules", "5", "--jobs", "2", "--sources", "generated", "broken"]
    assert main([*command, "--seed", "7", "--folder", str(tmp_path)]) == 0
    version, *lines = capsys.readouterr().out.splitlines()
    assert version == f"Python {platform.python_version()}, seed 7"
    assert lines[0] == "5 modules:"
    path = tmp_path / "module.wasm"
    path.write_bytes(assemble('(module (func (export "f")))'))
    assert main(["--compare", str(path)]) == 0
    assert capsys.readouterr().out == "the same on every engine, 3 calls\n"


def test_a_module_that_differs_is_shrunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = [Mistaken(b"\x6b", b"\x6a")]
    monkeypatch.setattr(fuzz, "compare", lambda data: compare(data, engines=engines))
    filler = "(drop (i32.mul (i32.const 3) (i32.const 4)))" * 20
    path = tmp_path / "wrong.wasm"
    path.write_bytes(
        assemble(f"""(module (memory (export "m") 1) (func {filler})
            (func (export "f") (param i32) (result i32)
            {filler} (i32.sub (local.get 0) (i32.const 9))))""")
    )
    assert shrink(path, attempts=10)
    small = (tmp_path / "wrong.shrunk.wasm").read_bytes()
    assert len(small) < path.stat().st_size
    assert compare(small, engines=engines)[0]
    assert "i32.sub" in (tmp_path / "wrong.shrunk.wat").read_text()


def test_what_does_not_differ_is_not_shrunk(tmp_path: Path) -> None:
    path = tmp_path / "right.wasm"
    path.write_bytes(assemble("(module)"))
    assert not shrink(path)
    assert list(tmp_path.iterdir()) == [path]
