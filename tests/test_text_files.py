"""Modules in the text format, wherever a file is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from purewasm_plugins import (
    CompileError,
    Module,
    TextError,
    ValidationError,
    Wasi,
    WasmPlugin,
    run_command,
)
from purewasm_plugins.module import read_module
from tests.conftest import ROOT

ECHO = ROOT / "fixtures" / "wat" / "echo.wat"
ADD = '(func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))'


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A file with a mistake in its second line."""
    path = tmp_path / "broken.wat"
    path.write_text("(module\n  (func i32.addd))", "utf-8")
    return path


def test_modules(tmp_path: Path) -> None:
    path = tmp_path / "add.wat"
    path.write_text(ADD, "utf-8")
    for module in (Module.compile(path), Module.compile(str(path)), Module.from_text(ADD)):
        assert module.instantiate().exports.function("add")(2, 3) == 5


def test_plugins() -> None:
    with WasmPlugin.load(ECHO) as plugin:
        assert plugin.execute_tool(plugin.tools[0].name, "hello") == "hello"


def test_programs(tmp_path: Path) -> None:
    path = tmp_path / "exit.wat"
    path.write_text(
        """(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 7)))""",
        "utf-8",
    )
    assert run_command(path, Wasi()).exit_code == 7


def test_errors_have_the_path(broken: Path) -> None:
    with pytest.raises(TextError) as refused:
        Module.compile(broken)
    assert refused.value.file == str(broken)
    message = f"{broken}:2:9: unknown operator i32.addd; did you mean i32.add?"
    assert str(refused.value) == message
    assert refused.value.excerpt == ("  (func i32.addd))", "        ^")
    with pytest.raises(CompileError) as of_plugin:
        WasmPlugin.load(broken)
    assert of_plugin.value.details == message
    assert isinstance(of_plugin.value.__cause__, TextError)


def test_the_name_of_a_file_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "text.wasm"
    path.write_text(ADD, "utf-8")
    assert read_module(path) == ADD.encode()


#: A module that is not valid, and the line and the column of the instruction.
INVALID = {
    "(func (result i32)\n  i32.const 1\n  i64.const 2\n  i32.add)": (4, 3),
    "(func\n  (drop (i32.add (i32.const 1)\n    (f32.const 2))))": (2, 10),
    '(import "a" "b" (func)) (func)\n(func (local.get 3) drop)': (2, 8),
    "(func (if (i32.const 1)\n(then (drop))))": (2, 8),
    "(func (result i32)\n)": (2, 1),
    "(func i32.const 0\nif nop else\n i32.const 1 end)": (3, 14),
    "(func (block (result i32)\n) drop)": (2, 1),
    "(global i32\n (i32.const 1)) (global i32 (i64.const 1))": (2, 30),
    '(memory (data "x"))\n(func) (data (i32.const 0)) (data\n(global.get 3))': (3, 2),
    "(func) (table funcref (elem 0)) (elem func) (table 1 funcref)\n(elem (f32.const 0) func)": (
        2,
        8,
    ),
    "(table funcref (elem (ref.func 0)))\n(elem funcref (item i32.const 0)) (func)": (2, 21),
    "(memory 1) (func (i32.store align=8\n (i32.const 0) (i32.const 0)))": (1, 19),
    # Outside of instructions
    "(start 0)": (1, 2),
    '(import "a" "b" (func)) (func $f (param i32))\n (start $f)': (2, 3),
    '(type (func)) (import "a" "b" (func (type 0))) (func)\n(func (export "x") (type 1))': (2, 2),
    '(type (func)) (import "a" "b" (func (type 1)))': (1, 16),
    '(type (func))\n(func (import "a" "b") (type 1))': (2, 8),
    '(func (export "a") (export "b"))\n(export "a" (func 0))': (2, 2),
    '(func (export "a")\n(export "a"))': (2, 2),
    '(export "a" (memory 0))': (1, 2),
    '(import "a" "b" (table 1 funcref))\n(memory 2 1)': (2, 2),
    '(import "a" "b" (memory 1))\n(memory 1)': (2, 2),
    "(table 1 funcref)\n(table $t 2 1 externref)": (2, 2),
    "(table 20_000_000 funcref)": (1, 2),
    "(memory 65537)": (1, 2),
    '(data "passive")\n(data (i32.const 0) "")': (2, 2),
    "(elem (i32.const 0))": (1, 2),
    "(func) (table externref\n(elem)) (table $t funcref (elem 0))\n(elem func 0) (elem func 7)": (
        3,
        16,
    ),
    "(func) (table externref (elem)) (elem (i32.const 0) func)": (1, 34),
}


@pytest.mark.parametrize("text", INVALID)
def test_the_place_of_what_is_not_valid(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as refused:
        Module.from_text(text)
    place = refused.value.text
    assert place is not None
    assert (place.line, place.column) == INVALID[text]
    assert str(refused.value) == f"{place.message} (line {place.line}, column {place.column})"
    path = tmp_path / "invalid.wat"
    path.write_text(text, "utf-8")
    with pytest.raises(ValidationError) as of_file:
        Module.compile(path)
    assert str(of_file.value) == f"{path}:{place.line}:{place.column}: {place.message}"
    with pytest.raises(CompileError):
        WasmPlugin.load(path)
