"""`purewasm plugins`: the plugins that are found, and those of a manifest."""

from __future__ import annotations

import os
from typing import Any

import click

from purewasm_plugins.cli.completion import complete_file
from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.found import found_plugins
from purewasm_plugins.cli.options import directory_option, env_option
from purewasm_plugins.cli.output import console, print_error, print_json, show_table, visible
from purewasm_plugins.errors import PluginError
from purewasm_plugins.module import read_bytes
from purewasm_plugins.plugin.files import digest
from purewasm_plugins.plugin.loading import read_plugin
from purewasm_plugins.plugin.manifest import Manifest, ManifestPlugin, read_manifest
from purewasm_plugins.plugin.manifest.editing import with_entries
from purewasm_plugins.plugin.manifest.lock import Locked, lock_path, lock_text
from purewasm_plugins.plugin.manifest.model import manifest_of
from purewasm_plugins.plugin.manifest.summary import explanation, grants

_MANIFEST = "plugins.toml"

_config_option = click.option(
    "--config",
    metavar="FILE",
    default=_MANIFEST,
    show_default=True,
    shell_complete=complete_file,
    help="The manifest: TOML, or JSON where the name ends in .json.",
)


@click.group(short_help="List plugins that are found, and manage a manifest.")
def plugins() -> None:
    """List the plugins that are found; pin, check and explain those of a manifest.

    Plugins are found in the folder of the user, or in the one of 'purewasm --plugins-dir', and
    where installed packages declare them as entry points of the group 'purewasm.plugins'.

    A manifest, plugins.toml, says of each plugin its file, its limits and what it may touch.

    \b
    Examples:
      purewasm plugins list
      purewasm plugins lock
      purewasm plugins why c_json
    """


