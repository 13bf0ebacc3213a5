"""`poll_oneoff`: clocks and descriptors, in the layouts of both modules of WASI."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from purewasm_plugins import FixedClock, Wasi
from purewasm_plugins.wasi.errno import Errno
from purewasm_plugins.wasi.layout import OpenFlags, Rights
from purewasm_plugins.wasi.memory_files import MemoryDirectory

from .driver import OurGuest

REALTIME, MONOTONIC, PROCESS_TIME = 0, 1, 2
CLOCK, READ, WRITE = 0, 1, 2
ABSOLUTE, HANGUP = 1, 1
HOUR = 3600 * 10**9

#: The start of the clock of the tests, which moves by sleeps only.
START = 10**18
STILL = FixedClock(START, 0)

_SUBSCRIPTIONS, _EVENTS, _RESULT = 0, 0x10000, 0x20000


class Event(NamedTuple):
    user_data: int
    error: int
    type: int
    size: int = 0
    flags: int = 0


class Poller:
    """A driver, and the subscriptions in the layout of its module of WASI."""

    def __init__(self, module: str, engine: str) -> None:
        self.module = module
        self.engine = engine

    def open(self, wasi: Wasi) -> OurGuest:
        self.guest = OurGuest(wasi, self.engine, module=self.module)
        return self.guest

    def clock(self, user_data: int, clock: int, time: int, flags: int = 0) -> bytes:
        if self.module == "wasi_unstable":
            # The clock has user's data of its own, before its number.
            return struct.pack("<QB7xQI4xQQH6x", user_data, 0, 77, clock, time, 0, flags)
        return struct.pack("<QB7xI4xQQH6x", user_data, 0, clock, time, 0, flags)

    def descriptor(self, user_data: int, type: int, fd: int) -> bytes:
        size = 56 if self.module == "wasi_unstable" else 48
        return struct.pack("<QB7xI", user_data, type, fd).ljust(size, b"\xff")

    def poll(self, *subscriptions: bytes) -> list[Event] | str:
        """The events, or the error number."""
        count = len(subscriptions)
        guest = self.guest
        guest.write(_SUBSCRIPTIONS, b"".join(subscriptions))
        guest.write(_EVENTS, b"\xee" * 32 * (count + 1))
        errno = guest.call("poll_oneoff", _SUBSCRIPTIONS, _EVENTS, count, _RESULT)
        if errno:
            assert guest.read(_EVENTS, 32) == b"\xee" * 32
            return Errno(errno).name
        found = guest.memory.read_u32(_RESULT)
        assert guest.read(_EVENTS + 32 * found, 32) == b"\xee" * 32
        data = guest.read(_EVENTS, 32 * found)
        return [Event(*fields) for fields in struct.iter_unpack("<QHB5xQH6x", data)]

    def now(self, clock: int = MONOTONIC) -> int:
        assert self.guest.call("clock_time_get", clock, 0, _RESULT) == 0
        return self.guest.memory.read_u64(_RESULT)


@pytest.fixture(params=["wasi_snapshot_preview1", "wasi_unstable"])
def poller(request: pytest.FixtureRequest, engine: str) -> Poller:
    return Poller(request.param, engine)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe; the test may close the second."""
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            continue


def due(*user_data: int) -> list[Event]:
    return [Event(data, 0, CLOCK) for data in user_data]


def test_clocks(poller: Poller) -> None:
    poller.open(Wasi(clock=STILL))
    # The first that is due, and what is due with it.
    first = poller.clock(1, MONOTONIC, 5000), poller.clock(2, REALTIME, 3000)
    assert poller.poll(*first) == due(2)
    assert (poller.now(), poller.now(REALTIME)) == (3000, START + 3000)
    same = poller.clock(1, MONOTONIC, 70), poller.clock(2, REALTIME, 71), poller.clock(3, 0, 70)
    assert poller.poll(*same) == due(1, 3)
    assert poller.now() == 3070
    # At once, and then without any wait.
    assert poller.poll(poller.clock(1, MONOTONIC, 0), poller.clock(2, MONOTONIC, 1)) == due(1)
    assert poller.now() == 3070


