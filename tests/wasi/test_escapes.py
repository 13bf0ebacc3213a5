"""Ways out of a directory of the host that other runtimes had; none leads out here.

Outside of the granted directory, nothing is read, written, made, listed, or told to the module.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from purewasm_plugins import Quotas, Trap, Wasi
from purewasm_plugins.wasi import host_files
from purewasm_plugins.wasi.errno import Errno
from purewasm_plugins.wasi.files import FileType
from purewasm_plugins.wasi.host_files import HostDirectory
from tests.wasi.guest import (
    ALLOCATE,
    CREAT,
    DIRECTORY,
    EXCL,
    FOLLOW,
    READ,
    SET_SIZE,
    TRUNC,
    WRITE,
    Guest,
    Refused,
    Status,
    refusal,
)
from tests.wasi.test_host_files import open_descriptors
from tests.wasi.world import SECRET, World, guest_of

pytestmark = pytest.mark.skipif(not host_files.IN_PLACE, reason="directories are copied here")


@pytest.fixture
def guest(world: World, engine: str) -> Iterator[Guest]:
    made = guest_of(world, engine=engine)
    yield made
    made.close()


def test_reading_outside_would_be_noticed(world: World) -> None:
    """The checks of these tests would pass on nothing."""
    for touch in (
        lambda: (world.outside / "secret").read_bytes(),
        lambda: os.listdir(world.outside),
        lambda: (world.outside / "made").touch(),
        lambda: (world.outside / "made").unlink(),
        lambda: os.truncate(world.outside / "secret", 6),
        lambda: os.link(world.outside / "secret", world.granted / "linked"),
        lambda: (world.granted / "linked").unlink(),
    ):
        before = world._outside()
        touch()
        if world._outside() == before:
            # The only one that a file system may be mounted without.
            assert before == world._before, "times of access are not kept here"
        world._before = world._outside()
        for known in world._known:
            os.utime(known, ns=(0, known.stat().st_mtime_ns))
        world._before = world._outside()
    with pytest.raises(AssertionError):
        world.check_status(Status(0, world.outside.stat().st_ino, FileType.DIRECTORY, 2, 0))


# Everything that can be done with a path

#: What follows a link's name in a path.
_ENDS = ("", "/", "/.", "//", "/..", "/../", "/secret", "/./secret", "/made", "/made/")
_FURTHER = ("/secret_directory/secret", "/../outside/secret", "/etc/passwd")


def hostile_paths(world: World) -> list[str]:
    links = list(world.links())
    outside = str(world.outside)
    return [
        *(link + end for link in links for end in _ENDS + _FURTHER),
        *("..", "../", "../.", "./..", "../outside", "../outside/", "../outside/secret"),
        *("../granted/plain", "../made", "directory/../../outside/secret", "directory/../.."),
        *("directory/../directory/../../outside", "directory/up/../secret", "...", ".../../.."),
        *("/", "//", "/.", "/..", "/etc", "/etc/passwd", "//etc/passwd", "/plain", "/../etc"),
        *(outside, outside + "/secret", "/" + outside, "." + outside, "plain/../../outside/secret"),
        *("plain/..", "plain/", "plain/.", "plain/../plain", "absent/../../outside", "absent/.."),
        *("", ".", "./", "./.", "directory/..", "directory/up/secret_directory/../secret"),
        *("..\\outside\\secret", "C:\\", "C:", "CON", "NUL", "file:stream", "\\\\host\\share"),
    ]


def read_everything(world: World, guest: Guest, path: str) -> None:
    """Whatever reads by a path, reads nothing from outside."""
    for lookup in (0, FOLLOW):
        for how in (0, DIRECTORY):
            try:
                fd = guest.open(path, how, lookup=lookup)
            except Refused:
                continue
            status = guest.status_of(fd)
            world.check_status(status)
            if status.type == FileType.DIRECTORY:
                assert not [name for name in guest.names(fd) if SECRET in name]
                # A directory that was opened is a root of its own.
                assert refusal(guest.status, "..", fd=fd) is Errno.PERM
                for inode in guest.names(fd).values():
                    world.check_inode(inode)
            else:
                assert SECRET not in guest.read(fd)
            guest.close_fd(fd)
        try:
            world.check_status(guest.status(path, lookup=lookup))
        except Refused:
            continue
    with contextlib.suppress(Refused):
        assert guest.read_link(path)


def change_everything(guest: Guest, path: str) -> int:
    """Do whatever changes something by a path, and return how much of it was done."""
    both, all_rights = READ | WRITE, READ | WRITE | ALLOCATE | SET_SIZE

    def write(how: int, lookup: int) -> None:
        fd = guest.open(path, how, both, lookup=lookup)
        guest.write(fd, b"changed")
        guest.close_fd(fd)

    attempts: list[Callable[[], object]] = [
        *(
            lambda how=how, lookup=lookup: write(how, lookup)
            for how in (0, CREAT, CREAT | EXCL, CREAT | TRUNC, TRUNC)
            for lookup in (0, FOLLOW)
        ),
        lambda: guest.close_fd(guest.open(path, TRUNC, READ)),
        lambda: guest.close_fd(guest.open(path, DIRECTORY, all_rights)),
        lambda: guest.close_fd(guest.open(path, CREAT | DIRECTORY, all_rights)),
        lambda: guest.call("path_create_directory", 3, path),
        lambda: guest.call("path_symlink", "plain", 3, path),
        lambda: guest.call("path_link", 3, 0, "plain", 3, path),
        lambda: guest.call("path_link", 3, 0, path, 3, "linked"),
        lambda: guest.call("path_link", 3, FOLLOW, path, 3, "linked_2"),
        lambda: guest.call("path_filestat_set_times", 3, 0, path, 1, 1, 5),
        lambda: guest.call("path_filestat_set_times", 3, FOLLOW, path, 1, 1, 5),
        lambda: guest.call("path_rename", 3, "directory/file", 3, path),
        lambda: guest.call("path_rename", 3, path, 3, "renamed"),
        lambda: guest.call("path_remove_directory", 3, path),
        lambda: guest.call("path_unlink_file", 3, path),
    ]
    done = 0
    for attempt in attempts:
        try:
            attempt()
        except Refused:
            continue
        done += 1
    return done


def test_no_path_reads_outside(world: World, guest: Guest) -> None:
    before = world.inside()
    for path in hostile_paths(world):
        read_everything(world, guest, path)
        world.check(path)
    assert world.inside() == before


def test_no_path_changes_anything_outside(world: World, guest: Guest, engine: str) -> None:
    done = 0
    # The engines differ in nothing here, and one of them is slow.
    for path in hostile_paths(world)[:: 5 if engine == "pywasm" else 1]:
        changes = change_everything(guest, path)
        world.check(path)
        if changes:
            done += changes
            world.fill()
    assert done > 10


def test_no_path_changes_what_is_read_only(world: World, engine: str) -> None:
    guest = guest_of(world, read_only=True, engine=engine)
    before = world.inside()
    for path in [*hostile_paths(world), "plain", "new", "directory", "directory/file", "up_new"]:
        assert change_everything(guest, path) == 0, path
        world.check(path)
    assert world.inside() == before
    guest.close()


def test_no_path_changes_anything_outside_of_a_copy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the module has in memory may look as it wants: it is stored inside."""
    monkeypatch.setattr(host_files, "IN_PLACE", False)
    # A copy numbers its inodes by itself.
    world.forbidden.clear()
    done = 0
    # Each takes an instance of its own: all of them would take seconds.
    for path in hostile_paths(world)[::5]:
        guest = guest_of(world)
        read_everything(world, guest, path)
        if change_everything(guest, path):
            done += 1
            guest.instance.wasi.finish_call()
            world.check(path)
            world.fill()
    assert done > 3
    assert world.inside().keys() > {str(world.granted / name) for name in world.links()}


