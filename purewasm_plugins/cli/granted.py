"""What a command line grants a plugin beside WASI: configuration, HTTP, a store."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.plugin import PluginOptions

if TYPE_CHECKING:
    from purewasm_plugins.capabilities.http import Http
    from purewasm_plugins.capabilities.key_value import KeyValueStore


class Grants:
    """What the options grant; `options` has it for one plugin."""

    def __init__(self, config: Mapping[str, str], hosts: Sequence[str], file: str | None) -> None:
        self._config = config
        self._file = file
        self._hosts = hosts
        # A wrong value is one of the command line, and of no plugin.
        self.options("")

    def options(self, path: str) -> PluginOptions:
        """Return the options of the plugin in a file.

        Raises:
            click.UsageError: a value is none that a plugin can get.
        """
        try:
            return PluginOptions(config=self._config or None, http=self._http(), kv=self._kv(path))
        except InvalidOptionError as error:
            raise click.UsageError(f"{error}.") from None

    def _kv(self, path: str) -> KeyValueStore | None:
        if self._file is None:
            return None
        # Imported here, with `sqlite3`.
        from purewasm_plugins.capabilities.key_value import KeyValueStore

        # By the name of the file, and not by what the plugin calls itself.
        name = os.path.basename(path).removesuffix(".wasm").removesuffix(".wat")
        return KeyValueStore(self._file, namespace=name or None)

    def _http(self) -> Http | None:
        if not self._hosts:
            return None
        # Imported here, with `http.client` and `ssl`: most plugins need none.
        from purewasm_plugins.capabilities.http import Http

        return Http(hosts=tuple(self._hosts))
