"""Frames of a WebAssembly backtrace, made once a trap has happened."""

from __future__ import annotations

from purewasm_plugins.errors import StackFrame
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.module import Span


def stack_frame(
    instance: Instance, function: int, offset: int | None, *, innermost: bool
) -> StackFrame:
    """Return one frame of a backtrace.

    Args:
        instance: the instance whose function was active.
        function: the index of the function.
        offset: byte offset of the instruction that the function had reached, where it is known.
        innermost: whether to give that instruction as text.
    """
    module = instance.module.module
    names = instance.module.names
    name = names.functions.get(function) or instance.functions[function].name
    text = None
    if innermost and offset is not None:
        # Imported here: without a trap the text format is not needed.
        from purewasm_plugins.wasm.text.printer import Identifiers, format_instruction

        instruction = next(instructions(module.data, Span(offset, len(module.data))))
        identifiers = Identifiers(names)
        text = format_instruction(instruction, identifiers, identifiers.locals(function))
    return StackFrame(function, name, names.module, offset, text)
