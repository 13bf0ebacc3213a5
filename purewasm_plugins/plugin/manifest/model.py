"""What a manifest says: of each plugin its source, its hash, its limits and what it may touch."""

from __future__ import annotations

import os
from dataclasses import replace

from purewasm_plugins.capabilities.config import check_config
from purewasm_plugins.errors import GrantError, InvalidOptionError, PluginError
from purewasm_plugins.module import read_bytes
from purewasm_plugins.plugin.errors import ManifestError
from purewasm_plugins.plugin.files import PluginFile, stamp_of
from purewasm_plugins.plugin.manifest.capabilities import read_http, read_store
from purewasm_plugins.plugin.manifest.hyper_mcp import is_hyper_mcp, read_hyper_mcp
from purewasm_plugins.plugin.manifest.lock import HASH, Locked, lock_path, read_lock
from purewasm_plugins.plugin.manifest.plugins import Granted, GrantedDirectory, ManifestPlugin
from purewasm_plugins.plugin.manifest.sources import SOURCES, source_path
from purewasm_plugins.plugin.manifest.tables import YAML, Table, read_table
from purewasm_plugins.plugin.manifest.wassette import NOTHING, read_policy
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.plugin.plugin import WasmPlugin
from purewasm_plugins.plugin.policy import ToolPolicy, ToolSettings
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.support.suggestions import listed, similar_name
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Mapping
from purewasm_plugins.wasi.clocks import FixedClock
from purewasm_plugins.wasi.grants import DirectoryGrant, Quotas, Wasi
from purewasm_plugins.wasi.host_files import HostDirectory

if TYPE_CHECKING:
    from purewasm_plugins.capabilities.key_value import KeyValueStore
else:
    KeyValueStore = Any

__all__ = ["Manifest", "ManifestPlugin", "Secret", "manifest_of", "read_manifest"]

#: The keys of annotations, and the names that clients know.
ANNOTATIONS = {
    "read_only": "readOnlyHint",
    "destructive": "destructiveHint",
    "idempotent": "idempotentHint",
    "open_world": "openWorldHint",
}


#: The greatest number of a limit.
_MOST = 2**63 - 1


