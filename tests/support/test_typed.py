"""The stand-ins for names of `typing`: annotations can be evaluated, and protocols be checked."""

from __future__ import annotations

import inspect
import typing
from abc import ABC
from collections.abc import Iterator
from typing import Any

import pytest

import purewasm_plugins
from purewasm_plugins import CancellableTool, ToolDefinition, ToolImpl
from purewasm_plugins.support.typed import Protocol

DEFINITION = ToolDefinition("echo", "Echoes", {"type": "object"})


def public_functions() -> Iterator[tuple[str, Any]]:
    """Yield each public function of the package, and each public method of its classes."""
    for name in purewasm_plugins.__all__:
        found = getattr(purewasm_plugins, name)
        if inspect.isfunction(found):
            yield name, found
        elif inspect.isclass(found):
            for attribute, member in vars(found).items():
                function = getattr(member, "__func__", getattr(member, "fget", member))
                if inspect.isfunction(function) and not attribute.startswith("_"):
                    yield f"{name}.{attribute}", function


#: Names that are imported where they are used: `pathlib` is, for `example`.
UNKNOWN = {"example", "WasmPluginManager.load_directory"}


@pytest.mark.parametrize(("name", "function"), [*public_functions()])
def test_annotations_can_be_evaluated(name: str, function: Any) -> None:
    if name in UNKNOWN:
        pytest.skip("it names what is imported later")
    hints = typing.get_type_hints(function)
    assert hints.keys() == function.__annotations__.keys()


class Tool:
    """A tool that inherits nothing; its definition is an attribute of the instance."""

    def __init__(self) -> None:
        self.definition = DEFINITION

    def execute(self, arguments: object) -> object:
        return arguments


class Inheriting(ToolImpl, ABC):
    @property
    def definition(self) -> ToolDefinition:
        return DEFINITION

    def execute(self, arguments: Any) -> Any:
        return arguments


class Cancellable(Tool):
    def execute_cancellable(self, arguments: object, cancellation: object) -> object:
        return arguments


@pytest.mark.parametrize(
    ("tool", "is_tool", "is_cancellable"),
    [
        (Tool(), True, False),
        (Inheriting(), True, False),
        (Cancellable(), True, True),
        (object(), False, False),
        (DEFINITION, False, False),
        (None, False, False),
    ],
)
def test_what_is_a_tool(tool: object, is_tool: bool, is_cancellable: bool) -> None:
    assert isinstance(tool, ToolImpl) is is_tool
    assert isinstance(tool, CancellableTool) is is_cancellable
    assert not isinstance(tool, Inheriting) or is_tool
    assert not isinstance(Tool(), Inheriting)


def test_a_protocol_of_a_user() -> None:
    class Named(Protocol):
        name: str

        def greet(self) -> str:
            """Return a greeting."""

    class Person:
        name = "x"

        def greet(self) -> str:
            return self.name

    assert isinstance(Person(), Named)  # type: ignore[misc]
    assert not isinstance("x", Named)  # type: ignore[misc]
    del Person.name
    assert not isinstance(Person(), Named)  # type: ignore[misc]
