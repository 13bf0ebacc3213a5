"""The capabilities that a manifest grants: HTTP requests, and a key-value store."""

from __future__ import annotations

import os

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.plugin.manifest.tables import Table
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Mapping

if TYPE_CHECKING:
    from purewasm_plugins.capabilities.http import Http
    from purewasm_plugins.capabilities.key_value import KeyValueStore
else:
    # They are slow to import, and most plugins of a manifest are granted none: the functions that
    # make them import them.
    Http = KeyValueStore = Any

__all__ = ["GrantedStore", "read_http", "read_store"]

#: The numbers that bound a store.
_BOUNDS = ("keys", "key_bytes", "value_bytes", "operations")


class GrantedStore(Record):
    """The key-value store that a manifest grants; nothing has been opened.

    Attributes:
        path: its file; a relative path begins where the manifest lies. None for one in memory.
        namespace: whose keys they are.
        bounds: the numbers that the manifest gives.
    """

    path: str | None
    namespace: str
    bounds: Mapping[str, int]

    def store(self, folder: str) -> KeyValueStore:
        """Open the store; its file is made where there is none.

        Args:
            folder: where a relative path begins.

        Raises:
            InvalidOptionError: the file cannot be used.
        """
        from purewasm_plugins.capabilities.key_value import KeyValueStore

        path = None if self.path is None else os.path.join(folder, self.path)
        return KeyValueStore(path, namespace=self.namespace, **self.bounds)


def read_http(table: Table | None) -> Http | None:
    """Read the table of the hosts that a plugin may send requests to.

    Raises:
        ManifestError: it grants something else.
    """
    if table is None:
        return None
    from purewasm_plugins.capabilities.http import Http

    table.allow(*Http.__match_args__)
    if "hosts" not in table.value:
        raise table.error("hosts", "it must be a list of hosts")
    given = dict(table.value)
    for key in given.keys() & {"hosts", "methods", "addresses"}:
        given[key] = tuple(table.list_of_texts(key))
    try:
        return Http(**given)
    except InvalidOptionError as error:
        raise table.error(error.option if error.option in given else None, error.details) from None


def read_store(plugin: Table, name: str) -> GrantedStore | None:
    """Read the store of a plugin; `kv = true` is a table without keys, for one in memory.

    Args:
        plugin: the table of the plugin.
        name: its name, which is the namespace where the table has none.

    Raises:
        ManifestError: it grants something else.
    """
    given_flag = isinstance(plugin.value.get("kv"), bool)
    if "kv" not in plugin.value or (given_flag and not plugin.flag("kv")):
        return None
    table = Table(plugin.document, (*plugin.keys, "kv"), {}) if given_flag else plugin.table("kv")
    if table is None:
        return None
    try:
        from purewasm_plugins.capabilities.key_value import KeyValueStore
    except ImportError:
        raise table.error(None, "this Python has no sqlite3, which a store needs") from None
    table.allow("path", "namespace", *_BOUNDS)
    path = table.text("path")
    if path is not None and (not path or "\0" in path):
        raise table.error("path", "it must be the path of a file")
    namespace = table.text("namespace")
    bounds = {key: value for key, value in table.value.items() if key in _BOUNDS}
    given: Mapping[str, Any] = bounds if namespace is None else {**bounds, "namespace": namespace}
    for key, value in given.items():
        try:
            KeyValueStore(None, **{key: value}).close()
        except InvalidOptionError as error:
            raise table.error(key, error.details) from None
    return GrantedStore(path, name if namespace is None else namespace, bounds)
