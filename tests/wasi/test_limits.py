"""Limits inside WASI: the deadline, fuel and cancelling end a call, and sizes allocate nothing.

A guest chooses counts, sizes and lengths; whatever they are, the host takes no more memory than a
piece of what it moves, and the call ends by a trap that has a type.
"""

from __future__ import annotations

import os
import struct
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from purewasm_plugins import (
    Cancelled,
    DeadlineExceeded,
    OutOfFuel,
    Quotas,
    ResourceLimits,
    Trap,
    TrapReason,
    Wasi,
)
from purewasm_plugins.runtime.limits import Operation
from purewasm_plugins.wasi.errno import Errno
from purewasm_plugins.wasi.files import FileType
from purewasm_plugins.wasi.grants import DirectoryGrant
from purewasm_plugins.wasi.host_files import HostDirectory
from purewasm_plugins.wasi.layout import OpenFlags, Rights
from purewasm_plugins.wasi.memory_files import MemoryDirectory

from .driver import OurGuest

#: All numbers of 32 bits that are no small ones are the greatest.
MOST = 0xFFFFFFFF
MEBIBYTE = 1 << 20

#: Pages of a large memory: 32 MiB.
LARGE = 512
SIZE = LARGE * 65536

#: What a call may allocate, whatever it is asked for.
LITTLE = 4 * MEBIBYTE

_RESULT, _BUFFERS, _PATH = 8, 64, 1 << 16
HOUR = 3600 * 10**9
EVERYTHING = Rights.FD_READ | Rights.WRITING


@pytest.fixture
def taken() -> Iterator[Callable[[], int]]:
    """`taken()`: the most bytes that Python had allocated at a time since the test began."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    yield lambda: tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()


def guest_of(wasi: Wasi, engine: str, pages: int = 16, **limits: float | None) -> OurGuest:
    given = ResourceLimits(**{"fuel": None, "timeout": 60, **limits})  # type: ignore[arg-type]
    return OurGuest(wasi, engine, pages=pages, limits=given)


def open_file(guest: OurGuest, path: bytes, opening: int = 0, rights: int = EVERYTHING) -> int:
    """Open a file, and return its descriptor, or the error number as a negative one."""
    guest.write(_PATH, path)
    arguments = (3, 1, _PATH, len(path), opening, rights, rights, 0, _RESULT)
    errno = guest.call("path_open", *arguments)
    return -errno if errno else guest.memory.read_u32(_RESULT)


def buffers(guest: OurGuest, *pairs: tuple[int, int]) -> tuple[int, int]:
    guest.write(_BUFFERS, b"".join(struct.pack("<II", *pair) for pair in pairs))
    return _BUFFERS, len(pairs)


# Counts and sizes that do not lie in the memory.

OUTSIDE = {
    "as many buffers to write as there are": ("fd_write", (1, 0, MOST, _RESULT)),
    "as many buffers to read into as there are": ("fd_read", (0, 0, MOST, _RESULT)),
    "as many for a position": ("fd_pwrite", (4, 0, MOST, 0, _RESULT)),
    "buffers at the end of the addresses": ("fd_write", (1, MOST, 1, _RESULT)),
    "a path as long as the addresses": ("path_filestat_get", (3, 0, 0, MOST, 0)),
    "a target as long as the addresses": ("path_symlink", (0, MOST, 3, 0, 1)),
    "room for four gigabytes of names": ("fd_readdir", (3, 0, MOST, 0, _RESULT)),
    "room for a target of four gigabytes": ("path_readlink", (3, _PATH, 1, 0, MOST, _RESULT)),
    "four gigabytes of random numbers": ("random_get", (0, MOST)),
    "an address outside for the result": ("fd_tell", (4, MOST)),
    "an address outside for a status": ("fd_filestat_get", (4, MOST - 8)),
    "events outside": ("poll_oneoff", (0, MOST - 64, 4, _RESULT)),
    "subscriptions outside": ("poll_oneoff", (MOST - 64, 0, 4, _RESULT)),
    "a name outside": ("fd_prestat_dir_name", (3, MOST, 1)),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_what_lies_outside_of_the_memory(case: str, engine: str, taken: Callable[[], int]) -> None:
    name, arguments = OUTSIDE[case]
    files = MemoryDirectory({"f": b"hello"})
    guest = guest_of(Wasi(stdin=b"input", directories={"/": files}), engine)
    assert open_file(guest, b"f") == 4
    before = taken()
    with pytest.raises(Trap) as caught:
        guest.call(name, *arguments)
    assert caught.value.reason is TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS
    assert taken() - before < LITTLE
    assert files.files() == {"f": b"hello"}
    assert guest.instance.wasi.stdout == b""


@pytest.mark.parametrize("name", ["fd_write", "fd_read", "fd_pread", "fd_pwrite"])
def test_a_buffer_that_ends_outside(name: str, engine: str, taken: Callable[[], int]) -> None:
    """Those before it are moved, as far as they go: a trap ends the instance's work anyhow."""
    guest = guest_of(Wasi(directories={"/": MemoryDirectory({"f": b"hello"})}), engine)
    fd = open_file(guest, b"f")
    position = [0] if name.startswith("fd_p") else []
    for size in (MOST, 1 << 31, 16 * 65536):
        place = buffers(guest, (16, size))
        with pytest.raises(Trap) as caught:
            guest.call(name, fd, *place, *position, _RESULT)
        assert caught.value.reason is TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS
    assert taken() < LITTLE


