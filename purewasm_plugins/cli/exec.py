"""`purewasm exec`: a program for WASI, with the streams and the exit status of this process."""

from __future__ import annotations

import os
from typing import BinaryIO

import click

from purewasm_plugins.cli.completion import complete_file, complete_program
from purewasm_plugins.cli.exits import NO_ROOM, Exit, Failure, advice
from purewasm_plugins.cli.loading import read_file
from purewasm_plugins.cli.options import (
    directory_option,
    env_option,
    limit_options,
    quota_options,
)
from purewasm_plugins.cli.output import print_error, progress
from purewasm_plugins.cli.wasi import Granted, directories_of
from purewasm_plugins.command import check_command, start
from purewasm_plugins.errors import (
    Exited,
    GrantError,
    InvalidOptionError,
    LinkError,
    NotACommandError,
    PluginError,
    Trap,
    WasmError,
)
from purewasm_plugins.module import Module
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.wasi.grants import Quotas, Wasi

#: For a person who runs a program and can end it. Programs recurse deeper than plugins, and have
#: larger functions.
_LIMITS = ResourceLimits(
    memory_pages=16_384,
    fuel=None,
    timeout=None,
    call_depth=100_000,
    translated_characters=20_000_000,
)
_QUOTAS = Quotas(
    output_bytes=None,
    file_bytes=1024**3,
    total_bytes=4 * 1024**3,
    files=100_000,
    directory_entries=100_000,
    descriptors=1024,
)

#: The end of the sentence about a quota that has refused something.
_QUOTA_ADVICE = {
    "output_bytes": "write more output: --limit-output",
    "file_bytes": "make a larger file: --limit-file-size",
    "total_bytes": "write more into a directory: --limit-total-size",
    "files": "make more files: --limit-files",
    "directory_entries": "use a larger directory: --limit-files",
    "descriptors": "open more files at once: --limit-open-files",
}


@click.command(
    short_help="Run a program for WASI; its exit status is the command's.",
    # What follows PROGRAM is the program's, options as well.
    context_settings={"allow_interspersed_args": False},
)
@click.argument("program", metavar="PROGRAM", shell_complete=complete_program)
@click.argument(
    "arguments",
    metavar="[ARG]...",
    nargs=-1,
    type=click.UNPROCESSED,
    shell_complete=complete_file,
)
@directory_option
@env_option
@click.option(
    "--stdin",
    "input_file",
    metavar="FILE",
    shell_complete=complete_file,
    help="A file as standard input, in place of that of this process.",
)
@limit_options(_LIMITS, of="the program", cached=True)
@quota_options(_QUOTAS)
@click.option("--backtrace", is_flag=True, help="Show the WebAssembly backtrace of a trap.")
def exec(
    program: str,
    arguments: tuple[str, ...],
    directories: tuple[Granted, ...],
    variables: tuple[tuple[str, str], ...],
    input_file: str | None,
    limits: ResourceLimits,
    quotas: Quotas,
    engine: str | None,
    cache_dir: str,
    backtrace: bool,
) -> int:
    """Run a program for WASI: a module that exports '_start'.

    What follows PROGRAM goes to the program, options too. It reads and writes the streams of this
    process, and has its clocks and random numbers; it sees no file and no variable that --dir and
    --env do not name. The exit status is the program's, from 0 to 255: of a larger number its
    lowest byte. Where this command itself ends the program, a line on standard error says why.

    \b
    Examples:
      purewasm exec hello.wasm
      purewasm exec --dir . wc.wasm -l notes.txt
      purewasm exec --dir data::/data:ro --env HOME=/ tool.wasm /data
    """
    module = _command(program, cache_dir)
    stdin = None if input_file is None else _opened(input_file)
    try:
        wasi = Wasi(
            args=(os.path.basename(program), *arguments),
            env=dict(variables),
            stdin="inherit" if stdin is None else stdin,
            stdout="inherit",
            stderr="inherit",
            directories=directories_of(directories),
            clock="host",
            random="host",
            quotas=quotas,
        )
        return _run(program, module, wasi, limits, engine, backtrace)
    except InvalidOptionError as error:
        # A shell passes any bytes.
        message = f"an argument or variable is not UTF-8: {error.details}"
        raise Failure(message, Exit.USAGE) from error
    finally:
        if stdin is not None:
            stdin.close()


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise Failure(f"cannot read '{path}': {reason or error}", Exit.USAGE) from error


def _command(program: str, cache_dir: str) -> Module:
    """Return the program in a file.

    Raises:
        Failure: it cannot be read, or is no program.
    """
    try:
        data = read_file(program, "program")
        with progress(f"loading {os.path.basename(program)}"):
            module = Module.compile(data, cache_dir=cache_dir)
        check_command(module)
    except PluginError as error:
        raise Failure(str(error), Exit.PLUGIN) from error
    except NotACommandError as error:
        raise Failure(f"{program}: {error}{_alternative(module)}", Exit.PLUGIN) from error
    except WasmError as error:
        raise Failure(f"{program}: no valid module: {error}", Exit.PLUGIN) from error
    except MemoryError:
        raise Failure(f"{program}: {NO_ROOM}", Exit.PLUGIN) from None
    return module


def _alternative(module: Module) -> str:
    """Return the end of a sentence: what can be done with a module that is no program."""
    if "plugin_tool_execute" in module.exports:
        return "; 'purewasm run' runs one"
    return "; 'purewasm call' calls an export" if module.exports else ""


def _run(
    program: str,
    module: Module,
    wasi: Wasi,
    limits: ResourceLimits,
    engine: str | None,
    backtrace: bool,
) -> int:
    """Run a program, and return its exit status.

    Raises:
        Failure: it cannot be started, or was ended.
    """
    instance: Instance | None = None
    try:
        instance = module.instantiate(engine=engine, limits=limits, wasi=wasi)
        code = start(instance)
    except KeyboardInterrupt:
        _report(instance)
        raise
    except Exited as exited:
        # From the start function of the module.
        code = exited.code
    except Trap as error:
        _report(instance)
        trailer = tuple(f"  {line}" for line in error.backtrace() if backtrace)
        message = f"{program} trapped: {error.summary}{advice(error)}"
        raise Failure(message, Exit.TRAP, trailer) from error
    except GrantError as error:
        status = Exit.USAGE if instance is None else Exit.TOOL
        raise Failure(str(error), status) from error
    except LinkError as error:
        ending = "this command gives no other imports: in Python, run_command takes them"
        raise Failure(f"{program}: {error}; {ending}", Exit.PLUGIN) from error
    except WasmError as error:
        raise Failure(f"{program}: {error}{advice(error)}", Exit.PLUGIN) from error
    finally:
        if instance is not None:
            instance.discard()
    _report(instance)
    return code & 0xFF


def _report(instance: Instance | None) -> None:
    """Say on standard error which quotas have refused something."""
    exceeded = frozenset() if instance is None else instance.wasi.exceeded
    for name, ending in _QUOTA_ADVICE.items():
        if name in exceeded:
            print_error(f"a quota did not let the program {ending} raises it")
