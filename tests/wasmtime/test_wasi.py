"""`WasiConfig`: what a program sees of it, the same with the stand-in and with wasmtime itself."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import purewasm_plugins.wasmtime as ours
from purewasm_plugins.wasi import host_files
from purewasm_plugins.wasmtime import DirPerms, FilePerms, WasiConfig, WasmtimeError

#: The functions that the program passes on, and the types of their parameters.
FUNCTIONS = {
    "args_get": "i32 i32",
    "args_sizes_get": "i32 i32",
    "environ_get": "i32 i32",
    "environ_sizes_get": "i32 i32",
    "fd_read": "i32 i32 i32 i32",
    "fd_write": "i32 i32 i32 i32",
    "fd_prestat_get": "i32 i32",
    "path_open": "i32 i32 i32 i32 i32 i64 i64 i32 i32",
    "path_create_directory": "i32 i32 i32",
}

#: Rights and flags of `path_open`, and error numbers of preview 1.
READ, WRITE = 1 << 1, 1 << 6
CREATE = 1
SUCCESS, BADF, EXIST, INVAL, IO, PIPE = 0, 8, 20, 28, 29, 64
NOT_ALLOWED = {58, 63, 69, 76}


def program() -> str:
    """Return a program that exports functions of WASI."""
    lines = []
    for name, parameters in FUNCTIONS.items():
        operands = " ".join(f"local.get {i}" for i in range(len(parameters.split())))
        lines += [
            f'(import "wasi_snapshot_preview1" "{name}"'
            f"  (func ${name} (param {parameters}) (result i32)))",
            f'(func (export "{name}") (param {parameters}) (result i32) {operands} call ${name})',
        ]
    lines.sort(key=lambda line: line.startswith("(func"))
    return f'(module {" ".join(lines)} (memory (export "memory") 2))'


class Program:
    """The program, in a store with a configuration."""

    def __init__(self, library: Any, config: object) -> None:
        engine = library.Engine()
        linker = library.Linker(engine)
        linker.define_wasi()
        self.store = library.Store(engine)
        self.store.set_wasi(config)
        instance = linker.instantiate(self.store, library.Module(engine, program()))
        self.exports = instance.exports(self.store)
        self.memory = self.exports["memory"]

    def call(self, name: str, *arguments: int) -> int:
        status: int = self.exports[name](self.store, *arguments)
        return status

    def number(self, address: int) -> int:
        return int.from_bytes(self.memory.read(self.store, address, address + 4), "little")

    def put(self, address: int, *numbers: int) -> None:
        data = b"".join(number.to_bytes(4, "little") for number in numbers)
        self.memory.write(self.store, data, address)

    def strings(self, kind: str) -> list[bytes]:
        """The arguments ("args") or variables ("environ")."""
        assert self.call(f"{kind}_sizes_get", 0, 4) == SUCCESS
        size = self.number(4)
        assert self.call(f"{kind}_get", 1024, 65536) == SUCCESS
        return bytes(self.memory.read(self.store, 65536, 65536 + size)).split(b"\0")[:-1]

    def read(self, size: int) -> bytes:
        """What is read from standard input."""
        self.put(0, 1024, size)
        assert self.call("fd_read", 0, 0, 1, 8) == SUCCESS
        return bytes(self.memory.read(self.store, 1024, 1024 + self.number(8)))

    def write(self, descriptor: int, data: bytes) -> tuple[int, int]:
        """The status of a write, and the bytes that were written."""
        self.memory.write(self.store, data, 1024)
        self.put(0, 1024, len(data), 0)
        return self.call("fd_write", descriptor, 0, 1, 8), self.number(8)

    def open(self, path: bytes, rights: int, flags: int = 0) -> int:
        """The status of opening a file of the first directory."""
        self.memory.write(self.store, path, 1024)
        return self.call("path_open", 3, 1, 1024, len(path), flags, rights, 0, 0, 0)

    def make_directory(self, path: bytes) -> int:
        self.memory.write(self.store, path, 1024)
        return self.call("path_create_directory", 3, 1024, len(path))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with a file."""
    (tmp_path / "in.txt").write_bytes(b"hello input")
    return tmp_path


def test_nothing_is_granted_by_default(library: Any) -> None:
    guest = Program(library, library.WasiConfig())
    assert (guest.strings("args"), guest.strings("environ"), guest.read(5)) == ([], [], b"")
    assert guest.call("fd_prestat_get", 3, 0) == BADF