# What lies in the memory, and is much.


def test_random_numbers_for_the_whole_memory(engine: str, taken: Callable[[], int]) -> None:
    guest = guest_of(Wasi(), engine, LARGE)
    before = taken()
    tracemalloc.reset_peak()
    assert guest.call("random_get", 0, SIZE) == 0
    assert taken() - before < LITTLE
    assert any(guest.read(SIZE - 64, 64))


def test_random_numbers_cost_fuel(engine: str) -> None:
    guest = guest_of(Wasi(random="host"), engine, LARGE, fuel=1000)
    with pytest.raises(OutOfFuel):
        guest.call("random_get", 0, SIZE)


#: A thousand buffers, each of which is nearly the whole memory.
THOUSAND = [(1 << 16, SIZE - (1 << 16))] * 1000


@pytest.mark.parametrize("name", ["fd_write", "fd_read", "fd_pread"])
@pytest.mark.parametrize("trap", [OutOfFuel, DeadlineExceeded])
def test_many_large_buffers(
    name: str,
    trap: type[Trap],
    engine: str,
    tmp_path: Path,
    taken: Callable[[], int],
) -> None:
    with (tmp_path / "f").open("wb") as file:
        # Its blocks are not on the disk.
        file.truncate(1 << 32)
    wasi = Wasi(
        stdout="discard",
        directories={"/": HostDirectory(tmp_path)},
        quotas=Quotas(output_bytes=None),
    )
    guest = guest_of(wasi, engine, LARGE, fuel=5_000 if trap is OutOfFuel else None)
    fd = 1 if name == "fd_write" else open_file(guest, b"f", rights=Rights.FD_READ)
    place = buffers(guest, *THOUSAND)
    if trap is DeadlineExceeded:
        # From now on: to open the file may take longer on a busy machine.
        Operation(0.005).include(guest.instance.budget)
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    with pytest.raises(trap):
        guest.call(name, fd, *place, *([0] if name == "fd_pread" else []), _RESULT)
    assert tracemalloc.get_traced_memory()[1] - before < LITTLE


