"""Arguments and options that several commands share, and the types of their values."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from typing import Any

import click

from purewasm_plugins.cli.caching import NO_CACHE, usable_directory
from purewasm_plugins.cli.completion import (
    complete_engine,
    complete_file,
    complete_function,
    complete_plugin,
    complete_tool,
)
from purewasm_plugins.engine.instantiate import ENGINES, engine_named
from purewasm_plugins.errors import WasmError
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.wasm import PAGE_SIZE

_DEFAULTS = ResourceLimits()

#: Bytes in a unit of memory; a number without a unit counts pages.
_UNITS = {
    "": PAGE_SIZE,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
}

_Command = Callable[..., Any]


def _limit(parse: Callable[[str], float | int], what: str) -> Callable[[str], float | int | None]:
    """Return the type of an option that is a limit; the word `none` means no limit.

    Args:
        parse: returns the value of any other text, or raises ValueError.
        what: a noun for such a value, used in the message where the text is none.
    """

    def convert(value: str) -> float | int | None:
        text = value.strip().lower()
        if text == "none":
            return None
        try:
            return parse(text)
        except ValueError:
            raise click.BadParameter(f"{value!r} is not {what}, or 'none'.") from None

    return convert


def _default(limit: float | int | None, spelling: str) -> str:
    """Return a limit as a user writes it, for the help text."""
    return "none" if limit is None else format(limit, spelling)


def _pages(text: str) -> int:
    """Return the pages of a number of pages, or the whole pages in a size with a unit."""
    match = re.fullmatch(r"([0-9]{1,15}) ?([a-z]*)", text)
    if match is None or match[2] not in _UNITS:
        raise ValueError(text)
    return int(match[1]) * _UNITS[match[2]] // PAGE_SIZE


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < math.inf:
        raise ValueError(text)
    return seconds


def _fuel(text: str) -> int:
    if not re.fullmatch(r"[0-9_]{1,30}", text):
        raise ValueError(text)
    return int(text)


def _engine(name: str) -> str:
    try:
        engine_named(name)
    except WasmError as error:
        raise click.BadParameter(f"{error}.") from None
    return name


#: A `.wasm` file, or the name of an example. Reading it finds out whether it can be read: with
#: `click.Path`, the exit status would be another one.
plugin_argument = click.argument("plugin", metavar="PLUGIN", shell_complete=complete_plugin)
plugins_argument = click.argument(
    "plugins", metavar="PLUGIN...", nargs=-1, required=True, shell_complete=complete_plugin
)
tool_argument = click.argument("tool", metavar="TOOL", shell_complete=complete_tool)

input_file_option = click.option(
    "--input-file",
    metavar="FILE",
    shell_complete=complete_file,
    help="Read the input from a file; '-' is standard input.",
)

_engine_option = click.option(
    "--engine",
    type=_engine,
    metavar="NAME",
    shell_complete=complete_engine,
    help=f"The engine that runs the plugin: {' or '.join(ENGINES)}.",
)


def function_option(help: str) -> Callable[[_Command], _Command]:
    """Return the decorator of the option `--function`, which completes the functions' names."""
    return click.option(
        "--function", metavar="NAME|INDEX", shell_complete=complete_function, help=help
    )


cache_dir_option = click.option(
    "--cache-dir",
    metavar="DIR",
    help="Where translated code is kept, in place of PUREWASM_CACHE and of the user's own cache.",
)

_no_cache_option = click.option(
    "--no-cache", is_flag=True, help="Neither read nor keep translated code."
)


def _cache_options(command: _Command) -> _Command:
    """Add the options of the cache; the command gets `cache_dir`, which is `NO_CACHE` for none."""

    @cache_dir_option
    @_no_cache_option
    @functools.wraps(command)
    def with_cache(*args: Any, cache_dir: str | None, no_cache: bool, **kwargs: Any) -> Any:
        directory = usable_directory(NO_CACHE if no_cache else cache_dir)
        return command(*args, cache_dir=directory, **kwargs)

    return with_cache


def limit_options(
    timeout: float | None = None, *, engine: bool = True, cached: bool = False
) -> Callable[[_Command], _Command]:
    """Return the decorator of the options of limits; the command gets them as `limits`.

    Args:
        timeout: the default timeout; None for that of `ResourceLimits`.
        engine: whether there is an option for the engine; the command gets `engine`, a name.
        cached: whether translated code is kept; the command gets `cache_dir`.
    """
    timeout = _DEFAULTS.timeout if timeout is None else timeout

    def decorate(command: _Command) -> _Command:
        @click.option(
            "--limit-memory",
            type=_limit(_pages, "a number of pages, a size such as 64MiB"),
            metavar="PAGES|SIZE",
            default=_default(_DEFAULTS.memory_pages, ""),
            show_default=True,
            help="Memory of the plugin: pages of 64 KiB, a size such as 64MiB, or 'none'.",
        )
        @click.option(
            "--timeout",
            type=_limit(_seconds, "a number of seconds"),
            metavar="SECONDS",
            default=_default(timeout, "g"),
            show_default=True,
            help="Time that one call may take, or 'none'.",
        )
        @click.option(
            "--fuel",
            type=_limit(_fuel, "a number of units"),
            metavar="N",
            default=_default(_DEFAULTS.fuel, "_"),
            show_default=True,
            help="Calls and loop iterations that one call may make, or 'none'.",
        )
        @functools.wraps(command)
        def with_limits(
            *args: Any,
            limit_memory: int | None,
            timeout: float | None,
            fuel: int | None,
            **kwargs: Any,
        ) -> Any:
            limits = ResourceLimits(memory_pages=limit_memory, timeout=timeout, fuel=fuel)
            return command(*args, limits=limits, **kwargs)

        with_engine = _engine_option(with_limits) if engine else with_limits
        return _cache_options(with_engine) if cached else with_engine

    return decorate
