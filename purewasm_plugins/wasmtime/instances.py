"""`Instance` and its exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from purewasm_plugins.runtime.instance import Instance as RuntimeInstance
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.linking import make_instance
from purewasm_plugins.wasmtime.modules import Module
from purewasm_plugins.wasmtime.state import AsExtern, Context, StoreState, wrong_store

__all__ = ["Instance", "InstanceExports", "check_extern"]


class Instance:
    """An instance of a module in a store.

    Attributes:
        inner: for this package only: the instance as the runtime has it.
        state: for this package only: the state of its store.
    """

    inner: RuntimeInstance
    state: StoreState
    _exports: InstanceExports | None

    def __init__(self, store: Context, module: Module, imports: Sequence[AsExtern]) -> None:
        """Make an instance and run its start function.

        Args:
            store: the store that it belongs to.
            module: the module.
            imports: a `Func`, `Global`, `Memory` or `Table` for each import, in the order of the
                module.

        Raises:
            TypeError: one of the imports is something else.
            WasmtimeError: there are too few or too many, one has another type or belongs to another
                store, or a limit of the store forbids the instance.
            Trap: a segment does not fit, or the start function trapped.
            BaseException: what a host function has raised.
        """
        for given in imports:
            check_extern(given)
        state = store.context()
        module.check_open()
        wanted = len(module.inner.imports)
        if len(imports) != wanted:
            raise WasmtimeError(f"expected {wanted} imports, found {len(imports)}")
        inner = [given.of_store(state) for given in imports]
        self._take(state, make_instance(state, module, inner))

    @classmethod
    def of(cls, inner: RuntimeInstance, state: StoreState) -> Instance:
        """Return the instance that the runtime has as `inner`; for this package only."""
        instance = cls.__new__(cls)
        instance._take(state, inner)
        return instance

    def _take(self, state: StoreState, inner: RuntimeInstance) -> None:
        self.state = state
        self.inner = inner
        self._exports = None

    def exports(self, store: Context) -> InstanceExports:
        """Return what it exports, by name and by index."""
        if self._exports is None:
            if store.context() is not self.state:
                raise wrong_store()
            self._exports = InstanceExports(self)
        return self._exports


class InstanceExports(Mapping[str, AsExtern]):
    """What an instance exports, by name, in the order of the module."""

    def __init__(self, instance: Instance) -> None:
        """Wrap the exports; for this package only."""
        state = instance.state
        self._by_name = {
            name: state.wrap(state, extern) for name, extern in instance.inner.exports.items()
        }
        self._by_index = tuple(self._by_name.values())

    @property
    def by_index(self) -> Sequence[AsExtern]:
        """The same by index."""
        return self._by_index

    def __getitem__(self, name: str) -> AsExtern:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_index)


def check_extern(given: object) -> None:
    """Refuse what no module can import.

    Raises:
        TypeError: it is no `Func`, `Global`, `Memory` or `Table`.
    """
    if not isinstance(given, AsExtern):
        raise TypeError("expected a Func, Global, Memory, SharedMemory, Tag, or Table")
