"""Arguments and options that several commands share, and their values."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from purewasm_plugins.engine.instantiate import engine_named
from purewasm_plugins.errors import WasmError
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.wasm import PAGE_SIZE

_DEFAULTS = ResourceLimits()

#: Bytes in a unit of memory; without one, pages are meant.
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
    """The type of an option that is a limit; the word `none` lifts it.

    Args:
        parse: gives the value of what is not `none`, or raises ValueError.
        what: it is, for the message where it is not.
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
    """A limit as a user writes it, and as the help shows it."""
    return "none" if limit is None else format(limit, spelling)


def _pages(text: str) -> int:
    """A number of pages, or a size with a unit, whose whole pages count."""
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


def _files(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Lets the shell complete the names of files."""
    return [CompletionItem(incomplete, type="file")]


#: A `.wasm` file. Whether it can be read is found out, and said, where it is read: not by
#: `click.Path`, which has exit statuses of its own.
plugin_argument = click.argument("plugin", metavar="PLUGIN", shell_complete=_files)
plugins_argument = click.argument(
    "plugins", metavar="PLUGIN...", nargs=-1, required=True, shell_complete=_files
)

engine_option = click.option(
    "--engine", type=_engine, metavar="NAME", help="The engine that runs the plugin."
)

_cache_option = click.option(
    "--cache-dir",
    metavar="DIR",
    envvar="PUREWASM_CACHE",
    show_envvar=True,
    help="Keep translated code there: the plugin's next run starts sooner.",
)


def limit_options(
    timeout: float | None = None, *, cached: bool = False
) -> Callable[[_Command], _Command]:
    """The options of limits and the engine; the command gets `limits` and `engine`, a name.

    Args:
        timeout: the default one; None for that of `ResourceLimits`.
        cached: whether there is an option for a cache, too; the command gets `cache_dir`.
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
        @engine_option
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

        return _cache_option(with_limits) if cached else with_limits

    return decorate
