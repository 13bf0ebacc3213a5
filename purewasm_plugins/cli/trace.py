"""`purewasm trace`: what a tool's call does, instruction by instruction or call by call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from purewasm_plugins.cli.debug import open_session
from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.inputs import tool_input
from purewasm_plugins.cli.loading import load_plugin
from purewasm_plugins.cli.options import (
    function_option,
    input_file_option,
    limit_options,
    plugin_argument,
    tool_argument,
    wasi_options,
)
from purewasm_plugins.cli.output import instructions, visible
from purewasm_plugins.debugger import CallEvent, DebuggerError, DebugSession, TraceStep, calls
from purewasm_plugins.debugger import trace as traced
from purewasm_plugins.errors import DeadlineExceeded, PluginError
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.wasm.text.printer import MAX_INDENTATION

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi

#: The most operands of a line.
_OPERANDS = 6

#: Bytes for a history that is not used.
_NO_HISTORY = 1


@click.command(short_help="Print every instruction, or every call, of a tool.")
@plugin_argument
@tool_argument
@click.argument("input", required=False, metavar="[INPUT]")
@input_file_option
@click.option("--calls", "only_calls", is_flag=True, help="Only the calls, as a tree.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on each line.")
@function_option("Only the instructions of this function.")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="No more than N lines.")
@limit_options(engine=False, cached=True)
@wasi_options(shown=True)
def trace(
    plugin: str,
    tool: str,
    input: str | None,
    input_file: str | None,
    only_calls: bool,
    as_json: bool,
    function: str | None,
    limit: int | None,
    limits: ResourceLimits,
    cache_dir: str,
    wasi: Wasi | None,
) -> None:
    """Run a tool and print what it does.

    A line is an instruction: its step, function and byte offset, its text, and the operand stack
    after it, topmost last.

    \b
    Examples:
      purewasm trace plugin.wasm shout "hello" --limit 20
      purewasm trace plugin.wasm shout "hello" --calls
      purewasm trace plugin.wasm shout "hello" --json --function capital
    """
    if only_calls and function is not None:
        raise click.UsageError("--function is for instructions, and --calls leaves them out.")
    loaded = load_plugin(plugin, limits, cache_dir=cache_dir, wasi=wasi)
    session = open_session(loaded, tool, tool_input(input, input_file), _NO_HISTORY)
    try:
        if only_calls:
            lines = _calls(session, limit, as_json)
        else:
            lines = _steps(session, function, limit, as_json)
        for line in lines:
            click.echo(line)
    except DebuggerError as error:
        raise Failure(str(error), Exit.USAGE) from error
    except DeadlineExceeded as error:
        message = f"{error} after {instructions(session.step_number)}; --timeout gives it more"
        raise Failure(message, Exit.TOOL) from error
    _end(session)


def _steps(
    session: DebugSession, function: str | None, limit: int | None, as_json: bool
) -> Iterator[str]:
    timeout = session.instance.limits.timeout
    for step in traced(session, function=function, limit=limit, timeout=timeout):
        yield json.dumps(_step_object(session, step)) if as_json else _step_line(session, step)


def _step_line(session: DebugSession, step: TraceStep) -> str:
    values = [str(_plain(value.value)) for value in step.stack]
    if len(values) > _OPERANDS:
        values = ["…", *values[-_OPERANDS:]]
    name = visible(session.program.function_name(step.function), 40)
    text = visible(step.text.partition("  ;;")[0], 60)
    line = f"{step.step:>7}  {name:<20}  {step.offset:#07x}  {text:<30}  [{' '.join(values)}]"
    return line.rstrip()


def _step_object(session: DebugSession, step: TraceStep) -> dict[str, Any]:
    return {
        "step": step.step,
        "function": step.function,
        "name": session.program.function_name(step.function),
        "offset": step.offset,
        "depth": step.depth,
        "instruction": step.text.partition("  ;;")[0],
        "stack": [_plain(value.value) for value in step.stack],
    }


def _calls(session: DebugSession, limit: int | None, as_json: bool) -> Iterator[str]:
    for event in calls(session, limit=limit, timeout=session.instance.limits.timeout):
        yield json.dumps(_call_object(event)) if as_json else _call_line(event)


def _call_line(event: CallEvent) -> str:
    indent = "  " * min(event.depth, MAX_INDENTATION)
    values = ", ".join(str(_plain(value)) for value in event.values)
    name = visible(event.name, 80)
    if event.returns:
        return f"{indent}= {values or 'nothing'}  ({name})"
    return f"{indent}{name}({values}){'  of the host' if event.host else ''}"


def _call_object(event: CallEvent) -> dict[str, Any]:
    return {
        "event": "return" if event.returns else "call",
        "step": event.step,
        "function": event.function,
        "name": event.name,
        "depth": event.depth,
        "host": event.host,
        "values": [_plain(value) for value in event.values],
    }


def _plain(value: Any) -> Any:
    """Return a value that JSON can have; any other one as text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
        return str(value)
    if value is None or isinstance(value, (int, float)):
        return value
    return visible(str(value), 60)


def _end(session: DebugSession) -> None:
    """Print on standard error how the call ended, or that it was not run to its end.

    Raises:
        Failure: the call failed.
    """
    stop = session.stop
    if stop.trap is not None:
        frames = tuple(f"  in {frame}" for frame in stop.trap.frames[:8])
        raise Failure(f"trap: {stop.trap.reason}", Exit.TOOL, frames)
    if stop.exception is not None:
        raise Failure(f"a host function raised {stop.exception!r}", Exit.TOOL)
    try:
        output = session.output
    except PluginError as error:
        raise Failure(str(error), Exit.TOOL) from error
    if not session.finished:
        click.echo(f"left after {instructions(session.step_number)}: --limit", err=True)
    elif output is not None:
        click.echo(f"the tool answers: {visible(output, 200)}", err=True)