def test_the_greatest_offsets(engine: str, taken: Callable[[], int]) -> None:
    guest = guest_of(Wasi(directories={"/": MemoryDirectory({"f": b"hello"})}), engine)
    fd = open_file(guest, b"f")
    place = buffers(guest, (1024, 16))
    for offset in (1 << 32, 1 << 62, (1 << 63) - 1):
        assert guest.call("fd_pwrite", fd, *place, offset, _RESULT) == Errno.FBIG
        assert guest.call("fd_filestat_set_size", fd, offset) == Errno.FBIG
        assert guest.call("fd_allocate", fd, offset, 1) == Errno.FBIG
        assert guest.call("fd_pread", fd, *place, offset, _RESULT) == 0
        assert guest.memory.read_u32(_RESULT) == 0
    for offset in (1 << 63, (1 << 64) - 1):
        assert guest.call("fd_pwrite", fd, *place, offset, _RESULT) == Errno.INVAL
        assert guest.call("fd_filestat_set_size", fd, offset) == Errno.INVAL
    assert taken() < LITTLE


# Waiting.


def sleep(guest: OurGuest) -> None:
    guest.write(0x100, struct.pack("<QB7xI4xQQH6x", 1, 0, 1, HOUR, 0, 0))
    guest.call("poll_oneoff", 0x100, 0x200, 1, _RESULT)


def sleep_until(guest: OurGuest) -> None:
    guest.write(0x100, struct.pack("<QB7xI4xQQH6x", 1, 0, 0, (1 << 64) - 1, 0, 1))
    guest.call("poll_oneoff", 0x100, 0x200, 1, _RESULT)


def await_input(guest: OurGuest) -> None:
    guest.write(0x100, struct.pack("<QB7xI28x", 1, 1, 0))
    guest.call("poll_oneoff", 0x100, 0x200, 1, _RESULT)


def await_input_or_sleep(guest: OurGuest) -> None:
    guest.write(0x100, struct.pack("<QB7xI28x", 1, 1, 0))
    guest.write(0x130, struct.pack("<QB7xI4xQQH6x", 1, 0, 1, HOUR, 0, 0))
    guest.call("poll_oneoff", 0x100, 0x200, 2, _RESULT)


def read_input(guest: OurGuest) -> None:
    guest.call("fd_read", 0, *buffers(guest, (1024, 10)), _RESULT)


@pytest.fixture
def silent() -> Iterator[int]:
    """The end of a pipe into which nothing is written."""
    reading, writing = os.pipe()
    yield reading
    os.close(reading)
    os.close(writing)


WAITS = [sleep, sleep_until, await_input, await_input_or_sleep, read_input]


@pytest.mark.parametrize("wait", WAITS)
def test_waiting_ends_with_the_deadline(
    wait: Callable[[OurGuest], None], engine: str, silent: int
) -> None:
    with open(silent, "rb", closefd=False) as stdin:
        guest = guest_of(Wasi(stdin=stdin, clock="host"), engine, timeout=0.05)
        with pytest.raises(DeadlineExceeded):
            wait(guest)


@pytest.mark.parametrize("wait", WAITS)
def test_waiting_ends_when_it_is_cancelled(
    wait: Callable[[OurGuest], None], engine: str, silent: int
) -> None:
    with open(silent, "rb", closefd=False) as stdin:
        guest = guest_of(Wasi(stdin=stdin, clock="host"), engine)
        timer = threading.Timer(0.2, guest.instance.cancel)
        timer.start()
        with pytest.raises(Cancelled):
            wait(guest)
        timer.join()


def test_subscriptions_cost_fuel(engine: str) -> None:
    guest = guest_of(Wasi(), engine, fuel=1000)
    count = 4096
    guest.write(_PATH, struct.pack("<QB7xI4xQQH6x", 1, 0, 1, 0, 0, 0) * count)
    with pytest.raises(OutOfFuel):
        guest.call("poll_oneoff", _PATH, _PATH + 48 * count, count, _RESULT)


# Quotas: each answers with its error number, and nothing is half-written.


@pytest.fixture(params=["memory", "host"])
def grant(request: pytest.FixtureRequest, tmp_path: Path) -> DirectoryGrant:
    if request.param == "memory":
        return MemoryDirectory({"f": b"hello", "d/": b""})
    (tmp_path / "f").write_bytes(b"hello")
    (tmp_path / "d").mkdir()
    return HostDirectory(tmp_path, read_only=False)


