"""`purewasm assemble` and `wast`, and `.wat` files in place of `.wasm` files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from purewasm_plugins.wasm.text.assembler import assemble
from tests.conftest import ROOT

Command = Callable[..., Result]

ECHO = ROOT / "fixtures/wat/echo.wat"
BROKEN = "(module\n  (func (param $length i32)\n\tlocal.get $lengt))"
SCRIPT = """(module (func (export "one") (result i32) (i32.const 1)))
(assert_return (invoke "one") (i32.const 1))
(assert_return (invoke "one")
  (i32.const 2))
(assert_malformed (module quote "(fun)") "unknown operator")
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    """`write(name, text)`: the path of a new file."""

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return str(path)

    return write


def test_assemble(command: Command, write: Callable[[str, str], str], tmp_path: Path) -> None:
    path = write("echo.wat", ECHO.read_text("utf-8"))
    expected = assemble(ECHO.read_text("utf-8"))
    assert command("assemble", path).exit_code == 0
    assert (tmp_path / "echo.wasm").read_bytes() == expected
    other = tmp_path / "other.bin"
    assert command("assemble", path, "-o", str(other)).exit_code == 0
    assert other.read_bytes() == expected
    result = command("assemble", path, "-o", "-")
    assert result.stdout_bytes == expected


def test_what_disassemble_prints_is_assembled(command: Command, tmp_path: Path) -> None:
    printed = command("disassemble", str(ECHO)).stdout
    path = tmp_path / "again.wat"
    path.write_text(printed, "utf-8")
    assert command("disassemble", str(path)).stdout == printed


def test_an_error_shows_the_line(command: Command, write: Callable[[str, str], str]) -> None:
    path = write("broken.wat", BROKEN)
    for arguments in (["assemble"], ["inspect"], ["exec"], ["disassemble"]):
        result = command(*arguments, path)
        assert result.exit_code == 3
        assert result.stderr.splitlines() == [
            f"purewasm: {path}:3:12: unknown local $lengt; did you mean $length?",
            " local.get $lengt))",
            "           ^",
        ]


def test_a_module_that_is_not_valid(
    command: Command, write: Callable[[str, str], str], tmp_path: Path
) -> None:
    path = write("invalid.wat", "(func (result i32))")
    result = command("assemble", path)
    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        f"purewasm: {path}:1:19: type mismatch in end: expected i32, found nothing",
        "(func (result i32))",
        "                  ^",
    ]
    assert not (tmp_path / "invalid.wasm").exists()
    assert command("assemble", path, "--no-check").exit_code == 0
    assert (tmp_path / "invalid.wasm").exists()


def test_files_that_cannot_be_read_or_written(
    command: Command, write: Callable[[str, str], str], tmp_path: Path
) -> None:
    result = command("assemble", str(tmp_path / "none.wat"))
    assert (result.exit_code, "No such file" in result.stderr) == (3, True)
    path = write("empty.wat", "")
    result = command("assemble", path, "-o", str(tmp_path / "none" / "x.wasm"))
    assert (result.exit_code, "cannot write" in result.stderr) == (2, True)


def test_run_a_plugin(command: Command) -> None:
    assert command("run", str(ECHO), "echo", "hello").stdout == "hello"


def test_scripts(command: Command, write: Callable[[str, str], str], tmp_path: Path) -> None:
    path = write("a.wast", SCRIPT)
    result = command("wast", path)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{path}:3: assert_return: expected i32 2, got i32 1",
        f"{path}: 4 commands, 1 failed",
    ]
    good = write("b.wast", "(module)")
    result = command("wast", good)
    assert (result.exit_code, result.stdout) == (0, f"{good}: 1 commands, 0 failed\n")
    result = command("wast", str(tmp_path / "none.wast"), good)
    assert (result.exit_code, result.stdout) == (3, f"{good}: 1 commands, 0 failed\n")
