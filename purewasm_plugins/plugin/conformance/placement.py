"""Does a plugin overwrite its input? Runs of a tool on one input in two places, compared.

An allocator inside a plugin may take memory for its own that a host has grown for the input (see
"Where inputs go" in `ABI.md`). Out of the plugin's sight the input is safe, so what a tool does
there is what it should do anywhere.
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

#: Where inputs go: given an instance and its memory.
PlaceOf = Callable[[Instance, Memory], InputPlace]

_CANNOT_GROW = "its memory may not grow for the input"


#: Pages that a simple host grows for its input: those that half a megabyte takes.
_GROWN = 8


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one call of a tool on a fresh instance.

    Attributes:
        output: the bytes of the answer; None where there was none.
        error: why there was none.
        fix: what to do about that.
        late: whether it ran out of time or fuel.
        input: the bytes where the input was put, after the call.
        strayed: bytes that it changed in the host's pages behind the input.
        crowded: whether the plugin could not grow because the hidden input was in the way.
    """

    output: bytes | None = None
    error: str = ""
    fix: str = ""
    late: bool = False
    input: bytes = b""
    strayed: int = 0
    crowded: bool = False


def hidden(instance: Instance, memory: Memory) -> InputPlace:
    """Out of the plugin's sight: where this host puts inputs."""
    return Arena(memory)


def far_away(instance: Instance, memory: Memory) -> InputPlace:
    """Return the same, with as much room for the plugin to grow as this host then gives it."""
    return Arena(memory, 8 * LEAST_RESERVE)


def old_end(instance: Instance, memory: Memory) -> OldEnd:
    """At the old end of memory, in pages grown for it: where simple hosts put inputs."""
    return OldEnd(memory)


class OldEnd:
    """Pages that the plugin sees, but that are not its own.

    There are always enough of them for a large input: what a plugin does with them shows on a small
    one, too, since an allocator that takes them marks their end.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._start = self._end = 0

    def put(self, data: bytes) -> int:
        """See `InputPlace.put`."""
        pages = max(_GROWN, math.ceil(len(data) / PAGE_SIZE))
        before = self._memory.try_grow(pages)
        if before < 0:
            raise StringError(_CANNOT_GROW)
        pointer = before * PAGE_SIZE
        self._memory.write(pointer, data)
        self._start, self._end = pointer + len(data), pointer + pages * PAGE_SIZE
        return pointer

    def release(self) -> None:
        """See `InputPlace.release`."""

    def abandon(self) -> None:
        """See `InputPlace.abandon`."""

    def strayed(self) -> int:
        """Bytes behind the input that are no longer zero."""
        rest = self._memory.read(self._start, self._end - self._start)
        return len(rest) - rest.count(0)


def compared(name: str, size: int, safe: Run, exposed: Run, *, allocator: bool) -> Check:
    """Return what two runs on the same input say of a tool.

    Args:
        name: of the check.
        size: bytes of the input.
        safe: the run with the input out of sight.
        exposed: the run with the input where the plugin might overwrite it.
        allocator: whether that was in memory from the plugin's allocator, or else at the old end.
    """
    where = "in memory of its own allocator" if allocator else "in pages grown for it"
    if exposed.error == _CANNOT_GROW:
        details = f"{_CANNOT_GROW}, and other hosts have no other place"
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
            details += ", and its answer is wrong"
    elif exposed.strayed:
        details = (
            f"it takes the pages that a host has grown for the input ({size:,} bytes) as its own"
        )
    elif safe.output != exposed.output and not allocator:
        details = "its answer depends on where the input is, or on how large memory looks"
        return Check(name, Status.WARNING, details, fixes.PLACE)
    else:
        return Check(name, Status.PASS, f"{size:,} bytes stay intact {where}")
    if allocator:
        return Check(name, Status.FAIL, details, fixes.ALLOCATOR)
    details += "; this host protects it, others may not"
    return Check(name, Status.FAIL, details, fixes.OVERWRITES)


def _differences(before: bytes, after: bytes) -> int:
    """How many bytes differ; none where there is nothing to compare with."""
    if not after or before == after:
        return 0
    return sum(a != b for a, b in zip(before, after, strict=True))
