"""An engine that is wrong on purpose, to test the code that looks for wrong engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from purewasm_plugins import Instance
from purewasm_plugins.engine.translator import Translator
from purewasm_plugins.wasm import ValidModule, decode


class Mistaken(Translator):
    """The translator, which runs a module as if some of its bytes were others."""

    name = "mistaken"

    def __init__(self, bytes_: bytes, taken_for: bytes) -> None:
        super().__init__()
        self._bytes = bytes_
        self._taken_for = taken_for

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """Link an instance of the changed module, which is not validated."""
        data = instance.module.module.data
        if self._bytes in data:
            changed = data.replace(self._bytes, self._taken_for)
            instance.module = ValidModule(decode(changed))
        return super().link(instance)
