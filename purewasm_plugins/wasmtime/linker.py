"""`Linker` and `InstancePre`: imports by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from purewasm_plugins.module import ModuleImport
from purewasm_plugins.runtime.instance import Extern, Function
from purewasm_plugins.runtime.instance import Global as RuntimeGlobal
from purewasm_plugins.runtime.memory import Memory as RuntimeMemory
from purewasm_plugins.runtime.table import Table as RuntimeTable
from purewasm_plugins.runtime.values import DEFAULT
from purewasm_plugins.wasm import types as wasm
from purewasm_plugins.wasmtime.engine import Engine
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.functions import Func, host_function
from purewasm_plugins.wasmtime.instances import Instance, check_extern
from purewasm_plugins.wasmtime.linking import make_instance, shown_import
from purewasm_plugins.wasmtime.managed import Managed
from purewasm_plugins.wasmtime.modules import Module
from purewasm_plugins.wasmtime.state import AsExtern, Context, StoreState
from purewasm_plugins.wasmtime.traps import Trap
from purewasm_plugins.wasmtime.types import FuncType

__all__ = ["InstancePre", "Linker"]

#: What gives the definition of a name in a store.
_Definition = Callable[[StoreState], Extern]


class Linker(Managed):
    """Definitions by name, of which modules are given their imports.

    Attributes:
        engine: its engine.
        allow_shadowing: whether a name may be defined anew. It can only be set.
    """

    def __init__(self, engine: Engine) -> None:
        """Begin without definitions.

        Raises:
            AttributeError: `engine` is no engine.
            ValueError: it is closed.
        """
        engine.check_open()
        self.engine = engine
        self._shadowing = False
        self._definitions: dict[tuple[str, str], _Definition] = {}

    def _set_shadowing(self, allow: bool) -> None:
        self.check_open()
        self._shadowing = bool(allow)

    allow_shadowing = property(None, _set_shadowing)

    def _define(self, module: str, name: str, definition: _Definition) -> None:
        # A name that is no text has no such method.
        module.encode(), name.encode()
        self.check_open()
        if (module, name) in self._definitions and not self._shadowing:
            raise WasmtimeError(f"import of {shown_import(module, name)} defined twice")
        self._definitions[module, name] = definition

    def define(self, store: Context, module: str, name: str, item: AsExtern) -> None:
        """Define a name as what belongs to a store.

        Args:
            store: the store.
            module, name: the two names.
            item: a `Func`, `Global`, `Memory` or `Table`.

        Raises:
            TypeError: it is something else.
            AttributeError: a name is no text.
            WasmtimeError: the name is defined already, or the item belongs to another store.
        """
        check_extern(item)
        item.of_store(store.context())
        self._define(module, name, item.of_store)

    def define_func(
        self,
        module: str,
        name: str,
        ty: FuncType,
        func: Callable[..., Any],
        access_caller: bool = False,
    ) -> None:
        """Define a name as a Python function, for any store.

        Args:
            module, name: the two names.
            ty, func, access_caller: as for `Func`.

        Raises:
            TypeError: `ty` is no `FuncType`.
            WasmtimeError: the name is defined already.
        """
        if not isinstance(ty, FuncType):
            raise TypeError("expected a FuncType")
        ty.check_open()
        inner = ty.inner
        self._define(module, name, lambda state: host_function(inner, func, access_caller, state))

    def define_instance(self, store: Context, name: str, instance: Instance) -> None:
        """Define each export of an instance.

        Args:
            store: the store.
            name: the first of the two names; the second is the export's.
            instance: the instance.

        Raises:
            TypeError: it is no `Instance`.
            WasmtimeError: a name is defined already.
        """
        if not isinstance(instance, Instance):
            raise TypeError("expected an `Instance`")
        name.encode()
        self.check_open()
        # The exports are there without the store, once they have been asked for.
        store.context()
        for export, item in instance.exports(store).items():
            self._define(name, export, item.of_store)

    def define_wasi(self) -> None:
        """Define the functions of WASI preview 1: each store's are those of its `set_wasi`.

        Raises:
            WasmtimeError: a name is defined already.
        """
        # Imported here: many programs use no WASI.
        from purewasm_plugins.wasmtime.store_wasi import MODULE, definitions

        for name, definition in definitions().items():
            self._define(MODULE, name, definition)

    def define_module(self, store: Context, name: str, module: Module) -> None:
        """Define each export of a module, of which instances are made as they are needed.

        A module that exports `_start` is a command: each call of one of its functions is in an
        instance of its own. Of any other module there is one instance, whose `_initialize` is
        called first.

        Args:
            store: the store.
            name: the first of the two names; the second is the export's.
            module: the module.

        Raises:
            TypeError: it is no `Module`.
            WasmtimeError: a name is defined already, or the module cannot be instantiated.
        """
        if not isinstance(module, Module):
            raise TypeError("expected a `Module`")
        state = store.context()
        name.encode()
        exports = module.inner.exports
        if isinstance(exports.get("_start"), wasm.FuncType):
            prepared = self.instantiate_pre(module)
            for export, type in exports.items():
                if isinstance(type, wasm.FuncType):
                    call = _command(prepared, export)
                    function = host_function(type, call, True, state)
                    self._define(name, export, Func.of(function, state).of_store)
            return
        try:
            instance = self.instantiate(store, module)
            initialize = instance.exports(store).get("_initialize")
            if isinstance(initialize, Func):
                initialize(store)
        except Trap as trap:
            raise WasmtimeError(str(trap)) from trap
        self.define_instance(store, name, instance)

    def instantiate(self, store: Context, module: Module) -> Instance:
        """Make an instance with what is defined for its imports, and run its start function.

        Raises:
            AttributeError: `module` is no `Module`.
            WasmtimeError: an import is not defined, or as `Instance`.
            Trap: as `Instance`.
        """
        return Instance.of(*_instantiated(store.context(), module, self._found(module)))

    def instantiate_pre(self, module: Module) -> InstancePre:
        """Look up the imports of a module, for any number of instances.

        Raises:
            TypeError: `module` is no `Module`.
            WasmtimeError: an import is not defined.
        """
        if not isinstance(module, Module):
            raise TypeError("expected a `Module`")
        return InstancePre(module, self._found(module))

    def _found(self, module: Module) -> list[_Definition]:
        """Return the definitions of a module's imports."""
        self.check_open()
        module.check_open()
        found = []
        for entry in module.inner.imports:
            definition = self._definitions.get((entry.module, entry.name))
            if definition is None:
                raise _unknown_import(entry)
            found.append(definition)
        return found

    def get_default(self, store: Context, name: str) -> Func:
        """Return the default function of a module: its export "", or else `_start`.

        Args:
            store: the store.
            name: the first of the two names.

        Returns:
            The function; one that does nothing where there is neither.

        Raises:
            WasmtimeError: the default is no function.
        """
        state = store.context()
        name.encode()
        self.check_open()
        for export in ("", "_start"):
            definition = self._definitions.get((name, export))
            if definition is not None:
                found = state.wrap(state, definition(state))
                if isinstance(found, Func):
                    return found
                if not export:
                    raise WasmtimeError(f"default export in '{name}' is not a function")
        return Func.of(host_function(wasm.FuncType(), lambda: None, False, state), state)

    def get(self, store: Context, module: str, name: str) -> AsExtern:
        """Return what is defined.

        Raises:
            WasmtimeError: nothing is, under that name.
        """
        state = store.context()
        module.encode(), name.encode()
        self.check_open()
        definition = self._definitions.get((module, name))
        if definition is None:
            raise WasmtimeError("item not defined in linker")
        return state.wrap(state, definition(state))

    def define_unknown_imports_as_traps(self, module: Module) -> None:
        """Define the functions that a module imports, and that are not defined, as traps.

        Raises:
            TypeError: it is no `Module`.
        """
        for entry in self._unknown(module):
            if isinstance(entry.type, wasm.FuncType):
                self._define(entry.module, entry.name, _trapping(entry, entry.type))

    def define_unknown_imports_as_default_values(self, store: Context, module: Module) -> None:
        """Define what a module imports, and what is not defined, as zeros and nulls.

        A function returns them; a global has one; a memory or a table is a new one.

        Raises:
            TypeError: `module` is no `Module`.
            WasmtimeError: a memory or a table is larger than the store's limits allow.
        """
        state = store.context()
        for entry in self._unknown(module):
            item = state.wrap(state, _default(entry.type, state))
            self._define(entry.module, entry.name, item.of_store)

    def _unknown(self, module: Module) -> list[ModuleImport]:
        if not isinstance(module, Module):
            raise TypeError("expected a `Module`")
        self.check_open()
        entries = {(entry.module, entry.name): entry for entry in module.inner.imports}
        return [entry for names, entry in entries.items() if names not in self._definitions]


