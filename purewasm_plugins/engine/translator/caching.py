"""The code of a module's translated functions: its instances share it, and a cache keeps it.

The module has the code objects as long as it lives. Beyond the process a `CodeCache` keeps them,
which is an argument: there is no I/O here. The bytes under a key are run as code, so a cache must
only return what this package has put there.
"""

from __future__ import annotations

import marshal
from types import CodeType

from purewasm_plugins.cache.protocol import CodeCache
from purewasm_plugins.engine.translator.translation import Compiled, Effort
from purewasm_plugins.wasm import ValidModule

__all__ = ["ModuleCode"]

#: To be increased with every change of the generated code between two versions of the package.
FORMAT = 3


class ModuleCode:
    """The code of the translated functions of one module.

    Attributes:
        metered: whether they use fuel.
        bounded: whether their memory ends at `MEMORY_END` at the latest.
        audited: whether they check the translator's claims.
        cached: the functions that a cache has, if there is a cache.
    """

    @classmethod
    def of(
        cls,
        module: ValidModule,
        metered: bool,
        bounded: bool,
        audited: bool,
        cache: CodeCache | None,
    ) -> ModuleCode:
        """Return the code of a module, which all of its instances share.

        Args:
            module: the module.
            metered: whether its functions use fuel.
            bounded: whether their memory ends at `MEMORY_END` at the latest.
            audited: whether they check the translator's claims; see `audit`.
            cache: what keeps the code beyond the process.
        """
        name = f"translator, metered {metered}, bounded {bounded}, audited {audited}"
        code: ModuleCode = module.kept.setdefault(name, cls(module, metered, bounded, audited))
        if cache is not None and (code.cached is None or code.cached.cache is not cache):
            # Imported here: most programs use no cache.
            from purewasm_plugins.cache.keys import code_key

            key = code_key(module.module.data, FORMAT, metered, bounded, audited)
            code.cached = _Cached(cache, key)
        return code

    def __init__(self, module: ValidModule, metered: bool, bounded: bool, audited: bool) -> None:
        # Not the valid module, which has this object: a cycle would be freed late.
        self._module = module.module
        self.metered = metered
        self.bounded = bounded
        self.audited = audited
        self._functions: dict[int, Compiled] = {}
        #: The code of functions that instances gave back, by the function's index.
        self._spare: dict[int, CodeType] = {}
        self.cached: _Cached | None = None

    def get(self, index: int, effort: Effort) -> CodeType:
        """Return the code of a function for one instance; see `compiled`."""
        cached = self.cached
        function = self._functions.get(index)
        if function is not None:
            if cached is not None:
                cached.add(index, function)
            # An instance has its own copy: CPython caches in the code what is in the namespace. A
            # copy that another instance has used is faster from its first call on.
            return self._spare.pop(index, None) or function.code.replace()
        if cached is not None:
            function = cached.get(index)
        if function is None:
            # Imported here: all that translates takes longer than a first call with a cache.
            from purewasm_plugins.engine.translator.source import compiled

            function = compiled(
                self._module,
                index,
                metered=self.metered,
                bounded=self.bounded,
                audited=self.audited,
                effort=effort,
            )
            if cached is not None:
                cached.add(index, function)
        self._functions[index] = function
        return function.code

    def give_back(self, codes: dict[int, CodeType]) -> None:
        """Take the code of functions from an instance that does not run again, for the next one."""
        self._spare |= codes

    def positions(self, index: int) -> bytes:
        """Return the positions of what may trap in a function that has been called."""
        return self._functions[index].positions


class _Cached:
    """The functions of one module that a cache has.

    Attributes:
        cache: the cache.
        added: how many functions it does not have yet.
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
        """Return a function, or None if the cache does not have it."""
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
        """Add a function that the cache does not have; `flush` writes it."""
        if index not in self._codes:
            self._codes[index] = marshal.dumps((function.code, function.positions))
            self.added += 1

    def flush(self) -> None:
        """Put the functions that were added into the cache."""
        if self.added:
            self.added = 0
            # Another process may have added functions meanwhile.
            content = self.cache.get(self._key)
            known = {} if content is None else _read(content)
            self._codes = {**known, **self._codes}
            self.cache.put(self._key, marshal.dumps(self._codes))


#: What `marshal` raises for bytes that it has not written.
_DAMAGED = (EOFError, ValueError, TypeError)


def _read(content: bytes) -> dict[int, bytes]:
    """Return the functions in an entry; none if `flush` has not written it."""
    try:
        codes = marshal.loads(content)
    except _DAMAGED:
        return {}
    if not isinstance(codes, dict) or not all(type(code) is bytes for code in codes.values()):
        return {}
    return codes
