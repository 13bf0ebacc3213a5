"""Commands: programs for WASI that run once, from `_start` to their exit code."""

from __future__ import annotations

import os

from purewasm_plugins.engine import Engine
from purewasm_plugins.errors import Exited, NotACommandError
from purewasm_plugins.module import Module
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.support.records import Record
from purewasm_plugins.wasi.grants import Wasi
from purewasm_plugins.wasm.types import FuncType

__all__ = ["CommandResult", "run_command"]

#: The function that a command exports.
START = "_start"


class CommandResult(Record):
    """What a command has left.

    Attributes:
        exit_code: 0 is success.
        stdout, stderr: what it wrote there, where that was captured.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes


def run_command(
    module: Module | bytes | str | os.PathLike[str],
    wasi: Wasi | None = None,
    *,
    imports: Imports | None = None,
    engine: str | Engine | None = None,
    limits: ResourceLimits | None = None,
) -> CommandResult:
    """Run a program: a module for WASI that exports `_start`.

        result = run_command("hello.wasm", Wasi(args=("hello", "world")))
        print(result.exit_code, result.stdout.decode())

    Args:
        module: the program: a `Module`, or what `Module.compile` takes.
        wasi: what it may touch; None for nothing, with captured output.
        imports: what else it imports.
        engine, limits: as for `Module.instantiate`. All of the run is one call.

    Returns:
        Its exit code and its output: 0 where `_start` returns, else what it gave `proc_exit`.

    Raises:
        PluginFileError, DecodeError, ValidationError: there is no such module.
        NotACommandError: it exports no `_start` that takes and returns nothing.
        LinkError, ResourceLimitError, GrantError: it cannot be instantiated.
        GrantError: what it changed in a directory cannot be stored.
        Trap: it was aborted, or ended in the module's start function, before `_start`. What had
            been captured is lost then: a function that is given as `Wasi.stdout` has what was
            written.
    """
    compiled = module if isinstance(module, Module) else Module.compile(module)
    check_command(compiled)
    grants = Wasi() if wasi is None else wasi
    instance = compiled.instantiate(imports, engine=engine, limits=limits, wasi=grants)
    try:
        code = start(instance)
        return CommandResult(code, instance.wasi.stdout, instance.wasi.stderr)
    finally:
        instance.discard()


def check_command(module: Module) -> None:
    """Refuse a module that is no command.

    Raises:
        NotACommandError: it exports no `_start` that takes and returns nothing.
    """
    found = module.exports.get(START)
    if found == FuncType((), ()):
        return
    if found is not None:
        raise NotACommandError(f"its export '{START}' is {found}, and no function () -> ()")
    if "plugin_tool_execute" in module.exports:
        raise NotACommandError(f"it exports no '{START}': it is a plugin, whose tools can be run")
    if "_initialize" in module.exports:
        raise NotACommandError(
            f"it exports no '{START}': it is a reactor, whose exports are called"
        )
    raise NotACommandError(f"it exports no '{START}'")


def start(instance: Instance) -> int:
    """Run the program of an instance, and return its exit code.

    Raises:
        GrantError: what it changed in a directory cannot be stored.
        Trap: it was aborted.
    """
    try:
        instance.exports.function(START)()
    except Exited as exited:
        return exited.code
    finally:
        instance.wasi.finish_call()
    return 0
