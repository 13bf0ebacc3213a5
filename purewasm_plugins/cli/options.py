"""Arguments and options that several commands share, and the types of their values."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from purewasm_plugins.cli.caching import NO_CACHE, usable_directory
from purewasm_plugins.cli.completion import (
    complete_directory,
    complete_engine,
    complete_file,
    complete_function,
    complete_plugin,
    complete_tool,
    complete_variable,
)
from purewasm_plugins.cli.granted import Grants
from purewasm_plugins.cli.wasi import granted_directory, granted_variable, plugin_wasi
from purewasm_plugins.engine.instantiate import ENGINES, engine_named
from purewasm_plugins.errors import WasmError
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.wasm import PAGE_SIZE

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Quotas

_DEFAULTS = ResourceLimits()

#: Bytes in a unit of memory; without one, 0.
_UNITS = {
    "": 0,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
}

#: The options of quotas: name, field of `Quotas`, kind of value, help.
_QUOTAS = (
    ("--limit-output", "output_bytes", "SIZE", "Bytes of output"),
    ("--limit-file-size", "file_bytes", "SIZE", "Bytes of one file"),
    ("--limit-total-size", "total_bytes", "SIZE", "Bytes that are added to a --dir"),
    ("--limit-files", "files", "N", "Files added to a --dir, and entries of one directory"),
    ("--limit-open-files", "descriptors", "N", "Files open at once"),
)

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


def _in_units(size: int | None) -> str:
    """Return a size as a user writes it, in the largest unit that gives a whole number."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _UNITS[unit.lower()] == 0:
            return f"{size // _UNITS[unit.lower()]}{unit}"
    return _default(size, "")


def _in_pages(pages: int | None) -> str:
    return _in_units(None if pages is None else pages * PAGE_SIZE)


def _pages(text: str) -> int:
    """Return the pages of a number of pages, or the whole pages in a size with a unit."""
    return _size(text, PAGE_SIZE) // PAGE_SIZE


def _size(text: str, plain: int = 1) -> int:
    """Return the bytes of a size; a number without a unit counts what has `plain` bytes."""
    match = re.fullmatch(r"([0-9]{1,15}) ?([a-z]*)", text)
    if match is None or match[2] not in _UNITS:
        raise ValueError(text)
    return int(match[1]) * (_UNITS[match[2]] or plain)


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


#: A `.wasm` or `.wat` file, or the name of an example. Reading it finds out whether it can be read:
#: with `click.Path`, the exit status would be another one.
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
    help=f"The engine that runs the module: {' or '.join(ENGINES)}.",
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


directory_option = click.option(
    "--dir",
    "directories",
    type=granted_directory,
    multiple=True,
    metavar="HOST[::GUEST][:ro]",
    shell_complete=complete_directory,
    help="Give a directory, under the path GUEST or its own; ':ro' for reading only. Repeatable.",
)

env_option = click.option(
    "--env",
    "variables",
    type=granted_variable,
    multiple=True,
    metavar="NAME[=VALUE]",
    shell_complete=complete_variable,
    help="Give a variable; without VALUE, that of this process. Repeatable.",
)


def wasi_options(*, shown: bool) -> Callable[[_Command], _Command]:
    """Return the decorator of the options of WASI for plugins; the command gets `wasi`, or None.

    Args:
        shown: whether what a plugin writes goes to standard error.
    """

    def decorate(command: _Command) -> _Command:
        @click.option(
            "--wasi",
            "given",
            is_flag=True,
            help="Give the plugin WASI: output, clocks, random numbers. --dir and --env imply it.",
        )
        @directory_option
        @env_option
        @functools.wraps(command)
        def with_wasi(
            *args: Any, given: bool, directories: Any, variables: Any, **kwargs: Any
        ) -> Any:
            wasi = plugin_wasi(given, directories, variables, shown=shown)
            return command(*args, wasi=wasi, **kwargs)

        return with_wasi

    return decorate


def _pair(text: str) -> tuple[str, str]:
    name, divided, value = text.partition("=")
    if not name or not divided:
        raise click.BadParameter(f"'{text}' is not KEY=VALUE.")
    return name, value