# One by one


@pytest.mark.parametrize("name", ["slash", "slash/", "slash/.", "slash_2", "directory/slash/"])
@pytest.mark.parametrize("how", [0, CREAT, DIRECTORY, CREAT | EXCL])
def test_a_slash_at_the_end_of_a_target(guest: Guest, name: str, how: int) -> None:
    """The link's target is "evil/", and evil is a link that leads outside."""
    expected = {Errno.PERM, Errno.LOOP, Errno.NOTDIR, Errno.EXIST, Errno.ISDIR}
    assert refusal(guest.open, name, how) in expected


def test_truncation_through_a_read_only_directory(world: World, engine: str) -> None:
    guest = guest_of(world, read_only=True, engine=engine)
    for how in (TRUNC, TRUNC | CREAT, CREAT):
        for rights in (0, READ, WRITE, READ | WRITE, SET_SIZE, ALLOCATE):
            assert refusal(guest.open, "plain", how, rights) in {Errno.PERM, Errno.ROFS}
    file = guest.open("plain")
    for function, arguments in {
        "fd_filestat_set_size": (0,),
        "fd_allocate": (0, 100),
        "fd_filestat_set_times": (1, 1, 5),
    }.items():
        assert refusal(guest.call, function, file, *arguments)
    assert refusal(guest.write, file, b"x")
    assert refusal(guest.write, file, b"x", 0)
    assert (world.granted / "plain").read_bytes() == b"plain"
    guest.close()


