"""Short ways to a module, and to its exports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

#: What raises, or does not.
Call = Callable[[], Any]


def exports(library: Any, text: str, imports: Sequence[Any] = (), store: Any = None) -> Any:
    """Instantiate a module, and return its exports as functions that need no store.

    What is no function is as it is.
    """
    store = store or library.Store()
    instance = library.Instance(store, library.Module(store.engine, text), [*imports])
    return Exports(library, store, instance)


class Exports:
    """The exports of an instance as attributes.

    Attributes:
        store: the store.
        instance: the instance.
    """

    def __init__(self, library: Any, store: Any, instance: Any) -> None:
        self._library = library
        self.store = store
        self.instance = instance

    def __getattr__(self, name: str) -> Any:
        found = self.instance.exports(self.store)[name]
        if isinstance(found, self._library.Func):
            return lambda *arguments: found(self.store, *arguments)
        return found


def function_type(library: Any, text: str) -> Any:
    """Return the type of a function: "i32 i64 -> f32"."""
    params, _, results = text.partition("->")
    named = library.ValType
    return library.FuncType(
        [getattr(named, name)() for name in params.split()],
        [getattr(named, name)() for name in results.split()],
    )


def host(
    library: Any, store: Any, text: str, function: Callable[..., Any], caller: bool = False
) -> Any:
    """Return a `Func` of the type that a text has."""
    return library.Func(store, function_type(library, text), function, access_caller=caller)
