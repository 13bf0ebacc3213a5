"""What a command line grants through WASI: directories, variables, and where output goes."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from purewasm_plugins.cli.output import readable
from purewasm_plugins.errors import InvalidOptionError

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import DirectoryGrant, Wasi

#: A directory as a module gets it: the path that the module sees, and what it finds there.
Granted = tuple[str, "DirectoryGrant"]

_READ_ONLY = ":ro"
_SEPARATOR = "::"


def granted_directory(text: str) -> Granted:
    """Return what `HOST[::GUEST][:ro]` grants.

    The last `::` divides it: the path on the host may contain one, and so may a drive's colon be
    before it. `a::ro` is the guest path `ro`.

    Raises:
        click.BadParameter: it grants nothing, or the directory cannot be used.
    """
    # Imported here: most runs grant no directory.
    from purewasm_plugins.wasi.host_files import HostDirectory

    read_only = text.endswith(_READ_ONLY) and not text.endswith(":" + _READ_ONLY)
    path = text.removesuffix(_READ_ONLY) if read_only else text
    host, divided, guest = path.rpartition(_SEPARATOR)
    if not divided:
        host = guest
    if not host or not guest:
        raise click.BadParameter(f"'{text}' is not HOST, HOST::GUEST or one of them with ':ro'.")
    try:
        os.scandir(host).close()
        return guest, HostDirectory(host, read_only=read_only)
    except OSError as error:
        message = f"the directory '{host}' cannot be used: {error.strerror}."
        raise click.BadParameter(message) from None
    except (InvalidOptionError, ValueError) as error:
        raise click.BadParameter(f"{error}.") from None


def granted_variable(text: str) -> tuple[str, str]:
    """Return what `NAME=VALUE` grants; `NAME` alone has the value that this process has.

    Raises:
        click.BadParameter: there is no name, or this process has no such variable.
    """
    name, divided, value = text.partition("=")
    if not name:
        raise click.BadParameter(f"'{text}' is not NAME=VALUE or NAME.")
    if divided:
        return name, value
    try:
        return name, os.environ[name]
    except KeyError:
        message = f"this process has no variable '{name}': NAME=VALUE gives a value."
        raise click.BadParameter(message) from None


def directories_of(given: Iterable[Granted]) -> dict[str, DirectoryGrant]:
    """Return the directories by the paths that a module sees.

    Raises:
        click.UsageError: two have the same path.
    """
    found: dict[str, DirectoryGrant] = {}
    for path, directory in given:
        if path in found:
            raise click.UsageError(f"Two directories have the path '{path}' for the module.")
        found[path] = directory
    return found


def plugin_wasi(
    given: bool,
    directories: Iterable[Granted],
    variables: Iterable[tuple[str, str]],
    *,
    shown: bool,
) -> Wasi | None:
    """Return what a plugin is granted; None where nothing was asked for.

    Args:
        given: whether `--wasi` was; a directory or a variable stands for it.
        directories, variables: those of the options.
        shown: whether what the plugin writes goes to standard error; else it is captured.

    Raises:
        click.UsageError: a value is none that a module can get.
    """
    found = directories_of(directories)
    env = dict(variables)
    if not (given or found or env):
        return None
    # Imported here: most plugins use no WASI.
    from purewasm_plugins.wasi.grants import Wasi

    try:
        if not shown:
            return Wasi(env=env, directories=found, clock="host", random="host")
        return Wasi(
            env=env,
            stdout=_to_stderr(),
            stderr=_to_stderr(),
            directories=found,
            clock="host",
            random="host",
        )
    except InvalidOptionError as error:
        raise click.UsageError(f"{error}.") from None


def _to_stderr() -> Callable[[bytes], None]:
    """Return what writes a plugin's stream to standard error.

    A terminal acts on none of its characters but tabs and line ends.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(data: bytes) -> None:
        if sys.stderr.isatty():
            click.echo(readable(decoder.decode(data)), err=True, nl=False)
        else:
            click.echo(data, err=True, nl=False)

    return write
