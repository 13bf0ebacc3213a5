"""The machine of one instance: pywasm's, on our memories and globals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pywasm

from purewasm_plugins.engine.reference.bodies import Body, LazyBody, build_body
from purewasm_plugins.engine.reference.hooks import Hooks, held
from purewasm_plugins.engine.reference.traps import TRAPPING, trap_of
from purewasm_plugins.engine.reference.values import function_type, raw_value, value_instance
from purewasm_plugins.errors import OutOfMemory, WasmError
from purewasm_plugins.runtime.instance import Global, Instance
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.wasm.module import Code
from purewasm_plugins.wasm.types import FuncType


class ReferenceMachine:
    """The pywasm machine of one instance. Its store holds this instance alone, by index.

    Attributes:
        instance: the instance.
        entries: the raw entry of every function that the module defines.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._machine = pywasm.Machine()
        self._hooks = self._make_hooks()
        self._module = pywasm.ModuleInst()
        module = instance.module.module
        store = self._machine.store
        self._module.type = [function_type(type) for type in module.types]
        for memory in instance.memories:
            self._module.mems.append(len(store.mems))
            store.mems.append(_Memory(memory))
        for cell in instance.globals:
            self._module.glob.append(len(store.glob))
            store.glob.append(_Global(cell))
        first = module.imported_functions
        # A hook calls the imported functions: pywasm does not read their addresses.
        store.func.extend([None] * first)
        for index, code in enumerate(module.functions, first):
            body = LazyBody(code, partial(self._build_body, index, code))
            store.func.append(
                pywasm.FuncInst(self._module.type[code.type_index], self._module, body)
            )
        self._module.func.extend(range(len(store.func)))
        self.entries: Sequence[Callable[..., Any]] = [
            self._entry(index) for index in range(first, first + len(module.functions))
        ]

    def start(self, function: int, arguments: Sequence[Any]) -> None:
        """Give the machine a new stack, with a function about to run.

        Args:
            function: the index of one that the module defines.
            arguments: raw values.
        """
        machine = self._machine
        machine.stack = pywasm.core.Stack()
        # The frame that the machine returns to: evaluation ends when there are no labels.
        machine.stack.frame.append(pywasm.Frame(self._module, pywasm.LocalsInst([]), 0, 0, 0))
        params = self.instance.functions[function].type.params
        machine.stack.value.extend(map(value_instance, params, arguments))
        machine.evaluate_call(function)

    def _entry(self, index: int) -> Callable[..., Any]:
        """Make the raw entry of a function: it runs on a stack of its own."""
        type = self.instance.functions[index].type
        budget, machine, hooks = self.instance.budget, self._machine, self._hooks

        def entry(*arguments: Any) -> Any:
            budget.enter()
            stack, outside = machine.stack, hooks.held_outside
            try:
                hooks.held_outside += held(stack)
                self.start(index, arguments)
                machine.evaluate()
                return self._results(type)
            except TRAPPING as error:
                raise trap_of(error, machine.stack, self.instance) from None
            except MemoryError:
                # There may be no room for a backtrace either.
                raise OutOfMemory from None
            finally:
                machine.stack, hooks.held_outside = stack, outside
                budget.leave()

        return entry

    def _results(self, type: FuncType) -> Any:
        """Return the raw results of a call that has finished: None, a value, or a tuple."""
        values = [raw_value(value) for value in self._machine.stack.value]
        if len(values) != len(type.results):
            raise WasmError(f"pywasm left {len(values)} values in place of {len(type.results)}")
        if len(values) == 1:
            return values[0]
        return tuple(values) or None

    def _make_hooks(self) -> Hooks:
        return Hooks(self.instance, self._machine)

    def _build_body(self, index: int, code: Code) -> Body:
        """Make the body of a function, when it is first called."""
        return build_body(self.instance, index, code, self._hooks)


class _Memory:
    """A `MemInst` of pywasm's, on one of our memories."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.data = memory.raw

    @property
    def size(self) -> int:
        return self.memory.pages


class _Global:
    """A `GlobalInst` of pywasm's, on one of our globals, which others may write as well."""

    def __init__(self, cell: Global) -> None:
        self.mut = int(cell.type.mutable)
        self._cell = cell
        self._raw = cell.raw
        self._value = value_instance(cell.type.value, cell.raw)

    @property
    def data(self) -> pywasm.ValInst:
        if self._cell.raw is not self._raw:
            self._raw = self._cell.raw
            self._value = value_instance(self._cell.type.value, self._raw)
        return self._value

    @data.setter
    def data(self, value: pywasm.ValInst) -> None:
        self._value = value
        self._raw = self._cell.raw = raw_value(value)
