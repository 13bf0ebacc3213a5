"""What a command line grants a plugin beside WASI: configuration, HTTP."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.plugin import PluginOptions

if TYPE_CHECKING:
    from purewasm_plugins.capabilities.http import Http

_Command = Callable[..., Any]


class Grants:
    """What the options grant; `options` has it for one plugin."""

    def __init__(self, config: Mapping[str, str], hosts: Sequence[str]) -> None:
        self._config = config
        self._hosts = hosts
        # A wrong value is one of the command line, and of no plugin.
        self.options("")

    def options(self, path: str) -> PluginOptions:
        """Return the options of the plugin in a file.

        Raises:
            click.UsageError: a value is none that a plugin can get.
        """
        try:
            return PluginOptions(config=self._config or None, http=self._http())
        except InvalidOptionError as error:
            raise click.UsageError(f"{error}.") from None

    def _http(self) -> Http | None:
        if not self._hosts:
            return None
        # Imported here, with `http.client` and `ssl`: most plugins need none.
        from purewasm_plugins.capabilities.http import Http

        return Http(hosts=tuple(self._hosts))


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
    @functools.wraps(command)
    def with_grants(
        *args: Any, config: tuple[tuple[str, str], ...], http_hosts: tuple[str, ...], **kwargs: Any
    ) -> Any:
        return command(*args, grants=Grants(dict(config), http_hosts), **kwargs)

    return with_grants
