"""The group of the commands: help, version, and the machine's memory at its end."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from click.testing import Result

from purewasm_plugins import __version__
from tests.cli.conftest import no_room

Command = Callable[..., Result]
PathOf = Callable[[str], str]


def test_help_says_what_exit_statuses_mean(command: Command) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        result = command(*arguments)
        assert result.exit_code == 0
        for text in ("Usage: purewasm", "Exit status:", "  4  the tool failed", "_COMPLETE="):
            assert text in result.stdout


def test_every_command_has_an_example(command: Command) -> None:
    listed = re.findall(r"^  ([a-z]+)  ", command("--help").stdout.partition("Commands:")[2], re.M)
    assert {"run", "tools", "inspect", "check", "disassemble", "translate"} <= set(listed)
    for name in listed:
        result = command(name, "--help")
        assert result.exit_code == 0
        assert f"purewasm {name} " in result.stdout.partition("Example")[2]


def test_version(command: Command) -> None:
    assert command("--version").stdout == f"purewasm {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (("tools",), "purewasm_plugins.cli.loading.WasmPlugin.load_from_bytes"),
        (("tools", "--format", "json"), "purewasm_plugins.cli.tools.print_json"),
        (("tools",), "purewasm_plugins.cli.tools.show_table"),
        (("inspect",), "purewasm_plugins.cli.loading.compile_plugin"),
        (("inspect",), "purewasm_plugins.cli.inspect.show_table"),
        (("inspect", "--json"), "purewasm_plugins.cli.inspect.print_json"),
        (("check",), "purewasm_plugins.cli.check.conformance"),
        (("disassemble",), "purewasm_plugins.cli.listing.print_code"),
    ],
)
def test_no_memory_is_a_sentence(
    command: Command,
    path: PathOf,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    where: str,
) -> None:
    monkeypatch.setattr(where, no_room)
    name, *options = arguments
    result = command(name, path("echo"), *options)
    assert result.exit_code == 3
    assert result.stderr.startswith("purewasm: ")
    assert "there is not enough memory" in result.stderr
    assert len(result.stderr.splitlines()) == 1
