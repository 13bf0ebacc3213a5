"""The pywasm machine that counts how often each instruction runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from purewasm_plugins.engine.reference.bodies import Body, build_body, rebuild
from purewasm_plugins.engine.reference.engine import Interpreter
from purewasm_plugins.engine.reference.hooks import Hooks
from purewasm_plugins.engine.reference.machine import ReferenceMachine
from purewasm_plugins.engine.reference.stepping import EveryHook
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.wasm.module import Code

_at = list.__getitem__


class CountingList(Body):
    """The instructions of a block.

    Attributes:
        counts: for each instruction, how often it was fetched.
    """

    __slots__ = ("counts",)

    counts: list[int]

    def __getitem__(self, index: Any) -> Any:
        """Fetch an instruction, and count it."""
        self.counts[index] += 1
        return _at(self, index)


class CountingInterpreter(Interpreter):
    """The pywasm engine, counting how often each instruction of what it links runs."""

    def __init__(self) -> None:
        """Make the engine; see `Interpreter`."""
        super().__init__()
        self._lists: list[CountingList] = []

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """Make the functions of an instance callable; see `Engine.link`."""
        return _CountingMachine(instance, self._lists).entries

    def counts(self) -> Counter[int]:
        """Return how often the instruction at each byte offset ran."""
        found: Counter[int] = Counter()
        for block in self._lists:
            for instruction, count in zip(list.__iter__(block), block.counts, strict=True):
                if count and instruction.instruction is not None:
                    found[instruction.instruction.offset] += count
        return found

    def reset(self) -> None:
        """Set the counts to 0, for example after a plugin has been loaded."""
        for block in self._lists:
            block.counts = [0] * len(block)


class _CountingMachine(ReferenceMachine):
    """A pywasm machine whose bodies are made of counting lists."""

    def __init__(self, instance: Instance, lists: list[CountingList]) -> None:
        self._lists = lists
        super().__init__(instance)

    def _make_hooks(self) -> Hooks:
        return EveryHook(self.instance, self._machine)

    def _build_body(self, index: int, code: Code) -> Body:
        def counting(plain: list[Any], _: int | None) -> CountingList:
            block = CountingList(plain)
            block.function, block.counts = index, [0] * len(plain)
            self._lists.append(block)
            return block

        return rebuild(build_body(self.instance, index, code, self._hooks), counting)
