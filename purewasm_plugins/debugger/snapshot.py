"""The state of a machine at one moment, as something that can be kept and gone back to.

Values are shared: pywasm makes a new `ValInst` for every value and never changes one. Memory is
kept as pages of 4 KiB, those that did not change shared with another snapshot, so that a snapshot
costs what has changed.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import pywasm

from purewasm_plugins.debugger.machine import DebugLinked
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.runtime.memory import GrowRefusal, Memory

PAGE = 4096
#: Pages in a chunk: an image is a tuple of chunks, and unchanged chunks are shared as a whole.
_CHUNK = 16
_CHUNK_BYTES = PAGE * _CHUNK
_ZERO_PAGE = bytes(PAGE)
_ZERO_CHUNK = (_ZERO_PAGE,) * _CHUNK
_ZEROS = bytes(_CHUNK_BYTES)

Chunk = tuple[bytes, ...]

#: What is reckoned for an operand or local, a label and a frame: Python objects, measured.
_VALUE_BYTES, _LABEL_BYTES, _FRAME_BYTES = 360, 120, 120


@dataclass(frozen=True, slots=True)
class MemoryImage:
    """The content of a memory: its bytes, and how many of its pages are the module's."""

    chunks: tuple[Chunk, ...]
    size: int
    pages: int
    grow_refusal: GrowRefusal | None

    def page(self, number: int) -> bytes:
        """The 4 KiB page of that number; nothing past the end."""
        chunk, index = divmod(number, _CHUNK)
        return self.chunks[chunk][index] if chunk < len(self.chunks) else b""

    def changed_pages(self, other: MemoryImage) -> list[int]:
        """The numbers of the pages that may differ."""
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
    """An image of a memory, sharing with another one what is the same."""
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
    """Make a memory what it was."""
    data = memory.raw
    same = data.startswith
    # A debugger may do what no program can: make a memory smaller.
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
    """A machine, and what its instance holds, before the instruction of that step."""

    step: int
    values: tuple[Any, ...]
    labels: tuple[tuple[Any, ...], ...]
    frames: tuple[tuple[Any, ...], ...]
    memories: tuple[MemoryImage, ...]
    globals: tuple[Any, ...]
    tables: tuple[tuple[Any, ...], ...]
    elements: tuple[list[Any], ...]
    data: tuple[bytes | memoryview, ...]
    fuel_used: int

    def cost(self, neighbour: Snapshot | None) -> int:
        """Bytes that this snapshot takes beside one that it shares pages with."""
        stack = (
            _VALUE_BYTES * (len(self.values) + sum(len(frame[1]) for frame in self.frames))
            + _LABEL_BYTES * len(self.labels)
            + _FRAME_BYTES * len(self.frames)
        )
        total = 2000 + stack
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


def take(linked: DebugLinked, like: Snapshot | None, *, same_memory: bool = False) -> Snapshot:
    """A snapshot of a machine that stands still.

    Args:
        linked: the machine.
        like: a snapshot to share with.
        same_memory: nothing has been written to memory since `like` was taken.
    """
    instance, stack = linked.instance, linked.machine.stack
    if like is not None and same_memory:
        memories = like.memories
    else:
        memories = tuple(
            memory_image(memory, None if like is None else like.memories[number])
            for number, memory in enumerate(instance.memories)
        )
    return Snapshot(
        linked.clock.step,
        tuple(stack.value),
        tuple((at.arity, at.frame, at.value, at.carry, at.instr, at.index) for at in stack.label),
        tuple((f.module, tuple(f.locals.data), f.arity, f.label, f.value) for f in stack.frame),
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
    return new if old is None or new != old else old


def restore(linked: DebugLinked, snapshot: Snapshot) -> None:
    """Put a machine, and what its instance holds, back to what they were."""
    restore_stack(linked, snapshot)
    restore_store(linked.instance, snapshot)
    linked.instance.budget.fuel_used = snapshot.fuel_used
    linked.clock.step = snapshot.step


def restore_stack(linked: DebugLinked, snapshot: Snapshot) -> None:
    """The machine's own part of `restore`."""
    stack = pywasm.core.Stack()
    stack.value = list(snapshot.values)
    stack.label = [pywasm.core.Label(*label) for label in snapshot.labels]
    stack.frame = [
        pywasm.core.Frame(module, pywasm.core.LocalsInst(list(values)), arity, label, value)
        for module, values, arity, label, value in snapshot.frames
    ]
    linked.machine.stack = stack


def restore_store(instance: Instance, snapshot: Snapshot) -> None:
    """The instance's part of `restore`: memories, globals, tables and segments."""
    for memory, image in zip(instance.memories, snapshot.memories, strict=True):
        restore_memory(memory, image)
    for cell, raw in zip(instance.globals, snapshot.globals, strict=True):
        cell.raw = raw
    for table, elements in zip(instance.tables, snapshot.tables, strict=True):
        table.elements[:] = elements
    instance.element_segments[:] = snapshot.elements
    instance.data_segments[:] = snapshot.data
