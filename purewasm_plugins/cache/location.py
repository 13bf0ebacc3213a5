"""The user's own cache directory, and the environment variable that sets the bound of a cache."""

from __future__ import annotations

import os
import sys

from purewasm_plugins.cache.directory import DEFAULT_BOUND
from purewasm_plugins.errors import PluginError

__all__ = ["bound", "user_directory"]

#: The environment variable that says how many bytes all entries may have: `256MiB`, `1GiB`, `5000`.
SIZE_VARIABLE = "PUREWASM_CACHE_SIZE"

_UNITS = {"": 1, "b": 1, "kib": 1024, "mib": 1024**2, "gib": 1024**3}

_NAME = "purewasm"


def user_directory() -> str | None:
    """Return the directory in which a program keeps what it can make again; None if there is none.

    It is `$XDG_CACHE_HOME` or `~/.cache`, on macOS `~/Library/Caches`, on Windows `%LOCALAPPDATA%`,
    and in it the folder `purewasm`.
    """
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        if not os.path.isabs(base):
            base = os.path.expanduser("~/.cache")
    # Without a home directory, `~` stays as it is.
    return os.path.join(base, _NAME) if os.path.isabs(base) else None


def bound() -> int:
    """Return how many bytes all entries of a cache may have together.

    Raises:
        PluginError: PUREWASM_CACHE_SIZE is no size.
    """
    text = os.environ.get(SIZE_VARIABLE, "").strip()
    if not text:
        return DEFAULT_BOUND
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
    unit = _UNITS.get(text[len(digits) :].strip().lower())
    if unit is None or not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
        raise PluginError(f"{SIZE_VARIABLE} is no size, such as 256MiB or 1GiB: {text!r}")
    return int(digits) * unit