@plugins.command("list", short_help="List the plugins that are found.")
@click.option(
    "--config",
    metavar="FILE",
    shell_complete=complete_file,
    help="List the plugins of this manifest in place of those that are found.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_plugins(config: str | None, as_json: bool) -> int:
    """List the plugins that are found, or those of a manifest: their names, and their files.

    Of those of a manifest the list has what they are granted, too.

    Every command takes the name of one that is found in place of a file. Nothing of a plugin is
    read. One whose file is missing is reported on standard error, and the exit status is 3.

    \b
    Examples:
      purewasm plugins list
      purewasm plugins list --config plugins.toml --json
    """
    rows: list[tuple[str, str, str, list[str]]] = []
    failed = False
    if config is None:
        for found in found_plugins():
            if found.error is not None:
                print_error(f"{found.origin}: {found.error}")
                failed = True
            else:
                rows.append((found.name, found.origin, str(found.path), []))
    else:
        manifest = _read(config)
        for plugin in manifest.plugins:
            granted = [line for _, line in grants(plugin, os.environ)]
            try:
                rows.append((plugin.name, plugin.origin, manifest.path(plugin), granted))
            except PluginError as error:
                print_error(str(error))
                failed = True
    if as_json:
        # What is found is granted nothing: the command that loads it says what it may touch.
        keys = ("name", "origin", "file", *(() if config is None else ("grants",)))
        print_json([dict(zip(keys, row, strict=False)) for row in rows])
    else:
        lines = [(name, file, "; ".join(granted)) for name, _, file, granted in rows]
        show_table(console(), "", lines)
    return Exit.PLUGIN if failed else Exit.OK


@plugins.command(short_help="Pin the files of the manifest.")
@_config_option
def lock(config: str) -> None:
    """Write the hash of each plugin's file into the lock file, beside the manifest.

    From then on a file with another hash is refused before anything of it runs.

    \b
    Example:
      purewasm plugins lock --config plugins.toml
    """
    manifest = _read(config)
    locked: dict[str, Locked] = {}
    for plugin in manifest.plugins:
        try:
            found = digest(read_plugin(manifest.path(plugin)))
            if plugin.sha256 not in (None, found):
                raise manifest.error(plugin, f"the file has another one, {found}", "sha256")
        except PluginError as error:
            raise Failure(str(error), Exit.PLUGIN) from error
        locked[plugin.name] = Locked(plugin.origin, found)
        known = None if manifest.locked is None else manifest.locked.get(plugin.name)
        change = "new" if known is None else "same" if known.sha256 == found else "changed"
        click.echo(visible(f"{plugin.name}: {found} ({change})"))
    _write(lock_path(manifest.file), lock_text(locked))


@plugins.command(short_help="Check the files against their hashes.")
@_config_option
def verify(config: str) -> int:
    """Check that each plugin's file has the hash that the manifest or the lock file has.

    A plugin without a hash fails, too. Nothing of a plugin runs. The exit status is 1 if one fails.

    \b
    Example:
      purewasm plugins verify
    """
    manifest = _read(config)
    status = Exit.OK
    for plugin in manifest.plugins:
        try:
            expected = manifest.expected_hash(plugin)
            found = digest(read_plugin(manifest.path(plugin)))
        except PluginError as error:
            print_error(str(error))
            status = Exit.CHECK_FAILED
            continue
        if expected == found:
            click.echo(visible(f"{plugin.name}: {found}"))
            continue
        wanted = "no hash is known; 'purewasm plugins lock' notes it"
        wanted = wanted if expected is None else f"{expected} was expected"
        print_error(f"{plugin.name}: {found}, and {wanted}")
        status = Exit.CHECK_FAILED
    return status


@plugins.command(short_help="Explain what a plugin may do.")
@click.argument("plugin")
@_config_option
def why(plugin: str, config: str) -> int:
    """Explain a plugin of the manifest: its file, its hash, and what it may use and touch, and why.

    Each function that it imports is there, and whether it is granted. Nothing of the plugin runs.
    The exit status is 1 if the plugin would be refused.

    \b
    Example:
      purewasm plugins why c_json
    """
    manifest = _read(config)
    lines, refused = explanation(manifest, _entry(manifest, plugin), os.environ)
    for heading, line in lines:
        click.echo(visible(f"{heading:<9} {line}", 2000).rstrip())
    return Exit.CHECK_FAILED if refused else Exit.OK


@plugins.command(short_help="Add grants to a plugin of the manifest.")
@click.argument("plugin")
@directory_option
@env_option
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME[=VARIABLE]",
    help="Give the text NAME of its configuration, which is the value of the variable VARIABLE, or"
    " NAME, when the plugin is loaded. Repeatable.",
)
@click.option(
    "--allow-http",
    "hosts",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Allow HTTP requests to a host, or to all names below one: *.NAME. Repeatable.",
)
@click.option(
    "--kv",
    "store",
    metavar="FILE",
    shell_complete=complete_file,
    help="Give it a key-value store in a file, which is made where there is none.",
)
@_config_option
def grant(
    plugin: str,
    directories: tuple[tuple[str, Any], ...],
    variables: tuple[tuple[str, str], ...],
    secrets: tuple[str, ...],
    hosts: tuple[str, ...],
    store: str | None,
    config: str,
) -> None:
    """Add grants to a plugin of the manifest; its other text stays as it is.

    \b
    Example:
      purewasm plugins grant c_json --dir data::/data:ro --secret TOKEN=MY_TOKEN
    """
    manifest = _read(config)
    entry = _entry(manifest, plugin)
    if hosts and entry.http is not None:
        raise _granted_already(manifest, entry, "http")
    if store and entry.kv is not None:
        raise _granted_already(manifest, entry, "kv")
    keys = "plugins", entry.name
    entries: dict[tuple[str, ...], dict[str, Any]] = {
        (*keys, "wasi", "directories"): {
            guest: {"path": _relative(host.path, manifest.folder), "read_only": host.read_only}
            for guest, host in directories
        },
        (*keys, "wasi", "env"): dict(variables),
        (*keys, "secrets"): {
            name: variable or name
            for name, _, variable in (secret.partition("=") for secret in secrets)
        },
        (*keys, "http"): {"hosts": [*hosts]} if hosts else {},
        (*keys, "kv"): {"path": _relative(store, manifest.folder)} if store else {},
    }
    entries = {table: added for table, added in entries.items() if added}
    if not entries:
        raise click.UsageError(
            "Nothing is granted: give --dir, --env, --secret, --allow-http or --kv."
        )
    try:
        text = read_bytes(manifest.file, "manifest").decode()
        text = with_entries(manifest.file, text, entries)
        # A configuration of another program, and a plugin with a policy, take no more grants.
        manifest_of(manifest.file, text.encode())
    except PluginError as error:
        raise Failure(str(error), Exit.USAGE) from error
    _write(manifest.file, text)


def _granted_already(manifest: Manifest, plugin: ManifestPlugin, key: str) -> Failure:
    error = manifest.error(plugin, "it is granted already, and only changed by hand", key)
    return Failure(str(error), Exit.USAGE)


def _relative(path: str, folder: str) -> str:
    """Return a path as the manifest has it: relative, where it is below the manifest's folder."""
    absolute = os.path.abspath(path)
    inside = os.path.join(absolute, "").startswith(os.path.join(folder, ""))
    return os.path.relpath(absolute, folder).replace(os.sep, "/") if inside else absolute


def _read(config: str) -> Manifest:
    try:
        return read_manifest(config)
    except PluginError as error:
        raise Failure(str(error), Exit.USAGE) from error


def _entry(manifest: Manifest, name: str) -> ManifestPlugin:
    try:
        return manifest.plugin(name)
    except PluginError as error:
        raise Failure(str(error), Exit.USAGE) from error


def _write(path: str, text: str) -> None:
    """Write a file at once: a reader finds the old text or the new one."""
    try:
        with open(f"{path}.new", "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(f"{path}.new", path)
    except OSError as error:
        raise Failure(f"cannot write '{path}': {error.strerror}", Exit.USAGE) from error
