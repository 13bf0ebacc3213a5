"""The command's chapter and `--help` match the command: statuses, options, JSON."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable

import click
import pytest
from click.testing import Result

from purewasm_plugins.cli.application import purewasm
from purewasm_plugins.cli.exits import Exit
from tests.conftest import ROOT

Command = Callable[..., Result]

CHAPTER = (ROOT / "purewasm_plugins/cli/COMMAND.md").read_text("utf-8")

NAMES = purewasm.list_commands(click.Context(purewasm))

HELLO = str(ROOT / "fixtures/programs/hello_c.wasm")


def subcommand(name: str) -> click.Command:
    found = purewasm.get_command(click.Context(purewasm), name)
    assert found is not None
    return found


def options(name: str) -> set[str]:
    return {
        spelling
        for parameter in subcommand(name).params
        for spelling in parameter.opts
        if spelling.startswith("-")
    }


def test_the_chapter_has_every_command_and_its_arguments(command: Command) -> None:
    rows = dict(re.findall(r"^\| `purewasm ([\w-]+) ?(.*?)` \|", CHAPTER, re.MULTILINE))
    assert {*rows} == {*NAMES}
    for name, arguments in rows.items():
        usage = command(name, "--help").stdout.splitlines()[0]
        assert usage.startswith(f"Usage: purewasm {name} [OPTIONS]")
        shown = usage.partition("[OPTIONS]")[2]
        assert re.findall("[A-Z]{2,}", arguments) == re.findall("[A-Z]{2,}", shown)


def test_the_chapter_has_every_exit_status() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", CHAPTER, re.MULTILINE)
    assert rows == [(str(int(status)), status.meaning) for status in Exit]


@pytest.mark.parametrize("name", NAMES)
def test_help(command: Command, name: str) -> None:
    result = command(name, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert not [option for option in options(name) if option not in result.stdout]
    undocumented = [
        option.name
        for option in subcommand(name).params
        if isinstance(option, click.Option) and not option.help
    ]
    assert not undocumented


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("run", "echo", "echo", "x"), 0),
        (("run", "echo"), 2),
        (("run", "no.wasm", "echo"), 3),
        (("run", "imports_wasi", "echo"), 3),
        (("run", "trap_division", "divide"), 4),
        (("run", "zig_text", "levenshtein", "{}"), 4),
        (("run", "echo", "no"), 4),
        (("map", "echo", "echo"), 0),
        (("map", "echo", "echo", "--jobs", "0"), 2),
        (("map", "echo", "echo", "--input-file", "no.txt"), 2),
        (("map", "no.wasm", "echo"), 3),
        (("map", "echo", "no"), 4),
        (("exec", HELLO), 0),
        (("exec", "no.wasm"), 3),
        (("exec", "echo"), 3),
        (("exec", "--dir", "no", "no.wasm"), 2),
        (("exec", "--fuel", "0", HELLO), 134),
        (("call", "echo", "plugin_tools_count"), 0),
        (("call", "echo", "plugin_tools_count", "1"), 2),
        (("call", "no.wasm", "f"), 3),
        (("call", "echo", "no"), 4),
        (("tools", "echo"), 0),
        (("tools",), 2),
        (("tools", "echo", "no.wasm"), 3),
        (("inspect", "echo"), 0),
        (("inspect", "missing_execute"), 0),
        (("inspect", "echo", "--no"), 2),
        (("inspect", "no.wasm"), 3),
        (("check", "echo"), 0),
        (("check", "missing_execute"), 1),
        (("check", "echo", "missing_execute"), 1),
        (("check",), 2),
        (("check", "no.wasm"), 3),
        (("check", "missing_execute", "no.wasm"), 3),
        (("disassemble", "echo"), 0),
        (("disassemble", "echo", "--function", "no"), 2),
        (("disassemble", "no.wasm"), 3),
        (("translate", "echo"), 0),
        (("translate", "no.wasm"), 3),
        (("trace", "echo", "echo", "x"), 0),
        (("trace", "no.wasm", "echo"), 3),
        (("trace", "trap_division", "divide"), 4),
        (("coverage", "echo", "echo"), 0),
        (("coverage", "no.wasm", "echo"), 3),
        (("coverage", "echo", "no"), 4),
        (("debug", "no.wasm", "echo"), 3),
        (("debug", "echo", "no"), 4),
        (("examples",), 0),
        (("examples", "no"), 2),
        (("playground", "--port", "x"), 2),
        (("no",), 2),
        (("--no",), 2),
    ],
)
def test_exit_statuses(command: Command, arguments: tuple[str, ...], status: int) -> None:
    result = command(*arguments)
    assert result.exit_code == status
    if status > 1:
        assert result.stderr.startswith("purewasm: ")
    elif arguments[0] != "trace":
        # `trace` writes the end of the call to standard error.
        assert result.stderr == ""


#: Arguments of each command that prints JSON.
JSON = {
    "run": ("echo", "echo", "x"),
    "call": ("echo", "plugin_tools_count"),
    "tools": ("echo",),
    "inspect": ("echo",),
    "check": ("echo",),
    "examples": (),
    "coverage": ("echo", "echo"),
}


def test_every_json_is_in_the_chapter() -> None:
    documented = {*re.findall(r"^\| `(\w+)` \|", CHAPTER, re.MULTILINE)}
    assert {name for name in NAMES if "--json" in options(name)} == documented
    assert {*JSON} <= documented


@pytest.mark.parametrize("name", JSON)
def test_json(command: Command, name: str) -> None:
    """The keys are those that the chapter names, in its order."""
    (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", CHAPTER, re.MULTILINE)
    result = command(name, *JSON[name], "--json")
    assert result.stdout.isascii()
    value = json.loads(result.stdout)
    entry = value[0] if isinstance(value, list) else value
    keys = [*entry]
    if ": of each" in row:
        # The entries of its last list are described, too.
        keys += [*entry.values()][-1][0]
    assert re.findall(r"`(\w+)`", row) == keys


def test_engines_only_where_something_runs_on_one() -> None:
    chosen = {name for name in NAMES if "--engine" in options(name)}
    assert chosen == {"run", "map", "exec", "call", "tools", "inspect", "check", "wast", "mcp"}


def test_run_imports_nothing_of_the_other_commands() -> None:
    """Rich is not imported: its import takes as long as all the others together."""
    code = """if True:
        import sys
        from purewasm_plugins.cli.application import purewasm
        assert purewasm.run(["run", "fixtures/wat/echo.wasm", "echo", "x"]) == 0
        print()
        print(*sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {*done.stdout.splitlines()[-1].split()}
    ours = {name.rpartition(".")[2] for name in loaded if name.startswith("purewasm_plugins.cli.")}
    assert ours == {
        *("application", "caching", "completion", "exits", "granted", "inputs", "loading"),
        *("options", "output", "run", "wasi"),
    }
    assert not loaded & {"rich", "difflib", "purewasm_plugins.bundled", "purewasm_plugins.debugger"}
