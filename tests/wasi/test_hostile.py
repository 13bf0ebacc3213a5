"""What a module or a host does wrong: each ends in an error number, a trap, or words."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from purewasm_plugins import (
    Aborted,
    FixedClock,
    HostDirectory,
    Instance,
    InvalidOptionError,
    Limits,
    Memory,
    MemoryDirectory,
    MemoryType,
    OutOfFuel,
    Quotas,
    ResourceLimits,
    Trap,
    TrapReason,
    Wasi,
    instantiate,
    run_command,
)
from purewasm_plugins.wasi.errno import Errno
from purewasm_plugins.wasi.preview1 import SIGNATURES

from .guest import ALLOCATE, CREAT, DIRECTORY, READ, SET_SIZE, WRITE, Guest, Refused
from .test_commands import COPY, HELLO, TEXT

Wat = Callable[[str], bytes]


# Streams


def _closed() -> io.BytesIO:
    file = io.BytesIO()
    file.close()
    return file


@pytest.mark.parametrize(
    ("field", "given", "words"),
    [
        ("stdin", io.StringIO(), "it is a file of text: give it opened as binary"),
        ("stdout", io.StringIO(), "it is a file of text: give it opened as binary"),
        ("stdin", _closed(), "the file is closed"),
        ("stderr", _closed(), "the file is closed"),
        ("stdin", io.BufferedWriter(io.FileIO(os.devnull, "w")), "the file is not readable"),
        ("stdout", io.FileIO(os.devnull, "r"), "the file is not writable"),
        ("stdin", io.BytesIO, "it is the class BytesIO, and no open file"),
        ("stdout", io.BytesIO, "it is the class BytesIO, and no open file"),
    ],
)
def test_files_that_can_only_fail(field: str, given: Any, words: str) -> None:
    with pytest.raises(InvalidOptionError, match=words):
        Wasi(**{field: given})


def test_a_file_that_is_closed_later(wat: Wat) -> None:
    file = io.BytesIO()
    wasi = Wasi(stdin=file, stdout=file)
    file.close()
    for text in (COPY, HELLO):
        with pytest.raises(ValueError, match="closed file"):
            run_command(wat(text), wasi)


class Stubborn(io.RawIOBase):
    """A file that takes some bytes at a time, and then none."""

    def __init__(self, takes: list[int | None]) -> None:
        self.takes = takes

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int | None:
        return self.takes.pop(0)


@pytest.mark.parametrize(
    ("takes", "written"),
    [([2, 1], 3), ([1, 0], 1), ([1, None], 1), ([9], 3), ([0], None), ([None], None), ([-5], None)],
)
def test_files_that_take_a_part(takes: list[int | None], written: int | None) -> None:
    """What was not taken does not count for the quota."""
    guest = Guest(Wasi(stdout=Stubborn([*takes, 99]), quotas=Quotas(output_bytes=10)))
    if written is None:
        with pytest.raises(Refused) as caught:
            guest.write(1, b"abc")
        assert caught.value.errno is Errno.AGAIN
    else:
        assert guest.write(1, b"abc") == written
    assert guest.write(1, b"x" * 99) == 10 - (written or 0)


@pytest.mark.skipif(os.name == "nt", reason="of POSIX")
def test_an_input_with_a_high_number(wat: Wat) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1100:
        pytest.skip("this process may not open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1100), hard))
    reading, writing = os.pipe()
    try:
        os.dup2(reading, 1050)
        os.write(writing, TEXT)
        os.close(writing)
        with os.fdopen(1050, "rb") as pipe:
            assert run_command(wat(COPY), Wasi(stdin=pipe)).stdout == TEXT
    finally:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("start", "step"), [("a", 1), (1.5, 1), (0, None), (True, 1), (-1, 1), (0, -7), (1 << 64, 1)]
)
def test_clocks_that_are_none(start: Any, step: Any) -> None:
    with pytest.raises(InvalidOptionError, match="must be an int from 0 on, of up to 64 bits"):
        FixedClock(start, step)


def test_the_last_moment() -> None:
    """A clock goes on behind what 64 bits hold, as the module sees it from 0 on."""
    guest = Guest(Wasi(clock=FixedClock((1 << 64) - 1, 3)))
    seen = []
    for _ in range(2):
        guest.call("clock_time_get", 0, 0, 0)
        seen.append(guest.memory.read_u64(0))
    assert seen == [(1 << 64) - 1, 2]


# Modules

IMPORT = '(import "wasi_snapshot_preview1"'


def test_exit_without_a_memory(wat: Wat, engine: str) -> None:
    text = f"""(module {IMPORT} "proc_exit" (func $exit (param i32)))
      (func (export "_start") (call $exit (i32.const 3))))"""
    assert run_command(wat(text), engine=engine).exit_code == 3


@pytest.mark.parametrize("memory", ["", "(memory 0)", '(import "env" "memory" (memory 0))'])
def test_an_address_where_there_is_no_memory(wat: Wat, engine: str, memory: str) -> None:
    text = f"""(module {IMPORT} "random_get" (func $random (param i32 i32) (result i32)))
      {memory} (func (export "_start") (drop (call $random (i32.const 0) (i32.const 1)))))"""
    imports = {"env": {"memory": Memory(MemoryType(Limits(0)))}}
    with pytest.raises(Trap) as caught:
        run_command(wat(text), imports=imports, engine=engine)
    assert caught.value.reason is TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS


def test_a_memory_that_the_host_gives(wat: Wat, engine: str) -> None:
    memory = Memory(MemoryType(Limits(1)))
    text = f"""(module {IMPORT} "random_get" (func $random (param i32 i32) (result i32)))
      (import "env" "memory" (memory 1))
      (func (export "_start") (drop (call $random (i32.const 9) (i32.const 100)))))"""
    run_command(wat(text), imports={"env": {"memory": memory}}, engine=engine)
    assert any(memory.read(9, 100))
    assert not any(memory.read(0, 9))


# Time


_SIZE = 60 << 20


@pytest.mark.parametrize(
    "grow",
    [
        lambda guest, file: guest.call("fd_filestat_set_size", file, _SIZE),
        lambda guest, file: guest.call("fd_allocate", file, 0, _SIZE),
        lambda guest, file: guest.write(file, b"x", offset=_SIZE),
    ],
)
def test_a_file_that_grows_pays_for_its_bytes(grow: Callable[[Guest, int], Any]) -> None:
    """A limit ends the call in the middle; the file stays as it was."""
    content = MemoryDirectory()
    guest = Guest(Wasi(directories={"/": content}), limits=ResourceLimits(fuel=10_000))
    file = guest.open("f", CREAT, WRITE | ALLOCATE | SET_SIZE)
    guest.write(file, b"before")
    with pytest.raises(OutOfFuel):
        grow(guest, file)
    assert content.files() == {"f": b"before"}
    assert guest.status_of(file).size == 6
    guest.call("fd_filestat_set_size", file, 8)
    assert content.files() == {"f": b"before\0\0"}


@pytest.mark.parametrize("kind", ["memory", "host"])
def test_entries_of_a_directory_are_paid_for(kind: str, tmp_path: Path) -> None:
    names = [f"{number}" for number in range(700)]
    for name in names:
        (tmp_path / name).touch()
    directory = (
        HostDirectory(tmp_path, read_only=False)
        if kind == "host"
        else MemoryDirectory(dict.fromkeys(names, b""))
    )
    grants = Wasi(directories={"/": directory})
    guest = Guest(grants, limits=ResourceLimits(fuel=9))
    with pytest.raises(OutOfFuel):
        guest.names(3)
    if kind == "host":
        # They are counted before there is another.
        with pytest.raises(OutOfFuel):
            guest.call("path_create_directory", 3, "new")
        assert not (tmp_path / "new").exists()
    guest.close()


# Room


def _after_the_first(guest: Guest, directory: int) -> int:
    """Return the bytes that a directory goes on with behind the entry "."."""
    guest.call("fd_readdir", directory, 0x80000, 1000, 1, 0x100)
    return guest.memory.read_u32(0x100)


def test_listings_that_are_kept_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten, so that the module sees what is there now."""
    monkeypatch.setattr("purewasm_plugins.wasi.descriptors.MOST_LISTED", 10)
    guest = Guest(Wasi(directories={"/": MemoryDirectory({"a": b"", "b": b""})}))
    opened = [guest.open(".", DIRECTORY) for _ in range(3)]
    for directory in opened:
        guest.names(directory)
    for name in "ab":
        guest.call("path_unlink_file", 3, name)
    nothing, two = 24 + 2, 24 + 2 + 2 * (24 + 1)
    assert [_after_the_first(guest, directory) for directory in opened] == [nothing, two, two]
    # A listing that is longer than all that are kept is kept alone.
    for number in range(12):
        guest.call("path_create_directory", 3, f"{number}")
    assert len(guest.names(opened[1])) == 14
    for number in range(12):
        guest.call("path_remove_directory", 3, f"{number}")
    assert _after_the_first(guest, opened[1]) > two
    assert _after_the_first(guest, opened[2]) == nothing


