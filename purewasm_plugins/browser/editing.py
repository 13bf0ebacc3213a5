"""The Edit tab's side of the workbench: texts are checked, made from modules, and searched."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Any

from purewasm_plugins.browser import describe
from purewasm_plugins.command import check_command
from purewasm_plugins.errors import (
    NotACommandError,
    PluginError,
    TextError,
    WasmError,
)
from purewasm_plugins.module import Module
from purewasm_plugins.plugin.abi import OPTIONAL, REQUIRED
from purewasm_plugins.wasm import Module as DecodedModule
from purewasm_plugins.wasm.text.assembler import instruction_places
from purewasm_plugins.wasm.text.printer import disassemble
from purewasm_plugins.wasm.types import FuncType

Answer = dict[str, Any]

#: The most characters of a text that is edited.
MOST_TEXT = 500_000

#: The most characters of a line that the debugger shows.
MOST_LINE = 400

#: The names of the ABI by which a module is a plugin, perhaps an incomplete one.
_OF_PLUGINS = {*REQUIRED, *OPTIONAL} - {"_initialize"}


def kind_of(module: Module) -> str:
    """Return what the page can do with a module.

    Returns:
        "plugin" runs tools, "command" runs once, "functions" are called one by one; "nothing" has
        no exported function. A plugin may be incomplete.
    """
    if "plugin_tool_execute" not in module.exports:
        try:
            check_command(module)
        except NotACommandError:
            pass
        else:
            return "command"
    if not _OF_PLUGINS.isdisjoint(module.exports):
        return "plugin"
    return "functions" if exported_functions(module) else "nothing"


def exported_functions(module: Module) -> list[Answer]:
    """Return the name and the types of each exported function."""
    return [
        {
            "name": name,
            "type": str(type),
            "params": [str(param) for param in type.params],
        }
        for name, type in module.exports.items()
        if isinstance(type, FuncType)
    ]


def module_of(text: str) -> Module:
    """Assemble and validate a text.

    Raises:
        TextError: the text is no module, or too long.
        DecodeError, ValidationError: the module breaks a limit, or is not valid.
        OutOfMemory: Python has no room for it.
    """
    if len(text) > MOST_TEXT:
        raise TextError(f"the page edits texts of up to {MOST_TEXT:,} characters", 1, 1)
    return Module.from_text(text, cache_dir="")


def check(text: str) -> Answer:
    """Say whether a text is a module, and which.

    Returns:
        "error": None, or the fault in words with its line and column, from 1 on; both are None for
        a fault of the module as a whole. "size": bytes of the module. "kind": see `kind_of`.
        "functions": the names of its exported functions.
    """
    try:
        module = module_of(text)
    except WasmError as error:
        return {"error": describe.text_error(error)}
    functions = [entry["name"] for entry in exported_functions(module)]
    return {
        "error": None,
        "size": len(module.data),
        "kind": kind_of(module),
        "functions": functions,
    }


def assemble(text: str) -> Answer:
    """Make the module of a text: "attached" has its bytes."""
    answer = check(text)
    if answer["error"] is None:
        answer["attached"] = module_of(text).data
    return answer


def text_of(module: DecodedModule) -> Answer:
    """Return a module as text.

    Raises:
        PluginError: it is longer than the page edits.
    """
    lines: list[str] = []
    size = 0
    for line in disassemble(module):
        size += len(line) + 1
        if size > MOST_TEXT:
            raise PluginError(
                f"The module is too large to be edited here: its text has more than {MOST_TEXT:,} "
                f"characters. The command “purewasm disassemble” writes all of it."
            )
        lines.append(line)
    return {"text": "\n".join(lines) + "\n"}


class SourceText:
    """The text of a module that is debugged: which instruction is where in it."""

    def __init__(self, text: str) -> None:
        """Take a text that was assembled before."""
        # A page's text has no other line ends.
        self._lines = text.split("\n")
        self._starts = [0, *accumulate(len(line) + 1 for line in self._lines)]
        self._functions = tuple(instruction_places(text))

    def code(self, function: int, offset: int | None, most: int) -> Answer:
        """Return the lines of a function, with the instructions in each.

        Args:
            function: its index among those that the module defines.
            offset: of the instruction around which lines are returned, where there are too many.
            most: the most lines.

        Returns:
            "first": the number of the first line, from 1 on. "start", "total": of the lines, where
            they begin in the function and how many it has. "text": for each its characters, and
            a list of instructions: column and length in UTF-16, and offset.
        """
        found = self._functions[function]
        first, last = self._line(found.start), self._line(found.end)
        wanted = first
        if offset is not None:
            wanted = self._line(found.positions[found.offsets.index(offset)])
        start = max(first, min(wanted - most // 2, last + 1 - most))
        end = min(last + 1, start + most)
        marks: dict[int, list[tuple[int, int, int]]] = {}
        for position, length, at in zip(found.positions, found.lengths, found.offsets, strict=True):
            line = self._line(position)
            column = position - self._starts[line]
            if start <= line < end and column + length <= MOST_LINE:
                text = self._lines[line]
                left = _units(text[:column])
                marks.setdefault(line, []).append((left, length, at))
        return {
            "first": start + 1,
            "start": start - first,
            "total": last + 1 - first,
            "text": [
                (self._lines[line][:MOST_LINE], sorted(marks.get(line, ())))
                for line in range(start, end)
            ],
        }

    def _line(self, position: int) -> int:
        """Return the index of the line of a position."""
        return bisect_right(self._starts, position) - 1


def _units(text: str) -> int:
    """Return the length of a text in UTF-16, as JavaScript counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
