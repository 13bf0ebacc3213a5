"""What strangers wrote never reaches the terminal raw, and is never taken for markup."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result

from purewasm_plugins.cli.output import SHOWN as LIMIT
from purewasm_plugins.cli.output import visible

#: What a terminal must never get: an escape sequence, one of a single byte (C1), a right-to-left
#: override, a carriage return and a bell; and markup that is none.
HOSTILE = "\x1b[31m\x9b2J\u202e\r\n\x07[bold]x[/bold]"

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
            (func $"{escaped(HOSTILE)}" (export "plugin_tool_execute") (param i32 i32) (result i32)
              {execute})
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