class Secret(str):
    """A value of the environment that no `repr` shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Manifest:
    """A manifest that was read and checked; nothing of a plugin has been read.

    Attributes:
        file: its absolute path.
        plugins: its plugins, in their order.
        locked: the plugins of its lock file; None where there is no such file.
    """

    def __init__(self, file: str, table: Table, locked: Mapping[str, Locked] | None) -> None:
        self.file = file
        self.locked = locked
        self._table = table
        if is_hyper_mcp(table):
            self.plugins = read_hyper_mcp(table)
            return
        table.allow("plugins")
        found = table.table("plugins")
        self.plugins = tuple(_plugin(*one) for one in (() if found is None else found.tables()))

    @property
    def folder(self) -> str:
        """The folder that relative paths begin in."""
        return os.path.dirname(self.file)

    def plugin(self, name: str) -> ManifestPlugin:
        """Return the plugin of that name.

        Raises:
            ManifestError: there is none.
        """
        names = [plugin.name for plugin in self.plugins]
        if name in names:
            return self.plugins[names.index(name)]
        similar = similar_name(name, names)
        hint = f"did you mean '{similar}'?" if similar else f"there are: {listed(names)}"
        raise ManifestError(self.file, "", None, f"it has no plugin '{name}'; {hint}")

    def error(self, plugin: ManifestPlugin, details: str, *keys: str) -> ManifestError:
        """Return the error about a plugin of it."""
        return self._table.document.error(("plugins", plugin.name, *keys), details)

    def expected_hash(self, plugin: ManifestPlugin) -> str | None:
        """Return the hash that the plugin must have; None where there is none.

        Raises:
            ManifestError: the lock file does not fit to the manifest.
        """
        if self.locked is None:
            return plugin.sha256
        locked = self.locked.get(plugin.name)
        update = "'purewasm plugins lock' makes it anew"
        if locked is None:
            raise self.error(plugin, f"the lock file does not have it; {update}")
        if locked.source != plugin.origin:
            details = f"the lock file has it with the source {locked.source}; {update}"
            raise self.error(plugin, details, plugin.kind)
        if plugin.sha256 not in (None, locked.sha256):
            details = f"the lock file has another one, {locked.sha256}; {update}"
            raise self.error(plugin, details, "sha256")
        return locked.sha256

    def path(self, plugin: ManifestPlugin) -> str:
        """Return the file of a plugin; one at an address is fetched, unless it was before.

        Raises:
            ManifestError: there is none.
            PluginFileError: it cannot be fetched.
        """
        try:
            return source_path(plugin.kind, plugin.source, plugin.sha256, self.folder)
        except LookupError as error:
            raise self.error(plugin, str(error.args[0]), plugin.kind) from None

    def plugin_file(
        self, plugin: ManifestPlugin, options: PluginOptions, environ: Mapping[str, str]
    ) -> PluginFile:
        """Return a plugin's file, the hash it must have, and how it is run.

        Args:
            plugin: the plugin.
            options: what holds where the manifest says nothing.
            environ: where secrets are from.

        Raises:
            ManifestError: the manifest or its lock file is wrong.
            PluginFileError: the file cannot be fetched.
        """
        sha256 = self.expected_hash(plugin)
        path = self.path(plugin)
        chosen = PluginOptions(
            options.engine,
            replace(options.limits or ResourceLimits(), **plugin.limits),
            options.imports,
            options.cache_dir,
            self._wasi(plugin),
            plugin.policy,
            self._config(plugin, environ),
            plugin.http,
            self._store(plugin),
        )
        stamp = stamp_of(path)

        def check(loaded: WasmPlugin) -> None:
            self._check_plugin(plugin, loaded)

        return PluginFile(os.path.abspath(path), chosen, stamp, sha256, check)

    def _config(self, plugin: ManifestPlugin, environ: Mapping[str, str]) -> dict[str, str] | None:
        config = dict(plugin.config)
        for name, variable in plugin.secrets.items():
            if variable not in environ:
                details = f"this process has no variable '{variable}'"
                raise self.error(plugin, details, "secrets", name)
            config[name] = Secret(environ[variable])
        try:
            check_config(config)
        except PluginError as error:
            raise self.error(plugin, str(error), "config") from None
        return config or None

    def _store(self, plugin: ManifestPlugin) -> KeyValueStore | None:
        try:
            return None if plugin.kv is None else plugin.kv.store(self.folder)
        except InvalidOptionError as error:
            raise self.error(plugin, error.details, "kv", "path") from None

    def _wasi(self, plugin: ManifestPlugin) -> Wasi | None:
        granted = plugin.wasi
        if granted is None:
            return None
        directories: dict[str, DirectoryGrant] = {}
        for one in granted.directories:
            host = os.path.join(self.folder, one.host)
            if not os.path.isdir(host):
                details = f"there is no directory '{host}'"
                raise self.error(plugin, details, "wasi", "directories", one.guest)
            directories[one.guest] = HostDirectory(host, read_only=one.read_only)
        try:
            return Wasi(
                env=granted.env,
                directories=directories,
                clock=FixedClock() if granted.fixed_clock else "host",
                random=0 if granted.fixed_random else "host",
                quotas=Quotas(**granted.quotas),
            )
        except (PluginError, GrantError) as error:
            raise self.error(plugin, str(error), "wasi") from None

    def _check_plugin(self, entry: ManifestPlugin, plugin: WasmPlugin) -> None:
        """Check that a loaded plugin is the one that the manifest means.

        Raises:
            ManifestError: it has another name, or lacks a tool that the manifest names.
        """
        if plugin.name != entry.name:
            details = f"the plugin's own name is '{plugin.name}', and must be the key"
            raise self.error(entry, details)
        names = [tool.name for tool in plugin.tools]
        for name in entry.policy.tools:
            if name not in names:
                similar = similar_name(name, names)
                hint = f"did you mean '{similar}'?" if similar else f"it has: {listed(names)}"
                raise self.error(entry, f"the plugin has no such tool; {hint}", "tools", name)


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read a manifest, and its lock file where there is one.

    Args:
        path: the file: TOML, or JSON where its name ends in `.json`. A configuration of hyper-mcp
            is read, too; YAML, where the name ends in `.yaml` or `.yml`, can be that alone.

    Raises:
        PluginFileError: a file cannot be read.
        ManifestError: it is no manifest.
    """
    file = os.path.abspath(path)
    return manifest_of(file, read_bytes(file, "manifest"))


def manifest_of(file: str, data: bytes) -> Manifest:
    """Return the manifest that bytes are, with its lock file where there is one.

    Args:
        file: its absolute path.
        data: the bytes.

    Raises:
        PluginFileError, ManifestError: as for `read_manifest`.
    """
    is_json, is_yaml = file.endswith(".json"), file.endswith(YAML)
    table = read_table(file, data, is_json=is_json, is_yaml=is_yaml)
    lock = lock_path(file)
    locked = read_lock(lock, read_bytes(lock, "lock file")) if os.path.lexists(lock) else None
    return Manifest(file, table, locked)