# What compilers import


def test_a_jump_out_of_what_ends_a_jump(wat: Wat, engine: str) -> None:
    text = """(module
      (import "env" "invoke_v" (func $invoke (param i32)))
      (import "env" "_emscripten_throw_longjmp" (func $jump))
      (table (export "__indirect_function_table") 1 funcref) (elem (i32.const 0) $jump)
      (global (export "__stack_pointer") (mut i32) (i32.const 0)) (memory (export "memory") 1)
      (func (export "setThrew") (param i32 i32) (call $jump))
      (func (export "_start") (call $invoke (i32.const 0))))"""
    with pytest.raises(Aborted, match="longjmp to a function that has returned"):
        run_command(wat(text), engine=engine)


# Directories


def test_a_relative_path_stays_the_same_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin opens it anew after a trap, when the process may be elsewhere."""
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    monkeypatch.chdir(tmp_path / "a")
    directory = HostDirectory(".")
    copied = pickle.loads(pickle.dumps(directory))
    monkeypatch.chdir(tmp_path / "b")
    for grant in (directory, copied):
        guest = Guest(Wasi(directories={"/": grant}))
        assert guest.content("file") == b"a"
        guest.close()
    assert directory.path == "."


def test_a_path_without_a_quota() -> None:
    guest = Guest(Wasi(directories={"/": MemoryDirectory()}, quotas=Quotas(path_bytes=None)))
    guest.memory.grow(32)
    for size, errno in ((1 << 20, Errno.NOENT), ((1 << 20) + 1, Errno.NAMETOOLONG)):
        with pytest.raises(Refused) as caught:
            guest.call("path_create_directory", 3, ("a/" * size)[:size])
        assert caught.value.errno is errno


def test_no_room_is_an_error_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(size: int) -> bytes:
        raise MemoryError

    monkeypatch.setattr("os.urandom", no_room)
    guest = Guest(Wasi(random="host"))
    with pytest.raises(Refused) as caught:
        guest.call("random_get", 0, 1)
    assert caught.value.errno is Errno.NOMEM


# Instances that are linked


def test_a_stream_that_calls_an_instance_with_the_same_functions(wat: Wat, engine: str) -> None:
    """Each gets its result in its own memory."""
    text = """(module
      (import "{module}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (export "fd_write" (func $write)) (memory (export "memory") 1)
      (data (i32.const 0) "\\10\\00\\00\\00\\{size:02x}\\00\\00\\00")
      (func (export "go") (drop (call $write
        (i32.const {fd}) (i32.const 0) (i32.const 1) (i32.const {result})))))"""

    def call_the_other(data: bytes) -> None:
        others[0].exports.function("go")()

    others: list[Instance] = []
    outer = wat(text.format(module="wasi_snapshot_preview1", size=3, fd=1, result=64))
    inner = wat(text.format(module="outer", size=5, fd=2, result=32))
    one = instantiate(outer, engine=engine, wasi=Wasi(stdout=call_the_other))
    others.append(instantiate(inner, {"outer": one.exports}, engine=engine))
    one.exports.function("go")()
    memories = [instance.exports.memory() for instance in (one, others[0])]
    assert [[memory.read_u32(at) for at in (64, 32)] for memory in memories] == [[3, 0], [0, 5]]


# Any arguments

_NUMBERS = (
    *range(10),
    *(0x100, 0x200, 0x400, 0xFFFF, 0x100000, (1 << 26) + 1),
    *(1 << bits for bits in (31, 32, 40, 63)),
    *((1 << bits) - 1 for bits in (16, 31, 32, 63, 64)),
)


def _arguments(letters: str) -> st.SearchStrategy[tuple[int, ...]]:
    """Arguments of a function; the first is a descriptor that is open, more often than not."""
    numbers = st.sampled_from(_NUMBERS)
    first = st.sampled_from((3, 4, 4, 5)) | numbers
    return st.tuples(*([first] if letters else []), *[numbers] * (len(letters) - 1))


_CALLS = st.sampled_from([*SIGNATURES]).flatmap(
    lambda name: st.tuples(st.just(name), _arguments(SIGNATURES[name]))
)


@pytest.mark.parametrize("kind", ["memory", "host"])
@given(calls=st.lists(_CALLS, min_size=10, max_size=40), path=st.sampled_from(["f", "d/f", ".."]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_arguments(
    tmp_path: Path, kind: str, calls: list[tuple[str, tuple[int, ...]]], path: str
) -> None:
    """Whatever a module passes, it gets an error number, or a trap ends the call."""
    directory: Any = MemoryDirectory({"d/f": b"", "f": b""})
    if kind == "host":
        directory = HostDirectory(tmp_path, read_only=False)
    wasi = Wasi(args=("a",), stdin=b"input", directories={"/": directory})
    guest = Guest(wasi, limits=ResourceLimits(timeout=5))
    guest.open("f", CREAT, READ | WRITE | ALLOCATE | SET_SIZE)
    guest.open(".", DIRECTORY)
    for name, arguments in calls:
        guest.memory.write(0x100, path.encode())
        guest.memory.write(0x200, struct.pack("<IIII", 0x100, len(path), 0x400, 9))
        fitting = [
            value if letter == "I" else value & 0xFFFFFFFF
            for value, letter in zip(arguments, SIGNATURES[name], strict=True)
        ]
        with contextlib.suppress(Trap, Refused):
            guest.call(name, *fitting)
    guest.close()
