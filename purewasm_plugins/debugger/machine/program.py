"""The program that is debugged: its disassembly, its names, and the locations that users write.

Nothing here changes while it runs.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from itertools import islice

from purewasm_plugins.debugger.errors import LocationError
from purewasm_plugins.wasm import Control, ExternKind, Instruction, Span, ValidModule, ValType
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.symbols.names import Names
from purewasm_plugins.wasm.text.printer import Identifiers, body_lines


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a function's disassembly.

    Attributes:
        function: the function's index.
        number: the instruction's number in the function, counted from 1.
        offset: of the instruction in the module, in bytes.
        depth: the number of blocks around it.
        text: the instruction.
        instruction: the decoded instruction.
    """

    function: int
    number: int
    offset: int
    depth: int
    text: str
    instruction: Instruction


@dataclass(frozen=True, slots=True)
class Location:
    """An instruction of the program: its function's index and its byte offset in the module."""

    function: int
    offset: int


class Program:
    """The functions of a module as lines, and the names of what it holds.

    Attributes:
        module: the module.
    """

    def __init__(self, module: ValidModule) -> None:
        self.module = module.module
        self._valid = module
        self._names: Names = module.names
        self._identifiers = Identifiers(self._names)
        self._lines: dict[int, tuple[Line, ...]] = {}
        self._controls: dict[int, Control] = {}
        self._exports: dict[str, int] = {}
        for export in self.module.exports:
            if export.kind is ExternKind.FUNCTION:
                self._exports[export.name] = export.index
        self._exported = {index: name for name, index in reversed(self._exports.items())}
        #: By name without the `$`; the names of the name section go before the identifiers.
        self._functions_by_name: dict[str, int] = {}
        for index, name in self._names.functions.items():
            self._functions_by_name.setdefault(name, index)
        for index, identifier in self._identifiers.functions.items():
            self._functions_by_name.setdefault(identifier[1:], index)

    @property
    def first_defined(self) -> int:
        """The index of the first function that is not imported."""
        return self.module.imported_functions

    def functions(self) -> range:
        """Return the indices of the functions that the module defines."""
        return range(self.first_defined, self.first_defined + len(self.module.functions))

    def function_name(self, index: int) -> str:
        """Return the name of a function: the name section's, that of an export, or its index."""
        name = self._names.functions.get(index) or self._exported.get(index)
        if name is None and index < self.first_defined:
            imports = [i for i in self.module.imports if isinstance(i.type, int)]
            name = f"{imports[index].module}.{imports[index].name}"
        return name or f"function {index}"

    def local_name(self, function: int, index: int) -> str | None:
        """Return the name of a local, without the `$` of the text; None where it has none."""
        return self._names.locals.get(function, {}).get(index)

    def global_name(self, index: int) -> str | None:
        """Return a global's name, of the name section or of an export; None without one."""
        name = self._names.globals.get(index)
        if name is not None:
            return name
        for export in self.module.exports:
            if export.kind is ExternKind.GLOBAL and export.index == index:
                return export.name
        return None

    def local_types(self, function: int) -> tuple[ValType, ...]:
        """Return the types of a function's parameters and locals."""
        code = self.module.functions[function - self.first_defined]
        types = list(self.module.types[code.type_index].params)
        for count, type_ in code.locals:
            types += [type_] * count
        return tuple(types)

    def control(self, function: int) -> Control:
        """Return the blocks of a function."""
        if function not in self._controls:
            self._controls[function] = self._valid.control(function)
        return self._controls[function]

    def lines(self, function: int) -> tuple[Line, ...]:
        """Return the disassembly of a function that the module defines."""
        if function not in self._lines:
            self._lines[function] = self._disassemble(function)
        return self._lines[function]

    def line(self, location: Location) -> Line:
        """Return the line of an instruction."""
        lines = self.lines(location.function)
        return lines[bisect_left(lines, location.offset, key=lambda line: line.offset)]

    def following(self, location: Location) -> Location:
        """Return the instruction behind one that is not its function's last.

        It decodes two instructions, where `lines` would disassemble the whole function.
        """
        code = self.module.functions[location.function - self.first_defined]
        span = Span(location.offset, code.body.end)
        _, behind = islice(instructions(self.module.data, span), 2)
        return Location(location.function, behind.offset)

    def _disassemble(self, function: int) -> tuple[Line, ...]:
        code = self.module.functions[function - self.first_defined]
        locals_ = self._identifiers.locals(function)
        found = []
        body = body_lines(self.module, function, code.body, self._identifiers, locals_)
        for number, (instruction, depth, text, label) in enumerate(body, 1):
            if label is not None:
                text += f"  ;; {label}"
            elif instruction.opcode.mnemonic == "end":
                text += "  ;; of the function"
            found.append(Line(function, number, instruction.offset, depth, text, instruction))
        return tuple(found)

    def locate(self, location: str | int | Location) -> Location:
        """Find the instruction that a location written by a user means.

        Args:
            location: a function's index (`7` or `"7"`), its name or that of its export (`"parse"`),
                one of its instructions counted from 1 (`"parse:3"`, `"7:3"`), or a byte offset in
                the module (`"0x1f4"`).

        Raises:
            LocationError: there is no such instruction.
        """
        if isinstance(location, Location):
            return location
        text = str(location).strip()
        if re.fullmatch(r"\*?0[xX][0-9a-fA-F]+", text):
            return self.at_offset(int(text.lstrip("*"), 16))
        match = re.fullmatch(r"(.+):(\d+)", text)
        if match is not None and self._function(text) is None:
            function = self._defined(match[1], text)
            lines = self.lines(function)
            number = int(match[2])
            if not 1 <= number <= len(lines):
                raise LocationError(
                    text, f"{self.function_name(function)} has instructions 1 to {len(lines)}"
                )
            return Location(function, lines[number - 1].offset)
        function = self._defined(text, text)
        return Location(function, self.lines(function)[0].offset)

    def at_offset(self, offset: int) -> Location:
        """Return the instruction at a byte offset.

        Raises:
            LocationError: no instruction begins there.
        """
        for index, code in enumerate(self.module.functions, self.first_defined):
            if code.body.start <= offset < code.body.end:
                lines = self.lines(index)
                if any(line.offset == offset for line in lines):
                    return Location(index, offset)
                near = max(line.offset for line in lines if line.offset < offset)
                raise LocationError(
                    hex(offset), f"no instruction begins there; one does at {near:#x}"
                )
        raise LocationError(hex(offset), "that byte is in no function's code")

    def function(self, name: str | int) -> int:
        """Return the index of the function that a name or index means, an imported one too.

        Raises:
            LocationError: there is no such function.
        """
        index = self._function(str(name).strip())
        if index is None:
            raise LocationError(str(name), f"no function has that name{self._similar(str(name))}")
        return index

    def _function(self, text: str) -> int | None:
        """Find a function by an export, a name, an identifier (`$name`) or an index."""
        if text in self._exports:
            return self._exports[text]
        named = self._functions_by_name.get(text.removeprefix("$"))
        if named is not None:
            return named
        if text.isascii() and text.isdigit():
            index = int(text)
            if index < len(self.module.function_type_indices):
                return index
        return None

    def _defined(self, name: str, location: str) -> int:
        """Find a function that the module defines.

        Raises:
            LocationError: there is none, or it is imported; with `location`, of which the name is
                a part.
        """
        index = self._function(name)
        if index is None:
            if name.isascii() and name.isdigit():
                last = len(self.module.function_type_indices) - 1
                raise LocationError(location, f"the functions are 0 to {last}")
            raise LocationError(location, f"no function has that name{self._similar(name)}")
        if index < self.first_defined:
            raise LocationError(location, "that function is imported: it has no instructions here")
        return index

    def _similar(self, name: str) -> str:
        known = sorted({self.function_name(index) for index in self.functions()})
        likely = [k for k in known if name and name.lower() in k.lower()][:5]
        if likely:
            return f"; did you mean {', '.join(likely)}?"
        return f"; there is: {', '.join(known[:8])}{' …' if len(known) > 8 else ''}"
