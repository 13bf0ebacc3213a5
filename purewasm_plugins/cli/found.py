"""The plugins that the command finds: those of the user's folder, and of installed packages."""

from __future__ import annotations

import click

from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.errors import PluginFileError
from purewasm_plugins.plugin.discovery import FoundPlugin, find_plugins

__all__ = ["chosen_folder", "found_plugins"]


def chosen_folder() -> str | None:
    """Return the folder that `--plugins-dir` names; None for that of the user."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.find_root().params.get("plugins_dir")


def found_plugins() -> list[FoundPlugin]:
    """Find plugins, as `find_plugins` does.

    Raises:
        Failure: the folder that `--plugins-dir` names cannot be read.
    """
    try:
        return find_plugins(chosen_folder())
    except PluginFileError as error:
        raise Failure(str(error), Exit.USAGE) from error
