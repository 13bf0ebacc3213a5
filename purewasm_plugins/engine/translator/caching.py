"""The code of a module's translated functions: shared by its instances, and kept beyond them.

A module has the code objects as long as it lives. What outlives the process is no I/O here: a
`CodeCache` given from outside keeps bytes by key. What is under a key is trusted to have been put
there by this package, so whoever keeps it must see that nobody else could.
"""

from __future__ import annotations

import marshal
import sys
from types import CodeType

from purewasm_plugins.engine.base import CodeCache
from purewasm_plugins.engine.translator.source import Position, compiled, positions_of
from purewasm_plugins.version import VERSION
from purewasm_plugins.wasm import ValidModule

__all__ = ["ModuleCode"]

#: Changes with every change of what the translator writes between two versions.
FORMAT = 1

#: Positions that a module keeps, of the functions that have trapped: each takes 150 bytes.
_MOST_POSITIONS = 100_000


class ModuleCode:
    """The code of the functions of one module that have been translated.

    Attributes:
        metered: whether they use fuel.
    """

    @classmethod
    def of(cls, module: ValidModule, metered: bool, cache: CodeCache | None) -> ModuleCode:
        """That of a module, where its instances have the same."""
        key = f"translator, {'metered' if metered else 'free'}"
        code: ModuleCode = module.kept.setdefault(key, cls(module, metered))
        if cache is not None and (code._cached is None or code._cached.cache is not cache):
            code._cached = _Cached(cache, module_key(module.module.data, metered))
        return code

    def __init__(self, module: ValidModule, metered: bool) -> None:
        # Not the module itself, which has this object: what goes in a circle lives on for a while.
        self._module = module.module
        self.metered = metered
        self._codes: dict[int, CodeType] = {}
        self._cached: _Cached | None = None
        self._positions: dict[int, list[list[Position]]] = {}
        self._room_for_positions = _MOST_POSITIONS

    def get(self, index: int) -> CodeType:
        """The code of a function, for one instance."""
        cached = self._cached
        code = self._codes.get(index)
        if code is not None:
            if cached is not None:
                cached.add(index, code)
            # Each has its own copy: CPython notes in the code what it finds in the namespace.
            return code.replace()
        if cached is not None:
            code = cached.get(index)
        if code is None:
            code = compiled(self._module, index, metered=self.metered)
            if cached is not None:
                cached.add(index, code)
        self._codes[index] = code
        return code

    def positions(self, index: int) -> list[list[Position]]:
        """For each line of a function's source, what in it may trap; see `positions_of`."""
        positions = self._positions.get(index)
        if positions is None:
            positions = positions_of(self._module, index, metered=self.metered)
            count = len(positions) + sum(map(len, positions))
            if count <= self._room_for_positions:
                self._room_for_positions -= count
                self._positions[index] = positions
        return positions

    @property
    def added(self) -> int:
        """How many functions are not in the cache yet."""
        return 0 if self._cached is None else self._cached.added

    def flush(self) -> None:
        """Give to the cache what is not there yet."""
        if self._cached is not None:
            self._cached.flush()


class _Cached:
    """What a cache has of one module.

    Attributes:
        cache: where it is kept.
        added: how many functions are not there yet.
    """

    def __init__(self, cache: CodeCache, key: str) -> None:
        self.cache = cache
        self._key = key
        self._codes: dict[int, bytes] = {}
        self.added = 0
        content = cache.get(key)
        if content is not None:
            self._codes = _read(content)

    def get(self, index: int) -> CodeType | None:
        """The code of a function, if it is there."""
        content = self._codes.get(index)
        code: object = None
        if content is not None:
            try:
                code = marshal.loads(content)
            except _DAMAGED:
                del self._codes[index]
        return code if isinstance(code, CodeType) else None

    def add(self, index: int, code: CodeType) -> None:
        """Keep the code of a function, if it is not kept yet; `flush` writes it."""
        if index not in self._codes:
            self._codes[index] = marshal.dumps(code)
            self.added += 1

    def flush(self) -> None:
        """Give to the cache what has been added."""
        if self.added:
            self.added = 0
            # Another process may have translated other functions of the module meanwhile.
            content = self.cache.get(self._key)
            known = {} if content is None else _read(content)
            self._codes = {**known, **self._codes}
            self.cache.put(self._key, marshal.dumps(self._codes))


#: What `marshal` raises for bytes that it did not write.
_DAMAGED = (EOFError, ValueError, TypeError)


def _read(content: bytes) -> dict[int, bytes]:
    """The functions in an entry; none where it is not what `flush` wrote."""
    try:
        codes = marshal.loads(content)
    except _DAMAGED:
        return {}
    if not isinstance(codes, dict) or not all(type(code) is bytes for code in codes.values()):
        return {}
    return codes


def module_key(data: bytes, metered: bool) -> str:
    """The key of a module's code: everything that shapes it."""
    # Imported here: it takes a while, and without a cache nobody needs it.
    import hashlib
    from importlib.util import MAGIC_NUMBER

    digest = hashlib.sha256(data)
    digest.update(repr((VERSION, FORMAT, MAGIC_NUMBER, sys.version_info[:3], metered)).encode())
    return digest.hexdigest()
