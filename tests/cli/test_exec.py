"""`purewasm exec`: programs with the streams, directories and exit status of this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import click
import pytest
from click.testing import Result

from purewasm_plugins.cli.exits import Exit
from purewasm_plugins.cli.wasi import granted_directory
from tests.conftest import DISTURBED, ROOT, assemble, heed_interrupts
from tests.wasi.test_commands import ARGUMENTS, COPY, HELLO, program

Command = Callable[..., Result]
Failing = Callable[..., tuple[int, str]]

PROGRAMS = ROOT / "fixtures/programs"

#: `$open` opens a new file of a name of one letter in the first directory, and returns its number.
FILES = """
  (import "wasi_snapshot_preview1" "path_open" (func $path_open
    (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))"""
OPEN = """
  (func $open (param $letter i32) (result i32)
    (i32.store8 (i32.const 100) (local.get $letter))
    (call $check (call $path_open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 1)
      (i32.const 1) (i64.const 0x40) (i64.const 0) (i32.const 0) (i32.const 104)))
    (i32.load (i32.const 104)))
  (func $fill (param $letter i32) (param $size i32)
    (call $write (call $open (local.get $letter)) (i32.const 1024) (local.get $size)))"""

#: Where the calls of `$write` in these programs fail, the error number is the exit status.
NOSPC, FBIG, MFILE, PERM = 51, 22, 33, 63


def with_files(body: str) -> str:
    text = program(body, OPEN)
    return text.replace("(module", "(module" + FILES, 1)


def two_files(after: str = "") -> str:
    return with_files(f"""
        (drop (call $open (i32.const 97))) {after} (drop (call $open (i32.const 98)))""")


LOOP = program("(loop $again (br $again))")
#: It sleeps for an hour: a relative time of the monotonic clock.
SLEEP = program("""
    (i32.store8 (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 3600000000000))
    (call $write (i32.const 1) (i32.const 0) (i32.const 1))
    (drop (call $poll_oneoff (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 200)))""")
ENDLESS = program(
    "(loop $again (call $write (i32.const 1) (i32.const 0) (i32.const 64)) (br $again))"
)
ENDLESS_ERRORS = ENDLESS.replace("(call $write (i32.const 1)", "(call $write (i32.const 2)")
READY = "(call $write (i32.const 1) (i32.const 0) (i32.const 1))"


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], str]:
    """`made(text)`: the path of a program, `tmp_path / "prog.wasm"`."""

    def made(text: str) -> str:
        path = tmp_path / "prog.wasm"
        path.write_bytes(assemble(text))
        return str(path)

    return made


Made = Callable[[str], str]


def exits_with(code: int) -> str:
    return program(f"(call $proc_exit (i32.const {code}))")


def test_all_that_follows_the_program_is_its_own(command: Command, made: Made) -> None:
    path = made(ARGUMENTS)
    given = ("--help", "-x", "--", "--dir", "ä", "")
    for before in ((), ("--",)):
        result = command("exec", *before, path, *given)
        assert result.stdout == "\0".join(("prog.wasm", *given, ""))
        assert (result.stderr, result.exit_code) == ("", 0)


def test_variables(command: Command, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "own")
    monkeypatch.setenv("HIDDEN", "no")
    result = command("exec", "--env", "A=1=2", "--env", "MINE", "--env", "B=", made(ARGUMENTS))
    assert result.stderr == "A=1=2\0MINE=own\0B=\0"


@pytest.mark.parametrize(
    ("code", "status"), [(0, 0), (3, 3), (255, 255), (256, 0), (300, 44), (0xFFFFFFFF, 255)]
)
def test_the_exit_status_is_the_programs(
    command: Command, made: Made, code: int, status: int, engine: str
) -> None:
    result = command("exec", "--engine", engine, made(exits_with(code)))
    assert (result.exit_code, result.output) == (status, "")


def test_a_program_that_exits_while_it_starts(command: Command, made: Made) -> None:
    start = program("(call $proc_exit (i32.const 5))", start="early")
    text = start.replace('(func (export "early")', '(func (export "_start")) (start $f) (func $f')
    assert command("exec", made(text)).exit_code == 5


def test_standard_input(command: Command, made: Made, tmp_path: Path) -> None:
    path = made(COPY)
    data = b"some text\xff and more\n"
    assert command("exec", path, input=data).stdout_bytes == data
    (tmp_path / "input").write_bytes(b"of a file")
    result = command("exec", "--stdin", str(tmp_path / "input"), path, input=data)
    assert result.stdout_bytes == b"of a file"


@pytest.mark.parametrize("language", ["c", "cpp", "rust", "zig"])
def test_a_directory_is_changed(command: Command, tmp_path: Path, language: str) -> None:
    (tmp_path / "notes.txt").write_bytes(b"red\ngreen\n")
    (tmp_path / "empty").mkdir()
    path = str(PROGRAMS / f"files_{language}.wasm")
    result = command(
        *("exec", "--dir", f"{tmp_path}::/work", "--env", "GREETING=good day", path, "/work", "x"),
        input=b"first\n",
    )
    assert (result.exit_code, result.stderr) == (7, "the end\n")
    assert {"environment: good day", "line 1: first", "notes: green", "random: yes"} <= {
        *result.stdout.splitlines()
    }
    assert [entry.name for entry in tmp_path.iterdir()] == ["made"]
    assert (tmp_path / "made/moved.txt").read_bytes() == b"one\nTWO\nthree\n"


@pytest.mark.parametrize(
    ("text", "guest", "host", "read_only"),
    [
        ("{0}", "{0}", "{0}", False),
        ("{0}:ro", "{0}", "{0}", True),
        ("{0}::/data", "/data", "{0}", False),
        ("{0}::/data:ro", "/data", "{0}", True),
        ("{0}::ro", "ro", "{0}", False),
        ("{0}::a:b", "a:b", "{0}", False),
        ("{0}/x::y::/data:ro", "/data", "{0}/x::y", True),
        ("{0}/x:ro::/data", "/data", "{0}/x:ro", False),
        (".", ".", ".", False),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="no colons in names there")
def test_what_dir_grants(tmp_path: Path, text: str, guest: str, host: str, read_only: bool) -> None:
    (tmp_path / "x::y").mkdir()
    (tmp_path / "x:ro").mkdir()
    found, directory = granted_directory(text.format(tmp_path))
    assert found == guest.format(tmp_path)
    assert repr(directory) == f"HostDirectory({host.format(tmp_path)!r}, read_only={read_only})"


def test_a_drive_is_no_separator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On any system: `C:` is a name there, where it is one."""
    if os.name == "nt":
        text, host = f"{tmp_path}:ro", str(tmp_path)
    else:
        monkeypatch.chdir(tmp_path)
        Path("C:\\data").mkdir()
        text, host = "C:\\data:ro", "C:\\data"
    guest, directory = granted_directory(text)
    assert (guest, directory.read_only) == (host, True)
    guest, _ = granted_directory(f"{host}::/data")
    assert guest == "/data"


