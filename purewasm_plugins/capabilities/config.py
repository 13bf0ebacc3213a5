"""Configuration: texts by name, which a plugin reads."""

from __future__ import annotations

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.support.typed import Mapping

__all__ = ["MAX_BYTES", "MAX_ENTRIES", "check_config", "is_text"]

#: Entries of a configuration, and bytes of all names and values in it.
MAX_ENTRIES = 1000
MAX_BYTES = 1024 * 1024


def check_config(config: object) -> None:
    """Check a configuration.

    A name must be one that a variable of the environment can have.

    Raises:
        InvalidOptionError: it is no mapping of texts to texts, or has too many.
    """
    if not isinstance(config, Mapping):
        what = f"it must be a mapping of texts or None, and is a {type(config).__name__}"
        raise InvalidOptionError("config", what)
    if len(config) > MAX_ENTRIES:
        raise InvalidOptionError("config", f"it has more than {MAX_ENTRIES} entries")
    size = 0
    for name, value in config.items():
        # The value is not shown: it may be a secret.
        if not is_text(name) or not name or "=" in name:
            raise InvalidOptionError("config", f"{name!r} is no name of a value")
        if not is_text(value):
            details = f"the value of '{name}' is no text without U+0000 and lone surrogates"
            raise InvalidOptionError("config", details)
        size += len(name.encode()) + len(value.encode())
    if size > MAX_BYTES:
        raise InvalidOptionError("config", f"it has more than {MAX_BYTES} bytes")


def is_text(value: object) -> bool:
    """Return whether a value is a string that the ABI can pass."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
