"""Text of a plugin is escaped before it reaches the terminal, and is never markup."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from purewasm_plugins.cli.output import SHOWN as LIMIT
from purewasm_plugins.cli.output import visible
from tests.conftest import ROOT

#: What a terminal must never get: an escape sequence, one of a single byte (C1), a right-to-left
#: override, a carriage return and a bell; and markup that is none.
HOSTILE = "\x1b[31m\x9b2J\u202e\r\n\x07[bold]x[/bold]"

#: The part of it that the commands never print.
RAW = re.compile("\x9b|\u202e|\x07")

SHOWN = "\\x1b[31m\\x9b2J\\u202e\\r\\n\\x07[bold]x[/bold]"


@pytest.fixture(scope="session")
def hostile(
    tmp_path_factory: pytest.TempPathFactory, wat: Callable[[str], bytes]
) -> Callable[..., str]:
    """`hostile(execute=body, imports=text)`: a plugin whose every name is `HOSTILE`."""
    folder = tmp_path_factory.mktemp("hostile")

    def escaped(text: str) -> str:
        return "".join(f"\\{byte:02x}" for byte in text.encode())

    def hostile(execute: str = "local.get 1", imports: str = "") -> str:
        strings = "".join(f'(func (export "plugin_{name}") (result i32) i32.const 16)' for name in (
            "name", "version", "description"
        )) + "".join(
            f'(func (export "plugin_tool_{name}") (param i32) (result i32) i32.const 16)'
            for name in ("name", "description")
        )  # fmt: skip
        data = wat(
            f"""(module {imports} (memory (export "memory") 1)
            (data (i32.const 16) "{escaped(HOSTILE)}")
            {strings}
            (func (export "plugin_tools_count") (result i32) i32.const 1)
            (global $"{escaped(HOSTILE)}" (mut i32) (i32.const 0))
            (func $"{escaped(HOSTILE)}" (export "plugin_tool_execute")
              (param $"{escaped(HOSTILE)}" i32) (param i32) (result i32) {execute})
            (export "{escaped(HOSTILE)}" (memory 0)))"""
        )
        file = folder / f"{len(list(folder.iterdir()))}.wasm"
        file.write_bytes(data)
        return str(file)

    return hostile


@pytest.mark.parametrize(
    "arguments",
    [
        ("tools",),
        ("inspect",),
        ("check",),
        ("disassemble",),
        ("translate",),
        ("tools", "--format", "json"),
        ("tools", "--format", "openai"),
        ("inspect", "--json"),
        ("check", "--json"),
    ],
)
def test_names_and_descriptions(
    command: Callable[..., Result], hostile: Callable[..., str], arguments: tuple[str, ...]
) -> None:
    name, *options = arguments
    result = command(name, hostile(), *options)
    assert result.exit_code == 0
    printed = result.stdout + result.stderr
    assert all(char.isprintable() or char == "\n" for char in printed)
    if name in ("tools", "inspect", "check") and not options:
        assert SHOWN in printed


@pytest.mark.parametrize(
    ("execute", "imports", "options", "status"),
    [
        ("unreachable", "", (), 4),
        ("unreachable", "", ("--backtrace",), 4),
        ("local.get 1", '(import "\\1b[31m" "\\0d\\0a" (func))', (), 3),
    ],
)
def test_error_texts(
    command: Callable[..., Result],
    hostile: Callable[..., str],
    execute: str,
    imports: str,
    options: tuple[str, ...],
    status: int,
) -> None:
    result = command("run", hostile(execute, imports), "0", "x", *options)
    assert result.exit_code == status
    assert result.stdout == ""
    assert all(char.isprintable() or char == "\n" for char in result.stderr)
    assert len(result.stderr.splitlines()) == (2 if options else 1)


def test_what_the_user_typed(failure: Callable[..., tuple[int, str]]) -> None:
    for arguments in (("\x1b[31m",), ("--\x1b[31m",), ("run", "\x1b[31m.wasm", "t", "x")):
        assert failure(*arguments)[1].isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        (HOSTILE, SHOWN),
        ("größe 世界", "größe 世界"),
        ("\ud800", "\\ud800"),
        ("\u2028\u200b\xa0", "\\u2028\\u200b\\xa0"),
        ("x" * LIMIT, "x" * LIMIT),
        ("x" * (LIMIT + 1), "x" * LIMIT + f"... ({LIMIT + 1} characters)"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def on_a_terminal(*arguments: str, typed: bytes = b"") -> str:
    """Return the output of the command on a terminal."""
    pty = pytest.importorskip("pty", reason="there are no such terminals here")
    ours, its = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "200", "LINES": "40"}
    process = subprocess.Popen(
        [sys.executable, "-m", "purewasm_plugins", *arguments],
        stdin=its,
        stdout=its,
        stderr=its,
        env=environment,
        cwd=ROOT,
    )
    os.close(its)
    os.write(ours, typed)
    printed = b""
    try:
        while part := os.read(ours, 65536):
            printed += part
    except OSError:
        # So a terminal ends on Linux.
        pass
    os.close(ours)
    process.wait(timeout=60)
    return printed.decode()


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("plain", "plain\n"),
        ("two\nlines\tand a tab\n", "two\nlines\tand a tab\n"),
        ("of Windows\r\n", "of Windows\r\n"),
        ("\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J\n"),
        ("\x9b2J\x7f\x08", "\\x9b2J\\x7f\\x08\n"),
        ("pass\rfail", "pass\\rfail\n"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066\n"),
        # Neither joined emoji nor the spaces of other scripts are harmful.
        (
            "\U0001f469\u200d\U0001f52c \xa0\u3000\u200f",
            "\U0001f469\u200d\U0001f52c \xa0\u3000\u200f\n",
        ),
    ],
)
def test_an_answer(
    path: Callable[[str], str], command: Callable[..., Result], answer: str, shown: str
) -> None:
    arguments = ("run", path("echo"), "echo", answer)
    assert on_a_terminal(*arguments) == shown.replace("\n", "\r\n")
    end = "" if answer.endswith("\n") else "\n"
    assert on_a_terminal(*arguments, "--raw") == (answer + end).replace("\n", "\r\n")
    for options in ((), ("--raw",)):
        assert command(*arguments, *options).stdout_bytes == answer.encode()


@pytest.mark.parametrize(
    ("execute", "arguments"),
    [
        ("i32.const 16", ("run", "0", "x")),
        ("unreachable", ("run", "0", "x", "--backtrace")),
        ("unreachable", ("run", "nope", "x")),
        ("unreachable", ("tools",)),
        ("unreachable", ("inspect",)),
        ("unreachable", ("check",)),
        ("unreachable", ("disassemble",)),
        ("unreachable", ("translate",)),
        ("i32.const 16", ("trace", "0", "x")),
        ("unreachable", ("trace", "0", "x", "--calls")),
        ("unreachable", ("trace", "0", "x", "--function", "nope")),
        ("unreachable", ("coverage", "0", "x")),
    ],
)
def test_commands_on_a_terminal(
    hostile: Callable[..., str], execute: str, arguments: tuple[str, ...]
) -> None:
    name, *rest = arguments
    printed = on_a_terminal(name, hostile(execute), *rest)
    assert "\\x9b" in printed or name in ("disassemble", "translate")
    assert not RAW.search(printed), repr(printed)
    assert "Traceback" not in printed


def test_the_debugger_on_a_terminal(hostile: Callable[..., str], tmp_path: Path) -> None:
    lines = [
        *("s", "bt", "globals", "tables", "functions", "l", "info", "b 0", "info", "watch 16"),
        *("watch $nope", "watch global 0", "info", "p string(16)", "p local", "p nope", "x 16"),
        *(
            "show",
            "last 16",
            "p local.nope",
            "b nope",
            f"svg {tmp_path}/x.svg",
            "c",
            "c",
            "rc",
            "q",
        ),
    ]
    for execute in ("i32.const 16", "unreachable"):
        typed = "".join(f"{line}\n" for line in lines).encode()
        printed = on_a_terminal("debug", hostile(execute), "0", "x", typed=typed)
        assert "(debug)" in printed
        assert not RAW.search(printed), repr(printed)
    # Two tabs would list the names of functions.
    printed = on_a_terminal("debug", hostile(), "0", "x", typed=b"b \t\t\n\nq\n")
    assert "\x1b[31m\x9b" not in printed