def names(guest: OurGuest) -> set[str]:
    """What is in the root, as an instance without quotas sees it."""
    directory = next(iter(guest.instance.wasi.wasi.directories.values()))  # type: ignore[attr-defined]
    free = guest_of(Wasi(directories={"/": directory}), "translator")
    assert free.call("fd_readdir", 3, _PATH, 4096, 0, _RESULT) == 0
    data = free.read(_PATH, free.memory.read_u32(_RESULT))
    free.close()
    found = set()
    while data:
        _, _, size, type = struct.unpack_from("<QQIB", data)
        found.add(f"{data[24 : 24 + size].decode()}{'/' if type == FileType.DIRECTORY else ''}")
        data = data[24 + size :]
    return found - {"./", "../"}


def size_of(guest: OurGuest, path: bytes) -> int:
    guest.write(_PATH, path)
    assert guest.call("path_filestat_get", 3, 0, _PATH, len(path), 0x100) == 0
    return guest.memory.read_u64(0x100 + 32)


def write(guest: OurGuest, fd: int, data: bytes, offset: int) -> int:
    """Write, and return how many bytes were written, or the error number as a negative one."""
    guest.write(_PATH, data)
    place = buffers(guest, (_PATH, len(data)))
    errno = guest.call("fd_pwrite", fd, *place, offset, _RESULT)
    return -errno if errno else guest.memory.read_u32(_RESULT)


def make(guest: OurGuest, name: str) -> int:
    """Make an entry "n", and return the error number."""
    guest.write(_PATH, b"nf")
    n, f = (_PATH, 1), (_PATH + 1, 1)
    if name == "path_open":
        return max(0, -open_file(guest, b"n", OpenFlags.CREAT))
    if name == "path_create_directory":
        return guest.call(name, 3, *n)
    if name == "path_symlink":
        return guest.call(name, *f, 3, *n)
    return guest.call("path_link", 3, 0, *f, 3, *n)


ALL_MAKERS = ["path_open", "path_create_directory", "path_symlink", "path_link"]


def test_the_quota_of_a_file(grant: DirectoryGrant) -> None:
    guest = guest_of(Wasi(directories={"/": grant}, quotas=Quotas(file_bytes=10)), "translator")
    fd = open_file(guest, b"f")
    for data, offset in [(b"x" * 11, 0), (b"xx", 9), (b"x", 10), (b"x", 1 << 40)]:
        assert write(guest, fd, data, offset) == -Errno.FBIG
    assert guest.call("fd_filestat_set_size", fd, 11) == Errno.FBIG
    assert guest.call("fd_allocate", fd, 5, 6) == Errno.FBIG
    assert size_of(guest, b"f") == 5
    assert write(guest, fd, b"x", 9) == 1
    assert size_of(guest, b"f") == 10


def test_the_quota_of_all_files(grant: DirectoryGrant) -> None:
    # In memory, the five bytes that are there already count.
    room = 10 if isinstance(grant, MemoryDirectory) else 5
    quotas = Quotas(total_bytes=room)
    guest = guest_of(Wasi(directories={"/": grant}, quotas=quotas), "translator")
    fd = open_file(guest, b"n", OpenFlags.CREAT)
    assert write(guest, fd, b"x" * 6, 0) == -Errno.NOSPC
    assert guest.call("fd_filestat_set_size", fd, 6) == Errno.NOSPC
    assert guest.call("fd_allocate", fd, 0, 6) == Errno.NOSPC
    assert size_of(guest, b"n") == 0
    assert write(guest, fd, b"x" * 5, 0) == 5
    assert write(guest, fd, b"x", 5) == -Errno.NOSPC
    assert size_of(guest, b"n") == 5
    # What is removed makes room.
    assert guest.call("fd_filestat_set_size", fd, 1) == 0
    assert write(guest, fd, b"xxxx", 1) == 4


