"""The interface of an engine: it makes the functions of an instance callable, and nothing else."""

from __future__ import annotations

from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.support.typed import Any, Callable, Protocol, Sequence


class Engine(Protocol):
    """A way to run the functions of a valid module.

    Import matching, segments and the start function are not an engine's business: `instantiate`
    does them, the same for all.

    Attributes:
        name: the name for messages, and for `instantiate(engine=…)` where the package has it.
    """

    name: str

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """Make the functions of an instance callable.

        Args:
            instance: its imports, memories, tables and globals are in place; its segments are not
                yet applied.

        Returns:
            For each function that the module defines, in order, the callable that becomes its
            `Function.entry`.
        """