def _plugin(name: str, table: Table) -> ManifestPlugin:
    """Read the table of a plugin."""
    table.allow(
        *(*SOURCES, "sha256", "prefix", "limits", "wasi", "config", "secrets"),
        *("http", "kv", "policy", "tools"),
    )
    given = [kind for kind in SOURCES if kind in table.value]
    if len(given) != 1:
        raise table.error(None, f"it must have one of the keys {', '.join(SOURCES)}")
    kind = given[0]
    source = table.text(kind) or ""
    sha256 = table.text("sha256")
    if sha256 is not None and not HASH.fullmatch(sha256):
        raise table.error("sha256", "it must be a SHA-256 hash: 64 hexadecimal digits")
    _check_source(table, kind, source, sha256)
    policy = NOTHING
    if (given_policy := table.text("policy")) is not None:
        policy = read_policy(table, given_policy)
    return ManifestPlugin(
        name,
        kind,
        source,
        sha256,
        {**policy.limits, **_numbers(table.table("limits"), ResourceLimits)},
        policy.wasi or _granted(table),
        table.texts("config"),
        policy.secrets or _secrets(table),
        policy.http or read_http(table.table("http")),
        read_store(table, name),
        ToolPolicy((table.text("prefix") or "").replace("{plugin}", name), _tools(table)),
    )


def _check_source(table: Table, kind: str, source: str, sha256: str | None) -> None:
    if not source or "\0" in source:
        raise table.error(kind, "it must not be empty")
    if kind == "path" and not source.endswith(".wasm"):
        raise table.error(kind, "it must be the path of a .wasm file")
    if kind == "url" and not source.startswith("https://"):
        raise table.error(kind, "it must begin with https://")
    if kind == "url" and sha256 is None:
        raise table.error(kind, "an address needs the hash of what is there: the key sha256")


def _numbers(table: Table | None, kind: type[ResourceLimits] | type[Quotas]) -> dict[str, Any]:
    """Read limits or quotas; the word "none" lifts one."""
    if table is None:
        return {}
    table.allow(*kind.__match_args__)
    found: dict[str, Any] = {}
    for key, value in table.value.items():
        found[key] = None if value == "none" else value
        try:
            if value is None or (isinstance(value, int) and abs(value) > _MOST):
                raise ValueError(f"it must be a number up to {_MOST}, or 'none'")
            kind(**{key: found[key]})
        except ValueError as error:
            raise table.error(key, str(error)) from None
    return found


def _granted(table: Table) -> Granted | None:
    """Read what a plugin may touch; `wasi = true` is a table without keys."""
    if isinstance(table.value.get("wasi"), bool):
        return Granted() if table.flag("wasi") else None
    wasi = table.table("wasi")
    if wasi is None:
        return None
    wasi.allow("directories", "env", "clock", "random", "quotas")
    fixed = {}
    for key in ("clock", "random"):
        word = wasi.text(key)
        if word not in (None, "host", "fixed"):
            raise wasi.error(key, "it must be 'host' or 'fixed'")
        fixed[key] = word == "fixed"
    directories = []
    found = wasi.table("directories")
    for guest, entry in () if found is None else found.tables():
        entry.allow("path", "read_only")
        host = entry.text("path")
        if not host:
            raise entry.error("path", "it must be the path of a directory")
        read_only = entry.flag("read_only")
        directories.append(GrantedDirectory(guest, host, read_only is not False))
    return Granted(
        tuple(directories),
        wasi.texts("env"),
        fixed["clock"],
        fixed["random"],
        _numbers(wasi.table("quotas"), Quotas),
    )


def _secrets(table: Table) -> dict[str, str]:
    """Read secrets: a table of names, or a list of those that have one name on both sides."""
    given = table.value.get("secrets")
    if isinstance(given, list):
        if not all(isinstance(name, str) for name in given):
            raise table.error("secrets", "it must be a list of names, or a table")
        secrets = {name: name for name in given}
    else:
        secrets = table.texts("secrets")
    for name in secrets:
        if name in table.texts("config"):
            raise table.error("secrets", f"'{name}' is in 'config', too")
    return secrets


def _tools(table: Table) -> dict[str, ToolSettings]:
    tools = table.table("tools")
    settings = {}
    for name, entry in () if tools is None else tools.tables():
        entry.allow("hidden", "approval", "title", *ANNOTATIONS)
        hints: dict[str, Any] = {known: entry.flag(key) for key, known in ANNOTATIONS.items()}
        hints["title"] = entry.text("title")
        settings[name] = ToolSettings(
            bool(entry.flag("hidden")),
            bool(entry.flag("approval")),
            {hint: value for hint, value in hints.items() if value is not None},
        )
    return settings