@pytest.mark.parametrize(
    "text", ["", ":ro", "::", "::/data", "{0}::", "{0}/no", "{0}/file", "a\0b"]
)
def test_what_dir_refuses(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(click.BadParameter):
        granted_directory(text.format(tmp_path))


def test_only_for_reading(command: Command, made: Made, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    path = made(two_files())
    assert command("exec", "--dir", f"{tmp_path / 'd'}:ro", path).exit_code == PERM
    assert not [*(tmp_path / "d").iterdir()]
    assert command("exec", "--dir", str(tmp_path / "d"), path).exit_code == 0
    assert {entry.name for entry in (tmp_path / "d").iterdir()} == {"a", "b"}


@pytest.mark.parametrize(
    ("option", "text", "status"),
    [
        ("--limit-output=100", ENDLESS, NOSPC),
        ("--limit-files=1", two_files(), NOSPC),
        ("--limit-open-files=5", two_files(), MFILE),
        (
            "--limit-file-size=1KiB",
            with_files("(call $fill (i32.const 97) (i32.const 2048))"),
            FBIG,
        ),
        (
            "--limit-total-size=3KB",
            with_files(
                "(call $fill (i32.const 97) (i32.const 2048))"
                "(call $fill (i32.const 98) (i32.const 2048))"
            ),
            NOSPC,
        ),
    ],
)
def test_a_quota_names_its_option(
    command: Command, made: Made, tmp_path: Path, option: str, text: str, status: int
) -> None:
    (tmp_path / "d").mkdir()
    path = made(text)
    result = command("exec", "--dir", str(tmp_path / "d"), option, path)
    assert result.exit_code == status
    name = option.partition("=")[0]
    assert result.stderr.endswith(f": {name} raises it\n")
    assert len(result.stderr.splitlines()) == 1
    if text is not ENDLESS:
        result = command("exec", "--dir", str(tmp_path / "d"), f"{name}=none", path)
        assert (result.exit_code, result.stderr) == (0, "")


def test_a_copied_directory_is_copied_back_at_the_end(
    command: Command, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("purewasm_plugins.wasi.host_files.IN_PLACE", False)
    directory = tmp_path / "d"
    directory.mkdir()
    ended = with_files("(drop (call $open (i32.const 97))) (call $proc_exit (i32.const 9))")
    trapped = with_files("(drop (call $open (i32.const 98))) unreachable")
    for text, status, names in ((ended, 9, {"a"}), (trapped, Exit.TRAP, {"a", "b"})):
        assert command("exec", "--dir", str(directory), made(text)).exit_code == status
        assert {entry.name for entry in directory.iterdir()} == names
    assert command("exec", "--dir", f"{directory}:ro", made(ended)).exit_code == PERM


def test_a_directory_that_is_too_large_to_list(command: Command, tmp_path: Path) -> None:
    for name in ("a", "b", "notes.txt"):
        (tmp_path / name).touch()
    path = str(PROGRAMS / "files_c.wasm")
    result = command("exec", "--dir", f"{tmp_path}::/work", "--limit-files=2", path, "/work")
    assert "entry: a" not in result.stdout
    assert (
        "purewasm: a quota did not let the program use a larger directory: --limit-files raises it"
        in result.stderr.splitlines()
    )


def test_sentences_for_what_cannot_be_run(
    failure: Failing, made: Made, tmp_path: Path, path: Callable[[str], str]
) -> None:
    hello = made(HELLO)
    for arguments, status, sentence in (
        (("no.wasm",), 3, "Failed to read program 'no.wasm': No such file or directory"),
        ((str(tmp_path),), 3, f"'{tmp_path}' is a directory, with 1 .wasm file: name one"),
        ((__file__,), 3, f"{__file__}: no valid module: magic header not detected (at byte 0x0)"),
        (("--stdin", "no", hello), 2, "cannot read 'no': No such file or directory"),
        (("--limit-memory=0", hello), 3, f"{hello}: the module asks for 1 memory pages"),
        ((), 2, "Missing argument 'PROGRAM'"),
        (("--dir", "no", hello), 2, "Invalid value for '--dir': the directory 'no' cannot be used"),
        (("--dir", hello, hello), 2, f"Invalid value for '--dir': the directory '{hello}' cannot"),
        (("--dir", ".", "--dir", ".", hello), 2, "Two directories have the path '.'"),
        (("--env", "NO_SUCH", hello), 2, "Invalid value for '--env': this process has no variable"),
        (("--env", "=x", hello), 2, "Invalid value for '--env': '=x' is not NAME=VALUE"),
        ((hello, "\udcff"), 2, "an argument or variable is not UTF-8: '\\udcff' holds"),
        ((path("echo"),), 3, f"{path('echo')}: the module is no command: it exports no '_start'"),
    ):
        found = failure("exec", *arguments)
        assert found[0] == status
        assert found[1].startswith(sentence)
    assert failure("exec", path("echo"))[1].endswith("'purewasm run' runs one")


def test_other_modules(failure: Failing, made: Made) -> None:
    status, text = failure("exec", made('(module (func (export "f")))'))
    assert (status, text.split("; ")[1:]) == (3, ["'purewasm call' calls an export"])
    assert failure("exec", made("(module)"))[1].endswith("it exports no '_start'")
    named = HELLO.replace('"sched_yield"', '"sched_yeld"')
    status, text = failure("exec", made(named))
    assert status == 3
    assert "import 'sched_yeld' from module 'wasi_snapshot_preview1'" in text
    assert "did you mean 'wasi_snapshot_preview1.sched_yield'?" in text


def test_a_trap(failure: Failing, command: Command, made: Made) -> None:
    path = made(program("unreachable"))
    status, text = failure("exec", path)
    assert (status, Exit.TRAP) == (134, 134)
    assert text.startswith(f"{path} trapped: unreachable in _start at byte ")
    lines = command("exec", "--backtrace", path).stderr.splitlines()
    assert lines[0] == f"purewasm: {text}"
    assert lines[1].startswith("  in _start at byte ")


def test_what_an_aborted_program_said(command: Command) -> None:
    result = command("exec", str(PROGRAMS / "console_assemblyscript.wasm"))
    assert result.exit_code == Exit.TRAP
    assert "trapped: abort: a bad end: \U0001f600 in " in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("option", "reason", "text"),
    [
        ("--timeout", "deadline exceeded", LOOP),
        ("--timeout", "deadline exceeded", SLEEP),
        ("--fuel", "out of fuel", LOOP),
    ],
)
def test_a_limit_names_its_option(
    command: Command, made: Made, engine: str, option: str, reason: str, text: str
) -> None:
    result = command("exec", "--engine", engine, f"{option}=0", made(text))
    assert result.exit_code == Exit.TRAP
    assert f" trapped: {reason}" in result.stderr
    assert result.stderr.endswith(f"; {option} raises the limit\n")


def process(
    *arguments: str,
    stdin: int = subprocess.PIPE,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start the command; interrupts are heeded."""
    return subprocess.Popen(
        [sys.executable, "-m", "purewasm_plugins", "exec", *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        preexec_fn=heed_interrupts if os.name == "posix" else None,
    )


def opened(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


#: It tells that it runs, and then does what never ends.
@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
@pytest.mark.skipif(bool(DISTURBED), reason=DISTURBED)
@pytest.mark.parametrize(
    "text",
    [program(f"{READY} (loop $again (br $again))"), SLEEP, COPY],
    ids=["loops", "sleeps", "waits for input"],
)
def test_an_interrupt_ends_it(made: Made, text: str) -> None:
    running = process(made(text))
    if text is COPY:
        opened(running.stdin).write(b"x")
        opened(running.stdin).flush()
    assert len(opened(running.stdout).read(1)) == 1
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert opened(running.stdout).read() == opened(running.stderr).read() == b""
    for stream in (running.stdin, running.stdout, running.stderr):
        opened(stream).close()


@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
@pytest.mark.skipif(bool(DISTURBED), reason=DISTURBED)
def test_an_interrupt_while_a_thread_waits_for_input(made: Made) -> None:
    """Where the system cannot tell whether a read would wait; Python ends in spite of it."""
    code = """if True:
        from purewasm_plugins.cli import main
        from purewasm_plugins.wasi import streams
        streams._IS_WINDOWS = True
        main()
    """
    running = subprocess.Popen(
        [sys.executable, "-c", code, "exec", made(COPY)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )
    opened(running.stdin).write(b"x")
    opened(running.stdin).flush()
    assert opened(running.stdout).read(1) == b"x"
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert opened(running.stderr).read() == b""
    for stream in (running.stdin, running.stdout, running.stderr):
        opened(stream).close()


@pytest.mark.skipif(os.name == "nt", reason="pipes end differently there")
@pytest.mark.parametrize(("text", "name"), [(ENDLESS, "stdout"), (ENDLESS_ERRORS, "stderr")])
def test_a_reader_that_goes_away_ends_it(made: Made, text: str, name: str) -> None:
    running = process(made(text), stdin=subprocess.DEVNULL)
    assert len(opened(getattr(running, name)).read(1)) == 1
    opened(getattr(running, name)).close()
    assert running.wait(60) == 141
    other = opened(running.stderr if name == "stdout" else running.stdout)
    assert other.read() == b""
    other.close()


def test_streams_flow(made: Made) -> None:
    """An answer comes before the input ends."""
    running = process(made(COPY))
    for data in (b"first", b"second"):
        opened(running.stdin).write(data)
        opened(running.stdin).flush()
        assert opened(running.stdout).read(len(data)) == data
    assert running.communicate(timeout=60) == (b"", b"")
    assert running.returncode == 0


def test_a_program_sees_a_terminal() -> None:
    pty = pytest.importorskip("pty")
    main, side = pty.openpty()
    running = process(str(PROGRAMS / "hello_c.wasm"), stdin=side, stdout=side, stderr=side)
    os.close(side)
    assert running.wait(60) == 0
    assert os.read(main, 1000) == b"Hello from C, 2 times 1.5\r\n"
    os.close(main)


@pytest.mark.skipif(os.name == "nt", reason="no such streams there")
@pytest.mark.parametrize("closed", ["stdin", "stdout", "stderr"])
def test_a_closed_stream(made: Made, closed: str) -> None:
    number = ("stdin", "stdout", "stderr").index(closed)
    sign = "<" if number == 0 else ">"
    done = subprocess.run(
        [
            *("sh", "-c", f'exec "$@" {number}{sign}&-', "sh"),
            *(sys.executable, "-m", "purewasm_plugins", "exec", made(COPY)),
        ],
        input=b"data",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (b"" if closed in ("stdin", "stdout") else b"data")