class InstancePre(Managed):
    """A module whose imports have been looked up; `Linker.instantiate_pre` returns one."""

    def __init__(self, module: Module, found: list[_Definition]) -> None:
        """Take the module and the definitions; for this package only."""
        self._module = module
        self._found = found

    @property
    def module(self) -> Module:
        """The module."""
        self.check_open()
        return self._module

    def instantiate(self, store: Context) -> Instance:
        """Make an instance and run its start function.

        Raises:
            WasmtimeError, Trap: as `Instance`.
        """
        self.check_open()
        return Instance.of(*_instantiated(store.context(), self._module, self._found))


def _instantiated(state: StoreState, module: Module, found: list[_Definition]) -> tuple[Any, Any]:
    given = [definition(state) for definition in found]
    return make_instance(state, module, given), state


def _command(pre: InstancePre, export: str) -> Callable[..., Any]:
    """Return a host function that calls an export of a new instance."""
    alone = not _gives_away_functions(pre.module)

    def call(caller: Context, *arguments: Any) -> Any:
        instance = pre.instantiate(caller)
        function = instance.exports(caller)[export]
        if not isinstance(function, Func):
            raise WasmtimeError(f"the export '{export}' is no function")
        try:
            return function(caller, *arguments)
        finally:
            if alone:
                # A module may call it any number of times: memories must not wait for Python's
                # garbage collection.
                instance.inner.discard()

    return call