@pytest.mark.parametrize("same", [True, False])
def test_from_a_read_only_into_a_writable_directory(
    world: World, engine: str, same: bool, tmp_path: Path
) -> None:
    """Even where both are the same directory of the host."""
    writable = world.granted if same else tmp_path / "writable"
    writable.mkdir(exist_ok=True)
    directories = {
        "/fixed": HostDirectory(world.granted),
        "/free": HostDirectory(writable, read_only=False),
    }
    guest = Guest(Wasi(directories=directories), engine)
    fixed, free = 3, 4
    before = world.inside()
    for source, target in ((fixed, free), (free, fixed), (fixed, fixed)):
        for name in ("plain", "directory", "up"):
            for function, flags in (("path_link", (0,)), ("path_rename", ())):
                arguments = (source, *flags, name, target, "taken")
                expected = {Errno.PERM, Errno.XDEV, Errno.ROFS}
                assert refusal(guest.call, function, *arguments) in expected
    assert world.inside() == before
    guest.close()


@pytest.mark.parametrize("name", ["up_new", "absolute_new", "up/made", "absolute/made", "up_new/"])
def test_nothing_is_made_through_a_link(world: World, guest: Guest, name: str) -> None:
    for how in (CREAT, CREAT | EXCL, CREAT | TRUNC):
        for lookup in (0, FOLLOW):
            assert refusal(guest.open, name, how, READ | WRITE, lookup=lookup)
    assert refusal(guest.call, "path_create_directory", 3, name)
    assert refusal(guest.call, "path_symlink", "plain", 3, name)
    assert refusal(guest.call, "path_link", 3, 0, "plain", 3, name)


def test_parents(guest: Guest) -> None:
    for path in ("..", "../granted", "directory/../..", "directory/../../granted/plain", "../.."):
        assert refusal(guest.status, path) is Errno.PERM
        assert refusal(guest.open, path, DIRECTORY) is Errno.PERM
    assert guest.content("directory/../directory/./../plain") == b"plain"
    inner = guest.open("directory", DIRECTORY)
    assert refusal(guest.open, "../plain", fd=inner) is Errno.PERM
    assert b".." in guest.names(3)
    # The entry ".." of a listing tells nothing of the parent.
    assert guest.names(3)[b".."] == guest.names(3)[b"."] == guest.status(".").inode


@pytest.mark.parametrize("target", ["/", "/plain", "/etc/passwd", "//", "/../etc"])
def test_absolute_targets(world: World, guest: Guest, target: str) -> None:
    assert refusal(guest.call, "path_symlink", target, 3, "made") is Errno.PERM
    os.symlink(target, world.granted / "made")
    assert refusal(guest.open, "made") is Errno.PERM
    assert refusal(guest.status, "made/") is Errno.PERM
    assert guest.status("made", lookup=0).type == FileType.SYMBOLIC_LINK


