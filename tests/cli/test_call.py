"""`purewasm call`: arguments by the function's type, results, and errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Command = Callable[..., Result]
Fail = Callable[..., tuple[int, str]]

MODULE = """(module
  (func (export "i32") (param i32) (result i32) local.get 0)
  (func (export "i64") (param i64) (result i64) local.get 0)
  (func (export "f32") (param f32) (result f32) local.get 0)
  (func (export "f64") (param f64) (result f64) local.get 0)
  (func (export "v128") (param v128) (result v128) local.get 0)
  (func (export "externref") (param externref) (result externref) local.get 0)
  (func $add (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
  (func (export "two") (result i32 f64) i32.const -1 f64.const 2.5)
  (func (export "nothing"))
  (func (export "funcref") (result funcref) ref.func $add)
  (func (export "forever") (loop (br 0)))
  (func $inner unreachable)
  (func (export "trap") call $inner)
  (memory (export "memory") 1))"""


@pytest.fixture
def module(tmp_path: Path, wat: Callable[[str], bytes]) -> str:
    file = tmp_path / "module.wasm"
    file.write_bytes(wat(MODULE))
    return str(file)


@pytest.mark.parametrize(
    ("export", "arguments", "output"),
    [
        ("i32", "-1", "-1"),
        ("i32", "+7", "7"),
        ("i32", "0xffff_FFFF", "-1"),
        ("i32", "4294967295", "-1"),
        ("i32", "-2147483648", "-2147483648"),
        ("i64", "0x8000000000000000", "-9223372036854775808"),
        ("i64", "-0x10", "-16"),
        ("i64", "1_000", "1000"),
        ("f32", "0.1", "0.1"),
        ("f32", "16777216", "16777216.0"),
        ("f32", "-inf", "-inf"),
        ("f64", "0x1.8p3", "12.0"),
        ("f64", "-0", "-0.0"),
        ("f64", "nan", "nan"),
        ("f64", "1e-300", "1e-300"),
        ("v128", "000102030405060708090a0b0c0d0e0f", "000102030405060708090a0b0c0d0e0f"),
        ("v128", "0x00010203_04050607_08090a0b_0c0d0e0F", "000102030405060708090a0b0c0d0e0f"),
        ("externref", "null", "null"),
        ("add", "2 -3", "-1"),
        ("two", "", "-1\n2.5"),
        ("nothing", "", ""),
        ("funcref", "", "<Function add: (i32, i32) -> (i32)>"),
    ],
)
def test_results(command: Command, module: str, export: str, arguments: str, output: str) -> None:
    result = command("call", module, export, *arguments.split())
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (output + "\n" if output else "")


def test_as_json(command: Command, module: str) -> None:
    result = command("call", module, "two", "--json", "--engine", "pywasm")
    assert json.loads(result.stdout) == {
        "export": "two",
        "type": "() -> (i32, f64)",
        "results": [{"type": "i32", "value": -1}, {"type": "f64", "value": 2.5}],
    }
    for export, argument, value in (("f64", "inf", "inf"), ("v128", "0" * 32, "0" * 32)):
        result = command("call", module, export, argument, "--json")
        assert json.loads(result.stdout)["results"] == [{"type": export, "value": value}]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ("i32 4294967296", 2, "Argument 1 of i32, '4294967296', is no i32: it does not fit"),
        ("i32 -2147483649", 2, "does not fit into 32 bits"),
        ("i32 1.5", 2, "it must be an integer, such as -1 or 0xff"),
        ("i32 --fule", 2, "'--fule', is no i32"),
        (f"i32 {'1' * 5000}", 2, "it must be an integer"),
        ("f64 x", 2, "it must be a number, such as 1.5"),
        ("f64 0x1p99999", 2, "it must be a number"),
        ("v128 00", 2, "it must be 32 hexadecimal digits"),
        ("externref 1", 2, "the only reference that can be given is null"),
        ("add 1", 2, "add has the type (i32, i32) -> (i32): it takes 2 arguments"),
        ("nothing 1", 2, "it takes 0 arguments"),
        ("ad", 4, "there is no export 'ad'; did you mean 'add'?"),
        ("xyz", 4, "there is no export 'xyz' (there are: i32, i64,"),
        ("memory", 4, "the export 'memory' is a memory, not a function"),
        ("trap", 4, "trap trapped: unreachable"),
        ("forever --fuel 1000", 4, "forever trapped: out of fuel; --fuel raises the limit"),
        ("forever --timeout 0.05", 4, "deadline exceeded; --timeout raises the limit"),
        ("nothing --limit-memory 0", 3, "limit is 0; --limit-memory raises the limit"),
    ],
)
def test_errors(failure: Fail, module: str, arguments: str, status: int, message: str) -> None:
    got, line = failure("call", module, *arguments.split())
    assert got == status
    assert message in line


def test_the_backtrace(command: Command, module: str) -> None:
    result = command("call", module, "trap", "--backtrace")
    assert result.exit_code == 4
    assert [line.split()[1] for line in result.stderr.splitlines()[1:]] == ["inner", "trap"]


def test_a_module_that_needs_imports(failure: Fail) -> None:
    status, line = failure("call", "imports_host", "plugin_tools_count")
    assert status == 3
    assert "the module needs imports, and this command gives none: env.log" in line
