"""The code of a module's translated functions: shared by its instances, and kept beyond them.

A module has the code objects as long as it lives. What outlives the process is no I/O here: a
`CodeCache` given from outside keeps bytes by key. What is under a key is trusted to have been put
there by this package, so whoever keeps it must see that nobody else could.
"""

from __future__ import annotations

import marshal
from types import CodeType

from purewasm_plugins.cache.protocol import CodeCache
from purewasm_plugins.engine.translator.lines import Effort
from purewasm_plugins.engine.translator.source import Compiled, compiled
from purewasm_plugins.wasm import ValidModule

__all__ = ["ModuleCode"]

#: Changes with every change of what the translator writes between two versions.
FORMAT = 2


class ModuleCode:
    """The code of the functions of one module that have been translated.

    Attributes:
        metered: whether they use fuel.
        audited: whether they check what the translator claims.
        cached: those that a cache has, where there is a cache.
    """

    @classmethod
    def of(
        cls, module: ValidModule, metered: bool, audited: bool, cache: CodeCache | None
    ) -> ModuleCode:
        """That of a module, where its instances have the same."""
        name = f"translator, metered {metered}, audited {audited}"
        code: ModuleCode = module.kept.setdefault(name, cls(module, metered, audited))
        if cache is not None and (code.cached is None or code.cached.cache is not cache):
            # Imported here: only those who keep a cache wait for it.
            from purewasm_plugins.cache.keys import code_key

            key = code_key(module.module.data, FORMAT, metered, audited)
            code.cached = _Cached(cache, key)
        return code

    def __init__(self, module: ValidModule, metered: bool, audited: bool) -> None:
        # Not the module itself, which has this object: what goes in a circle lives on for a while.
        self._module = module.module
        self.metered = metered
        self.audited = audited
        self._functions: dict[int, Compiled] = {}
        self.cached: _Cached | None = None

    def get(self, index: int, effort: Effort) -> CodeType:
        """The code of a function, for one instance; see `compiled`."""
        cached = self.cached
        function = self._functions.get(index)
        if function is not None:
            if cached is not None:
                cached.add(index, function)
            # Each has its own copy: CPython notes in the code what it finds in the namespace.
            return function.code.replace()
        if cached is not None:
            function = cached.get(index)
        if function is None:
            function = compiled(
                self._module, index, metered=self.metered, audited=self.audited, effort=effort
            )
            if cached is not None:
                cached.add(index, function)
        self._functions[index] = function
        return function.code

    def positions(self, index: int) -> bytes:
        """What in a function that has been called may trap; see `offset_at`."""
        return self._functions[index].positions


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

    def get(self, index: int) -> Compiled | None:
        """A function, if it is there."""
        content = self._codes.get(index)
        if content is None:
            return None
        try:
            code, positions = marshal.loads(content)
        except _DAMAGED:
            code = positions = None
        if isinstance(code, CodeType) and isinstance(positions, bytes):
            return Compiled(code, positions)
        del self._codes[index]
        return None

    def add(self, index: int, function: Compiled) -> None:
        """Keep a function, if it is not kept yet; `flush` writes it."""
        if index not in self._codes:
            self._codes[index] = marshal.dumps(tuple(function))
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
