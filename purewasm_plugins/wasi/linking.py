"""From grants to imports: what an instance gets of WASI, and of what compilers import beside it."""

from __future__ import annotations

from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.support.typed import Any, Iterator, Mapping
from purewasm_plugins.wasi import assemblyscript, emscripten
from purewasm_plugins.wasi.grants import Wasi
from purewasm_plugins.wasi.preview1 import MODULES, SIGNATURES, Preview1
from purewasm_plugins.wasi.state import WasiState
from purewasm_plugins.wasm.module import Module
from purewasm_plugins.wasm.types import FuncType

__all__ = ["imports_wasi", "link", "offered"]


def imports_wasi(module: Module) -> bool:
    """Return whether a module imports functions of WASI."""
    return any(entry.module in MODULES for entry in module.imports)


def offered(module: Module) -> Imports:
    """Return what WASI can give a module, for looking up whether an import is in it."""
    return link(module, Wasi(), None)[0]


def link(module: Module, wasi: Wasi, imports: Imports | None) -> tuple[Imports, WasiState]:
    """Add what was granted to the imports of an instance.

    Args:
        module: the module.
        wasi: the grants.
        imports: what else is given to it, which comes first: a function of WASI can be replaced.

    Returns:
        The imports, and the state of WASI in the instance.

    Raises:
        GrantError: a directory cannot be opened.
    """
    state = WasiState(wasi)
    state.imports = imports
    added: dict[str, Any] = {
        name: _Namespace(Preview1(state, layout))
        for name, layout in MODULES.items()
        if any(entry.module == name for entry in module.imports)
    }
    for entry in module.imports:
        type = module.import_type(entry)
        if entry.module in MODULES or not isinstance(type, FuncType):
            continue
        found = assemblyscript.find(entry.module, entry.name, type, state) or emscripten.find(
            entry.module, entry.name, type, state
        )
        if found is not None:
            added.setdefault(entry.module, {})[entry.name] = found
    given = {} if imports is None else imports
    merged = {
        name: _Layered(given.get(name, {}), added.get(name, {})) for name in {**given, **added}
    }
    return merged, state


class _Namespace(Mapping[str, Any]):
    """The functions of WASI by name; each is made when it is imported."""

    def __init__(self, functions: Preview1) -> None:
        self._functions = functions

    def __getitem__(self, name: str) -> Any:
        if name not in SIGNATURES:
            raise KeyError(name)
        return self._functions.function(name)

    def __iter__(self) -> Iterator[str]:
        return iter(SIGNATURES)

    def __len__(self) -> int:
        return len(SIGNATURES)


class _Layered(Mapping[str, Any]):
    """What is given by either of two mappings, by the first where both have it."""

    def __init__(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
        self._first, self._second = first, second

    def __getitem__(self, name: str) -> Any:
        try:
            return self._first[name]
        except KeyError:
            return self._second[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**dict.fromkeys(self._first), **dict.fromkeys(self._second)})

    def __len__(self) -> int:
        return len([*self])
