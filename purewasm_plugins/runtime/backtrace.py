"""Frames of a WebAssembly backtrace: function index and byte offset in, `StackFrame` out.

Called only once a trap has happened, so it may take its time.
"""

from __future__ import annotations

from purewasm_plugins.errors import StackFrame
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.module import Span


def stack_frame(
    instance: Instance, function: int, offset: int | None, *, innermost: bool
) -> StackFrame:
    """One frame of a backtrace.

    Args:
        instance: whose function it is.
        function: its index.
        offset: byte offset of the instruction that it had reached, where that is known.
        innermost: whether to give that instruction as text.
    """
    module = instance.module.module
    names = instance.module.names
    name = names.functions.get(function) or instance.functions[function].name
    text = None
    if innermost and offset is not None:
        # Imported here: only who has run into a trap needs the text format.
        from purewasm_plugins.wasm.text.printer import Identifiers, format_instruction

        instruction = next(instructions(module.data, Span(offset, len(module.data))))
        identifiers = Identifiers(names)
        text = format_instruction(instruction, identifiers, identifiers.locals(function))
    return StackFrame(function, name, names.module, offset, text)
