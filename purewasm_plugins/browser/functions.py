"""The exported functions of a module that is neither a plugin nor a command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from purewasm_plugins.engine import Engine
from purewasm_plugins.errors import PluginError, WasmError
from purewasm_plugins.plugin.values import parse_value, result_text, typed_results
from purewasm_plugins.runtime.instance import Function, Instance

Answer = dict[str, Any]


class Functions:
    """An instance whose functions are called one by one; a trap ends it, and another one is made.

    Attributes:
        instantiate: makes an instance, on an engine that is given or on the default one.
        instance: the instance.
        fuel: the units of fuel that the last call used.
    """

    def __init__(self, instantiate: Callable[..., Instance]) -> None:
        """Make the first instance.

        Raises:
            WasmError: it cannot be made.
        """
        self.instantiate: Callable[[Engine], Instance] = instantiate
        self._again: Callable[[], Instance] = instantiate
        self.instance = instantiate()
        self.fuel = 0

    def values(self, name: str, arguments: Sequence[str]) -> list[Any]:
        """Read the arguments of a function.

        Raises:
            PluginError: they do not fit its type, or there is no such function.
        """
        params = self._function(name).type.params
        if len(arguments) != len(params):
            raise PluginError(f"“{name}” takes {len(params)} arguments, not {len(arguments)}")
        found = []
        for number, (text, kind) in enumerate(zip(arguments, params, strict=True), 1):
            try:
                found.append(parse_value(kind, text.strip()))
            except ValueError as error:
                what = f"Argument {number}, “{text[:40]}”, is no {kind}: {error}."
                raise PluginError(what) from None
        return found

    def call(self, name: str, arguments: Sequence[str]) -> Answer:
        """Call a function.

        Returns:
            "output": its results, each on a line. "says": their types, in words.

        Raises:
            PluginError: the arguments do not fit its type, or there is no such function.
            Trap: it trapped.
        """
        values = self.values(name, arguments)
        function = self._function(name)
        instance = self.instance
        self.fuel = 0
        try:
            result = function(*values)
        except WasmError:
            self.instance = self._again()
            raise
        finally:
            self.fuel = instance.fuel_used
            if self.instance is not instance:
                instance.discard()
        results = typed_results(function.type, result)
        return {
            "output": "\n".join(result_text(kind, value) for kind, value in results),
            "says": ", ".join(str(kind) for kind, _ in results) or "it returns nothing",
        }

    def _function(self, name: str) -> Function:
        try:
            return self.instance.exports.function(name)
        except WasmError as error:
            raise PluginError(str(error)) from None
