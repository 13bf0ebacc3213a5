"""Policies of wassette, where they mean the same; the rest is refused."""

from __future__ import annotations

import os

from purewasm_plugins.errors import PluginFileError
from purewasm_plugins.module import read_bytes
from purewasm_plugins.plugin.manifest.others import all_requests, memory_pages
from purewasm_plugins.plugin.manifest.plugins import Granted, GrantedDirectory
from purewasm_plugins.plugin.manifest.tables import Table, read_table
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Mapping

if TYPE_CHECKING:
    from purewasm_plugins.capabilities.http import Http
else:
    Http = Any

__all__ = ["NOTHING", "Policy", "read_policy"]

#: What a manifest says in other keys, and so not beside a policy.
_SAID = ("wasi", "http", "secrets")


class Policy(Record):
    """What a policy grants.

    Attributes:
        limits, wasi, secrets, http: as in `ManifestPlugin`.
    """

    limits: Mapping[str, Any] = {}  # noqa: RUF012
    wasi: Granted | None = None
    secrets: Mapping[str, str] = {}  # noqa: RUF012
    http: Http | None = None


#: No policy at all.
NOTHING = Policy()


def read_policy(plugin: Table, path: str) -> Policy:
    """Read the policy of a plugin.

    Args:
        plugin: the plugin's table in the manifest.
        path: the file, in YAML; a relative path begins where the manifest lies.

    Raises:
        ManifestError: it cannot be read, or has something that is not read or means something else
            here; or the manifest grants the same in its own keys.
    """
    for key in _SAID:
        if key in plugin.value:
            raise plugin.error(key, "the policy says it: write one of both")
    file = os.path.join(os.path.dirname(plugin.document.file), path)
    try:
        data = read_bytes(file, "policy")
    except (PluginFileError, ValueError) as error:
        raise plugin.error("policy", str(error)) from None
    table = read_table(file, data, is_json=False, is_yaml=True)
    table.allow("version", "description", "permissions")
    if not (table.text("version") or "").startswith("1."):
        raise table.error("version", "it must be '1.0'")
    given = _inner(table, "permissions")
    given.allow("storage", "network", "environment", "resources")
    secrets = _variables(_inner(given, "environment"))
    for name in secrets:
        if name in plugin.texts("config"):
            raise plugin.error("config", f"'{name}' is in the policy, too")
    return Policy(
        _limits(_inner(given, "resources")),
        # Each component gets the clocks and random numbers of WASI.
        Granted(_directories(_inner(given, "storage"), os.path.dirname(file))),
        secrets,
        _http(_inner(given, "network")),
    )


def _inner(table: Table, key: str) -> Table:
    """Return a table in it, which is empty where there is none, or nothing behind its key."""
    found = None if table.value.get(key) is None else table.table(key)
    return found or Table(table.document, (*table.keys, key), {})


def _allowed(table: Table) -> list[Table]:
    table.allow("allow", "deny")
    if table.value.get("deny"):
        raise table.error("deny", "what is granted has no exceptions here: allow less")
    return [] if table.value.get("allow") is None else list(table.items("allow"))


def _directories(table: Table, folder: str) -> tuple[GrantedDirectory, ...]:
    directories = []
    for entry in _allowed(table):
        entry.allow("uri", "access")
        uri = entry.text("uri") or ""
        path = uri.removeprefix("fs://").removesuffix("/**").rstrip("/")
        if not uri.startswith("fs://") or not path or set("*?\0") & {*path}:
            raise entry.error("uri", "it must be a directory: 'fs://PATH/**'")
        if ".." in path.split("/"):
            raise entry.error("uri", "it must not lead upwards")
        access = {*entry.list_of_texts("access")}
        if access not in ({"read"}, {"read", "write"}):
            raise entry.error("access", "it must be ['read'] or ['read', 'write']")
        host = os.path.join(folder, path)
        directories.append(GrantedDirectory(path, host, read_only="write" not in access))
    return tuple(directories)


def _http(table: Table) -> Http | None:
    hosts = []
    for entry in _allowed(table):
        if "cidr" in entry.value:
            raise entry.error("cidr", "a network is not granted: requests go to hosts with names")
        if "defaults" in entry.value:
            raise entry.error("defaults", "there are no hosts by default: name those it needs")
        entry.allow("host")
        hosts.append((entry, entry.text("host") or ""))
    for entry, host in hosts:
        all_requests(entry, [("host", host)])
    return all_requests(table, [("allow", host) for _, host in hosts])


def _variables(table: Table) -> dict[str, str]:
    table.allow("allow")
    found = {}
    for entry in _allowed(table):
        entry.allow("key")
        name = entry.text("key")
        if not name or "*" in name:
            raise entry.error("key", "it must be the name of a variable")
        found[name] = name
    return found


def _limits(table: Table) -> dict[str, int]:
    table.allow("limits")
    limits = _inner(table, "limits")
    if "cpu" in limits.value:
        raise limits.error("cpu", "it is not read: 'limits' of a manifest has timeout and fuel")
    limits.allow("memory")
    return memory_pages(limits, "memory")
