"""The bounds of the memory that is debugged: every address of the debugger is checked here."""

from __future__ import annotations

from purewasm_plugins.debugger.errors import LocationError
from purewasm_plugins.runtime.instance import Instance


def memory_bytes(instance: Instance) -> bytes | bytearray:
    """Return the bytes of memory 0, those of the host included; none where there is no memory."""
    return instance.memories[0].raw if instance.memories else b""


def check_range(end: int, address: int, size: int) -> None:
    """Check that bytes are in a memory.

    Args:
        end: the size of the memory in bytes.
        address, size: the bytes; 0 bytes may lie at its end.

    Raises:
        LocationError: they are not all in it.
    """
    if size < 0 or not 0 <= address <= end - size:
        what = "the byte is" if size == 1 else f"{size} bytes are"
        raise LocationError(f"{address:#x}", f"{what} not in memory, which ends at {end:#x}")
