"""Linear memories (core specification, 4.2.8), the same for every engine.

`memory.grow` is `Memory.try_grow`: every engine calls it, and `Memory.grow` is the same for a host.
`plugin/strings.py` puts strings into a plugin's memory. `host_region.py` keeps pages of the host
behind those of the module.
"""

from __future__ import annotations

import sys
from _weakref import ref
from struct import Struct

from purewasm_plugins.errors import (
    InvalidString,
    MemoryInUse,
    ResourceLimitError,
    StringError,
    Trap,
    TrapReason,
)
from purewasm_plugins.runtime.limits import BYTES_PER_UNIT, ResourceLimits, Spend, pieces
from purewasm_plugins.runtime.values import (
    f32_from_bits,
    f32_to_bits,
    f64_from_bits,
    f64_to_bits,
    to_raw,
)
from purewasm_plugins.support.light import Enum
from purewasm_plugins.support.typed import Any, Callable, Protocol
from purewasm_plugins.wasm.types import PAGE_SIZE, MemoryType, ValType

#: Pages in the largest memory that 32-bit addresses reach.
MAX_PAGES = 65536

#: What Python raises where there is no room. One of 32 bits counts to two gigabytes only, and
#: overflows beyond.
NO_ROOM = (MemoryError, OverflowError)

#: Bytes that `Memory.read_string` reads at most, unless it is given another limit.
STRING_LIMIT = 16 * 1024 * 1024


#: The names of views in generated code, with the format of their items; see `Memory.share_view`.
VIEWS = {"memory16": "H", "memory32": "I", "memory64": "Q", "memory_f64": "d"}


class GrowRefusal(Enum):
    """The reason of a refused `memory.grow` that the module's maximum would have allowed."""

    #: `ResourceLimits.memory_pages`, or the room that the machine has.
    LIMIT = "limit"
    #: Only the pages of the host behind the module's (`HostRegion`), which do not move in a call.
    HOST_REGION = "host region"


def encode_string(text: str) -> bytes:
    """Encode a text as a string of the plugin ABI: UTF-8 and a zero byte.

    Raises:
        StringError: the text holds U+0000 or a lone surrogate, which no such string can.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise StringError(
            f"the text holds a lone surrogate, U+{code:04X}, at character {error.start}"
        ) from None
    if b"\0" in data:
        raise StringError(
            f"the text holds U+0000 at character {text.index(chr(0))}, and strings end there"
        )
    return data + b"\0"


class room_for:  # noqa: N801
    """Word what Python raises where an allocation in the block fails.

    A class, as `contextlib` takes a tenth of the time to import this package.

    Raises:
        ResourceLimitError: the machine has no room.
    """

    def __init__(self, limit: str, requested: int) -> None:
        """Take the fields of the `ResourceLimitError`."""
        self._limit = limit
        self._requested = requested

    def __enter__(self) -> None:
        pass

    def __exit__(self, type: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, NO_ROOM):
            raise ResourceLimitError(self._limit, self._requested, None) from None


class MemoryView:
    """The context manager of a view of a memory; see `Memory.view`."""

    def __init__(self, raw: bytearray, start: int, end: int) -> None:
        """Take the memory's bytes, and where the view begins and ends."""
        self._raw = raw
        self._range = slice(start, end)

    def __enter__(self) -> memoryview:
        with memoryview(self._raw) as whole:
            self._view = whole[self._range]
        return self._view

    def __exit__(self, type: object, error: object, traceback: object) -> None:
        try:
            self._view.release()
        except BufferError:
            # An exception of the block is more important than this one.
            if error is None:
                raise MemoryInUse from None


class ViewHolder(Protocol):
    """A holder of names for the views of a memory; see `Memory.share_view`.

    Attributes:
        namespace: where the names are bound.
    """

    namespace: dict[str, Any]