def test_moments(poller: Poller) -> None:
    poller.open(Wasi(clock=STILL))
    late = poller.clock(1, REALTIME, START + HOUR, ABSOLUTE)
    assert poller.poll(late, poller.clock(2, MONOTONIC, HOUR + 1)) == due(1)
    assert poller.now() == HOUR
    assert poller.poll(late, poller.clock(2, MONOTONIC, 1)) == due(1)
    assert poller.poll(poller.clock(3, MONOTONIC, HOUR + 9, ABSOLUTE)) == due(3)
    assert poller.now() == HOUR + 9
    past = poller.clock(4, MONOTONIC, 5, ABSOLUTE), poller.clock(5, REALTIME, 0, ABSOLUTE)
    assert poller.poll(*past) == due(4, 5)
    assert poller.now() == HOUR + 9


def test_the_clock_of_the_host(poller: Poller) -> None:
    poller.open(Wasi(clock="host"))
    before = poller.now()
    assert poller.poll(poller.clock(1, MONOTONIC, 10**6), poller.clock(2, REALTIME, HOUR)) == due(1)
    assert poller.now() >= before + 10**6
    moment = poller.now(REALTIME) + 10**6
    assert poller.poll(poller.clock(3, REALTIME, moment, ABSOLUTE)) == due(3)
    assert poller.now(REALTIME) >= moment


def test_what_is_no_subscription(poller: Poller) -> None:
    guest = poller.open(Wasi(clock=STILL))
    good = poller.clock(1, MONOTONIC, 1)
    for wrong in (
        [],
        [poller.clock(1, PROCESS_TIME, 1)],
        [good, poller.clock(1, 3, 1)],
        [good, poller.clock(1, 99, 1)],
        [poller.descriptor(1, 3, 0), good],
    ):
        assert poller.poll(*wrong) == "INVAL"
    assert guest.call("poll_oneoff", 0, 0, 0xFFFFFFFF, _RESULT) == Errno.INVAL
    assert poller.now() == 0