def grant_options(command: _Command) -> _Command:
    """Add the options of what is granted beside WASI; the command gets `grants`."""

    @click.option(
        "--set",
        "config",
        type=_pair,
        multiple=True,
        metavar="KEY=VALUE",
        help="Give a value of the plugin's configuration. Repeatable.",
    )
    @click.option(
        "--allow-http",
        "http_hosts",
        multiple=True,
        metavar="HOST[:PORT]",
        help="Let the plugin send HTTP requests to a host; '*.HOST' for those below. Repeatable.",
    )
    @click.option(
        "--kv",
        "kv_file",
        metavar="FILE",
        shell_complete=complete_file,
        help="Give the plugin a key-value store in a file of SQLite, under the plugin's file name.",
    )
    @functools.wraps(command)
    def with_grants(
        *args: Any,
        config: tuple[tuple[str, str], ...],
        http_hosts: tuple[str, ...],
        kv_file: str | None,
        **kwargs: Any,
    ) -> Any:
        return command(*args, grants=Grants(dict(config), http_hosts, kv_file), **kwargs)

    return with_grants


def quota_options(defaults: Quotas) -> Callable[[_Command], _Command]:
    """Return the decorator of the options of quotas; the command gets them as `quotas`."""

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def with_quotas(*args: Any, **kwargs: Any) -> Any:
            given = {field: kwargs.pop(field) for _, field, *_ in _QUOTAS}
            given |= {"directory_entries": given["files"], "path_bytes": defaults.path_bytes}
            return command(*args, quotas=type(defaults)(**given), **kwargs)

        decorated: _Command = with_quotas
        for name, field, metavar, help in reversed(_QUOTAS):
            is_size, value = metavar == "SIZE", getattr(defaults, field)
            decorated = click.option(
                name,
                field,
                type=_limit(_size, "a size such as 64MiB")
                if is_size
                else _limit(_fuel, "a number"),
                metavar=metavar,
                default=_in_units(value) if is_size else _default(value, ""),
                show_default=True,
                help=f"{help}, or 'none'.",
            )(decorated)
        return decorated

    return decorate


def limit_options(
    defaults: ResourceLimits = _DEFAULTS,
    *,
    of: str = "one call",
    engine: bool = True,
    cached: bool = False,
) -> Callable[[_Command], _Command]:
    """Return the decorator of the options of limits; the command gets them as `limits`.

    Args:
        defaults: the limits where no option is given.
        of: what has the limits of time and fuel, for the help text.
        engine: whether there is an option for the engine; the command gets `engine`, a name.
        cached: whether translated code is kept; the command gets `cache_dir`.
    """

    def decorate(command: _Command) -> _Command:
        @click.option(
            "--limit-memory",
            type=_limit(_pages, "a number of pages, a size such as 64MiB"),
            metavar="PAGES|SIZE",
            default=_in_pages(defaults.memory_pages),
            show_default=True,
            help="Memory of the module: pages of 64 KiB, a size such as 64MiB, or 'none'.",
        )
        @click.option(
            "--timeout",
            type=_limit(_seconds, "a number of seconds"),
            metavar="SECONDS",
            default=_default(defaults.timeout, "g"),
            show_default=True,
            help=f"Time that {of} may take, or 'none'.",
        )
        @click.option(
            "--fuel",
            type=_limit(_fuel, "a number of units"),
            metavar="N",
            default=_default(defaults.fuel, "_"),
            show_default=True,
            help=f"Calls and loop iterations that {of} may make, or 'none'.",
        )
        @functools.wraps(command)
        def with_limits(
            *args: Any,
            limit_memory: int | None,
            timeout: float | None,
            fuel: int | None,
            **kwargs: Any,
        ) -> Any:
            fields: dict[str, Any] = {
                name: getattr(defaults, name) for name in defaults.__match_args__
            }
            fields |= {"memory_pages": limit_memory, "timeout": timeout, "fuel": fuel}
            limits = ResourceLimits(**fields)
            return command(*args, limits=limits, **kwargs)

        with_engine = _engine_option(with_limits) if engine else with_limits
        return _cache_options(with_engine) if cached else with_engine

    return decorate