class _Items:
    """The items of a view, without a view: where there can be none, and while a memory is resized.

    An index past the end raises `struct.error`.
    """

    __slots__ = ("_pack", "_raw", "_size", "_unpack")

    def __init__(self, raw: bytearray, format: str) -> None:
        item = Struct("<" + format)
        self._raw = raw
        self._pack, self._size, self._unpack = item.pack_into, item.size, item.unpack_from

    def __getitem__(self, index: int) -> Any:
        return self._unpack(self._raw, index * self._size)[0]

    def __setitem__(self, index: int, value: Any) -> None:
        self._pack(self._raw, index * self._size, value)

    def release(self) -> None:
        """Do nothing: these items keep no memory from being resized."""


class Memory:
    """A linear memory (core specification, 4.2.8), little-endian, in pages of 64 KiB.

    The methods that take an `offset` count it in bytes. It may be an address as a host function
    gets it, an `i32`: a negative one is taken as unsigned.

        >>> from purewasm_plugins import Limits, Memory, MemoryType
        >>> memory = Memory(MemoryType(Limits(1)))
        >>> memory.write_string(100, "Grüße")
        8
        >>> memory.read_string(100)
        'Grüße'
        >>> with memory.view(100, 2) as view:
        ...     view[0] = ord("g")
        >>> memory.read(100, 2)
        b'gr'

    Attributes:
        type: its declaration.
        grow_refusal: what refused the last `memory.grow` that `maximum` would have allowed; None if
            nothing did.
        raw: for engines and debuggers only: the bytes as engines hold them, with those of a host's
            region behind the module's. They are resized in place, never replaced, and no reference
            to them is handed out: a `memoryview` of them would prevent the memory from growing.
        ceiling: for `HostRegion` only: the number of pages at which `memory.grow` is refused,
            because the bytes of `raw` from there on belong to the host; None if none do.
        page_limit: how many pages `raw` may have, by the limits, or by what the machine had room
            for. A host may lower it, and raise it again.
        on_resize: called after each change of the length of `raw`, which may have moved its bytes;
            None for nothing.
    """

    __slots__ = (
        "_holders",
        "_pages",
        "_views",
        "ceiling",
        "grow_refusal",
        "on_resize",
        "page_limit",
        "raw",
        "type",
    )

    def __init__(self, type: MemoryType, limits: ResourceLimits | None = None) -> None:
        """Allocate a memory of its minimal size.

        Args:
            type: its declaration.
            limits: of which it takes `memory_pages`; None for the defaults.

        Raises:
            ResourceLimitError: the type's minimum is over `limits.memory_pages`, or more than the
                machine has.
        """
        limits = limits or ResourceLimits()
        limits.check("memory_pages", type.limits.minimum)
        self.type = type
        with room_for("memory_pages", type.limits.minimum):
            self.raw = bytearray(type.limits.minimum * PAGE_SIZE)
        self.grow_refusal: GrowRefusal | None = None
        self.ceiling: int | None = None
        self.page_limit = MAX_PAGES if limits.memory_pages is None else limits.memory_pages
        self.on_resize: Callable[[], None] | None = None
        self._pages = type.limits.minimum
        #: The views that generated code uses, by name, and the instances that have it.
        self._views: dict[str, memoryview | _Items] = {}
        self._holders: list[ref[ViewHolder]] = []

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

    # What a host reads and writes

    def read(self, offset: int, size: int) -> bytes:
        """Copy `size` bytes from `offset` on.

        Raises:
            Trap: they do not all lie inside the memory.
        """
        start, end = self._range(offset, size)
        return bytes(self.raw[start:end])

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes at `offset`.

        Raises:
            Trap: they do not all fit inside the memory; nothing was written.
            TypeError: `data` is no bytes.
        """
        if not isinstance(data, (bytes, bytearray)):
            # The length of a view is in its own items: one of 32-bit integers has four bytes each.
            data = _bytes_of(data)
        start, end = self._range(offset, len(data))
        self.raw[start:end] = data

    def view(self, offset: int = 0, size: int | None = None) -> MemoryView:
        """Look at bytes of the memory, and change them, without a copy; use it in a `with`.

        The memory cannot grow until the end of the block, so a function of the module that grows
        it must not be called in there. What is made of the view (a slice, an array of numpy) must
        be gone by then as well.

        Args:
            offset: where the view begins.
            size: its bytes; None for all up to the end of the memory.

        Raises:
            Trap: they do not all lie inside the memory.
            MemoryInUse: at the end of the block, something that was made of the view is still
                there.
        """
        if size is None:
            start, end = self._range(offset, 0)
            end = self.extent(start) or end
        else:
            start, end = self._range(offset, size)
        return MemoryView(self.raw, start, end)

    def find(self, byte: int, start: int = 0) -> int:
        """Find the first byte of that value at `start` or after it.

        Returns:
            Its offset; -1 if there is none.

        Raises:
            Trap: `start` lies past the end of the memory.
        """
        start, end = self._range(start, 0)
        return self.raw.find(byte, start, max(end, self.extent(start)))

    def read_string(self, pointer: int, limit: int | None = STRING_LIMIT) -> str:
        """Read a string of the plugin ABI: UTF-8 that a zero byte ends.

        Args:
            pointer: its address; 0 is one like any other.
            limit: bytes that it may have, the zero aside; None for any number.

        Returns:
            The text; what is not UTF-8 in it reads as U+FFFD.

        Raises:
            InvalidString: the address lies outside the memory, or the string does not end, or not
                within the limit. It is a `Trap`: raised in a host function, it ends the call.
        """
        return self.string_bytes(pointer, limit).decode("utf-8", "replace")

    def string_bytes(self, pointer: int, limit: int | None = STRING_LIMIT) -> bytearray:
        """Copy the bytes of the string that `read_string` reads, without the zero.

        Raises:
            InvalidString: as `read_string` does.
        """
        if pointer < 0:
            pointer += 1 << 32
        extent = self.extent(pointer)
        if not extent:
            raise InvalidString(
                f"pointer {pointer:#x} lies past the end of memory ({self.size:#x})"
            )
        # No further than the limit: a module may ask for a thousand searches of memory without a
        # zero.
        last = extent if limit is None else min(pointer + limit + 1, extent)
        end = self.raw.find(0, pointer, last)
        if end < 0:
            within = "" if last == extent else f" within {limit} bytes, the limit of its length"
            raise InvalidString(f"the string at {pointer:#x} has no terminating zero byte{within}")
        return self.raw[pointer:end]

    def write_string(self, pointer: int, text: str) -> int:
        """Write a string of the plugin ABI: UTF-8 and a zero byte.

        Nothing tells how many bytes are free at the address: the module must have said so.

        Returns:
            How many bytes were written, the zero included.

        Raises:
            StringError: the text holds U+0000 or a lone surrogate; it is a `ValueError`.
            Trap: the string does not fit inside the memory; nothing was written.
        """
        data = encode_string(text)
        self.write(pointer, data)
        return len(data)

    # Numbers, little-endian, at any address; each raises `Trap` where it lies outside the memory,
    # and a `write` raises ValueError or TypeError for what is no such number.

    def read_u8(self, offset: int) -> int:
        """Read an unsigned integer of 8 bits."""
        return self._read_integer(offset, 1, signed=False)

    def write_u8(self, offset: int, value: int) -> None:
        """Write an unsigned integer of 8 bits."""
        self._write_integer(offset, 1, value, signed=False)

    def read_i8(self, offset: int) -> int:
        """Read a signed integer of 8 bits."""
        return self._read_integer(offset, 1, signed=True)

    def write_i8(self, offset: int, value: int) -> None:
        """Write a signed integer of 8 bits."""
        self._write_integer(offset, 1, value, signed=True)

    def read_u16(self, offset: int) -> int:
        """Read an unsigned integer of 16 bits."""
        return self._read_integer(offset, 2, signed=False)

    def write_u16(self, offset: int, value: int) -> None:
        """Write an unsigned integer of 16 bits."""
        self._write_integer(offset, 2, value, signed=False)

    def read_i16(self, offset: int) -> int:
        """Read a signed integer of 16 bits."""
        return self._read_integer(offset, 2, signed=True)

    def write_i16(self, offset: int, value: int) -> None:
        """Write a signed integer of 16 bits."""
        self._write_integer(offset, 2, value, signed=True)

    def read_u32(self, offset: int) -> int:
        """Read an unsigned integer of 32 bits."""
        return self._read_integer(offset, 4, signed=False)

    def write_u32(self, offset: int, value: int) -> None:
        """Write an unsigned integer of 32 bits."""
        self._write_integer(offset, 4, value, signed=False)

    def read_i32(self, offset: int) -> int:
        """Read a signed integer of 32 bits."""
        return self._read_integer(offset, 4, signed=True)

    def write_i32(self, offset: int, value: int) -> None:
        """Write a signed integer of 32 bits."""
        self._write_integer(offset, 4, value, signed=True)

    def read_u64(self, offset: int) -> int:
        """Read an unsigned integer of 64 bits."""
        return self._read_integer(offset, 8, signed=False)

    def write_u64(self, offset: int, value: int) -> None:
        """Write an unsigned integer of 64 bits."""
        self._write_integer(offset, 8, value, signed=False)

    def read_i64(self, offset: int) -> int:
        """Read a signed integer of 64 bits."""
        return self._read_integer(offset, 8, signed=True)

    def write_i64(self, offset: int, value: int) -> None:
        """Write a signed integer of 64 bits."""
        self._write_integer(offset, 8, value, signed=True)

    def read_f32(self, offset: int) -> float:
        """Read an f32; a NaN keeps its bits."""
        return f32_from_bits(self.read_u32(offset))

    def write_f32(self, offset: int, value: float) -> None:
        """Write a float, rounded to an f32."""
        self.write_u32(offset, f32_to_bits(to_raw(ValType.F32, value)))

    def read_f64(self, offset: int) -> float:
        """Read an f64."""
        return f64_from_bits(self.read_u64(offset))

    def write_f64(self, offset: int, value: float) -> None:
        """Write an f64."""
        self.write_u64(offset, f64_to_bits(to_raw(ValType.F64, value)))

    def _read_integer(self, offset: int, size: int, *, signed: bool) -> int:
        start, end = self._range(offset, size)
        return int.from_bytes(self.raw[start:end], "little", signed=signed)

    def _write_integer(self, offset: int, size: int, value: int, *, signed: bool) -> None:
        if not isinstance(value, int):
            kind = _integer(size, signed)
            raise TypeError(f"expected an int for {kind}, got {type(value).__name__}")
        try:
            data = value.to_bytes(size, "little", signed=signed)
        except OverflowError:
            raise ValueError(f"{value} does not fit in {_integer(size, signed)}") from None
        start, end = self._range(offset, size)
        self.raw[start:end] = data

    # What instructions do

    def grow(self, pages: int) -> int:
        """Add pages of zeros.

        Returns:
            The size before, in pages.

        Raises:
            ResourceLimitError: the memory's maximum or the limit of its instance forbids it.
            MemoryInUse: the host holds a view of the memory.
        """
        before = self.try_grow(pages)
        if before < 0:
            allowed = min(self.maximum, self.page_limit if self.ceiling is None else self.ceiling)
            raise ResourceLimitError("memory_pages", self._pages + pages, allowed)
        return before

    def try_grow(self, pages: int, spend: Spend | None = None) -> int:
        """Do what `memory.grow` does (core specification, 4.4.7).

        Args:
            pages: how many to add.
            spend: pays for them, piece after piece; what it raises leaves the memory as it was.

        Returns:
            The size before, in pages; -1 where the growth is refused. `grow_refusal` then tells
            whether it was by anything but the module's own maximum.

        Raises:
            MemoryInUse: the host holds a view of the memory.
        """
        before, after = self._pages, self._pages + pages
        if pages == 0:
            # It may have more than a limit that was set later.
            return before
        if pages < 0 or after > self.maximum:
            return -1
        if self.ceiling is None:
            if after > self.page_limit or not self.extend(after, spend, own=True):
                self.grow_refusal = GrowRefusal.LIMIT
                return -1
        elif after > self.ceiling:
            wanted = after + len(self.raw) // PAGE_SIZE - self.ceiling
            limited = wanted > self.page_limit
            self.grow_refusal = GrowRefusal.LIMIT if limited else GrowRefusal.HOST_REGION
            return -1
        else:
            # The pages are there already, and may have been used by a host region or a stray write.
            self._fill(self.size, 0, pages * PAGE_SIZE, spend)
        self._pages = after
        return before

    def extend(self, pages: int, spend: Spend | None = None, *, own: bool = False) -> bool:
        """Make `raw` at least so many pages long, the new ones zeros.

        Args:
            pages: the length.
            spend: as for `try_grow`.
            own: whether all of them are the module's from then on.

        Returns:
            Whether the machine had room for them; if not, nothing has changed.

        Raises:
            MemoryInUse: the host holds a view of the memory.
        """
        raw, before = self.raw, len(self.raw)
        if pages * PAGE_SIZE <= before:
            return True
        complete = False
        self._release_views()
        try:
            try:
                # In pieces: the zeros of all of them at once would take as much again.
                for start, end in pieces(pages * PAGE_SIZE - before, BYTES_PER_UNIT, spend):
                    raw.extend(bytes(end - start))
                # Nothing is called in between, so that no signal's handler runs there.
                complete = True
                if own:
                    self._pages = pages
            except NO_ROOM:
                pass
            finally:
                if not complete:
                    del raw[before:]
        except BufferError:
            raise MemoryInUse from None
        finally:
            self._make_views()
        return complete

    def restore_size(self, length: int, pages: int) -> None:
        """Take the size that the memory had or will have at another moment; for a debugger.

        Args:
            length: of `raw`, in bytes. What is added is zero.
            pages: of the module.

        Raises:
            MemoryInUse: the host holds a view of the memory, and `raw` has another length.
        """
        if length != len(self.raw):
            self._release_views()
            try:
                del self.raw[length:]
                self.raw.extend(bytes(length - len(self.raw)))
            except BufferError:
                raise MemoryInUse from None
            finally:
                self._make_views()
        self._pages = pages

    # Views for generated code

    def share_view(self, name: str, holder: ViewHolder) -> None:
        """Bind a name to a view of `raw` whose items are numbers; for engines only.

        A view keeps `raw` from being resized. So each resizing binds the names of all holders to
        `_Items`, which are slower and always right, then releases the views, and binds the names
        to new ones at last. Whatever interrupts it, the names have what is right. Generated code
        looks up a name, and evaluates an index that calls nothing: no view is released in between.

        Args:
            name: of `VIEWS`.
            holder: in whose namespace the name is bound, as long as it exists.
        """
        self._holders = [*filter(_exists, self._holders)]
        if all(reference() is not holder for reference in self._holders):
            self._holders.append(ref(holder))
        if name not in self._views:
            self._views[name] = _Items(self.raw, VIEWS[name])
            self._make_views()
        holder.namespace.update(self._views)

    def _release_views(self) -> None:
        """Let nothing but a host's views keep `raw` from being resized."""
        if self._views:
            views, items = self._views, {n: _Items(self.raw, VIEWS[n]) for n in self._views}
            self._bind(items)
            self._views = {**items}
            for view in views.values():
                view.release()

    def _make_views(self) -> None:
        """Make the views of `raw` anew, where there can be any; its length may have changed."""
        if self.on_resize is not None:
            self.on_resize()
        if not self._views or not self.raw or sys.byteorder != "little":
            return
        try:
            self._views = {n: memoryview(self.raw).cast(VIEWS[n]) for n in self._views}  # type: ignore[call-overload]
        except MemoryError:
            return
        self._bind(self._views)

    def _bind(self, views: dict[str, Any]) -> None:
        """Bind the names of views in all namespaces."""
        for reference in self._holders:
            holder = reference()
            if holder is not None:
                holder.namespace.update(views)

    def fill(self, offset: int, value: int, size: int, spend: Spend | None = None) -> None:
        """Do what `memory.fill` does (4.4.7).

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
            self.raw[offset:end] = bytes((value & 0xFF,)) * size
        else:
            self._fill(offset, value, size, spend)

    def _fill(self, offset: int, value: int, size: int, spend: Spend | None) -> None:
        raw, filling = self.raw, b""
        for start, end in pieces(size, BYTES_PER_UNIT, spend):
            if len(filling) != end - start:
                filling = bytes((value & 0xFF,)) * (end - start)
            raw[offset + start : offset + end] = filling

    def copy(self, destination: int, source: int, size: int, spend: Spend | None = None) -> None:
        """Do what `memory.copy` does (4.4.7).

        Raises:
            Trap: out of bounds; nothing was written.
        """
        source_end = self._end(source, size)
        end = self._end(destination, size)
        if size <= BYTES_PER_UNIT:
            if size and spend is not None:
                spend(1)
            self.raw[destination:end] = self.raw[source:source_end]
            return
        # A slice of a bytearray is a copy; from view to view CPython moves, overlapping or not.
        with memoryview(self.raw) as view:
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
        """Do what `memory.init` does (4.4.7) with the bytes of a data segment.

        Raises:
            Trap: out of bounds; nothing was written.
        """
        if source + size > len(segment):
            raise Trap(TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS)
        self._end(destination, size)
        raw = self.raw
        for start, end in pieces(size, BYTES_PER_UNIT, spend):
            raw[destination + start : destination + end] = segment[source + start : source + end]

    # Bounds

    def extent(self, offset: int) -> int:
        """Return the end of the stretch of addressable bytes that an offset lies in.

        There are at most two: the module's pages, and from `ceiling` on those of the host. Loads
        and stores of the module reach the bytes between them as well; a host does not.

        Returns:
            The offset behind its last byte; 0 where the offset lies in neither.
        """
        if 0 <= offset < self.size:
            return self.size
        if self.ceiling is not None and self.ceiling * PAGE_SIZE <= offset < len(self.raw):
            return len(self.raw)
        return 0

    def _range(self, offset: int, size: int) -> tuple[int, int]:
        """Return the start and the end of bytes that a host addresses, or trap."""
        if offset < 0:
            offset += 1 << 32
        return offset, self._end(offset, size)

    def _end(self, offset: int, size: int) -> int:
        end = offset + size
        if offset < 0 or size < 0:
            raise Trap(TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS)
        if end > self._pages * PAGE_SIZE and not self._above_ceiling(offset, end):
            raise Trap(TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS)
        return end

    def _above_ceiling(self, start: int, end: int) -> bool:
        """Return whether bytes lie above the ceiling; no bytes may lie at the very end of `raw`."""
        ceiling = self.ceiling
        return ceiling is not None and start >= ceiling * PAGE_SIZE and end <= len(self.raw)

    def __repr__(self) -> str:
        return f"<Memory of {self._pages} pages>"


def _exists(reference: ref[ViewHolder]) -> bool:
    return reference() is not None


def _integer(size: int, signed: bool) -> str:
    """Return the name of a kind of integers of so many bytes."""
    return f"{'i' if signed else 'u'}{8 * size}"


def _bytes_of(data: memoryview) -> bytes:
    """Copy what any object with a buffer holds."""
    try:
        with memoryview(data) as view:
            return view.tobytes()
    except TypeError:
        raise TypeError(f"expected bytes to write, got {type(data).__name__}") from None