def test_rings_and_chains_of_links(world: World, guest: Guest) -> None:
    for number in range(40):
        os.symlink(f"ring{(number + 1) % 40}", world.granted / f"ring{number}")
        os.symlink(f"chain{number + 1}", world.granted / f"chain{number}")
    os.symlink("chain0", world.granted / "before")
    (world.granted / "chain40").write_bytes(b"end")
    for path in ("ring0", "ring7/", "ring0/x", "self", "self_slash", "self/..", "before"):
        assert refusal(guest.open, path) is Errno.LOOP
        assert refusal(guest.status, path) is Errno.LOOP
    assert guest.content("chain0") == b"end"
    assert refusal(guest.open, "ring0", lookup=0) is Errno.LOOP


def test_links_that_grow(world: World, guest: Guest) -> None:
    """Each link has hundreds of components, the first of which is the next link."""
    for number in range(60):
        os.symlink(f"grow{number + 1}/" + "directory/../" * 300, world.granted / f"grow{number}")
    assert refusal(guest.status, "grow0") in {Errno.LOOP, Errno.NAMETOOLONG}


def test_links_that_the_module_makes(world: World, guest: Guest) -> None:
    """It may make them, and does not get through."""
    for number, target in enumerate(("..", "../outside", "directory/../../outside/secret", "./..")):
        guest.call("path_symlink", target, 3, f"made{number}")
        assert guest.read_link(f"made{number}") == target.encode()
        read_everything(world, guest, f"made{number}")
        read_everything(world, guest, f"made{number}/secret")
        guest.call("path_link", 3, 0, f"made{number}", 3, f"linked{number}")
        read_everything(world, guest, f"linked{number}")
    # Links become dangerous by being moved: this one leads inside from where it is.
    guest.call("path_symlink", "../plain", 3, "directory/moved")
    assert guest.content("directory/moved") == b"plain"
    guest.call("path_rename", 3, "directory/moved", 3, "moved")
    assert refusal(guest.open, "moved") is Errno.PERM


def test_rights_are_asked_for_at_each_call(world: World, guest: Guest) -> None:
    def calls(file: int) -> dict[str, Callable[[], object]]:
        return {
            "read": lambda: guest.read(file),
            "pread": lambda: guest.read(file, 0),
            "write": lambda: guest.write(file, b"x"),
            "pwrite": lambda: guest.write(file, b"x", 0),
            "set size": lambda: guest.call("fd_filestat_set_size", file, 1),
            "allocate": lambda: guest.call("fd_allocate", file, 0, 3),
        }

    needed = {"read": READ, "pread": READ, "write": WRITE, "pwrite": WRITE}
    needed |= {"set size": SET_SIZE, "allocate": ALLOCATE}
    everything = READ | WRITE | SET_SIZE | ALLOCATE
    for rights in (0, READ, WRITE, SET_SIZE, ALLOCATE, READ | WRITE, everything):
        for dropped in (False, True):
            file = guest.open("plain", 0, everything if dropped else rights)
            if dropped:
                guest.call("fd_fdstat_set_rights", file, rights, 0)
                if rights != everything:
                    more = (file, everything, everything)
                    assert refusal(guest.call, "fd_fdstat_set_rights", *more) is Errno.NOTCAPABLE
            for name, call in calls(file).items():
                if rights & needed[name]:
                    call()
                else:
                    before = (world.granted / "plain").read_bytes()
                    assert refusal(call) in {Errno.BADF, Errno.INVAL, Errno.NOTCAPABLE}
                    assert (world.granted / "plain").read_bytes() == before
            guest.close_fd(file)


