"""What a plugin of a manifest may use and touch, in words."""

from __future__ import annotations

import os
from dataclasses import replace

from purewasm_plugins.errors import PluginError
from purewasm_plugins.module import Module
from purewasm_plugins.plugin.files import digest
from purewasm_plugins.plugin.granted import MODULE
from purewasm_plugins.plugin.loading import compile_plugin, read_plugin
from purewasm_plugins.plugin.manifest.model import Manifest, ManifestPlugin
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.support.json_text import write_json
from purewasm_plugins.support.suggestions import listed
from purewasm_plugins.support.typed import Iterator, Mapping
from purewasm_plugins.wasi.linking import offered

__all__ = ["explanation", "grants"]

#: A heading, which is empty where the line goes on with the last one, and the line.
Line = tuple[str, str]


def explanation(
    manifest: Manifest, plugin: ManifestPlugin, environ: Mapping[str, str]
) -> tuple[list[Line], bool]:
    """Explain a plugin of a manifest. Nothing of it runs.

    Args:
        manifest: the manifest.
        plugin: the plugin.
        environ: where secrets are from.

    Returns:
        The lines, and whether the plugin would be refused.
    """
    lines = [("plugin", plugin.name), ("manifest", manifest.file), ("source", plugin.origin)]
    module: Module | None = None
    refused: str | None = None
    try:
        path = manifest.path(plugin)
        lines.append(("file", path))
        data = read_plugin(path)
        lines.append(("sha256", _hash(manifest, plugin, digest(data))))
        # It checks all that loading checks before it reads the file. A store that is not there yet
        # is not made.
        entry = plugin if _has_store(manifest, plugin) else replace(plugin, kv=None)
        expected = manifest.plugin_file(entry, PluginOptions(), environ).sha256
        if expected in (None, digest(data)):
            module = compile_plugin(data)
        else:
            refused = f"sha256 {expected} was expected"
    except PluginError as error:
        refused = str(error)
    limits = ", ".join(
        f"{name} {'none' if value is None else value}" for name, value in plugin.limits.items()
    )
    lines.append(("limits", limits or "the defaults"))
    if plugin.wasi is None:
        lines.append(("wasi", "nothing is granted"))
    lines += grants(plugin, environ)
    lines += _tools(plugin)
    if module is not None:
        lines += _imports(module, plugin)
    if refused is not None:
        lines.append(("refused", refused))
    return lines, refused is not None


def _has_store(manifest: Manifest, plugin: ManifestPlugin) -> bool:
    """Tell whether there is a file of the plugin's store."""
    path = None if plugin.kv is None else plugin.kv.path
    return path is not None and os.path.lexists(os.path.join(manifest.folder, path))


def _hash(manifest: Manifest, plugin: ManifestPlugin, found: str) -> str:
    """Return what is to be said of a hash."""
    if manifest.expected_hash(plugin) is None:
        return f"{found}, not pinned: 'purewasm plugins lock' pins it"
    where = "the lock file" if plugin.sha256 is None else "the manifest"
    other = "" if manifest.expected_hash(plugin) == found else "not "
    return f"{found}, {other}as {where} has it"


def grants(plugin: ManifestPlugin, environ: Mapping[str, str]) -> Iterator[Line]:
    """Yield what a plugin is granted.

    Args:
        plugin: the plugin.
        environ: where secrets are from.
    """
    granted = plugin.wasi
    if granted is not None:
        clock = "no real time" if granted.fixed_clock else "the time"
        random = "no real random numbers" if granted.fixed_random else "random numbers"
        yield "wasi", f"{clock}, {random}, output that is logged"
        for one in granted.directories:
            may = "reads" if one.read_only else "reads and changes"
            yield "", f"{may} the directory '{one.host}' as '{one.guest}'"
        for name in granted.env:
            yield "", f"the variable {name}"
    if plugin.http is not None:
        hosts, methods = listed(plugin.http.hosts), listed(plugin.http.methods)
        yield "http", f"requests to {hosts or 'no host'} ({methods})"
    if plugin.kv is not None:
        where = "in memory" if plugin.kv.path is None else f"in the file '{plugin.kv.path}'"
        yield "kv", f"keeps texts {where}, under the name '{plugin.kv.namespace}'"
    for name in plugin.config:
        yield "config", name
    for name, variable in plugin.secrets.items():
        state = "is set" if variable in environ else "is not set"
        yield "secret", f"{name}: the value of {variable}, which {state}"


def _tools(plugin: ManifestPlugin) -> Iterator[Line]:
    policy = plugin.policy
    if policy.prefix:
        yield "prefix", policy.prefix
    for name, settings in policy.tools.items():
        said = ["hidden"] * settings.hidden + ["needs approval"] * settings.requires_approval
        said += [f"{hint} {write_json(value)}" for hint, value in settings.annotations.items()]
        yield "tool", f"{name}: {', '.join(said) or 'as it is'}"


def _imports(module: Module, plugin: ManifestPlugin) -> Iterator[Line]:
    known = offered(module.valid.module)
    names: dict[tuple[str, bool], list[str]] = {}
    for entry in module.imports:
        is_wasi = entry.name in known.get(entry.module, {})
        names.setdefault((entry.module, is_wasi), []).append(entry.name)
    if not names:
        yield "imports", "nothing"
    for (name, is_wasi), functions in names.items():
        if name == MODULE:
            verdict = "given: they refuse what is not granted"
        elif not is_wasi:
            verdict = "not granted: a program gives it, in the options of its manager"
        elif plugin.wasi is not None:
            verdict = "granted: it is WASI"
        else:
            verdict = "not granted: 'wasi = true' grants it"
        yield "imports", f"{name}: {listed(functions)} ({verdict})"
