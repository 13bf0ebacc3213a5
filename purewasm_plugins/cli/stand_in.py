"""`purewasm with-wasmtime` and `purewasm stand-in`: programs that import wasmtime, without it."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

import click

from purewasm_plugins.cli.caching import usable_directory
from purewasm_plugins.cli.completion import complete_directory, complete_file
from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.module import CACHE_VARIABLE

#: The exit status of Python after an exception that nothing has caught.
_UNCAUGHT = 1

#: The files whose calls stand in a traceback before those of the program.
_BEFORE = {__file__, runpy.__file__, runpy.run_path.__code__.co_filename}


@click.command(
    "with-wasmtime",
    short_help="Run a Python program that imports wasmtime, without wasmtime.",
    # All that follows is the program's, "-m" included: what Python's own command line does.
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True},
)
@click.argument("script", metavar="SCRIPT|-m MODULE", shell_complete=complete_file)
@click.argument(
    "arguments",
    metavar="[ARG]...",
    nargs=-1,
    type=click.UNPROCESSED,
    shell_complete=complete_file,
)
def with_wasmtime(script: str, arguments: tuple[str, ...]) -> int:
    """Run a Python program in which 'import wasmtime' finds the stand-in of this package.

    A wasmtime that is installed is hidden, from Python programs that this one starts, too. What
    follows goes to the program, options too. It runs as Python runs it, in this process, and its
    exit status is the command's. What is translated is kept in the directory that PUREWASM_CACHE
    names, or in the user's own cache.

    \b
    Examples:
      purewasm with-wasmtime program.py input.txt
      purewasm with-wasmtime -m package --verbose
    """
    # Imported here, so that `--help` does not wait for it.
    from purewasm_plugins.wasmtime.installing import install

    run = _module(arguments) if script == "-m" else _script(script, arguments)
    # Translations are kept as by the other commands; the program's own processes find them, too.
    os.environ[CACHE_VARIABLE] = usable_directory(None, quiet=True)
    install(prefer="pure")
    with _wheel_for_processes():
        try:
            run()
        except SystemExit:
            raise
        except BaseException as error:
            return _report(error)
    return Exit.OK


@contextmanager
def _wheel_for_processes() -> Iterator[None]:
    """Have Python programs that the program starts import from a wheel, until it ends."""
    # Imported here, so that `--help` does not wait for it.
    import shutil
    from tempfile import mkdtemp

    from purewasm_plugins.wasmtime.wheel import write_wheel

    process = os.getpid()
    directory = mkdtemp(prefix="purewasm-")
    try:
        wheel = write_wheel(directory)
        variable = "PYTHONPATH"
        os.environ[variable] = os.pathsep.join(filter(None, [wheel, os.environ.get(variable)]))
        # `multiprocessing` gives its processes this path; the program's directory is its first.
        sys.path.insert(1, wheel)
        yield
    finally:
        # A process that was forked from this one may end here, too.
        if os.getpid() == process:
            shutil.rmtree(directory, ignore_errors=True)


def _script(path: str, arguments: tuple[str, ...]) -> Callable[[], object]:
    """Prepare for a script as `python SCRIPT` does, and return what runs it."""
    try:
        os.stat(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise Failure(f"cannot read '{path}': {reason or error}", Exit.USAGE) from error
    sys.argv = [path, *arguments]
    if not os.path.isdir(path):
        _search_first(os.path.dirname(os.path.realpath(path)))
    return lambda: runpy.run_path(path, run_name="__main__")


def _module(arguments: tuple[str, ...]) -> Callable[[], object]:
    """Prepare for a module as `python -m MODULE` does, and return what runs it."""
    if not arguments:
        raise click.UsageError("Missing argument 'MODULE'.")
    name = arguments[0]
    sys.argv = ["-m", *arguments[1:]]
    _search_first(os.getcwd())
    return lambda: runpy.run_module(name, run_name="__main__", alter_sys=True)


def _search_first(directory: str) -> None:
    """Have modules searched for in a directory first, in place of where this command lies."""
    if not sys.flags.safe_path:
        sys.path[:1] = [directory]


def _report(error: BaseException) -> int:
    """Report an exception as Python does, without the calls before the program's own.

    Returns:
        The exit status.

    Raises:
        Failure: there is no such module, and nothing has run.
    """
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename in _BEFORE:
        traceback = traceback.tb_next
    if traceback is None and isinstance(error, ImportError):
        raise Failure(str(error), Exit.USAGE) from error
    _show(error, traceback)
    return Exit.INTERRUPTED if isinstance(error, KeyboardInterrupt) else _UNCAUGHT


def _show(error: BaseException, traceback: TracebackType | None) -> None:
    sys.excepthook(type(error), error.with_traceback(traceback), traceback)


@click.command("stand-in", short_help="Write a wheel that package managers take for wasmtime.")
@click.option(
    "--wheel",
    "directory",
    metavar="DIR",
    required=True,
    shell_complete=complete_directory,
    help="The directory to write the wheel into.",
)
@click.option(
    "--version",
    metavar="VERSION",
    help="The version of wasmtime that it says it is, in place of that of its interface.",
)
def stand_in(directory: str, version: str | None) -> None:
    """Write a wheel named 'wasmtime' that depends on purewasm-plugins.

    With it installed, 'import wasmtime' finds the stand-in of this package, and a package that
    requires wasmtime can be installed where wasmtime cannot. Some need an older version of
    wasmtime: --version names one.

    \b
    Example:
      purewasm stand-in --wheel wheels
      python -m pip install wheels/*.whl quickjs-rs
    """
    # Imported here, so that `--help` does not wait for it.
    from purewasm_plugins.wasmtime.interface import VERSION
    from purewasm_plugins.wasmtime.wheel import write_wheel

    try:
        click.echo(write_wheel(directory, version or VERSION))
    except InvalidOptionError as error:
        raise Failure(str(error), Exit.USAGE) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise Failure(f"cannot write to '{directory}': {reason or error}", Exit.USAGE) from error
