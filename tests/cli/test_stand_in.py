"""`purewasm with-wasmtime` and `purewasm stand-in`."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from purewasm_plugins.wasmtime.interface import VERSION
from tests.conftest import need

Command = Callable[..., Result]
Failure = Callable[..., tuple[int, str]]

PROGRAM = """\
import sys
import wasmtime

if len(sys.argv) == 1:
    import beside
    print(__name__, wasmtime.Engine.__module__.partition(".")[0], beside.__name__)
elif sys.argv[1] == "arguments":
    print(sys.argv[2:])
elif sys.argv[1] == "raise":
    raise ValueError("boom")
elif sys.argv[1] == "component":
    import wasmtime.component
else:
    sys.exit(int(sys.argv[1]) if sys.argv[1].isdigit() else sys.argv[1])
"""


TRANSLATES = """\
from wasmtime import Instance, Module, Store

store = Store()
module = Module(store.engine, '(module (func (export "f") (result i32) (i32.const 42)))')
print(Instance(store, module, []).exports(store)["f"](store))
"""

STARTS_PROCESSES = """\
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from wasmtime import Engine

def described(name):
    return Engine().is_pulley(), version(name)

if __name__ == "__main__":
    if hasattr(os, "fork"):
        forked = os.fork()
        if not forked:
            sys.exit()
        os.waitpid(forked, 0)
    print(described("wasmtime"))
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        print(pool.submit(described, "wasmtime").result())
        print(pool.submit(eval, "__import__('wasmtime').__file__").result())
    shown = "import wasmtime; print(wasmtime.__file__)"
    print(subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True).stdout)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with a script, a module beside it, and a package that is a program."""
    (tmp_path / "beside.py").touch()
    (tmp_path / "script.py").write_text(PROGRAM)
    (tmp_path / "wrong.py").write_text("1 +\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "__main__.py").write_text(PROGRAM)
    return tmp_path


def with_wasmtime(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a new process, in a directory from which the script is not seen."""
    need("click", "rich")
    return subprocess.run(
        [sys.executable, "-m", "purewasm_plugins", "with-wasmtime", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "status", "output", "end_of_errors"),
    [
        (["script.py"], 0, "__main__ purewasm_plugins beside\n", ""),
        (["-m", "script"], 0, "__main__ purewasm_plugins beside\n", ""),
        (["-m", "package"], 0, "__main__ purewasm_plugins beside\n", ""),
        (["script.py", "arguments", "-m", "--help"], 0, "['-m', '--help']\n", ""),
        (["-m", "package", "arguments", "--", "-x"], 0, "['--', '-x']\n", ""),
        (["script.py", "7"], 7, "", ""),
        (["script.py", "some words"], 1, "", "some words\n"),
        (["script.py", "component"], 1, "", "runs core modules, and no components\n"),
        (["wrong.py"], 1, "", "SyntaxError: invalid syntax\n"),
        (["-m", "nowhere"], 2, "", "purewasm: No module named nowhere\n"),
    ],
    ids=str,
)
def test_programs(
    folder: Path, arguments: list[str], status: int, output: str, end_of_errors: str
) -> None:
    done = with_wasmtime(folder, *arguments)
    assert (done.returncode, done.stdout) == (status, output), done.stderr
    assert done.stderr.endswith(end_of_errors)
    assert bool(done.stderr) == bool(end_of_errors)


@pytest.mark.parametrize("kept", [True, False])
def test_translations_are_kept(folder: Path, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUREWASM_CACHE", str(folder / "kept") if kept else "")
    (folder / "translates.py").write_text(TRANSLATES)
    done = with_wasmtime(folder, "translates.py")
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
    assert (folder / "kept").exists() == kept


def test_processes_of_the_program(folder: Path) -> None:
    (folder / "starts.py").write_text(STARTS_PROCESSES)
    done = with_wasmtime(folder, "-m", "starts")
    assert done.returncode == 0, done.stderr
    here, there, file, of_a_command = done.stdout.split("\n", 3)
    assert (here, file) == (there, of_a_command.strip())
    wheel = Path(file).parents[1]
    assert wheel.name == f"wasmtime-{VERSION}-py3-none-any.whl"
    assert not wheel.parent.exists()


def test_a_cache_that_cannot_be_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUREWASM_CACHE", str(folder / "script.py"))
    done = with_wasmtime(folder, "script.py")
    assert done.returncode == 2
    assert done.stderr.startswith("purewasm: ")


def test_a_traceback_begins_in_the_program(folder: Path) -> None:
    done = with_wasmtime(folder, "script.py", "raise")
    assert done.returncode == 1
    first, place, *_, last = done.stderr.splitlines()
    assert first == "Traceback (most recent call last):"
    assert place.startswith('  File "script.py", line ')
    assert last == "ValueError: boom"
    assert done.stderr.count("  File ") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.py"], "cannot read 'nowhere.py': No such file or directory"),
        (["-m"], "Missing argument 'MODULE' (see purewasm with-wasmtime --help)"),
    ],
)
def test_programs_that_are_not_there(failure: Failure, arguments: list[str], message: str) -> None:
    assert failure("with-wasmtime", *arguments) == (2, message)


def test_the_wheel(command: Command, tmp_path: Path) -> None:
    result = command("stand-in", "--wheel", str(tmp_path / "new"))
    (wheel,) = (tmp_path / "new").iterdir()
    assert (result.exit_code, result.stdout) == (0, f"{wheel}\n")
    assert "wasmtime/__init__.py" in zipfile.ZipFile(wheel).namelist()


def test_the_wheel_of_an_older_version(command: Command, failure: Failure, tmp_path: Path) -> None:
    result = command("stand-in", "--wheel", str(tmp_path), "--version", "47.0.1")
    assert result.stdout == f"{tmp_path / 'wasmtime-47.0.1-py3-none-any.whl'}\n"
    status, message = failure("stand-in", "--wheel", str(tmp_path), "--version", "old")
    assert (status, message.partition(": ")[0]) == (2, "Invalid option 'version'")


def test_a_wheel_that_cannot_be_written(failure: Failure, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, message = failure("stand-in", "--wheel", str(tmp_path / "file"))
    assert (status, message) == (2, f"cannot write to '{tmp_path / 'file'}': File exists")
