"""Ways out of a directory of the host while a second process exchanges what is in it.

Outside of the granted directory, nothing is read, written, made, listed, or told to the module.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable

import pytest

from purewasm_plugins.wasi import host_files
from purewasm_plugins.wasi.errno import Errno
from tests.wasi.guest import (
    APPEND,
    CREAT,
    DIRECTORY,
    READ,
    TRUNC,
    WRITE,
    Guest,
    Refused,
    Status,
    refusal,
)
from tests.wasi.test_host_files import open_descriptors
from tests.wasi.world import SECRET, Swapper, World, guest_of

pytestmark = pytest.mark.skipif(not host_files.IN_PLACE, reason="directories are copied here")


class Race:
    """A race: what is exchanged, and what the module does meanwhile."""

    def __init__(self, first: str, second: str, attempt: Callable[[Guest], object]) -> None:
        self.first, self.second, self.attempt = first, second, attempt


def _append(guest: Guest, path: str, how: int = CREAT) -> None:
    file = guest.open(path, how, READ | WRITE, flags=APPEND)
    guest.write(file, b"inside")
    guest.close_fd(file)


def _make_and_remove(guest: Guest, path: str) -> None:
    with contextlib.suppress(Refused):
        guest.call("path_remove_directory", 3, path)
    guest.call("path_create_directory", 3, path)


def _link_and_read(guest: Guest, path: str) -> bytes:
    with contextlib.suppress(Refused):
        guest.call("path_unlink_file", 3, "new")
    guest.call("path_link", 3, 0, path, 3, "new")
    return guest.content("new")


def _list(guest: Guest, path: str) -> bytes:
    directory = guest.open(path, DIRECTORY)
    try:
        return b" ".join(guest.names(directory))
    finally:
        guest.close_fd(directory)


def _move_there_or_back(guest: Guest) -> None:
    try:
        guest.call("path_rename", 3, "plain", 3, "moving/plain")
    except Refused:
        guest.call("path_rename", 3, "moving/plain", 3, "plain")


#: "moving" is a directory or a link that leads outside; "changing" a file or such a link.
RACES = {
    "read": Race("changing", "file_link", lambda guest: guest.content("changing")),
    "read without following": Race(
        "changing",
        "file_link",
        lambda guest: guest.close_fd(guest.open("changing", lookup=0)),
    ),
    "write": Race("changing", "file_link", lambda guest: _append(guest, "changing")),
    "truncate": Race("changing", "file_link", lambda guest: _append(guest, "changing", TRUNC)),
    "create": Race("up_new", "nothing", lambda guest: _append(guest, "up_new")),
    "link": Race(
        "changing",
        "file_link",
        lambda guest: _link_and_read(guest, "changing"),
    ),
    "read below": Race("moving", "link", lambda guest: guest.content("moving/inner")),
    "status below": Race("moving", "link", lambda guest: guest.status("moving/inner")),
    "list": Race("moving", "link", lambda guest: _list(guest, "moving")),
    "list with a slash": Race("moving", "link", lambda guest: _list(guest, "moving/")),
    "write below": Race("moving", "link", lambda guest: _append(guest, "moving/made")),
    "make below": Race("moving", "link", lambda guest: _make_and_remove(guest, "moving/made")),
    "rename below": Race("moving", "link", _move_there_or_back),
    "times below": Race(
        "moving",
        "link",
        lambda guest: guest.call("path_filestat_set_times", 3, 1, "moving/inner", 1, 1, 5),
    ),
    "parent": Race("moving", "link", lambda guest: guest.content("moving/../plain")),
    "target": Race("link_in", "link", lambda guest: guest.content("link_in/inner")),
    "target with a slash": Race("slash_in", "slash_out", lambda guest: _list(guest, "slash_in")),
    "FIFO": Race("changing", "fifo", lambda guest: guest.content("changing")),
}


@pytest.mark.parametrize("name", RACES)
def test_races(world: World, name: str) -> None:
    race = RACES[name]
    granted = world.granted
    (granted / "moving").mkdir()
    (granted / "moving" / "inner").write_bytes(b"inside")
    (granted / "changing").write_bytes(b"inside")
    os.mkfifo(granted / "fifo")
    links = {"link": "../outside", "file_link": "../outside/secret", "link_in": "moving"}
    links |= {"slash_in": "moving/", "slash_out": "evil/"}
    for link, target in links.items():
        os.symlink(target, granted / link)
    guest = guest_of(world)
    before = open_descriptors()
    swapper = Swapper(granted / race.first, granted / race.second)
    outcomes: Counter[bool] = Counter()
    try:
        for _ in range(MOST_ATTEMPTS):
            try:
                result = race.attempt(guest)
            except Refused:
                outcomes[False] += 1
            else:
                outcomes[True] += 1
                assert not isinstance(result, bytes) or SECRET not in result
                if isinstance(result, Status):
                    world.check_status(result)
            if outcomes.total() >= LEAST_ATTEMPTS and min(outcomes[True], outcomes[False]) >= 20:
                break
    finally:
        swaps = swapper.stop()
    world.check()
    assert min(outcomes[True], outcomes[False]) >= 20, "the race did not take place"
    assert swaps >= 20
    assert open_descriptors() == before
    guest.close()


#: Attempts at each race, and those after which it is given up that both outcomes are met.
LEAST_ATTEMPTS, MOST_ATTEMPTS = 1_000, 200_000


def test_a_directory_that_is_moved_out_while_it_is_used(world: World) -> None:
    """A path goes back to where it came from, not to where the directory is now."""
    elsewhere = world.path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret").write_bytes(SECRET)
    (elsewhere / "inner").mkdir()
    inner = world.granted / "directory" / "inner"
    inner.mkdir()
    (world.granted / "directory" / "secret").write_bytes(b"inside")
    guest = guest_of(world)
    swapper = Swapper(inner, elsewhere / "inner")
    try:
        for _ in range(500):
            assert guest.content("directory/inner/../secret") == b"inside"
            assert guest.content("directory/inner/../../plain") == b"plain"
    finally:
        swaps = swapper.stop()
    assert swaps >= 20
    # As slowly as can be: the directory lies outside for good, and is open.
    opened = guest.open("directory/inner", DIRECTORY)
    inner.rename(elsewhere / "moved")
    for path in ("..", "../secret", "../..", "./../secret"):
        assert refusal(guest.status, path, fd=opened) is Errno.PERM
    assert (elsewhere / "secret").read_bytes() == SECRET
    guest.close()