def test_directories_that_overlap(world: World, engine: str) -> None:
    """What a descriptor may do is its own, whatever else leads to the same files."""
    inner = world.granted / "directory"
    directories = {
        "/": HostDirectory(world.granted),
        "/directory": HostDirectory(inner, read_only=False),
    }
    guest = Guest(Wasi(directories=directories), engine)
    whole, part = 3, 4
    names = []
    for fd in (whole, part):
        guest.call("fd_prestat_get", fd, 0x400)
        size = guest.memory.read_u32(0x404)
        guest.call("fd_prestat_dir_name", fd, 0x500, size)
        names.append(guest.memory.read(0x500, size))
    assert names == [b"/", b"/directory"]
    assert refusal(guest.open, "directory/new", CREAT, WRITE, fd=whole) is Errno.PERM
    assert refusal(guest.call, "path_unlink_file", whole, "directory/file") is Errno.PERM
    file = guest.open("file", TRUNC, WRITE, fd=part)
    guest.write(file, b"changed")
    assert guest.content("directory/file", fd=whole) == b"changed"
    # The smaller one does not lead into the larger one.
    for path in ("..", "../plain", "up/../plain", "../directory/file"):
        assert refusal(guest.status, path, fd=part) is Errno.PERM
    assert refusal(guest.call, "path_rename", part, "file", whole, "file")
    guest.close()


@pytest.mark.parametrize(
    ("path", "errnos"),
    [
        (b"plain\0", {Errno.INVAL}),
        (b"\0", {Errno.INVAL}),
        (b"up\0/secret", {Errno.INVAL}),
        (b"\xed\xa0\x80", {Errno.ILSEQ}),
        (b"\xff", {Errno.ILSEQ}),
        (b"..\xc0\xaf..", {Errno.ILSEQ}),
        (b"\xc0\xae\xc0\xae/outside", {Errno.ILSEQ}),
        (b"a" * 256, {Errno.NAMETOOLONG}),
        (b"a" * 65536, {Errno.NAMETOOLONG}),
        (b"directory/../" * 5000, {Errno.NAMETOOLONG}),
        (b"/" * 65536, {Errno.NAMETOOLONG}),
    ],
)
@pytest.mark.parametrize("limited", [True, False])
def test_names_that_are_none(
    world: World, engine: str, path: bytes, errnos: set[Errno], limited: bool
) -> None:
    quotas = Quotas() if limited else Quotas(path_bytes=None)
    directories = {"/": HostDirectory(world.granted, read_only=False)}
    guest = Guest(Wasi(directories=directories, quotas=quotas), engine)
    before = world.inside()
    if not limited and b"/" * 3 + path[-3:] == b"//////":
        errnos = {Errno.PERM}
    calls: list[Callable[[], object]] = [
        lambda: guest.open(path, CREAT, WRITE),
        lambda: guest.call("path_create_directory", 3, path),
        lambda: guest.call("path_symlink", "plain", 3, path),
        lambda: guest.call("path_rename", 3, "plain", 3, path),
        lambda: guest.call("path_link", 3, 0, "plain", 3, path),
        lambda: guest.call("path_unlink_file", 3, path),
        lambda: guest.call("path_remove_directory", 3, path),
    ]
    if limited or not path.startswith(b"directory"):
        for call in calls:
            assert refusal(call) in errnos
    assert world.inside() == before
    guest.close()


@pytest.mark.parametrize(
    "name", ["CON", "NUL", "C:", "plain:stream", "COM1.txt", "..\\x", "a ", "a."]
)
def test_names_that_only_windows_knows(world: World, guest: Guest, name: str) -> None:
    """They are names like any other here; where directories are copied, Windows refuses them."""
    file = guest.open(name, CREAT, READ | WRITE)
    guest.write(file, b"x")
    assert (world.granted / name).read_bytes() == b"x"


_HUGE = [2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]