def test_what_is_written_is_dropped_by_default(
    library: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    guest = Program(library, library.WasiConfig())
    assert [guest.write(descriptor, b"text") for descriptor in (1, 2)] == [(SUCCESS, 4)] * 2
    assert capfd.readouterr() == ("", "")


def test_arguments_and_variables_add_up(library: Any) -> None:
    config = library.WasiConfig()
    config.argv = ["program", "täxt"]
    config.argv = ("more",)
    config.env = [["A", "1"], ("B", "x=y")]
    config.env = {"C": ""}.items()
    guest = Program(library, config)
    assert guest.strings("args") == [b"program", "täxt".encode(), b"more"]
    assert guest.strings("environ") == [b"A=1", b"B=x=y", b"C="]


def test_the_first_variable_of_a_name_counts(library: Any) -> None:
    """As `getenv` of a program finds it."""
    config = library.WasiConfig()
    config.env = [["A", "1"], ["A", "2"]]
    config.env = [["A", "3"]]
    assert Program(library, config).strings("environ")[0] == b"A=1"


def test_what_this_process_has_is_inherited(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "täxt")
    config = library.WasiConfig()
    config.inherit_argv()
    config.argv = ["last"]
    config.inherit_env()
    guest = Program(library, config)
    assert guest.strings("args") == [*map(os.fsencode, sys.orig_argv), b"last"]
    assert "GIVEN=täxt".encode() in guest.strings("environ")


def test_standard_input_is_a_file(library: Any, files: Path) -> None:
    config = library.WasiConfig()
    config.stdin_file = files / "in.txt"
    (files / "in.txt").rename(files / "elsewhere.txt")
    guest = Program(library, config)
    assert [guest.read(5), guest.read(100), guest.read(1)] == [b"hello", b" input", b""]


@pytest.mark.parametrize("as_path", [str, os.fsencode, Path])
def test_output_goes_to_files(library: Any, files: Path, as_path: Callable[[str], object]) -> None:
    for name in ("out", "err"):
        (files / name).write_text("what was there")
    config = library.WasiConfig()
    config.stdout_file = as_path(str(files / "out"))
    config.stderr_file = as_path(str(files / "err"))
    assert (files / "out").read_bytes() == (files / "err").read_bytes() == b""
    guest = Program(library, config)
    assert [guest.write(1, b"to "), guest.write(2, b"err"), guest.write(1, b"out")]
    assert (files / "out").read_bytes() == b"to out"
    assert (files / "err").read_bytes() == b"err"


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_files_that_cannot_be_opened(library: Any, stream: str, tmp_path: Path) -> None:
    config = library.WasiConfig()
    with pytest.raises(library.WasmtimeError, match=f"failed to set {stream} file"):
        setattr(config, f"{stream}_file", tmp_path / "nowhere" / "file")


def test_the_streams_of_this_process(library: Any, capfd: pytest.CaptureFixture[str]) -> None:
    config = library.WasiConfig()
    config.inherit_stdin()
    config.inherit_stdout()
    config.inherit_stderr()
    guest = Program(library, config)
    guest.write(1, b"to stdout")
    guest.write(2, b"to stderr")
    sys.stdout.flush()
    assert capfd.readouterr() == ("to stdout", "to stderr")


def test_output_goes_to_functions(library: Any) -> None:
    pieces: list[bytes] = []
    config = library.WasiConfig()
    config.stdout_custom = pieces.append
    config.stderr_custom = lambda data: pieces.append(data.upper())
    guest = Program(library, config)
    assert guest.write(1, b"out") == guest.write(2, b"err") == (SUCCESS, 3)
    assert pieces == [b"out", b"ERR"]


def test_a_function_that_takes_a_part_is_called_again(library: Any) -> None:
    pieces: list[bytes] = []

    def two(data: bytes) -> int:
        pieces.append(data[:2])
        return len(data[:2])

    config = library.WasiConfig()
    config.stdout_custom = two
    assert Program(library, config).write(1, b"abcde") == (SUCCESS, 5)
    assert pieces == [b"ab", b"cd", b"e"]


def fail(data: bytes) -> int:
    raise LookupError("nothing to write to")


@pytest.mark.parametrize(
    ("function", "status"), [(lambda data: -errno.EPIPE, PIPE), (fail, IO)], ids=["number", "raise"]
)
def test_a_function_that_fails_is_an_error_of_the_program(
    library: Any,
    function: Callable[[bytes], int],
    status: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    config = library.WasiConfig()
    config.stdout_custom = function
    guest = Program(library, config)
    assert guest.write(1, b"text")[0] == status
    assert ("nothing to write to" in "".join(capfd.readouterr())) == (function is fail)


@pytest.mark.parametrize("number", [-4095, -(2**31), -(2**99)])
def test_a_function_that_returns_no_error_number(ours: Any, number: int) -> None:
    """In wasmtime it ends the process."""
    config = ours.WasiConfig()
    config.stdout_custom = lambda data: number
    assert Program(ours, config).write(1, b"text")[0] == IO


def check_directory(library: Any, files: Path, given: tuple[Any, ...], writable: bool) -> None:
    """Check what can be done with a directory, given other arguments of `preopen_dir`."""
    config = library.WasiConfig()
    config.preopen_dir(str(files), "/", *given)
    guest = Program(library, config)
    assert guest.open(b"in.txt", READ) == SUCCESS
    changes = [
        guest.open(b"in.txt", WRITE),
        guest.open(b"new.txt", WRITE, CREATE),
        guest.make_directory(b"folder"),
    ]
    assert [change == SUCCESS for change in changes] == [writable] * 3
    assert writable or {*changes} <= NOT_ALLOWED
    assert [(files / name).exists() for name in ("new.txt", "folder")] == [writable] * 2
    assert (files / "in.txt").read_bytes() == b"hello input"


@pytest.mark.parametrize(
    ("given", "writable"), [((), True), ((True,), True), ((False,), False), ((None,), False)]
)
def test_directories(library: Any, files: Path, given: tuple[Any, ...], writable: bool) -> None:
    check_directory(library, files, given, writable)


@pytest.mark.parametrize(
    ("given", "writable"),
    [
        ((DirPerms.READ_WRITE,), True),
        ((DirPerms.READ_ONLY,), False),
        ((DirPerms.READ_WRITE, FilePerms.READ_WRITE), True),
        ((DirPerms.READ_ONLY, FilePerms.READ_WRITE), False),
        ((DirPerms.READ_WRITE, FilePerms.READ_ONLY), False),
    ],
    ids=str,
)
def test_permissions(files: Path, given: tuple[Any, ...], writable: bool) -> None:
    check_directory(ours, files, given, writable)


def test_where_directories_are_copied_files_are_stored_after_each_call(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    monkeypatch.setattr(host_files, "IN_PLACE", False)
    check_directory(ours, files, (), True)


def test_what_cannot_be_stored(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_files, "IN_PLACE", False)
    (files / "folder").mkdir()
    config = WasiConfig()
    config.preopen_dir(str(files / "folder"), "/")
    guest = Program(ours, config)
    (files / "folder").rmdir()
    (files / "folder").touch()
    with pytest.raises(WasmtimeError, match="folder"):
        guest.open(b"new.txt", WRITE, CREATE)


def test_directories_by_name(library: Any, files: Path) -> None:
    config = library.WasiConfig()
    config.preopen_dir(str(files), "/", fs_mutable=False)
    assert Program(library, config).make_directory(b"folder") in NOT_ALLOWED


def test_a_directory_without_a_name(library: Any, files: Path) -> None:
    config = library.WasiConfig()
    config.preopen_dir(str(files), "")
    assert Program(library, config).open(b"in.txt", READ) == SUCCESS


@pytest.mark.parametrize("place", ["nowhere", "in.txt", ""])
def test_directories_that_are_not_there(
    library: Any, files: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(library.WasmtimeError, match="failed to add preopen dir"):
        library.WasiConfig().preopen_dir(place, "/")


@pytest.mark.parametrize(
    "given", [(DirPerms.WRITE_ONLY,), (DirPerms.READ_WRITE, FilePerms.WRITE_ONLY)], ids=str
)
def test_writing_only_is_refused(files: Path, given: tuple[Any, ...]) -> None:
    with pytest.raises(WasmtimeError, match="no permission to write only"):
        WasiConfig().preopen_dir(str(files), "/", *given)


def test_a_configuration_is_given_once(library: Any) -> None:
    config = library.WasiConfig()
    Program(library, config)
    for use in (
        lambda: setattr(config, "argv", ["a"]),
        lambda: config.inherit_env(),
        lambda: config.preopen_dir(".", "/"),
        lambda: library.Store().set_wasi(config),
    ):
        with pytest.raises(ValueError, match="already closed"):
            use()
    config.close()


def test_a_closed_configuration(library: Any, files: Path) -> None:
    with library.WasiConfig() as config:
        config.argv = ["a"]
    with pytest.raises(ValueError, match="already closed"):
        config.inherit_stdout()
    with pytest.raises(ValueError, match="already closed"):
        config.stdout_file = files / "in.txt"
    assert (files / "in.txt").read_bytes() == b"hello input"


@pytest.mark.parametrize("name", ["argv", "env", "stdin_file", "stdout_custom", "stderr_file"])
def test_attributes_cannot_be_read(library: Any, name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(library.WasiConfig(), name)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("argv", None, TypeError),
        ("argv", ["a\0b"], WasmtimeError),
        ("argv", ["\ud800"], WasmtimeError),
        ("argv", [b"a"], WasmtimeError),
        ("env", None, TypeError),
        ("env", [["A"]], ValueError),
        ("env", [["A", 1]], TypeError),
        ("env", [["", "text"]], WasmtimeError),
        ("stdin_file", 0, TypeError),
        ("stdin_file", "a\0b", WasmtimeError),
        ("stdout_custom", None, TypeError),
    ],
)
def test_what_cannot_be_granted(name: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        setattr(WasiConfig(), name, value)


def test_files_are_closed_without_a_warning(files: Path) -> None:
    config = WasiConfig()
    config.stdin_file = files / "in.txt"
    config.inherit_stdin()
    config.stdout_file = files / "out.txt"
    del config
