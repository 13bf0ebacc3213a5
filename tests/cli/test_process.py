"""The command as a process: streams, signals, the terminal, and a missing extra."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import heed_interrupts, need

need("click", "rich")

PathOf = Callable[[str], str]


def purewasm(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a new process."""
    command = [sys.executable, "-m", "purewasm_plugins", *arguments]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, **options)


def test_run(path: PathOf) -> None:
    done = purewasm("run", path("echo"), "echo", input="größe\n".encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, "größe\n".encode(), b"")


def test_an_encoding_that_lacks_the_characters(path: PathOf) -> None:
    env = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    done = purewasm("run", path("echo"), "echo", "-", input="größe".encode(), env=env)
    assert (done.returncode, done.stdout) == (0, "größe".encode())
    done = purewasm("tools", path("unusual_names"), env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "größe_\\u6e2c".encode("latin-1") in done.stdout


def test_an_error_is_a_line() -> None:
    done = purewasm("run", "no.wasm", "echo", "x")
    assert done.returncode == 3
    assert done.stderr == b"purewasm: Failed to read plugin 'no.wasm': No such file or directory\n"


@pytest.mark.skipif(os.name == "nt", reason="pipes end differently there")
def test_a_reader_that_goes_away(path: PathOf) -> None:
    command = [sys.executable, "-m", "purewasm_plugins", "tools", path("many_tools")]
    process = subprocess.Popen(
        [*command, "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 141


@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
def test_an_interrupt(path: PathOf) -> None:
    # Before the command has begun, Python handles an interrupt, with a traceback.
    code = """if True:
        import sys
        from purewasm_plugins.cli import main
        print("ready", flush=True)
        main()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", code, "run", path("loop_forever"), "0", ""],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )
    if process.stdout is None:
        pytest.fail("there is no pipe")
    assert process.stdout.readline() == b"ready\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 130


def test_closed_streams(path: PathOf) -> None:
    code = """if True:
        import sys
        sys.stdin = sys.stdout = None
        from purewasm_plugins.cli import main
        main()
    """
    for arguments, status in ((("echo", "x"), 0), (("echo",), 0), (("echo", "-"), 2)):
        done = subprocess.run(
            [sys.executable, "-c", code, "run", path("echo"), *arguments],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status
        assert len(done.stderr.splitlines()) == (1 if status else 0)


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra(missing: str, path: PathOf) -> None:
    code = f"""if True:
        import sys
        sys.modules[{missing!r}] = None
        from purewasm_plugins.cli import main
        main()
    """
    done = subprocess.run(
        [sys.executable, "-c", code, "tools", path("echo")],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == (
        "purewasm: the command needs the extra: pip install 'purewasm-plugins[cli]'\n"
    )


def on_a_terminal(*arguments: str, **env: str) -> str:
    """Return what the command writes to a terminal; each line ends with a carriage return."""
    pty = pytest.importorskip("pty")
    main, side = pty.openpty()
    command = [sys.executable, "-m", "purewasm_plugins", *arguments]
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "100"} | env
    process = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, env=environment)
    os.close(side)
    written = b""
    while True:
        try:
            read = os.read(main, 65536)
        except OSError:
            break
        if not read:
            break
        written += read
    os.close(main)
    assert process.wait(60) == 0
    return written.decode().replace("\r\n", "\n")


def test_a_terminal_gets_a_line_end_and_no_input_is_awaited(path: PathOf) -> None:
    assert on_a_terminal("run", path("hello"), "greet") == "Hello, World!\n"
    assert on_a_terminal("run", path("echo"), "echo", "line\n") == "line\n"


def test_colours_are_for_terminals_that_want_them(path: PathOf) -> None:
    arguments = ("disassemble", path("hello"), "--function", "0")
    plain = purewasm(*arguments).stdout.decode()
    assert plain.startswith("(func")
    assert "\x1b[" in on_a_terminal(*arguments)
    assert on_a_terminal(*arguments, NO_COLOR="1") == plain


def test_a_narrow_terminal(path: PathOf) -> None:
    for name in ("check", "inspect"):
        text = on_a_terminal(name, path("with_schema"), COLUMNS="40", NO_COLOR="1")
        lines = text.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
        # The last line, a sentence, wraps by itself.
        assert all(len(line) <= 40 for line in lines[:-1])


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--help",), 0),
        (("run", "echo", "echo", "x"), 0),
        (("debug", "echo", "echo", "x"), 3),
        (("trace", "echo", "echo", "x"), 3),
        (("coverage", "echo", "echo", "x"), 3),
        (("run", "--engine", "pywasm", "echo", "echo", "x"), 2),
    ],
)
def test_without_pywasm(arguments: tuple[str, ...], status: int) -> None:
    """The commands that need it say so in one line; all others work."""
    program = (
        "import sys; sys.modules['pywasm'] = None; from purewasm_plugins.cli import main; main()"
    )
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status
    lines = done.stderr.splitlines()
    assert len(lines) == (status > 0)
    assert all("the package pywasm is not installed" in line for line in lines)
