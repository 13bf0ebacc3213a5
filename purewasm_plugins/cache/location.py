"""The bound of a cache, which an environment variable sets."""

from __future__ import annotations

import os

from purewasm_plugins.cache.directory import DEFAULT_BOUND
from purewasm_plugins.errors import PluginError

__all__ = ["bound"]

#: The environment variable that says how many bytes all entries may have: `256MiB`, `1GiB`, `5000`.
SIZE_VARIABLE = "PUREWASM_CACHE_SIZE"

_UNITS = {"": 1, "b": 1, "kib": 1024, "mib": 1024**2, "gib": 1024**3}


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
