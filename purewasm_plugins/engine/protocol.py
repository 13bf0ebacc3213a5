"""What an engine is: it makes the functions of an instance callable, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from purewasm_plugins.runtime.instance import Instance


class Engine(Protocol):
    """How the functions of a valid module are run."""

    #: What `instantiate(engine=…)` calls it.
    name: str

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """Make the functions of an instance callable.

        Args:
            instance: its imports, memories, tables and globals are in place; its segments are not
                yet applied.

        Returns:
            For each function that the module defines, in order, what becomes `Function.entry`.
        """
        ...
