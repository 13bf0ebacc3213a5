"""From the lines of a function to its code object, and to a listing for readers.

`compiled` compiles the source text. It also makes a table of which columns of which line belong to
which instruction, for `backtraces`. `translate` returns a readable text.
"""

from __future__ import annotations

import struct
from time import monotonic
from types import CodeType

from purewasm_plugins.engine.translator.expressions import CLOSE, MIDDLE, OPEN
from purewasm_plugins.engine.translator.function import function_lines
from purewasm_plugins.engine.translator.lines import Line
from purewasm_plugins.engine.translator.translation import ANY_EFFORT, Compiled, Effort
from purewasm_plugins.engine.translator.writer import Naming, Writer
from purewasm_plugins.errors import WasmError
from purewasm_plugins.support.typed import Iterable, Iterator
from purewasm_plugins.wasm import ValidModule
from purewasm_plugins.wasm.module import Module
from purewasm_plugins.wasm.symbols.names import Names, read_names

__all__ = ["FILE_NAME", "compiled", "translate"]

#: The name of the file in the code objects of generated functions.
FILE_NAME = "<wasm function {}>"


def _indented(line: Line) -> str:
    return f"{' ' * (4 * line.indent)}{line.text}"


def _audited(lines: list[Line]) -> Iterator[Line]:
    for line in lines:
        yield line
        name = (line.text or "").partition(" =")[0].rstrip(",")
        for text in line.checks:
            yield Line(line.indent, text.replace("{}", name), line.offset)


def source_of(lines: Iterable[Line]) -> str:
    """Return the source text of some lines."""
    return "\n".join([_indented(line) for line in lines]) + "\n"


def compiled(
    module: Module,
    index: int,
    *,
    metered: bool = True,
    bounded: bool = True,
    audited: bool = False,
    effort: Effort = ANY_EFFORT,
) -> Compiled:
    """Translate a WebAssembly function, and compile the Python function.

    Args:
        module: a valid module.
        index: of a function that it defines, imported ones counted.
        metered: whether it uses fuel.
        bounded: whether its memory ends at `MEMORY_END` at the latest.
        audited: whether it checks the translator's claims; see `audit`.
        effort: what it may take. CPython's compiler cannot be interrupted: it is only started if
            twice the time remains that translating took.

    Raises:
        ResourceLimitError: it would become more Python than `effort` allows.
        Trap: `effort` says that the call has to end.
    """
    began = monotonic()
    writer_class = Writer
    if audited:
        # Imported here: only tests audit functions.
        from purewasm_plugins.engine.translator.audit import AuditedWriter

        writer_class = AuditedWriter
        # The checks make it several times as long.
        effort = Effort(check_limits=effort.check_limits)
    lines = function_lines(
        module,
        index,
        located=True,
        metered=metered,
        bounded=bounded,
        writer_class=writer_class,
        effort=effort,
    )
    positions: list[int] = []
    source = "\n".join(_unmarked(_audited(lines) if audited else lines, positions))
    del lines
    effort.check_limits(2 * (monotonic() - began))
    outer = compile(source, FILE_NAME.format(index), "exec", dont_inherit=True, optimize=0)
    for constant in outer.co_consts:
        if isinstance(constant, CodeType):
            return Compiled(constant, struct.pack(f"{len(positions)}I", *positions))
    raise WasmError(f"function {index} was translated to no function")


def _unmarked(lines: Iterable[Line], positions: list[int]) -> Iterator[str]:
    """Yield the texts of the lines without marks; for each mark, append line, columns and offset.

    A level of indentation is one space here: CPython's compiler takes 4 % less time than for four.
    """
    for number, line in enumerate(lines, 1):
        text = line.text or ""
        marks = text.count(CLOSE)
        if marks == 1:
            # As below, and faster.
            first, _, marked = text.partition(OPEN)
            offset, _, rest = marked.partition(MIDDLE)
            inner, _, last = rest.partition(CLOSE)
            column = line.indent + len(first)
            positions.extend((number, column, column + len(inner), int(offset)))
            text = first + inner + last
        elif marks:
            plain = " " * line.indent
            open_: list[tuple[int, int]] = []
            for part in text.split(OPEN):
                # Where a mark opens, its offset comes first; marks that close may follow.
                offset, opened, rest = part.rpartition(MIDDLE)
                if opened:
                    open_.append((len(plain), int(offset)))
                first, *closed = rest.split(CLOSE)
                plain += first
                for after in closed:
                    start, inside = open_.pop()
                    positions.extend((number, start, len(plain), inside))
                    plain += after
            text = plain[line.indent :]
        yield " " * line.indent + text
    yield ""


class _ReadableNaming(Naming):
    """Names made of indices and of the names in the name section."""

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
    """Return a Python name: the one with the index, and letters and digits of the other."""
    # Imported here: only listings have readable names.
    import re

    word = re.sub(r"[^0-9A-Za-z]+", "_", name or "").strip("_")[:60]
    return f"{plain}_{word}" if word else plain


def translate(
    module: ValidModule, function: int, *, offsets: bool = False, names: bool = False
) -> str:
    """Translate a function to Python source, for reading. The result is deterministic.

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