def _gives_away_functions(module: Module) -> bool:
    """Return whether functions of an instance may be called after a call of it has ended."""
    shared = (wasm.TableType, wasm.GlobalType)
    if any(isinstance(entry.type, shared) for entry in module.inner.imports):
        return True
    types = module.inner.valid.module.types
    return any(wasm.ValType.FUNCREF in (*type.params, *type.results) for type in types)


def _unknown_import(entry: ModuleImport) -> WasmtimeError:
    names = shown_import(entry.module, entry.name)
    return WasmtimeError(f"unknown import: {names} has not been defined")


def _trapping(entry: ModuleImport, type: wasm.FuncType) -> _Definition:
    """Return the definition of a function that traps."""

    def call(*arguments: Any) -> None:
        raise _unknown_import(entry)

    return lambda state: host_function(type, call, False, state)


def _default(type: wasm.ExternType, state: StoreState) -> Extern:
    """Return what an import is given that nothing defines."""
    match type:
        case wasm.FuncType():
            return Function(type, _constant(type), raw=True)
        case wasm.GlobalType():
            return RuntimeGlobal(type)
        case wasm.MemoryType():
            state.check_memory(type.limits.minimum)
            memory = RuntimeMemory(type, state.resource_limits())
            state.add_memory(memory)
            return memory
    state.check_table(type.limits.minimum)
    table = RuntimeTable(type, None, state.resource_limits())
    state.add_table(table)
    return table


def _constant(type: wasm.FuncType) -> Callable[..., Any]:
    """Return a raw host function that returns zeros and nulls."""
    zeros = tuple(DEFAULT[result] for result in type.results)
    value = zeros[0] if len(zeros) == 1 else zeros or None
    return lambda *arguments: value
