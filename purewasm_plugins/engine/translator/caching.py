"""Translated code that outlives the process: what is kept, and under which name.

This is no I/O: a `CodeCache` given from outside keeps bytes by key. What is under a key is trusted
to have been put there by this package, so whoever keeps it must see that nobody else could.
"""

from __future__ import annotations

import hashlib
import marshal
import sys
from importlib.util import MAGIC_NUMBER
from types import CodeType
from typing import Protocol

from purewasm_plugins.engine.base import Instance

__all__ = ["CodeCache", "ModuleCache"]

#: Changes with every change of what the translator writes.
FORMAT = 1


class CodeCache(Protocol):
    """Keeps bytes by key, across processes."""

    def get(self, key: str) -> bytes | None:
        """What was put under the key, whole and unchanged; None if there is nothing."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Keep `content` under the key, in place of what was there. A failure is no error."""
        ...


class ModuleCache:
    """The code of the translated functions of one module."""

    def __init__(self, cache: CodeCache, instance: Instance, metered: bool) -> None:
        self._cache = cache
        self._key = module_key(instance.module.module.data, metered)
        self._codes: dict[int, bytes] = {}
        self._added = 0
        content = cache.get(self._key)
        if content is not None:
            self._codes = marshal.loads(content)

    def get(self, index: int) -> CodeType | None:
        """The code of a function, if it is there."""
        content = self._codes.get(index)
        return None if content is None else marshal.loads(content)

    def add(self, index: int, code: CodeType) -> None:
        """Keep the code of a function; `flush` writes it."""
        self._codes[index] = marshal.dumps(code)
        self._added += 1

    def flush(self) -> None:
        """Give to the cache what has been added."""
        if self._added:
            self._added = 0
            self._cache.put(self._key, marshal.dumps(self._codes))


def module_key(data: bytes, metered: bool) -> str:
    """The key of a module's code: everything that shapes it."""
    digest = hashlib.sha256(data)
    digest.update(repr((FORMAT, MAGIC_NUMBER, sys.version_info[:3], metered)).encode())
    return digest.hexdigest()
