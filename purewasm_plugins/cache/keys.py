"""The keys of what a cache keeps: this module makes every one of them.

A key covers everything that its content depends on, so no entry is ever out of date.
"""

from __future__ import annotations

import sys

# `importlib.util` hands it out, and takes milliseconds.
from _frozen_importlib_external import MAGIC_NUMBER

from purewasm_plugins.cache.digests import digest
from purewasm_plugins.support.version import VERSION

__all__ = ["code_key", "validity_key"]


def code_key(module: bytes, *options: object) -> str:
    """Make the key of the Python code that the functions of a module are translated to.

    Args:
        module: the module's bytes.
        options: what else the code depends on, as values whose `repr` is their content: the
            translator's format and its options.
    """
    return _key("code", module, MAGIC_NUMBER, sys.version_info[:3], *options)


def validity_key(module: bytes) -> str:
    """Make the key of the statement that a module is valid: an entry, of any content, states it.

    Args:
        module: the module's bytes.
    """
    return _key("valid", module)


def _key(kind: str, module: bytes, *options: object) -> str:
    # What follows the module begins with its length: no module and options run into each other.
    return digest(module, repr((len(module), kind, VERSION, *options)).encode()).hex()