def test_an_input_with_data(poller: Poller, pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.write(writing, b"x")
    with open(reading, "rb", closefd=False) as stdin:
        poller.open(Wasi(stdin=stdin, clock="host"))
        ready = Event(7, 0, READ, 1)
        hour = poller.clock(1, MONOTONIC, HOUR)
        assert poller.poll(hour, poller.descriptor(7, READ, 0)) == [ready]
        assert poller.poll(poller.descriptor(7, READ, 0)) == [ready]


def test_an_input_that_waits_and_ends(poller: Poller, pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    with open(reading, "rb", closefd=False) as stdin:
        guest = poller.open(Wasi(stdin=stdin, clock="host"))
        watched = poller.descriptor(7, READ, 0)
        assert poller.poll(watched, poller.clock(1, MONOTONIC, 10**6)) == due(1)
        assert poller.poll(watched, poller.clock(1, MONOTONIC, 0)) == due(1)
        os.close(writing)
        hour = poller.clock(1, MONOTONIC, HOUR)
        assert poller.poll(watched, hour) == [Event(7, 0, READ, 1)]
        guest.write(0, struct.pack("<II", 64, 8))
        assert guest.call("fd_read", 0, 0, 1, _RESULT) == 0
        assert guest.memory.read_u32(_RESULT) == 0
        assert poller.poll(watched, hour) == [Event(7, 0, READ, 1)]


def test_an_empty_input_is_ready(poller: Poller) -> None:
    poller.open(Wasi(clock=STILL))
    hour = poller.clock(1, MONOTONIC, HOUR)
    assert poller.poll(hour, poller.descriptor(2, READ, 0)) == [Event(2, 0, READ, 1)]
    assert poller.now() == 0


def test_outputs_and_files(poller: Poller) -> None:
    guest = poller.open(Wasi(directories={"/": MemoryDirectory({"f": b"hello"})}))
    outputs = poller.descriptor(1, WRITE, 1), poller.descriptor(2, WRITE, 2)
    events = poller.poll(*outputs)
    assert isinstance(events, list)
    assert [event[:3] for event in events] == [(1, 0, WRITE), (2, 0, WRITE)]
    guest.write(0, b"f")
    rights = Rights.FD_READ | Rights.FD_WRITE
    assert guest.call("path_open", 3, 0, 0, 1, 0, rights, rights, 0, _RESULT) == 0
    fd = guest.memory.read_u32(_RESULT)
    assert poller.poll(poller.descriptor(3, READ, fd)) == [Event(3, 0, READ, 5)]
    guest.write(0, struct.pack("<II", 64, 5))
    assert guest.call("fd_read", fd, 0, 1, _RESULT) == 0
    assert poller.poll(poller.descriptor(3, READ, fd)) == [Event(3, 0, READ, 0, HANGUP)]
    events = poller.poll(poller.descriptor(4, WRITE, fd))
    assert isinstance(events, list)
    assert events[0][:3] == (4, 0, WRITE)


def test_bad_descriptors(poller: Poller) -> None:
    """Each has an event of its own, and nothing is waited for."""
    guest = poller.open(Wasi(clock=STILL, directories={"/": MemoryDirectory()}))
    assert guest.call("fd_close", 2) == 0
    bad = [(READ, 99), (WRITE, 99), (READ, 1), (WRITE, 0), (READ, 3), (WRITE, 3), (WRITE, 2)]
    hour = poller.clock(100, MONOTONIC, HOUR)
    wrong = [poller.descriptor(number, *one) for number, one in enumerate(bad)]
    expected = [Event(number, Errno.BADF, type) for number, (type, _) in enumerate(bad)]
    assert poller.poll(hour, *wrong) == expected
    assert poller.now() == 0


# The rest of what the two modules lay out in their own ways.


def test_whence_and_filestat(poller: Poller) -> None:
    unstable = poller.module == "wasi_unstable"
    guest = poller.open(Wasi(clock=STILL, directories={"/": MemoryDirectory({"f": b"hello"})}))
    guest.write(0, b"gh")
    opening = OpenFlags.CREAT
    rights = Rights.FD_READ | Rights.FD_WRITE
    assert guest.call("path_open", 3, 0, 0, 1, opening, rights, rights, 0, _RESULT) == 0
    fd = guest.memory.read_u32(_RESULT)
    guest.write(16, struct.pack("<II", 0, 2))
    assert guest.call("fd_write", fd, 16, 1, _RESULT) == 0
    assert guest.call("path_link", 3, 0, 0, 1, 3, 1, 1) == 0
    # Two bytes are written. Whence is (set, current, end), and (current, end, set) before.
    steps = {"set": (1, 1), "cur": (1, 2), "end": (3, 5)}
    numbers = ["cur", "end", "set"] if unstable else ["set", "cur", "end"]
    for name, (offset, position) in steps.items():
        assert guest.call("fd_seek", fd, offset, numbers.index(name), _RESULT) == 0
        assert guest.memory.read_u64(_RESULT) == position
    assert guest.call("fd_seek", fd, 0, 3, _RESULT) == Errno.INVAL
    assert guest.call("fd_filestat_set_times", fd, 111, 222, 5) == 0
    layout = "<QQB3xIQQQQ" if unstable else "<QQB7xQQQQQ"
    size = struct.calcsize(layout)
    assert size == (56 if unstable else 64)
    for name, arguments in {
        "fd_filestat_get": (fd, 0x100),
        "path_filestat_get": (3, 0, 0, 1, 0x100),
    }.items():
        guest.write(0x100, b"\xee" * 72)
        assert guest.call(name, *arguments) == 0
        _, _, type, links, length, *times = struct.unpack(layout, guest.read(0x100, size))
        assert (type, links, length, times) == (4, 2, 2, [111, 222, START])
        assert guest.read(0x100 + size, 8) == b"\xee" * 8
