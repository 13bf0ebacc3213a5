"""The file system in memory against a directory of Linux: the same error numbers, the same tree."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from purewasm_plugins.wasi.errno import ErrnoError
from purewasm_plugins.wasi.files import Directory, File, FileStatus, FileType
from purewasm_plugins.wasi.memory_files import MemoryDirectory, SymbolicLink
from tests.wasi.test_memory_files import Room

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it compares with Linux")

T = TypeVar("T")

#: The kinds of files, with the bits of a mode.
TYPES = {
    stat.S_IFREG: FileType.REGULAR_FILE,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFLNK: FileType.SYMBOLIC_LINK,
}

_HANDLE = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class OpenedDirectory(NamedTuple):
    """A directory that is open on both sides."""

    ours: Directory
    linux: int


class OpenedFile(NamedTuple):
    """A file that is open on both sides, to be read and written."""

    ours: File
    linux: int


def attempt(call: Callable[[], T]) -> T | str:
    """Return the result, or the name of the error number without its E."""
    try:
        return call()
    except ErrnoError as error:
        return error.errno.name
    except OSError as error:
        return errno.errorcode[error.errno or 0][1:]


def both(ours: Callable[[], object], linux: Callable[[], object]) -> str | None:
    """Do the same on both sides, and return the error number if it failed."""
    found, expected = attempt(ours), attempt(linux)
    if isinstance(found, str) or isinstance(expected, str):
        assert found == expected
        return str(expected)
    return None


def open_file(
    directory: int, name: str, write: bool, create: bool, exclusive: bool, cut: bool
) -> int:
    flags = os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_RDWR if write else os.O_RDONLY)
    flags |= os.O_CREAT * create | os.O_EXCL * exclusive | os.O_TRUNC * cut
    opened = os.open(name, flags, 0o666, dir_fd=directory)
    if stat.S_ISDIR(os.fstat(opened).st_mode):
        os.close(opened)
        raise IsADirectoryError(errno.EISDIR, "")
    return opened


def of_linux(status: os.stat_result) -> tuple[object, ...]:
    """Return what both sides have in common: Linux counts the bytes of a directory, too."""
    kind = TYPES[stat.S_IFMT(status.st_mode)]
    if kind is FileType.DIRECTORY:
        return (kind,)
    return kind, status.st_nlink, status.st_size


def of_ours(status: FileStatus) -> tuple[object, ...]:
    if status.type is FileType.DIRECTORY:
        return (status.type,)
    return status.type, status.links, status.size


def tree_of_linux(directory: int, path: str = "") -> dict[str, bytes | SymbolicLink]:
    """Read a directory in the form of `MemoryDirectory.files`."""
    found: dict[str, bytes | SymbolicLink] = {}
    names = os.listdir(directory)
    if not names and path:
        return {path: b""}
    for name in names:
        kind = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
        if stat.S_ISLNK(kind):
            found[path + name] = SymbolicLink(os.readlink(name, dir_fd=directory))
            continue
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
        try:
            if stat.S_ISDIR(kind):
                found |= tree_of_linux(opened, f"{path}{name}/")
            else:
                found[path + name] = os.read(opened, 1 << 20)
        finally:
            os.close(opened)
    return found


@contextlib.contextmanager
def a_tree() -> Iterator[tuple[MemoryDirectory, dict[str, OpenedDirectory]]]:
    """Make a tree on both sides, with files of every kind, and open its directories.

    One of them was removed then; it is "gone".
    """
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        memory = MemoryDirectory()
        root = OpenedDirectory(memory.open(Room()), os.open(place, _HANDLE))
        stack.callback(os.close, root.linux)
        opened = {"": root}
        for path in ("d", "d/s", "e", "gone"):
            above, _, name = path.rpartition("/")
            at = opened[above]
            at.ours.make_directory(name)
            os.mkdir(name, dir_fd=at.linux)
            found = OpenedDirectory(
                at.ours.open_directory(name), os.open(name, _HANDLE, dir_fd=at.linux)
            )
            stack.callback(os.close, found.linux)
            opened[path] = found
        root.ours.remove_directory("gone")
        os.rmdir("gone", dir_fd=root.linux)
        for path in ("f", "d/f"):
            above, _, name = path.rpartition("/")
            at = opened[above]
            at.ours.open_file(
                name, read=True, write=True, create=True, exclusive=True, truncate=False
            ).close()
            os.close(open_file(at.linux, name, True, True, True, False))
        root.ours.link("f", root.ours, "same")
        os.link("f", "same", src_dir_fd=root.linux, dst_dir_fd=root.linux)
        root.ours.make_symbolic_link("l", "d")
        os.symlink("d", "l", dir_fd=root.linux)
        assert memory.files() == tree_of_linux(root.linux)
        yield memory, opened


#: The names in that tree, one that is free, and one that is too long.
TREE_NAMES = ("d", "s", "e", "f", "same", "l", "n", "n" * 256)


@pytest.mark.parametrize("operation", ["rename", "link"])
def test_all_pairs_of_names(operation: str) -> None:
    pairs = itertools.product(("", "d", "d/s", "gone"), TREE_NAMES, repeat=2)
    options = {"follow_symlinks": False} if operation == "link" else {}
    found = set()
    while True:
        with a_tree() as (memory, opened):
            # A new tree is made after a success only: a failure has changed nothing.
            for first, name, second, new_name in pairs:
                at, into = opened[first], opened[second]
                ours = functools.partial(getattr(at.ours, operation), name, into.ours, new_name)
                handles = {"src_dir_fd": at.linux, "dst_dir_fd": into.linux}
                linux = functools.partial(
                    getattr(os, operation), name, new_name, **handles, **options
                )
                failure = attempt(linux)
                where = f"{operation} {first}/{name[:5]} to {second}/{new_name[:5]}"
                assert attempt(ours) == failure, where
                assert memory.files() == tree_of_linux(opened[""].linux), where
                found.add(failure)
                if failure is None:
                    break
            else:
                break
    assert (
        found
        == {None, "NOENT", "NAMETOOLONG"}
        | {
            "rename": {"INVAL", "NOTEMPTY", "NOTDIR", "ISDIR"},
            "link": {"EXIST", "PERM"},
        }[operation]
    )


#: Few, so that they meet; the last two are as long as a name may be, and longer.
NAMES = st.sampled_from([*("a", "b", "c") * 4, "ü" * 127 + "x", "ü" * 128])
OFFSETS = st.integers(0, 40)
DATA = st.binary(max_size=20)
TIMES = st.none() | st.integers(0, 1 << 40)


class BothSides(RuleBasedStateMachine):
    """Operations on a `MemoryDirectory` and on a directory of Linux."""

    directories = Bundle("directories")
    files = Bundle("files")

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.memory = MemoryDirectory()
        self.root = OpenedDirectory(self.memory.open(Room()), os.open(self.place.name, _HANDLE))
        self.descriptors = [self.root.linux]

    def teardown(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.place.cleanup()

    @initialize(target=directories)
    def begin(self) -> MultipleResults[OpenedDirectory]:
        """Begin with "a", and with "b" in it, both open: so there are moves from the first on."""
        found = [self.root]
        for name in ("a", "b"):
            self.make_directory(found[-1], name)
            inner = os.open(name, _HANDLE, dir_fd=found[-1].linux)
            self.descriptors.append(inner)
            found.append(OpenedDirectory(found[-1].ours.open_directory(name), inner))
        return multiple(*found)

    @invariant()
    def same_tree(self) -> None:
        assert self.memory.files() == tree_of_linux(self.root.linux)

    @invariant()
    def same_counts(self) -> None:
        """A file counts once, whatever names it has, and as long as it has one or is open."""
        names, sizes = 0, {}
        for where, directories, others in os.walk(self.place.name):
            names += len(directories) + len(others)
            for name in directories + others:
                status = os.lstat(os.path.join(where, name))
                if not stat.S_ISDIR(status.st_mode):
                    sizes[status.st_ino] = status.st_size
        for status in map(os.fstat, self.descriptors):
            if stat.S_ISREG(status.st_mode):
                sizes[status.st_ino] = status.st_size
        counts = f"{names} files and directories, {sum(sizes.values())} bytes"
        assert repr(self.memory) == f"<MemoryDirectory: {counts}>"

    @rule(target=directories, at=directories, name=NAMES)
    def open_directory(self, at: OpenedDirectory, name: str) -> object:
        ours = attempt(lambda: at.ours.open_directory(name))
        linux = attempt(lambda: os.open(name, _HANDLE, dir_fd=at.linux))
        if isinstance(ours, str) or isinstance(linux, str):
            assert ours == linux
            return multiple()
        self.descriptors.append(linux)
        return OpenedDirectory(ours, linux)

    @rule(
        target=files,
        at=directories,
        name=NAMES,
        write=st.booleans(),
        create=st.booleans(),
        exclusive=st.booleans(),
        cut=st.booleans(),
    )
    def open_file(
        self,
        at: OpenedDirectory,
        name: str,
        write: bool,
        create: bool,
        exclusive: bool,
        cut: bool,
    ) -> object:
        # Linux has no result for these.
        exclusive, cut = exclusive and create, cut and write
        ours = attempt(
            lambda: at.ours.open_file(
                name, read=True, write=write, create=create, exclusive=exclusive, truncate=cut
            )
        )
        linux = attempt(lambda: open_file(at.linux, name, write, create, exclusive, cut))
        if isinstance(ours, str) or isinstance(linux, str):
            assert ours == linux
            return multiple()
        if not write:
            # What is written through it is the business of those who ask for rights.
            ours.close()
            os.close(linux)
            return multiple()
        self.descriptors.append(linux)
        return OpenedFile(ours, linux)

    @rule(file=consumes(files))
    def close(self, file: OpenedFile) -> None:
        file.ours.close()
        os.close(file.linux)
        self.descriptors.remove(file.linux)

    @rule(file=files, offset=OFFSETS, size=OFFSETS)
    def read(self, file: OpenedFile, offset: int, size: int) -> None:
        assert file.ours.read(offset, size) == os.pread(file.linux, size, offset)

    @rule(file=files, offset=OFFSETS, data=DATA)
    def write(self, file: OpenedFile, offset: int, data: bytes) -> None:
        assert file.ours.write(offset, data) == os.pwrite(file.linux, data, offset)

    @rule(file=files, data=DATA)
    def append(self, file: OpenedFile, data: bytes) -> None:
        end = os.fstat(file.linux).st_size
        assert file.ours.append(data) == os.pwrite(file.linux, data, end)

    @rule(file=files, size=OFFSETS)
    def resize(self, file: OpenedFile, size: int) -> None:
        file.ours.resize(size)
        os.truncate(file.linux, size)

    @rule(file=files)
    def status_of_file(self, file: OpenedFile) -> None:
        assert of_ours(file.ours.status()) == of_linux(os.fstat(file.linux))

    @rule(at=directories, name=NAMES, accessed=st.integers(0, 1 << 40), modified=TIMES)
    def set_times_of(
        self, at: OpenedDirectory, name: str, accessed: int, modified: int | None
    ) -> None:
        def linux() -> None:
            status = os.stat(name, dir_fd=at.linux, follow_symlinks=False)
            times = (accessed, status.st_mtime_ns if modified is None else modified)
            os.utime(name, ns=times, dir_fd=at.linux, follow_symlinks=False)

        failure = both(lambda: at.ours.set_times_of(name, accessed, modified), linux)
        if failure is None and modified is not None:
            status = os.stat(name, dir_fd=at.linux, follow_symlinks=False)
            found = at.ours.status_of(name)
            assert (found.accessed, found.modified) == (status.st_atime_ns, status.st_mtime_ns)

    @rule(at=directories, name=NAMES)
    def look(self, at: OpenedDirectory, name: str) -> None:
        assert attempt(lambda: of_ours(at.ours.status_of(name))) == attempt(
            lambda: of_linux(os.stat(name, dir_fd=at.linux, follow_symlinks=False))
        )
        target = attempt(lambda: at.ours.read_link(name))
        assert target == attempt(lambda: os.readlink(name, dir_fd=at.linux))
        ours = {(entry.name, entry.type) for entry in at.ours.entries(100)}
        assert ours == {
            (name, of_linux(os.stat(name, dir_fd=at.linux, follow_symlinks=False))[0])
            for name in os.listdir(at.linux)
        }
        assert (at.ours.status().links == 0) == (os.fstat(at.linux).st_nlink == 0)

    @rule(at=directories, name=NAMES)
    def make_directory(self, at: OpenedDirectory, name: str) -> None:
        both(
            lambda: at.ours.make_directory(name),
            lambda: os.mkdir(name, dir_fd=at.linux),
        )

    @rule(at=directories, name=NAMES, to=st.sampled_from(["", "a", "../b", "/"]))
    def make_symbolic_link(self, at: OpenedDirectory, name: str, to: str) -> None:
        both(
            lambda: at.ours.make_symbolic_link(name, to),
            lambda: os.symlink(to, name, dir_fd=at.linux),
        )

    @rule(at=directories, name=NAMES, into=directories, new_name=NAMES)
    def link(self, at: OpenedDirectory, name: str, into: OpenedDirectory, new_name: str) -> None:
        both(
            lambda: at.ours.link(name, into.ours, new_name),
            lambda: os.link(
                name,
                new_name,
                src_dir_fd=at.linux,
                dst_dir_fd=into.linux,
                follow_symlinks=False,
            ),
        )

    @rule(at=directories, name=NAMES, into=directories, new_name=NAMES)
    def rename(self, at: OpenedDirectory, name: str, into: OpenedDirectory, new_name: str) -> None:
        both(
            lambda: at.ours.rename(name, into.ours, new_name),
            lambda: os.rename(name, new_name, src_dir_fd=at.linux, dst_dir_fd=into.linux),
        )

    @rule(at=directories, name=NAMES)
    def remove_directory(self, at: OpenedDirectory, name: str) -> None:
        both(
            lambda: at.ours.remove_directory(name),
            lambda: os.rmdir(name, dir_fd=at.linux),
        )

    @rule(at=directories, name=NAMES)
    def remove_file(self, at: OpenedDirectory, name: str) -> None:
        both(
            lambda: at.ours.remove_file(name),
            lambda: os.unlink(name, dir_fd=at.linux),
        )


TestBothSides = BothSides.TestCase
TestBothSides.settings = settings(stateful_step_count=40)