@pytest.mark.parametrize("name", ALL_MAKERS)
def test_the_quota_of_files(grant: DirectoryGrant, name: str) -> None:
    made = 2 if isinstance(grant, MemoryDirectory) else 0
    quotas = Quotas(files=made)
    guest = guest_of(Wasi(directories={"/": grant}, quotas=quotas), "translator")
    assert make(guest, name) == Errno.NOSPC
    assert names(guest) == {"f", "d/"}
    more = guest_of(Wasi(directories={"/": grant}, quotas=Quotas(files=made + 1)), "translator")
    assert make(more, name) == 0
    assert make(more, name) == (0 if name == "path_open" else Errno.EXIST)


@pytest.mark.parametrize("name", ALL_MAKERS)
def test_the_quota_of_entries(grant: DirectoryGrant, name: str) -> None:
    quotas = Quotas(directory_entries=2)
    guest = guest_of(Wasi(directories={"/": grant}, quotas=quotas), "translator")
    assert make(guest, name) == Errno.NOSPC
    assert names(guest) == {"f", "d/"}
    assert guest.call("fd_readdir", 3, _PATH, 1000, 0, _RESULT) == 0
    quotas = Quotas(directory_entries=1)
    guest = guest_of(Wasi(directories={"/": grant}, quotas=quotas), "translator")
    assert guest.call("fd_readdir", 3, _PATH, 1000, 0, _RESULT) == Errno.NOMEM


def test_the_quota_of_entries_when_one_is_moved(grant: DirectoryGrant) -> None:
    quotas = Quotas(directory_entries=2)
    guest = guest_of(Wasi(directories={"/": grant}, quotas=quotas), "translator")
    for number, path in enumerate([b"d/1", b"d/2"]):
        assert open_file(guest, path, OpenFlags.CREAT) == 4 + number
    guest.write(_PATH, b"fd/3")
    assert guest.call("path_rename", 3, _PATH, 1, 3, _PATH + 1, 3) == Errno.NOSPC
    guest.write(_PATH, b"fd/2")
    assert guest.call("path_rename", 3, _PATH, 1, 3, _PATH + 1, 3) == 0
    assert names(guest) == {"d/"}


def test_the_quota_of_descriptors(grant: DirectoryGrant) -> None:
    quotas = Quotas(descriptors=5)
    guest = guest_of(Wasi(directories={"/": grant}, quotas=quotas), "translator")
    assert open_file(guest, b"f") == 4
    for opening in (0, OpenFlags.CREAT, OpenFlags.TRUNC):
        assert open_file(guest, b"f" if opening != 1 else b"n", opening) == -Errno.MFILE
    assert open_file(guest, b"d", OpenFlags.DIRECTORY, Rights.FD_READ) == -Errno.MFILE
    assert size_of(guest, b"f") == 5
    assert names(guest) == {"f", "d/"}
    assert guest.call("fd_close", 0) == 0
    assert open_file(guest, b"n", OpenFlags.CREAT) == 0


def test_the_quota_of_paths(grant: DirectoryGrant) -> None:
    quotas = Quotas(path_bytes=3)
    guest = guest_of(Wasi(directories={"/": grant}, quotas=quotas), "translator")
    assert open_file(guest, b"abcd", OpenFlags.CREAT) == -Errno.NAMETOOLONG
    guest.write(_PATH, b"abcdn")
    long, short = (_PATH, 4), (_PATH + 4, 1)
    assert guest.call("path_symlink", *long, 3, *short) == Errno.NAMETOOLONG
    assert guest.call("path_symlink", *short, 3, *long) == Errno.NAMETOOLONG
    assert guest.call("path_rename", 3, *short, 3, *long) == Errno.NAMETOOLONG
    assert names(guest) == {"f", "d/"}
    assert open_file(guest, b"abc", OpenFlags.CREAT) == 4
