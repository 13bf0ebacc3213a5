"""Lines to source text, and source text to a code object; and the readable listing.

What enters are the lines of one function. `source_of` joins them; `positions_of` also says which
columns of which line belong to which instruction, for `backtraces`; `translate` is for people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from time import monotonic
from types import CodeType

from purewasm_plugins.engine.translator.expressions import CLOSE, MIDDLE, OPEN
from purewasm_plugins.engine.translator.function import function_lines
from purewasm_plugins.engine.translator.writer import ANY_EFFORT, Effort, Line, Naming, Writer
from purewasm_plugins.errors import WasmError
from purewasm_plugins.wasm import ValidModule
from purewasm_plugins.wasm.module import Module
from purewasm_plugins.wasm.names import Names, read_names

__all__ = ["FILE_NAME", "Position", "compiled", "positions_of", "translate"]

#: What the code objects of generated functions call their file.
FILE_NAME = "<wasm function {}>"

_MARKS = re.compile(f"{OPEN}([0-9]+){MIDDLE}|{CLOSE}")

#: First column, last column, offset of the instruction.
Position = tuple[int, int, int]


def _indented(line: Line) -> str:
    return f"{' ' * (4 * line.indent)}{line.text}"


def _audited(lines: list[Line]) -> Iterator[Line]:
    for line in lines:
        yield line
        name = (line.text or "").partition(" =")[0].rstrip(",")
        for text in line.after:
            yield Line(line.indent, text.replace("{}", name), line.offset)


def source_of(lines: Iterable[Line]) -> str:
    """The source text of some lines."""
    return "\n".join([_indented(line) for line in lines]) + "\n"


def _lines(
    module: Module,
    index: int,
    *,
    metered: bool,
    audited: bool,
    effort: Effort,
    located: bool = False,
) -> Iterable[Line]:
    """The lines of a function, with what is checked behind each where they are audited."""
    writes = Writer
    if audited:
        # Imported here: tests alone have functions audited.
        from purewasm_plugins.engine.translator.audit import AuditedWriter

        writes = AuditedWriter
    lines = function_lines(
        module, index, located=located, metered=metered, writes=writes, effort=effort
    )
    return _audited(lines) if audited else lines


def compiled(
    module: Module,
    index: int,
    *,
    metered: bool = True,
    audited: bool = False,
    effort: Effort = ANY_EFFORT,
) -> CodeType:
    """The code object of the Python function that a WebAssembly function becomes.

    Args:
        module: a valid module.
        index: of a function that it defines, imported ones counted.
        metered: whether it uses fuel.
        audited: whether it checks what the translator claims; see `audit`.
        effort: what it may take. CPython's compiler cannot be interrupted: it is not begun where
            twice the time that writing took does not remain.

    Raises:
        ResourceLimitError: it would become more Python than `effort` allows.
        Trap: `effort` says that the call has to end.
    """
    began = monotonic()
    lines = _lines(module, index, metered=metered, audited=audited, effort=effort)
    source = source_of(lines)
    del lines
    effort.look(2 * (monotonic() - began))
    outer = compile(source, FILE_NAME.format(index), "exec", dont_inherit=True, optimize=0)
    for constant in outer.co_consts:
        if isinstance(constant, CodeType):
            return constant
    raise WasmError(f"function {index} was translated to no function")


def positions_of(
    module: Module,
    index: int,
    *,
    metered: bool = True,
    audited: bool = False,
    effort: Effort = ANY_EFFORT,
) -> list[list[Position]]:
    """For each line of `source_of`, what in it may trap.

    Translating is deterministic, so the function is translated once more, with marks: no trap, no
    cost. The positions of a line are in the order of their ends: inner ones come first.
    """
    lines = _lines(module, index, metered=metered, audited=audited, effort=effort, located=True)
    return [_positions(_indented(line)) for line in lines]


def _positions(text: str) -> list[Position]:
    found: list[Position] = []
    open_: list[tuple[int, int]] = []
    removed = 0
    for mark in _MARKS.finditer(text):
        column = mark.start() - removed
        removed += mark.end() - mark.start()
        if mark.group(1) is not None:
            open_.append((column, int(mark.group(1))))
        else:
            start, offset = open_.pop()
            found.append((start, column, offset))
    return found


class _ReadableNaming(Naming):
    """Indices, followed by what is left of the names in the name section."""

    def __init__(self, names: Names, function: int) -> None:
        self._names = names
        self._locals = names.locals.get(function, {})

    def function(self, index: int) -> str:
        return _readable(f"f{index}", self._names.functions.get(index))

    def local(self, index: int) -> str:
        return _readable(f"l{index}", self._locals.get(index))

    def variable(self, index: int) -> str:
        return _readable(f"g{index}", self._names.globals.get(index))


def _readable(plain: str, name: str | None) -> str:
    """A name that Python takes: letters of ASCII, digits and underscores, and the index first."""
    word = re.sub(r"[^0-9A-Za-z]+", "_", name or "").strip("_")[:60]
    return f"{plain}_{word}" if word else plain


def translate(
    module: ValidModule, function: int, *, offsets: bool = False, names: bool = False
) -> str:
    """The Python that a function becomes, to be read; the same each time.

    Args:
        module: a valid module.
        function: index of a function that it defines, imported ones counted.
        offsets: whether to say in a comment where the instruction of each statement begins.
        names: whether to add the names of the name section to those of functions and variables.

    Raises:
        WasmError: the module defines no function of that index.
    """
    decoded = module.module
    first = decoded.imported_functions
    if not first <= function < first + len(decoded.functions):
        raise WasmError(f"the module defines no function {function}")
    naming = _ReadableNaming(read_names(decoded), function) if names else Naming()
    lines = function_lines(decoded, function, naming=naming)
    if not offsets:
        return source_of(lines)
    texts = [(_indented(line), line.offset) for line in lines]
    return "".join(f"{text}  # {offset:#x}\n" for text, offset in texts)