def test_offsets_and_sizes_that_overflow(world: World, guest: Guest) -> None:
    file = guest.open("plain", 0, READ | WRITE | ALLOCATE | SET_SIZE)
    size = len(b"plain")
    for offset in _HUGE:
        with contextlib.suppress(Refused):
            assert guest.read(file, offset) == b""
        assert refusal(guest.write, file, b"xy", offset) in {Errno.FBIG, Errno.INVAL}
        for length in _HUGE:
            errno = refusal(guest.call, "fd_allocate", file, offset, length)
            assert errno in {Errno.FBIG, Errno.INVAL}
        errno = refusal(guest.call, "fd_filestat_set_size", file, offset)
        assert errno in {Errno.FBIG, Errno.INVAL}
        for whence in range(4):
            with contextlib.suppress(Refused):
                guest.call("fd_seek", file, offset, whence, 0x100)
        if offset < 2**63:
            guest.call("fd_seek", file, offset, 0, 0x100)
            assert guest.read(file) == b""
            assert refusal(guest.write, file, b"xy") in {Errno.FBIG, Errno.INVAL}
        guest.call("fd_seek", file, 0, 0, 0x100)
        with contextlib.suppress(Refused):
            guest.call("path_filestat_set_times", 3, 0, "plain", offset, offset, 5)
        assert (world.granted / "plain").stat().st_size == size
    assert guest.content("plain") == b"plain"


@pytest.mark.parametrize("address", [0, 2**20 - 4, 2**20, 2**32 - 1])
@pytest.mark.parametrize("size", [2**20, 2**31, 2**32 - 1])
def test_addresses_and_sizes_outside_of_the_memory(
    world: World, guest: Guest, address: int, size: int
) -> None:
    before = world.inside()
    file = guest.open("plain", 0, READ | WRITE)
    for name, arguments in {
        "path_open": (3, 0, address, size, CREAT, WRITE, 0, 0, 0),
        "path_create_directory": (3, address, size),
        "path_symlink": (address, size, 3, address, size),
        "path_rename": (3, address, size, 3, address, size),
        "path_readlink": (3, 0, 0, address, size, 0),
        "fd_read": (file, address, size, 0),
        "fd_pwrite": (file, address, size, 0, 0),
        "fd_readdir": (3, address, size, 0, 0),
        "fd_prestat_dir_name": (3, address, size),
    }.items():
        # Where it all lies in memory, it is an empty path, or a name of too many zeros.
        with contextlib.suppress(Refused, Trap):
            guest.call(name, *arguments)
    assert world.inside() == before


def test_numbers_of_descriptors_are_used_again(world: World, guest: Guest) -> None:
    """A number means what it was given to last: never what it was before."""
    before = open_descriptors()
    directory = guest.open("directory", DIRECTORY)
    guest.close_fd(directory)
    assert refusal(guest.status, ".", fd=directory) is Errno.BADF
    assert refusal(guest.close_fd, directory) is Errno.BADF
    file = guest.open("plain", 0, READ)
    assert file == directory
    assert refusal(guest.open, "file", fd=file) is Errno.NOTDIR
    assert refusal(guest.write, file, b"x") is Errno.BADF
    directory = guest.open("directory", DIRECTORY)
    # The file's number becomes the directory's; the file is closed.
    guest.call("fd_renumber", directory, file)
    assert refusal(guest.read, file)
    assert guest.content("file", fd=file) == b"file"
    assert refusal(guest.status, ".", fd=directory) is Errno.BADF
    # The granted directory is given up for the one in it: nothing leads back.
    guest.call("fd_renumber", file, 3)
    assert refusal(guest.open, "../plain") is Errno.PERM
    assert guest.content("file") == b"file"
    assert refusal(guest.call, "fd_renumber", 3, 1000) is Errno.BADF
    assert refusal(guest.call, "fd_renumber", 2**32 - 1, 3) is Errno.BADF
    for _ in range(20):
        guest.call("fd_renumber", guest.open("file", 0, READ), 0)
    # Of the granted directory and the one in it, the first is closed; one file is open.
    assert open_descriptors() == before + 1


def test_files_that_are_none(world: World, guest: Guest) -> None:
    """Nothing waits for a FIFO, and no device is opened for reading or writing."""
    os.mkfifo(world.granted / "fifo")
    for name in ("fifo",):
        for how in (0, CREAT, TRUNC):
            for rights in (READ, WRITE, READ | WRITE):
                assert refusal(guest.open, name, how, rights) is Errno.ACCES
        assert refusal(guest.open, name, DIRECTORY) is Errno.NOTDIR
