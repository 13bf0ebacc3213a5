"""Configurations of hyper-mcp, where they mean the same; the rest is refused."""

from __future__ import annotations

import re

from purewasm_plugins.plugin.manifest.others import all_requests, memory_pages
from purewasm_plugins.plugin.manifest.plugins import Granted, GrantedDirectory, ManifestPlugin
from purewasm_plugins.plugin.manifest.tables import YAML, Table
from purewasm_plugins.plugin.policy import ToolPolicy, ToolSettings
from purewasm_plugins.support.typed import Any

__all__ = ["is_hyper_mcp", "read_hyper_mcp"]

_SCHEME = re.compile(r"([a-z][a-z0-9]*)://(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_VARIABLE = re.compile(r"\$\{(.*)\}", re.DOTALL)

#: Lists of what a plugin has none of here, so that nothing of it can be left out.
_SKIPPED = ("skip_prompts", "skip_resources", "skip_resource_templates")


def is_hyper_mcp(table: Table) -> bool:
    """Tell whether a file is such a configuration, and no manifest."""
    if table.document.file.endswith(YAML) or "auths" in table.value:
        return True
    plugins = table.value.get("plugins")
    entries = plugins.values() if isinstance(plugins, dict) else ()
    return any(isinstance(entry, dict) and _is_theirs(entry) for entry in entries)


def _is_theirs(entry: dict[str, Any]) -> bool:
    sources = (entry.get(key) for key in ("path", "url"))
    schemes = {match[1] for one in sources if (match := _SCHEME.match(str(one)))}
    return "runtime_config" in entry or bool(schemes - {"https", "http"})


def read_hyper_mcp(table: Table) -> tuple[ManifestPlugin, ...]:
    """Read a configuration.

    Raises:
        ManifestError: it has something that is not read, or means something else here.
    """
    if "auths" in table.value:
        raise table.error("auths", "it is not read: give each plugin the secrets that it needs")
    table.allow("plugins")
    found = table.table("plugins")
    return tuple(_plugin(*one) for one in (() if found is None else found.tables()))


def _plugin(name: str, table: Table) -> ManifestPlugin:
    table.allow("url", "path", "runtime_config")
    source = _source(table)
    settings = table.table("runtime_config") or Table(table.document, table.keys, {})
    settings.allow(
        *("allowed_hosts", "allowed_paths", "env_vars", "memory_limit", "skip_tools", *_SKIPPED)
    )
    for key in _SKIPPED:
        settings.list_of_texts(key)
    config, secrets = _variables(settings)
    hosts = [("allowed_hosts", host) for host in settings.list_of_texts("allowed_hosts")]
    return ManifestPlugin(
        name,
        "path",
        source,
        None,
        memory_pages(settings, "memory_limit"),
        # Each of its plugins gets the clocks and random numbers of WASI.
        Granted(_directories(settings)),
        config,
        secrets,
        all_requests(settings, hosts),
        None,
        ToolPolicy("", _hidden(settings)),
    )


def _source(table: Table) -> str:
    given = [key for key in ("url", "path") if key in table.value]
    if len(given) != 1:
        raise table.error(None, "it must have one of the keys url, path")
    (key,) = given
    text = table.text(key) or ""
    match = _SCHEME.fullmatch(text)
    if match is not None and match[1] == "https":
        raise table.error(key, "an address needs a hash, which only a manifest has: write one")
    if match is not None and match[1] != "file":
        raise table.error(key, f"'{match[1]}' is no source: fetch the file, and name it by file://")
    path = text if match is None else match[2]
    if not path.startswith("/") or not path.endswith(".wasm") or set("\0%?#") & {*path}:
        raise table.error(key, "it must be the absolute path of a .wasm file")
    return path


def _directories(settings: Table) -> tuple[GrantedDirectory, ...]:
    """Read paths, which the plugin sees as they are on the host, and may change."""
    paths = settings.list_of_texts("allowed_paths")
    for path in paths:
        if not path.startswith("/") or "\0" in path:
            raise settings.error("allowed_paths", f"{path!r} is no absolute path")
    return tuple(GrantedDirectory(path, path, read_only=False) for path in paths)


def _variables(settings: Table) -> tuple[dict[str, str], dict[str, str]]:
    """Read the configuration of a plugin: texts, and the variables that `${NAME}` stands for."""
    config, secrets = {}, {}
    for name, text in settings.texts("env_vars").items():
        match = _VARIABLE.fullmatch(text)
        if match is None:
            config[name] = text
        else:
            secrets[name] = match[1]
    return config, secrets


def _hidden(settings: Table) -> dict[str, ToolSettings]:
    names = settings.list_of_texts("skip_tools")
    for name in names:
        if not _NAME.fullmatch(name):
            details = f"{name!r} is a pattern: only names are read, and 'hidden' of a manifest"
            raise settings.error("skip_tools", details)
    return {name: ToolSettings(hidden=True) for name in names}
