"""The folders of the user, as each platform has them."""

from __future__ import annotations

import os
import sys

__all__ = ["cache_folder", "config_folder"]

_NAME = "purewasm"


def cache_folder() -> str | None:
    """Return the folder in which a program keeps what it can make again; None if there is none.

    It is `$XDG_CACHE_HOME` or `~/.cache`, on macOS `~/Library/Caches`, on Windows `%LOCALAPPDATA%`,
    and in it the folder `purewasm`.
    """
    return _folder("LOCALAPPDATA", "~/Library/Caches", "XDG_CACHE_HOME", "~/.cache")


def config_folder() -> str | None:
    """Return the folder of what the user has chosen; None if there is none.

    It is `$XDG_CONFIG_HOME` or `~/.config`, on macOS `~/Library/Application Support`, on Windows
    `%APPDATA%`, and in it the folder `purewasm`.
    """
    return _folder("APPDATA", "~/Library/Application Support", "XDG_CONFIG_HOME", "~/.config")


def _folder(windows: str, macos: str, variable: str, default: str) -> str | None:
    if os.name == "nt":
        base = os.environ.get(windows, "")
    elif sys.platform == "darwin":
        base = os.path.expanduser(macos)
    else:
        base = os.environ.get(variable, "")
        if not os.path.isabs(base):
            base = os.path.expanduser(default)
    # Without a home directory, `~` stays as it is.
    return os.path.join(base, _NAME) if os.path.isabs(base) else None
