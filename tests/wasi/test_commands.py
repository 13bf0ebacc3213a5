"""Programs: their arguments, streams, exit codes, and what is no program."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import (
    CommandResult,
    DeadlineExceeded,
    Exited,
    FixedClock,
    InvalidOptionError,
    LinkError,
    Module,
    NotACommandError,
    Quotas,
    ResourceLimits,
    Trap,
    TrapReason,
    Wasi,
    instantiate,
    run_command,
)

Wat = Callable[[str], bytes]

IMPORTS = {
    "args_get": "i32 i32",
    "args_sizes_get": "i32 i32",
    "environ_get": "i32 i32",
    "environ_sizes_get": "i32 i32",
    "fd_read": "i32 i32 i32 i32",
    "fd_write": "i32 i32 i32 i32",
    "clock_time_get": "i32 i64 i32",
    "random_get": "i32 i32",
    "poll_oneoff": "i32 i32 i32 i32",
    "sched_yield": "",
}


def program(body: str, data: str = "", start: str = "_start") -> str:
    """Return the text of a program; `$check` exits with an error number that is not 0."""
    imports = "".join(
        f'(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {params}) (result i32)))'
        for name, params in IMPORTS.items()
    )
    return f"""(module
      {imports}
      (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
      (memory (export "memory") 1)
      {data}
      (func $check (param i32) (if (local.get 0) (then (call $proc_exit (local.get 0)))))
      (func $write (param $fd i32) (param $start i32) (param $size i32)
        (i32.store (i32.const 65520) (local.get $start))
        (i32.store (i32.const 65524) (local.get $size))
        (call $check (call $fd_write (local.get $fd) (i32.const 65520) (i32.const 1)
          (i32.const 65528))))
      (func (export "{start}") {body}))"""


#: It writes its arguments, separated by zeros, and its environment to the other stream.
ARGUMENTS = program("""
    (call $check (call $args_sizes_get (i32.const 0) (i32.const 4)))
    (call $check (call $args_get (i32.const 16) (i32.const 1024)))
    (call $write (i32.const 1) (i32.const 1024) (i32.load (i32.const 4)))
    (call $check (call $environ_sizes_get (i32.const 0) (i32.const 4)))
    (call $check (call $environ_get (i32.const 16) (i32.const 1024)))
    (call $write (i32.const 2) (i32.const 1024) (i32.load (i32.const 4)))""")

#: It copies its input to its output, 10 bytes at a time.
COPY = program("""
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 10))
    (loop $again
      (call $check (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (if (i32.load (i32.const 8)) (then
        (call $write (i32.const 1) (i32.const 1024) (i32.load (i32.const 8)))
        (br $again))))""")

HELLO = program(
    "(call $write (i32.const 1) (i32.const 0) (i32.const 6))", '(data (i32.const 0) "hello\\n")'
)


def run(wat: Wat, text: str, wasi: Wasi | None = None, **named: Any) -> CommandResult:
    return run_command(wat(text), wasi, **named)


def test_arguments_and_environment(wat: Wat, engine: str) -> None:
    wasi = Wasi(args=("prog", "ä b", ""), env={"HOME": "/", "X": "1=2"})
    result = run(wat, ARGUMENTS, wasi, engine=engine)
    assert result == CommandResult(0, "prog\0ä b\0\0".encode(), b"HOME=/\0X=1=2\0")
    assert run(wat, ARGUMENTS, engine=engine) == CommandResult(0, b"", b"")


@pytest.mark.parametrize("code", [0, 1, 125, 200, 0xFFFFFFFF])
def test_exit_codes(wat: Wat, engine: str, code: int) -> None:
    text = program(f"(call $proc_exit (i32.const {code})) unreachable")
    assert run(wat, text, engine=engine).exit_code == code
    instance = instantiate(wat(text), engine=engine, wasi=True)
    with pytest.raises(Exited) as caught:
        instance.exports.function("_start")()
    assert (caught.value.code, caught.value.reason) == (code, TrapReason.EXITED)
    assert [frame.name for frame in caught.value.frames] == ["_start"]


#: What stands for the standard input "a line and another".
TEXT = b"a line and another"


def in_pieces(data: bytes) -> Callable[[int], bytes]:
    file = io.BytesIO(data)
    return lambda size: file.read(min(size, 3))


@pytest.mark.parametrize("kind", ["bytes", "file", "unbuffered file", "function", "pipe"])
def test_inputs(wat: Wat, kind: str, tmp_path: Any) -> None:
    path = tmp_path / "in"
    path.write_bytes(TEXT)
    reading, writing = os.pipe()
    os.write(writing, TEXT)
    os.close(writing)
    with (
        path.open("rb") as file,
        path.open("rb", buffering=0) as unbuffered,
        os.fdopen(reading, "rb") as pipe,
    ):
        stdin: Any = {
            "bytes": TEXT,
            "file": file,
            "unbuffered file": unbuffered,
            "function": in_pieces(TEXT),
            "pipe": pipe,
        }[kind]
        assert run(wat, COPY, Wasi(stdin=stdin)) == CommandResult(0, TEXT, b"")


def test_what_a_thread_reads(wat: Wat, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Where the system cannot tell whether a read would wait."""
    monkeypatch.setattr("purewasm_plugins.wasi.streams._IS_WINDOWS", True)
    path = tmp_path / "in"
    path.write_bytes(TEXT)
    with path.open("rb") as file:
        assert run(wat, COPY, Wasi(stdin=file)).stdout == TEXT
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        with pytest.raises(DeadlineExceeded):
            run(wat, COPY, Wasi(stdin=pipe), limits=ResourceLimits(timeout=0.2))
        # The thread still reads: the pipe cannot be closed before that has ended.
        os.close(writing)


def test_an_input_that_never_comes_ends_with_the_deadline(wat: Wat, engine: str) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, pytest.raises(DeadlineExceeded):
        run(wat, COPY, Wasi(stdin=pipe), engine=engine, limits=ResourceLimits(timeout=0.2))
    os.close(writing)


def test_outputs(wat: Wat, capfd: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    pieces: list[bytes] = []
    assert run(wat, HELLO, Wasi(stdout=pieces.append)).stdout == b""
    assert pieces == [b"hello\n"]
    with (tmp_path / "out").open("wb") as file:
        run(wat, HELLO, Wasi(stdout=file))
        assert (tmp_path / "out").read_bytes() == b"hello\n"
    run(wat, HELLO, Wasi(stdout="discard"))
    assert capfd.readouterr().out == ""
    run(wat, HELLO, Wasi(stdout="inherit"))
    assert capfd.readouterr().out == "hello\n"


def test_exceptions_of_streams_come_out(wat: Wat, engine: str) -> None:
    """They are the host's: no error number hides them."""

    def full(data: bytes) -> None:
        raise OSError(28, "full")

    with pytest.raises(OSError, match="full"):
        run(wat, HELLO, Wasi(stdout=full), engine=engine)
    with pytest.raises(TypeError, match="the standard input returned str, not bytes"):
        run(wat, COPY, Wasi(stdin=lambda size: "text"), engine=engine)  # type: ignore[arg-type, return-value]


def test_the_quota_of_output(wat: Wat) -> None:
    """A part is written as on a disk that is full, then comes ENOSPC (51)."""
    assert run(wat, HELLO, Wasi(quotas=Quotas(output_bytes=6))).exit_code == 0
    assert run(wat, HELLO, Wasi(quotas=Quotas(output_bytes=4))) == CommandResult(0, b"hell", b"")
    assert run(wat, HELLO, Wasi(quotas=Quotas(output_bytes=0))) == CommandResult(51, b"", b"")


def test_a_run_is_the_same_each_time(wat: Wat) -> None:
    text = program("""
        (call $check (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0)))
        (call $check (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 8)))
        (call $check (call $random_get (i32.const 16) (i32.const 16)))
        (call $write (i32.const 1) (i32.const 0) (i32.const 32))""")
    first, second = (run(wat, text).stdout for _ in range(2))
    assert first == second
    assert first[:16] == (0).to_bytes(8, "little") + (1000).to_bytes(8, "little")
    assert run(wat, text, Wasi(random=1)).stdout[16:] != first[16:]
    clock = FixedClock(10**18, 5)
    assert run(wat, text, Wasi(clock=clock)).stdout[:8] == (10**18).to_bytes(8, "little")
    host = run(wat, text, Wasi(clock="host", random="host")).stdout
    assert int.from_bytes(host[:8], "little") > 10**18
    assert run(wat, text, Wasi(random="host")).stdout[16:] != host[16:]


#: One relative sleep of the monotonic clock, of an hour.
SLEEP = program(
    """(call $check (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
       (call $check (i32.ne (i32.load (i32.const 128)) (i32.const 1)))""",
    '(data (i32.const 16) "\\01") (data (i32.const 24) "\\00\\a0\\b8\\30\\46\\03")',
)


def test_a_sleep_ends_with_the_deadline_and_when_cancelled(wat: Wat, engine: str) -> None:
    wasi = Wasi(clock="host")
    with pytest.raises(DeadlineExceeded):
        run(wat, SLEEP, wasi, engine=engine, limits=ResourceLimits(timeout=0.1))
    instance = instantiate(wat(SLEEP), engine=engine, wasi=wasi, limits=ResourceLimits(timeout=60))
    timer = threading.Timer(0.3, instance.cancel)
    timer.start()
    with pytest.raises(Trap) as caught:
        instance.exports.function("_start")()
    assert caught.value.reason is TrapReason.CANCELLED


def test_a_sleep_by_a_fixed_clock_takes_no_time(wat: Wat, engine: str) -> None:
    assert run(wat, SLEEP, engine=engine, limits=ResourceLimits(timeout=5)).exit_code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(module)", "the module is no command: it exports no '_start'"),
        (
            '(module (func (export "_initialize")))',
            "it exports no '_start': it is a reactor, whose exports are called",
        ),
        (
            '(module (func (export "plugin_tool_execute")))',
            "it exports no '_start': it is a plugin, whose tools can be run",
        ),
        (
            '(module (func (export "_start") (param i32)))',
            "its export '_start' is (i32) -> (), and no function () -> ()",
        ),
        (
            '(module (memory (export "_start") 1))',
            "its export '_start' is",
        ),
    ],
)
def test_what_is_no_command(wat: Wat, text: str, words: str) -> None:
    with pytest.raises(NotACommandError) as caught:
        run(wat, text)
    assert words in str(caught.value)


def test_a_module_without_a_grant_is_refused(wat: Wat) -> None:
    with pytest.raises(LinkError, match="wasi_snapshot_preview1"):
        instantiate(wat(HELLO))
    with pytest.raises(InvalidOptionError):
        instantiate(wat(HELLO), wasi=1)  # type: ignore[arg-type]


def test_an_unknown_function_of_wasi_is_named(wat: Wat) -> None:
    text = '(module (import "wasi_snapshot_preview1" "fd_wrote" (func)) (func (export "_start")))'
    with pytest.raises(LinkError, match=r"did you mean 'wasi_snapshot_preview1\.fd_write'"):
        run(wat, text)


def test_a_function_of_another_type_is_refused(wat: Wat) -> None:
    text = '(module (import "wasi_snapshot_preview1" "fd_close" (func)) (func (export "_start")))'
    with pytest.raises(LinkError, match="incompatible import type"):
        run(wat, text)


def test_a_function_can_be_replaced(wat: Wat, engine: str) -> None:
    seen: list[int] = []

    def fd_write(fd: int, buffers: int, count: int, result: int) -> int:
        seen.append(fd)
        return 0

    imports = {"wasi_snapshot_preview1": {"fd_write": fd_write}}
    assert run(wat, HELLO, imports=imports, engine=engine) == CommandResult(0, b"", b"")
    assert seen == [1]


def test_instances_have_a_state_each(wat: Wat) -> None:
    module = Module.compile(wat(COPY))
    first, second = (module.instantiate(wasi=Wasi(stdin=TEXT)) for _ in range(2))
    first.exports.function("_start")()
    assert (first.wasi.stdout, second.wasi.stdout) == (TEXT, b"")
    second.exports.function("_start")()
    assert second.wasi.stdout == TEXT


def test_a_read_into_two_buffers_does_not_wait_for_the_second(wat: Wat) -> None:
    text = program(
        """(call $check (call $fd_read (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 16)))
           (call $write (i32.const 1) (i32.const 1024) (i32.load (i32.const 16)))""",
        '(data (i32.const 0) "\\00\\04\\00\\00\\03\\00\\00\\00\\03\\04\\00\\00\\0a\\00\\00\\00")',
    )
    reading, writing = os.pipe()
    os.write(writing, b"abc")
    with os.fdopen(reading, "rb") as pipe:
        assert run(wat, text, Wasi(stdin=pipe), limits=ResourceLimits(timeout=5)).stdout == b"abc"
    os.close(writing)
