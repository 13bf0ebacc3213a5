"""`purewasm debug`: a prompt on a debug session, at a terminal, from a file or from a pipe."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from purewasm_plugins.cli.debug_commands import Commands, Refused
from purewasm_plugins.cli.debug_screen import Screen
from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.inputs import tool_input
from purewasm_plugins.cli.loading import find_tool, load_plugin
from purewasm_plugins.cli.options import (
    input_file_option,
    limit_options,
    plugin_argument,
    tool_argument,
    wasi_options,
)
from purewasm_plugins.cli.output import console, visible
from purewasm_plugins.debugger import DebugSession
from purewasm_plugins.errors import GrantError, PureWasmError, ToolExecutionError
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.runtime.limits import ResourceLimits

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi

_PROMPT = "(debug) "


@click.command(short_help="Step through a tool, forwards and backwards.")
@plugin_argument
@tool_argument
@click.argument("input", required=False, metavar="[INPUT]")
@input_file_option
@click.option(
    "-x", "--commands", type=click.File("r"), metavar="FILE", help="Commands to do at first."
)
@click.option(
    "--history",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    metavar="MIB",
    help="Memory that the way back may take.",
)
@limit_options(engine=False, cached=True)
@wasi_options(shown=False)
def debug(
    plugin: str,
    tool: str,
    input: str | None,
    input_file: str | None,
    commands: Any,
    history: int,
    limits: ResourceLimits,
    cache_dir: str,
    wasi: Wasi | None,
) -> None:
    """Step through a tool's call, forwards and backwards, and see the machine.

    TOOL is the tool's name, or else its index, and INPUT the text that it works on. The commands
    are those of pdb and gdb, and 'help' lists them: 's' runs one instruction, 'rs' takes it back,
    'c' runs on, 'b' sets a breakpoint. They are read from the terminal, or from a pipe. The time
    limit is for loading the plugin: a session has none, and Ctrl-C stops it. What the plugin writes
    through WASI has a panel of its own, and 'output' prints it.

    \b
    Examples:
      purewasm debug plugin.wasm shout "hello"
      echo "c" | purewasm debug plugin.wasm shout "hello"
    """
    loaded = load_plugin(plugin, limits, cache_dir=cache_dir, wasi=wasi)
    text = tool_input(input, input_file)
    session = open_session(loaded, tool, text, history * 1024 * 1024)
    title = f"{os.path.basename(plugin)}  {tool}({visible(text, 40)!r})"
    screen = Screen(console(), session, title)
    screen.stop(session.stop)
    _converse(session, screen, commands or ())
    try:
        session.instance.wasi.finish_call()
    except GrantError as error:
        raise Failure(str(error), Exit.TOOL) from error


def open_session(loaded: WasmPlugin, tool: str, text: str, history: int) -> DebugSession:
    """Make a session at the start of a tool.

    Raises:
        Failure: there is no such tool, or it cannot be given that input.
    """
    try:
        return DebugSession(loaded, find_tool(loaded, tool).index, text, history_bytes=history)
    except ToolExecutionError as error:
        raise Failure(str(error), Exit.TOOL) from error
    except PureWasmError as error:
        raise Failure(str(error), Exit.PLUGIN) from error


def _read_line(prompt: Commands, screen: Screen) -> str:
    """Read a command; from a pipe, print it as a terminal would show it."""
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        screen.console.print(f"{_PROMPT}{visible(line.rstrip(), 200)}")
        return line
    with _completion(prompt):
        return input(_PROMPT)


@contextlib.contextmanager
def _completion(prompt: Commands) -> Iterator[None]:
    """Provide tab completion, where Python was built with readline."""
    try:
        import readline
    except ImportError:
        yield
        return

    def complete(text: str, state: int) -> str | None:
        # readline swallows what is raised here; it asks for the list item by item.
        found = prompt.complete(text, readline.get_line_buffer())
        return found[state] if state < len(found) else None

    before = readline.get_completer()
    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n")
    readline.parse_and_bind("tab: complete")
    try:
        yield
    finally:
        readline.set_completer(before)


def _converse(session: DebugSession, screen: Screen, first: Iterable[str]) -> None:
    """Run commands, those of a file first, until the user leaves."""
    prompt = Commands(session, screen)
    reading = pressed = False

    def interrupt(*_: object) -> None:
        # At the prompt, Ctrl-C discards the line; in a command, it stops the plugin. One that
        # sleeps does not stop until it wakes: the second Ctrl-C leaves.
        nonlocal pressed
        if reading or pressed:
            raise KeyboardInterrupt
        pressed = True
        session.interrupt()

    with _on_interrupt(interrupt):
        for line in first:
            _do(prompt, screen, line)
        while not prompt.ended:
            try:
                reading = True
                try:
                    line = _read_line(prompt, screen)
                finally:
                    reading = False
            except KeyboardInterrupt:
                click.echo()
                continue
            except EOFError:
                break
            pressed = False
            _do(prompt, screen, line)


@contextlib.contextmanager
def _on_interrupt(handler: Callable[..., None]) -> Iterator[None]:
    """Call a handler at Ctrl-C, even where the process was started with that signal ignored.

    A script starts its background processes so; Ctrl-C at its terminal must stop the plugin all the
    same.
    """
    before = None
    with contextlib.suppress(ValueError):
        # Only the main thread can set a handler.
        before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


def _do(prompt: Commands, screen: Screen, line: str) -> None:
    """Run one command, and print why it is refused."""
    try:
        prompt.run(line)
    except Refused as refused:
        screen.console.print(visible(str(refused), 1000), style="red")
    finally:
        with contextlib.suppress(io.UnsupportedOperation):
            sys.stdout.flush()
