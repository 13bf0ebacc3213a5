"""Translated code that outlives the process: what is kept, and under which name.

This is no I/O: a `CodeCache` given from outside keeps bytes by key. What is under a key is trusted
to have been put there by this package, so whoever keeps it must see that nobody else could.
"""

from __future__ import annotations

import marshal
import sys
from types import CodeType

from purewasm_plugins.engine.base import CodeCache, Instance
from purewasm_plugins.version import VERSION

__all__ = ["ModuleCache"]

#: Changes with every change of what the translator writes between two versions.
FORMAT = 2


class ModuleCache:
    """The code of the translated functions of one module.

    Attributes:
        added: how many functions are not in the cache yet.
    """

    def __init__(self, cache: CodeCache, instance: Instance, metered: bool, audited: bool) -> None:
        self._cache = cache
        self._key = module_key(instance.module.module.data, metered, audited)
        self._codes: dict[int, bytes] = {}
        self.added = 0
        content = cache.get(self._key)
        if content is not None:
            self._codes = _read(content)

    def get(self, index: int) -> CodeType | None:
        """The code of a function, if it is there."""
        content = self._codes.get(index)
        if content is None:
            return None
        code = marshal.loads(content)
        return code if isinstance(code, CodeType) else None

    def add(self, index: int, code: CodeType) -> None:
        """Keep the code of a function; `flush` writes it."""
        self._codes[index] = marshal.dumps(code)
        self.added += 1

    def flush(self) -> None:
        """Give to the cache what has been added."""
        if self.added:
            self.added = 0
            # Another process may have translated other functions of the module meanwhile.
            content = self._cache.get(self._key)
            known = {} if content is None else _read(content)
            self._codes = {**known, **self._codes}
            self._cache.put(self._key, marshal.dumps(self._codes))


def _read(content: bytes) -> dict[int, bytes]:
    """The functions in an entry; none where it is not what `flush` wrote."""
    try:
        codes = marshal.loads(content)
    except (EOFError, ValueError, TypeError):
        return {}
    return codes if isinstance(codes, dict) else {}


def module_key(data: bytes, metered: bool, audited: bool) -> str:
    """The key of a module's code: everything that shapes it."""
    # Imported here: it takes a while, and without a cache nobody needs it.
    import hashlib
    from importlib.util import MAGIC_NUMBER

    digest = hashlib.sha256(data)
    shape = (VERSION, FORMAT, MAGIC_NUMBER, sys.version_info[:3], metered, audited)
    digest.update(repr(shape).encode())
    return digest.hexdigest()
