"""Errors, plugins, modules and functions as JSON-able values for the page."""

from __future__ import annotations

import re
import traceback
from collections.abc import Collection
from typing import Any, TypeVar

from purewasm_plugins.errors import (
    CompileError,
    InvalidArgumentsError,
    LinkError,
    MissingExportError,
    ResourceLimitError,
    StackFrame,
    TextError,
    Trap,
    TrapReason,
    ValidationError,
    WasmError,
)
from purewasm_plugins.wasm import ValidModule
from purewasm_plugins.wasm.text.printer import disassemble

#: The frames that are shown of each end of a long backtrace.
FRAMES = 12

#: The most lines of one function that the page shows.
MOST_LINES = 20_000

Answer = dict[str, Any]

_Wanted = TypeVar("_Wanted", bound=BaseException)


def error(error: Exception, data: bytes = b"") -> Answer:
    """Describe an error of the package.

    Args:
        error: any of the package's errors.
        data: the file that could not be loaded; empty where the error is about something else.
    """
    trap = _cause(error, Trap)
    frames = trap.frames if trap is not None else ()
    hidden = max(0, len(frames) - 2 * FRAMES)
    shown: tuple[StackFrame, ...] = frames
    if hidden:
        shown = frames[:FRAMES] + frames[-FRAMES:]
    return {
        "type": type(error).__name__,
        # The frames of a trap are shown as such.
        "message": error.summary if isinstance(error, Trap) else str(error),
        "reason": None if trap is None else trap.reason.value,
        "frames": [_frame(frame) for frame in shown],
        "hidden": hidden,
        "hint": _hint(error, trap, data),
    }


def text_error(error: WasmError) -> Answer:
    """Describe a fault of a text: the words, and the line and the column where it is, if any."""
    found = error.text if isinstance(error, ValidationError) else error
    if isinstance(found, TextError):
        return {"message": found.message, "line": found.line, "column": found.column}
    return {"message": str(error), "line": None, "column": None}


def out_of_memory() -> Answer:
    """Describe a `MemoryError`: the browser gives Python no more memory."""
    return {
        "type": "MemoryError",
        "message": "The browser gives this page no more memory.",
        "reason": None,
        "frames": [],
        "hidden": 0,
        "hint": "Lower the limit of memory pages, or reload the page.",
    }


def unexpected(error: Exception) -> Answer:
    """Describe an exception that is a bug of this package."""
    return {
        "type": type(error).__name__,
        "message": f"{type(error).__name__}: {error}",
        "reason": None,
        "frames": [],
        "hidden": 0,
        "hint": "This is a bug of the playground, not of the plugin.",
        "traceback": "".join(traceback.format_exception(error)),
    }


def refused(quotas: Collection[str]) -> list[str]:
    """Describe what quotas of WASI have refused, given the names of their fields."""
    return [f"The playground did not let it {words}." for name, words in _QUOTAS if name in quotas]


def function(valid: ValidModule, index: int) -> Answer:
    """Return a function as text: its instructions, and the Python that the translator makes."""
    module = valid.module
    own = index - module.imported_functions
    answer: Answer = {"index": index, "lines": [], "cut": False, "python": None, "note": None}
    if not 0 <= own < len(module.functions):
        answer["note"] = "This function is imported: the module has no code for it."
        return answer
    for line in disassemble(module, index, offsets=True):
        offset, text = _located(line)
        answer["lines"].append((offset, text))
        if len(answer["lines"]) >= MOST_LINES:
            answer["cut"] = True
            break
    # Imported here: the translator takes as long to import as the rest of the package.
    from purewasm_plugins.engine.translator.source import translate

    try:
        python = translate(valid, index, offsets=True, names=True)
    except Exception as error:
        # The instructions can be shown in any case.
        answer["note"] = f"The translator failed: {type(error).__name__}: {error}"
        return answer
    lines = python.splitlines()
    answer["python"] = [_located_python(line) for line in lines[:MOST_LINES]]
    answer["cut"] = answer["cut"] or len(lines) > MOST_LINES
    return answer


