"""What users and engines hold: `Function`, `Memory`, `Table`, `Global`, `Instance`; and `Engine`.

A memory, a table and a global are the runtime structure of the core specification (section 4.2),
the same for every engine, so that instances of different engines can share them. An engine adds
only the code behind the functions that a module defines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol

from purewasm_plugins.engine.limits import (
    BYTES_PER_UNIT,
    ELEMENTS_PER_UNIT,
    Budget,
    ResourceLimits,
    Spend,
    pieces,
)
from purewasm_plugins.engine.values import DEFAULT, FROM_RAW, TO_RAW
from purewasm_plugins.errors import (
    MemoryInUse,
    ResourceLimitError,
    Trap,
    TrapReason,
    WasmError,
    escape_controls,
)
from purewasm_plugins.wasm import ValidModule
from purewasm_plugins.wasm.types import (
    PAGE_SIZE,
    FuncType,
    GlobalType,
    MemoryType,
    TableType,
    ValType,
)

#: Pages in the largest memory that 32-bit addresses reach.
MAX_PAGES = 65536


class HostException(BaseException):
    """Carries what a host function raised through an engine, which must not mistake it for a trap.

    It never leaves the package: `Function.__call__` raises `exception` itself.
    """

    def __init__(self, exception: Exception) -> None:
        super().__init__(exception)
        self.exception = exception


class Function:
    """A function: one that a module defines, or a Python callable with a WebAssembly type.

    Attributes:
        type: its parameters and results.
        name: for messages: an export's or the name section's name, or None.
        instance: the instance whose module defines it; None for a host function.
        index: its index in that module; None for a host function.
        entry: the same function on raw values (see `values`), for engines and other instances.
            It returns None, one value, or a tuple, and raises `Trap` or `HostException`.
    """

    __slots__ = ("entry", "index", "instance", "name", "type")

    def __init__(
        self,
        type: FuncType,
        host: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
    ) -> None:
        """Give a Python callable a WebAssembly type.

        Args:
            type: what `host` takes and returns. It is called with border values (see `values`)
                and returns None, one value, or a tuple, after the number of results.
        """
        self.type = type
        self.name = name
        self.instance: Instance | None = None
        self.index: int | None = None
        self.entry: Callable[..., Any] = _not_linked if host is None else _host_entry(type, host)

    @classmethod
    def defined(cls, type: FuncType, instance: Instance, index: int, name: str | None) -> Function:
        """A function that a module defines; the engine sets its `entry`."""
        function = cls(type, name=name)
        function.instance = instance
        function.index = index
        return function

    def __call__(self, *arguments: Any) -> Any:
        """Call the function.

        Args:
            arguments: one border value for each parameter.

        Returns:
            None, the result, or a tuple of the results.

        Raises:
            TypeError: the number or the type of the arguments is wrong.
            ValueError: an argument does not fit its type.
            Trap: execution was aborted.
            OutOfMemory: Python had no room for what execution took.
        """
        type = self.type
        if len(arguments) != len(type.params):
            raise TypeError(
                f"{self} takes {len(type.params)} arguments, and {len(arguments)} were given"
            )
        raw = [to_raw(*pair) for pair in zip(type.params, arguments, strict=True)]
        try:
            result = self.entry(*raw)
        except HostException as carrier:
            raise carrier.exception from None
        if len(type.results) == 1:
            return FROM_RAW[type.results[0]](result)
        if not type.results:
            return None
        return tuple(FROM_RAW[t](value) for t, value in zip(type.results, result, strict=True))

    def __repr__(self) -> str:
        name = self.name if self.name is not None else self.index
        return escape_controls(f"<Function {name}: {self.type}>")


def _not_linked(*arguments: Any) -> NoReturn:
    raise WasmError("the function was called before its instance was linked")


def _host_entry(type: FuncType, host: Callable[..., Any]) -> Callable[..., Any]:
    from_raw = tuple(FROM_RAW[param] for param in type.params)
    results = type.results

    def entry(*arguments: Any) -> Any:
        try:
            value = host(*[convert(raw) for convert, raw in zip(from_raw, arguments, strict=True)])
            if len(results) == 1:
                return to_raw(results[0], value)
            values = () if value is None else value
            if not isinstance(values, (tuple, list)) or len(values) != len(results):
                raise TypeError(f"the host function must return {len(results)} values: {value!r}")
            return tuple(to_raw(*pair) for pair in zip(results, values, strict=True)) or None
        except Trap:
            raise
        except Exception as exception:
            raise HostException(exception) from None

    return entry


def to_raw(type: ValType, value: Any) -> Any:
    """A border value as the raw value of that type.

    Raises:
        TypeError, ValueError: it is no value of that type.
    """
    if type is ValType.FUNCREF and not (value is None or isinstance(value, Function)):
        raise TypeError(f"expected a Function or None for funcref, got {value.__class__.__name__}")
    return TO_RAW[type](value)


#: What Python raises where there is no room. One of 32 bits counts to two gigabytes only, and
#: overflows beyond.
_NO_ROOM = (MemoryError, OverflowError)


@contextmanager
def _room_for(limit: str, requested: int) -> Iterator[None]:
    """Allocate inside of it.

    Args:
        limit, requested: what a `ResourceLimitError` says of it.

    Raises:
        ResourceLimitError: the machine has not so much.
        MemoryInUse: it was a memory that should grow, and the host holds a view of it.
    """
    try:
        yield
    except _NO_ROOM:
        raise ResourceLimitError(limit, requested, None) from None
    except BufferError:
        raise MemoryInUse from None


class Memory:
    """A linear memory (core specification, 4.2.8), little-endian, in pages of 64 KiB.

    A host may look at `data` through a `memoryview`. While it keeps one, the memory cannot grow:
    release the view before control goes back to the module.

    A host may keep pages of its own behind those of the module (`host_region`): `pages` and
    `memory.size` do not count them, and `memory.grow` never reaches them. Loads and stores do: an
    engine checks them against `data`, and the pages in between are zeros that nobody owns.
    """

    __slots__ = ("_ceiling", "_limit", "_pages", "data", "refused", "type")

    def __init__(self, type: MemoryType, limits: ResourceLimits | None = None) -> None:
        """Allocate a memory of its minimal size.

        Raises:
            ResourceLimitError: the type's minimum is over `limits.memory_pages`, or more than the
                machine has.
        """
        limits = limits or ResourceLimits()
        limits.check("memory_pages", type.limits.minimum)
        self.type = type
        #: The bytes, the host's region included. Grown in place, never replaced.
        with _room_for("memory_pages", type.limits.minimum):
            self.data = bytearray(type.limits.minimum * PAGE_SIZE)
        #: What refused the last `memory.grow` that the module's own maximum would have allowed:
        #: "limit", or "host region" where only that was in the way; None if nothing was.
        self.refused: str | None = None
        self._pages = type.limits.minimum
        self._limit = MAX_PAGES if limits.memory_pages is None else limits.memory_pages
        self._ceiling: int | None = None

    @property
    def pages(self) -> int:
        """The size in pages of 64 KiB."""
        return self._pages

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self._pages * PAGE_SIZE

    @property
    def maximum(self) -> int:
        """Pages that the module's own declaration allows."""
        declared = self.type.limits.maximum
        return MAX_PAGES if declared is None else min(declared, MAX_PAGES)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on.

        Raises:
            Trap: they do not all lie inside the memory.
        """
        return bytes(self.data[offset : self._end(offset, size)])

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes at `offset`.

        Raises:
            Trap: they do not all fit inside the memory.
        """
        self.data[offset : self._end(offset, len(data))] = data

    def find(self, byte: int, start: int = 0) -> int:
        """The offset of the first byte of that value at `start` or after it; -1 if there is none.

        Raises:
            Trap: `start` lies past the end of the memory.
        """
        self._end(start, 0)
        return self.data.find(byte, start)

    def grow(self, pages: int) -> int:
        """Add pages of zeros.

        Returns:
            The size before, in pages.

        Raises:
            ResourceLimitError: the memory's maximum or the limit of its instance forbids it.
            MemoryInUse: the host holds a view of `data`.
        """
        before = self.try_grow(pages)
        if before < 0:
            allowed = min(self.maximum, self._limit if self._ceiling is None else self._ceiling)
            raise ResourceLimitError("memory_pages", self._pages + pages, allowed)
        return before

    def try_grow(self, pages: int, spend: Spend | None = None) -> int:
        """What `memory.grow` does (core specification, 4.4.7): the size before, or -1.

        Args:
            pages: how many to add.
            spend: pays for them, piece after piece; what it raises leaves the memory as it was.

        Raises:
            MemoryInUse: the host holds a view of `data`.
        """
        before, after = self._pages, self._pages + pages
        if pages < 0 or after > self.maximum:
            return -1
        if self._ceiling is None:
            if after > self._limit:
                self.refused = "limit"
                return -1
            if not self._extend(after, spend):
                self.refused = "limit"
                return -1
        elif after > self._ceiling:
            host_pages = len(self.data) // PAGE_SIZE - self._ceiling
            self.refused = "limit" if after + host_pages > self._limit else "host region"
            return -1
        else:
            # The pages are there already; a host region, or a stray write, may have used them.
            self._fill(self.size, 0, pages * PAGE_SIZE, spend)
        self._pages = after
        return before

    def _extend(self, pages: int, spend: Spend | None) -> bool:
        """Make `data` so many pages long, the new ones zeros, and tell whether there was room.

        In pieces: the zeros of all of them at once would take as much again.
        """
        data, before = self.data, len(self.data)
        complete = False
        try:
            for start, end in pieces(pages * PAGE_SIZE - before, BYTES_PER_UNIT, spend):
                data.extend(bytes(end - start))
            complete = True
        except _NO_ROOM:
            pass
        except BufferError:
            raise MemoryInUse from None
        finally:
            if not complete:
                del data[before:]
        return complete

    def undo_grow(self, pages: int) -> None:
        """Take the number of pages that the memory had or will have at another moment, for a
        debugger that goes back and forth in time and sees to `data` itself."""
        self._pages = pages

    def host_region(self, size: int, reserve: int) -> int:
        """Provide bytes for the host behind the module's pages.

        The module may still grow by `reserve` pages without reaching them, or as far as its own
        maximum, the limit or the machine allow if that is less. An earlier region is given up; it
        stays where it is while at least half of the reserve is left.

        Args:
            size: bytes wanted.
            reserve: pages.

        Returns:
            The offset of the region, a multiple of the page size. It reaches at least `size` bytes
            up, to the end of `data`.

        Raises:
            ResourceLimitError: the region alone does not fit under the limit, or into the machine.
        """
        wanted = math.ceil(size / PAGE_SIZE)
        highest = self._limit - wanted
        if self._pages > highest:
            raise ResourceLimitError("memory_pages", self._pages + wanted, self._limit)
        start = self._ceiling
        least = min(self._pages + reserve // 2, self.maximum, highest)
        if start is None or not least <= start <= highest:
            start = min(self._pages + reserve, self.maximum, highest)
        hoped = start
        while True:
            try:
                self.extend_host_region(start * PAGE_SIZE + size)
                break
            except ResourceLimitError:
                if start == self._pages:
                    raise
                start = self._pages + (start - self._pages) // 2
        if start < hoped:
            # The machine has no room for more, and that is the limit from now on.
            self._limit = start + wanted
        self._ceiling = start
        return start * PAGE_SIZE

    def extend_host_region(self, end: int) -> None:
        """Make the host's region reach up to the offset `end`, or further; it does not move.

        Raises:
            ResourceLimitError: it does not fit under the limit, or into the machine.
            MemoryInUse: the host holds a view of `data`.
        """
        pages = math.ceil(end / PAGE_SIZE)
        if pages > self._limit:
            raise ResourceLimitError("memory_pages", pages, self._limit)
        if not self._extend(pages, None):
            raise ResourceLimitError("memory_pages", pages, None)

    def fill(self, offset: int, value: int, size: int, spend: Spend | None = None) -> None:
        """`memory.fill` (4.4.7).

        Args:
            offset, value, size: the operands.
            spend: pays for it, piece after piece; what it raises leaves the rest as it was. The
                same for `copy` and `init`.

        Raises:
            Trap: out of bounds; nothing was written.
        """
        end = self._end(offset, size)
        if size <= BYTES_PER_UNIT:
            # Most are small: an iterator would take as long as all the rest.
            if size and spend is not None:
                spend(1)
            self.data[offset:end] = bytes((value & 0xFF,)) * size
        else:
            self._fill(offset, value, size, spend)

    def _fill(self, offset: int, value: int, size: int, spend: Spend | None) -> None:
        data, filling = self.data, b""
        for start, end in pieces(size, BYTES_PER_UNIT, spend):
            if len(filling) != end - start:
                filling = bytes((value & 0xFF,)) * (end - start)
            data[offset + start : offset + end] = filling

    def copy(self, destination: int, source: int, size: int, spend: Spend | None = None) -> None:
        """`memory.copy` (4.4.7).

        Raises:
            Trap: out of bounds; nothing was written.
        """
        source_end = self._end(source, size)
        end = self._end(destination, size)
        if size <= BYTES_PER_UNIT:
            if size and spend is not None:
                spend(1)
            self.data[destination:end] = self.data[source:source_end]
            return
        # A slice of a bytearray is a copy; from view to view CPython moves, overlapping or not.
        with memoryview(self.data) as view:
            for start, end in pieces(size, BYTES_PER_UNIT, spend, backwards=source < destination):
                view[destination + start : destination + end] = view[source + start : source + end]

    def init(
        self,
        segment: bytes | memoryview,
        destination: int,
        source: int,
        size: int,
        spend: Spend | None = None,
    ) -> None:
        """`memory.init` (4.4.7) from the bytes of a data segment.

        Raises:
            Trap: out of bounds; nothing was written.
        """
        if source + size > len(segment):
            raise Trap(TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS)
        self._end(destination, size)
        data = self.data
        for start, end in pieces(size, BYTES_PER_UNIT, spend):
            data[destination + start : destination + end] = segment[source + start : source + end]

    def extent(self, offset: int) -> int:
        """The end of the stretch of memory that an offset lies in: the module's pages, or the
        host's region behind them; 0 where it lies in neither."""
        if 0 <= offset < self.size:
            return self.size
        if self._ceiling is not None and self._ceiling * PAGE_SIZE <= offset < len(self.data):
            return len(self.data)
        return 0

    def _end(self, offset: int, size: int) -> int:
        end = offset + size
        if offset < 0 or size < 0:
            raise Trap(TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS)
        if end > self._pages * PAGE_SIZE and not self._in_host_region(offset, end):
            raise Trap(TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS)
        return end

    def _in_host_region(self, start: int, end: int) -> bool:
        """Whether a stretch lies in the region; an empty one may lie at its very end."""
        ceiling = self._ceiling
        return ceiling is not None and start >= ceiling * PAGE_SIZE and end <= len(self.data)

    def __repr__(self) -> str:
        return f"<Memory of {self._pages} pages>"


class Table:
    """A table of references (core specification, 4.2.7)."""

    __slots__ = ("_limit", "_sharing", "elements", "type")

    def __init__(
        self,
        type: TableType,
        initial: Any = None,
        limits: ResourceLimits | None = None,
        *,
        beside: Sequence[Table] = (),
    ) -> None:
        """Allocate a table of its minimal size, every entry `initial`.

        Args:
            type: what it is to be.
            initial: None, or a border value of its element type.
            limits: of which it takes `table_elements`; None for the defaults.
            beside: tables that share the limit with it.

        Raises:
            ResourceLimitError: with those beside it, the type's minimum is over
                `limits.table_elements`, or more than the machine has.
        """
        limits = limits or ResourceLimits()
        #: The elements of all tables that share the limit.
        self._sharing: list[list[Any]] = beside[0]._sharing if beside else []
        minimum = type.limits.minimum
        limits.check("table_elements", sum(map(len, self._sharing)) + minimum)
        self.type = type
        with _room_for("table_elements", minimum):
            self.elements: list[Any] = [to_raw(type.element, initial)] * minimum
        self._sharing.append(self.elements)
        self._limit = limits.table_elements

    def __len__(self) -> int:
        return len(self.elements)

    def get(self, index: int) -> Any:
        """The reference at an index.

        Raises:
            Trap: the index is out of bounds.
        """
        self._end(index, 1)
        return self.elements[index]

    def set(self, index: int, value: Any) -> None:
        """Replace the reference at an index.

        Raises:
            Trap: the index is out of bounds.
            TypeError: it is no value of the table's element type.
        """
        self._end(index, 1)
        self.elements[index] = to_raw(self.type.element, value)

    def grow(self, count: int, value: Any = None) -> int:
        """Add entries.

        Returns:
            The number of entries before.

        Raises:
            ResourceLimitError: the table's maximum or the limit of its instance forbids it.
        """
        before = self.try_grow(count, to_raw(self.type.element, value))
        if before < 0:
            raise ResourceLimitError("table_elements", len(self) + count, self._allowed)
        return before

    def try_grow(self, count: int, value: Any, spend: Spend | None = None) -> int:
        """What `table.grow` does (4.4.6): the number of entries before, or -1.

        Args:
            count, value: the operands.
            spend: pays for it, piece after piece; what it raises leaves the table as it was.
        """
        elements, before = self.elements, len(self.elements)
        if count < 0 or before + count > self._allowed:
            return -1
        complete = False
        try:
            for start, end in pieces(count, ELEMENTS_PER_UNIT, spend):
                elements.extend([value] * (end - start))
            complete = True
        except _NO_ROOM:
            return -1
        finally:
            while not complete and len(elements) > before:
                # Few at a time: a list copies what it lets go.
                del elements[max(before, len(elements) - ELEMENTS_PER_UNIT) :]
        return before

    def fill(self, start: int, value: Any, count: int, spend: Spend | None = None) -> None:
        """`table.fill` (4.4.6).

        Args:
            start, value, count: the operands.
            spend: pays for it, piece after piece; what it raises leaves the rest as it was. The
                same for `copy` and `init`.

        Raises:
            Trap: out of bounds; nothing was written.
        """
        self._end(start, count)
        for first, end in pieces(count, ELEMENTS_PER_UNIT, spend):
            self.elements[start + first : start + end] = [value] * (end - first)

    def copy(
        self,
        source: Table,
        destination: int,
        start: int,
        count: int,
        spend: Spend | None = None,
    ) -> None:
        """`table.copy` (4.4.6) from `source`, which may be this table.

        Raises:
            Trap: out of bounds; nothing was written.
        """
        source._end(start, count)
        self._end(destination, count)
        self._move(source.elements, destination, start, count, spend)

    def init(
        self,
        segment: Sequence[Any],
        destination: int,
        start: int,
        count: int,
        spend: Spend | None = None,
    ) -> None:
        """`table.init` (4.4.6) from the references of an element segment.

        Raises:
            Trap: out of bounds; nothing was written.
        """
        if start + count > len(segment):
            raise Trap(TrapReason.OUT_OF_BOUNDS_TABLE_ACCESS)
        self._end(destination, count)
        self._move(segment, destination, start, count, spend)

    def _move(
        self,
        source: Sequence[Any],
        destination: int,
        start: int,
        count: int,
        spend: Spend | None,
    ) -> None:
        # What is moved may overlap what it is moved to.
        backwards = start < destination
        for first, end in pieces(count, ELEMENTS_PER_UNIT, spend, backwards=backwards):
            moved = source[start + first : start + end]
            self.elements[destination + first : destination + end] = moved

    @property
    def _allowed(self) -> int:
        """Entries that this table may have."""
        bounds = [0xFFFFFFFF]
        if self.type.limits.maximum is not None:
            bounds.append(self.type.limits.maximum)
        if self._limit is not None:
            others = sum(map(len, self._sharing)) - len(self.elements)
            bounds.append(self._limit - others)
        return min(bounds)

    def _end(self, start: int, count: int) -> None:
        if start < 0 or start + count > len(self.elements):
            raise Trap(TrapReason.OUT_OF_BOUNDS_TABLE_ACCESS)

    def __repr__(self) -> str:
        return f"<Table of {len(self)} {self.type.element}>"


class Global:
    """A global variable (core specification, 4.2.9).

    Attributes:
        type: its value type, and whether it is mutable.
        raw: its value as engines hold it (see `values`).
    """

    __slots__ = ("raw", "type")

    def __init__(self, type: GlobalType, value: Any = None) -> None:
        """Make a global; without a value it starts as the default of its type.

        Raises:
            TypeError, ValueError: it is no value of that type.
        """
        self.type = type
        default = value is None and not type.value.is_reference
        self.raw: Any = DEFAULT[type.value] if default else to_raw(type.value, value)

    @property
    def value(self) -> Any:
        """The value; it can be set where the global is mutable.

        Raises:
            TypeError, ValueError: it is immutable, or this is no value of its type.
        """
        return FROM_RAW[self.type.value](self.raw)

    @value.setter
    def value(self, value: Any) -> None:
        if not self.type.mutable:
            raise TypeError("the global is immutable")
        self.raw = to_raw(self.type.value, value)

    def __repr__(self) -> str:
        return f"<Global {self.type} = {self.value}>"


Extern = Function | Memory | Table | Global


class Exports(Mapping[str, Extern]):
    """What an instance exports, by name, in the order of its module."""

    def __init__(self, entries: Mapping[str, Extern]) -> None:
        self._entries = entries

    def __getitem__(self, name: str) -> Extern:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return escape_controls(f"<Exports {', '.join(self._entries)}>")


class Instance:
    """A module instance (core specification, 4.2.5); `instantiate` makes them.

    Attributes:
        module: what it is an instance of.
        limits: what it may use.
        exports: name to `Function`, `Memory`, `Table` or `Global`.
        functions, tables, memories, globals: by index, imported ones first.
        element_segments: the references of each; an empty list once dropped.
        data_segments: the bytes of each, views of the module's; empty once dropped.
        budget: what meters its calls.
    """

    def __init__(self, module: ValidModule, limits: ResourceLimits) -> None:
        self.module = module
        self.limits = limits
        self.exports: Mapping[str, Extern] = {}
        self.functions: list[Function] = []
        self.tables: list[Table] = []
        self.memories: list[Memory] = []
        self.globals: list[Global] = []
        self.element_segments: list[list[Any]] = []
        self.data_segments: list[bytes | memoryview] = []
        self.budget = Budget(limits)

    @property
    def fuel_used(self) -> int:
        """Units of fuel that the running call, or else the last one, has used."""
        return self.budget.fuel_used

    def cancel(self) -> None:
        """End the running call with `Cancelled`; from another thread, or from a host function."""
        self.budget.cancel()

    def __repr__(self) -> str:
        return escape_controls(f"<Instance exporting {', '.join(self.exports)}>")


class Engine(Protocol):
    """How the functions of a valid module are run."""

    #: What `instantiate(engine=…)` calls it.
    name: str

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """Make the functions of an instance callable.

        Args:
            instance: its imports, memories, tables and globals are in place; its segments are not
                yet applied.

        Returns:
            For each function that the module defines, in order, what becomes `Function.entry`.
        """
        ...


class CodeCache(Protocol):
    """Keeps bytes by key, across processes."""

    def get(self, key: str) -> bytes | None:
        """What was put under the key, whole and unchanged; None if there is nothing."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Keep `content` under the key, in place of what was there. A failure is no error."""
        ...
