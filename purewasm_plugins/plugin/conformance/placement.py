"""The check whether a plugin overwrites its input: compares runs with the input in two places.

An allocator in a plugin may use memory that a host has grown for the input (see "Where inputs go"
in `ABI.md`). In the host region the plugin cannot overwrite the input, so the output of that run is
the expected one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from purewasm_plugins.errors import StringError
from purewasm_plugins.plugin.conformance import fixes
from purewasm_plugins.plugin.conformance.findings import Check, Status
from purewasm_plugins.plugin.strings import LEAST_RESERVE, Arena, InputPlace
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.wasm import PAGE_SIZE

#: Makes the place of inputs for an instance and its memory.
PlaceOf = Callable[[Instance, Memory], InputPlace]

_CANNOT_GROW = "its memory cannot grow for the input"


#: The pages that a simple host grows for its input: enough for half a megabyte.
_GROWN = 8


@dataclass(frozen=True, slots=True)
class Run:
    """The result of one call of a tool on a fresh instance.

    Attributes:
        output: the bytes of the output; None if the call failed.
        error: the reason of the failure.
        fix: the fix of the failure.
        late: whether the call ran out of time or fuel.
        input: the bytes in the input's place after the call.
        strayed: how many bytes behind the input the call changed in the pages grown for it.
        crowded: whether the host region prevented the plugin's memory from growing.
    """

    output: bytes | None = None
    error: str = ""
    fix: str = ""
    late: bool = False
    input: bytes = b""
    strayed: int = 0
    crowded: bool = False


def hidden(instance: Instance, memory: Memory) -> InputPlace:
    """Return the place of this host's inputs, in the host region."""
    return Arena(memory)


def far_away(instance: Instance, memory: Memory) -> InputPlace:
    """Return a place in a host region with the larger reserve of this host's second attempt."""
    return Arena(memory, 8 * LEAST_RESERVE)


def old_end(instance: Instance, memory: Memory) -> OldEnd:
    """Return a place in pages grown at the old end of memory, where simple hosts put inputs."""
    return OldEnd(memory)


class OldEnd:
    """Pages at the old end of memory: visible to the plugin, but not allocated by it.

    There are enough of them for a large input. A small input is enough to detect an allocator that
    uses them, since it marks their end.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._start = self._end = 0

    def put(self, data: bytes) -> int:
        """Put bytes into newly grown pages; see `InputPlace.put`."""
        pages = max(_GROWN, math.ceil(len(data) / PAGE_SIZE))
        before = self._memory.try_grow(pages)
        if before < 0:
            raise StringError(_CANNOT_GROW)
        pointer = before * PAGE_SIZE
        self._memory.write(pointer, data)
        self._start, self._end = pointer + len(data), pointer + pages * PAGE_SIZE
        return pointer

    def release(self) -> None:
        """Do nothing; see `InputPlace.release`."""

    def abandon(self) -> None:
        """Do nothing; see `InputPlace.abandon`."""

    def strayed(self) -> int:
        """Count the bytes behind the input that are no longer zero."""
        rest = self._memory.read(self._start, self._end - self._start)
        return len(rest) - rest.count(0)


def compared(name: str, size: int, safe: Run, exposed: Run, *, allocator: bool) -> Check:
    """Compare two runs of a tool on the same input.

    Args:
        name: the name of the check.
        size: the size of the input in bytes.
        safe: the run with the input in the host region.
        exposed: the run with the input where the plugin might overwrite it.
        allocator: whether that place came from the plugin's allocator, or else from the old end.
    """
    where = "in memory of its own allocator" if allocator else "in pages grown for it"
    if exposed.error == _CANNOT_GROW:
        details = f"{_CANNOT_GROW}, and simple hosts have no other place for it"
        return Check(name, Status.WARNING, details, fixes.OVERWRITES)
    if safe.output is None:
        return Check(
            name, Status.WARNING, f"not checked: {size:,} bytes: {safe.error}", fixes.LARGE
        )
    changed = _differences(safe.input, exposed.input)
    if exposed.output is None or changed:
        what = f"{changed:,} of {size:,} bytes" if changed else f"{size:,} bytes"
        details = f"it overwrites {what} of input {where}"
        if exposed.output is None:
            details += f": {exposed.error}"
        elif exposed.output != safe.output:
            details += ", and its output is wrong"
    elif exposed.strayed:
        details = (
            f"it takes the pages that a host has grown for the input ({size:,} bytes) as its own"
        )
    elif safe.output != exposed.output and not allocator:
        details = "its output depends on the address of the input, or on the size of memory"
        return Check(name, Status.WARNING, details, fixes.PLACE)
    else:
        return Check(name, Status.PASS, f"{size:,} bytes stay intact {where}")
    if allocator:
        return Check(name, Status.FAIL, details, fixes.ALLOCATOR)
    details += "; this host protects the input, others may not"
    return Check(name, Status.FAIL, details, fixes.OVERWRITES)


def _differences(before: bytes, after: bytes) -> int:
    """Count the bytes that differ; 0 if the second run has no input to compare."""
    if not after or before == after:
        return 0
    return sum(a != b for a, b in zip(before, after, strict=True))