def _located_python(line: str) -> tuple[str, int | None]:
    """Split a line of a translation into its code and the offset in its comment."""
    text, mark, offset = line.rpartition("  # 0x")
    return (text, int(offset, 16)) if mark else (line, None)


_LOCATED = re.compile(r"\(;@([0-9a-f]+);\) (.*)")


def _located(line: str) -> tuple[int | None, str]:
    """Split a line of a disassembly into its offset and the rest."""
    match = _LOCATED.fullmatch(line)
    if match is not None:
        return int(match[1], 16), match[2]
    # The printer pads lines without an offset to the width of an offset.
    return None, line.strip() if line.lstrip().startswith(("(func", ")")) else "  " + line.strip()


def _frame(frame: StackFrame) -> Answer:
    return {
        "function": frame.function,
        "name": frame.name,
        "offset": frame.offset,
        "instruction": frame.instruction,
        "text": str(frame),
    }


def _cause(error: BaseException, wanted: type[_Wanted]) -> _Wanted | None:
    """Return the first error of a type in a chain of causes, or None."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, wanted):
            return found
        found = found.__cause__
    return None


_QUOTAS = (
    ("output_bytes", "write more than 16 MiB to its output streams"),
    ("file_bytes", "make a file of more than 64 MiB"),
    ("total_bytes", "keep more than 64 MiB in files"),
    ("files", "make more than 10,000 files"),
    ("directory_entries", "have more than 10,000 entries in a directory"),
    ("descriptors", "have more than 256 files open at once"),
    ("path_bytes", "use a path of more than 4096 bytes"),
)

_FILE_KINDS = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x7fELF", "a program for Linux"),
    (b"MZ", "a program for Windows"),
    (b"\xcf\xfa\xed\xfe", "a program for macOS"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"<", "a page of HTML or XML"),
)


def _hint(error: Exception, trap: Trap | None, data: bytes) -> str | None:
    """Return what the visitor can do about an error, or None."""
    link = _cause(error, LinkError)
    if link is not None:
        return (
            "The playground gives a module the functions of WASI preview 1, and no others. "
            f"This module imports {link.module}.{link.name}."
        )
    if isinstance(error, CompileError):
        return _file_hint(data)
    if isinstance(error, MissingExportError):
        return (
            "This is a WebAssembly module, but not a plugin of ABI version 1, and not a command, "
            "which would export “_start”. Its functions and exports are shown below."
        )
    if _cause(error, ResourceLimitError) is not None:
        return "You can raise the limits under “Limits”, up to the memory that the browser has."
    if isinstance(error, InvalidArgumentsError):
        return "The tool did not run."
    if trap is not None:
        return _TRAP_HINTS.get(trap.reason)
    return None


def _file_hint(data: bytes) -> str | None:
    if not data:
        return "The file is empty."
    if data[:4] == b"\0asm":
        return None
    if data.lstrip()[:7] == b"(module":
        return (
            "This is the text format: a file of it whose name ends in .wat opens in the Edit tab."
        )
    for start, kind in _FILE_KINDS:
        if data.startswith(start):
            return f"This looks like {kind}."
    return "A WebAssembly module starts with the four bytes 00 61 73 6D; this file does not."


_TRAP_HINTS = {
    TrapReason.OUT_OF_FUEL: "The call has used its fuel. You can raise the limit under “Limits”.",
    TrapReason.DEADLINE_EXCEEDED: "The call took too long. You can raise the limit under “Limits”.",
    TrapReason.CALL_STACK_EXHAUSTED: "The plugin's functions called each other too deep.",
    TrapReason.EXITED: "It ended itself. The next call gets a fresh instance.",
    TrapReason.UNREACHABLE: "Compilers emit “unreachable” where a program panics or aborts.",
}
