"""The state of a machine and its instance at one step, which can be restored.

A snapshot of memory is made of pages of 4 KiB, and shares those that did not change with another
snapshot: it takes as much memory as has changed.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

from purewasm_plugins.engine.stepping import MachineState, SteppableMachine
from purewasm_plugins.runtime.memory import GrowRefusal, Memory

PAGE = 4096
#: Pages in a chunk: an image is a tuple of chunks, and unchanged chunks are shared as a whole.
_CHUNK = 16
_CHUNK_BYTES = PAGE * _CHUNK
_ZERO_PAGE = bytes(PAGE)
_ZERO_CHUNK = (_ZERO_PAGE,) * _CHUNK
_ZEROS = bytes(_CHUNK_BYTES)

Chunk = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class MemoryImage:
    """The content of a memory.

    Attributes:
        chunks: its bytes.
        size: their number, those of the host included.
        pages: its size for the module, in pages of 64 KiB.
        grow_refusal: why the last growth failed.
    """

    chunks: tuple[Chunk, ...]
    size: int
    pages: int
    grow_refusal: GrowRefusal | None

    def page(self, number: int) -> bytes:
        """Return the 4 KiB page of that number; no bytes past the end."""
        chunk, index = divmod(number, _CHUNK)
        return self.chunks[chunk][index] if chunk < len(self.chunks) else b""

    def changed_pages(self, other: MemoryImage) -> list[int]:
        """Return the numbers of the pages that may differ."""
        changed = []
        for number in range(max(len(self.chunks), len(other.chunks))):
            mine = self.chunks[number] if number < len(self.chunks) else ()
            theirs = other.chunks[number] if number < len(other.chunks) else ()
            if mine is not theirs:
                changed += [
                    number * _CHUNK + index
                    for index in range(_CHUNK)
                    if (mine[index] if mine else None) is not (theirs[index] if theirs else None)
                ]
        return changed


def memory_image(memory: Memory, like: MemoryImage | None = None) -> MemoryImage:
    """Make an image of a memory that shares the equal parts of another one."""
    data = memory.raw
    # `startswith` compares in place, where a slice would copy first.
    same = data.startswith
    known = () if like is None else like.chunks
    chunks: list[Chunk] = []
    for number, start in enumerate(range(0, len(data), _CHUNK_BYTES)):
        old = known[number] if number < len(known) else _ZERO_CHUNK
        if old is _ZERO_CHUNK and same(_ZEROS, start):
            chunks.append(old)
            continue
        new = [
            page if same(page, at) else _page(data, at)
            for page, at in zip(old, range(start, start + _CHUNK_BYTES, PAGE), strict=True)
        ]
        unchanged = all(map(operator.is_, new, old))
        chunks.append(old if unchanged else tuple(new))
    return MemoryImage(tuple(chunks), len(data), memory.pages, memory.grow_refusal)


def _page(data: bytearray, start: int) -> bytes:
    page = bytes(data[start : start + PAGE])
    return _ZERO_PAGE if page == _ZERO_PAGE else page


def restore_memory(memory: Memory, image: MemoryImage) -> None:
    """Put the content of a memory back to an image."""
    data = memory.raw
    same = data.startswith
    # A debugger may make a memory smaller, which no instruction can.
    memory.restore_size(image.size, image.pages)
    memory.grow_refusal = image.grow_refusal
    for number, chunk in enumerate(image.chunks):
        start = number * _CHUNK_BYTES
        if chunk is _ZERO_CHUNK and same(_ZEROS, start):
            continue
        for page, at in zip(chunk, range(start, start + _CHUNK_BYTES, PAGE), strict=True):
            if not same(page, at):
                data[at : at + PAGE] = page


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a machine and of its instance, before the instruction of a step.

    Attributes:
        step: the number of instructions that have run.
        stack: the machine's own part.
        memories, globals, tables, elements, data: what the instance holds, by index.
        fuel_used: by the call so far.
    """

    step: int
    stack: MachineState
    memories: tuple[MemoryImage, ...]
    globals: tuple[Any, ...]
    tables: tuple[tuple[Any, ...], ...]
    elements: tuple[list[Any], ...]
    data: tuple[bytes | memoryview, ...]
    fuel_used: int

    def cost(self, neighbour: Snapshot | None) -> int:
        """Estimate the bytes that it takes beside a snapshot that it shares pages with."""
        total = 2000 + self.stack.size
        for number, image in enumerate(self.memories):
            total += 8 * len(image.chunks)
            if neighbour is None:
                total += PAGE * sum(
                    page is not _ZERO_PAGE for chunk in image.chunks for page in chunk
                )
            else:
                total += PAGE * len(image.changed_pages(neighbour.memories[number]))
        for number, table in enumerate(self.tables):
            if neighbour is None or table is not neighbour.tables[number]:
                total += 8 * len(table)
        return total


def take(
    machine: SteppableMachine, like: Snapshot | None, *, same_memory: bool = False
) -> Snapshot:
    """Take a snapshot of a machine that is paused.

    Args:
        machine: the machine.
        like: a snapshot to share with.
        same_memory: nothing has been written to memory since `like` was taken.
    """
    instance = machine.instance
    if like is not None and same_memory:
        memories = like.memories
    else:
        memories = tuple(
            memory_image(memory, None if like is None else like.memories[number])
            for number, memory in enumerate(instance.memories)
        )
    return Snapshot(
        machine.clock.step,
        machine.save(),
        memories,
        tuple(cell.raw for cell in instance.globals),
        tuple(
            _shared(tuple(table.elements), None if like is None else like.tables[number])
            for number, table in enumerate(instance.tables)
        ),
        tuple(instance.element_segments),
        tuple(instance.data_segments),
        instance.budget.fuel_used,
    )


def _shared(new: tuple[Any, ...], old: tuple[Any, ...] | None) -> tuple[Any, ...]:
    """Return the old tuple in place of an equal new one."""
    return new if old is None or new != old else old


def restore(machine: SteppableMachine, snapshot: Snapshot) -> None:
    """Put a machine and its instance back to a snapshot."""
    instance = machine.instance
    machine.restore(snapshot.stack)
    for memory, image in zip(instance.memories, snapshot.memories, strict=True):
        restore_memory(memory, image)
    for cell, raw in zip(instance.globals, snapshot.globals, strict=True):
        cell.raw = raw
    for table, elements in zip(instance.tables, snapshot.tables, strict=True):
        table.elements[:] = elements
    instance.element_segments[:] = snapshot.elements
    instance.data_segments[:] = snapshot.data
    instance.budget.fuel_used = snapshot.fuel_used
    machine.clock.step = snapshot.step
