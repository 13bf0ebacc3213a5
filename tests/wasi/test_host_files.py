"""Directories of the host: what each operation does, what it refuses, and what it counts."""

from __future__ import annotations

import errno
import gc
import os
import pickle
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins.errors import GrantError, InvalidOptionError
from purewasm_plugins.wasi import host_files
from purewasm_plugins.wasi.errno import Errno, ErrnoError, errno_of
from purewasm_plugins.wasi.files import Directory, File, FileType
from purewasm_plugins.wasi.grants import DirectoryGrant
from purewasm_plugins.wasi.host_files import HostDirectory

pytestmark = pytest.mark.skipif(not host_files.IN_PLACE, reason="directories are copied here")


class Limits:
    """A quota with limits that a test can change."""

    def __init__(self, **limits: int) -> None:
        self.limits = limits

    def now(self) -> int:
        return 0

    def _check(self, name: str, wanted: int, number: Errno) -> None:
        if wanted > self.limits.get(name, wanted):
            raise ErrnoError(number)

    def spend(self, units: int) -> None:
        pass

    def check_file_size(self, size: int) -> None:
        self._check("file_size", size, Errno.FBIG)

    def check_total_size(self, size: int) -> None:
        self._check("total_size", size, Errno.NOSPC)

    def check_files(self, count: int) -> None:
        self._check("files", count, Errno.NOSPC)

    def check_entries(self, count: int) -> None:
        self._check("entries", count, Errno.NOSPC)


def refusal(function: Callable[..., object], *args: Any, **named: Any) -> Errno:
    """The error number that a call ends with."""
    try:
        result = function(*args, **named)
    except ErrnoError as error:
        return error.errno
    except OSError as error:
        return errno_of(error)
    pytest.fail(f"it returned {result!r}")


def open_file(directory: Directory, name: str, **how: bool) -> File:
    flags = dict.fromkeys(("read", "write", "create", "exclusive", "truncate"), False)
    return directory.open_file(name, **flags | how)


def write_new(directory: Directory, name: str, data: bytes = b"") -> None:
    file = open_file(directory, name, write=True, create=True)
    assert file.write(0, data) == len(data)
    file.close()


def names(directory: Directory) -> dict[str, FileType]:
    return {entry.name: entry.type for entry in directory.entries(1000)}


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Directory]:
    opened = HostDirectory(tmp_path, read_only=False).open(Limits())
    yield opened
    opened.close()


def open_descriptors() -> int:
    """How many there are; those that earlier tests forgot are closed before."""
    gc.collect()
    return len(os.listdir("/dev/fd"))


# The grant


def test_it_is_a_grant(tmp_path: Path) -> None:
    grant = HostDirectory(tmp_path)
    assert isinstance(grant, DirectoryGrant)
    assert grant.read_only
    assert grant.path == str(tmp_path)
    assert repr(HostDirectory("x", False)) == "HostDirectory('x', read_only=False)"


def test_it_can_be_pickled(tmp_path: Path) -> None:
    grant = HostDirectory(tmp_path, read_only=False)
    grant.open(Limits()).close()
    copy = pickle.loads(pickle.dumps(grant))
    assert (copy.path, copy.read_only) == (str(tmp_path), False)
    copy.open(Limits()).close()


@pytest.mark.parametrize("path", [1, None, b"x", "", "a\0b", "\ud800", Path])
def test_what_cannot_be_a_path(path: Any) -> None:
    with pytest.raises(InvalidOptionError, match="path"):
        HostDirectory(path)


def test_read_only_is_a_bool(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError, match="read_only"):
        HostDirectory(tmp_path, "no")  # type: ignore[arg-type]


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name, words in (
        ("absent", "is not there"),
        ("file", "is no directory"),
        ("file/below", "is no directory"),
        ("n" * 300, "cannot be opened: File name too long"),
    ):
        with pytest.raises(GrantError) as raised:
            HostDirectory(tmp_path / name).open(Limits())
        assert str(raised.value) == f"the directory '{tmp_path / name}' {words}"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_directory_that_may_not_be_read(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests may run as root, which may read everything."""

    def refuse(*_: object) -> int:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(GrantError, match="may not be read"):
        HostDirectory(tmp_path).open(Limits())


def test_finish_has_nothing_to_do(tmp_path: Path) -> None:
    HostDirectory(tmp_path).finish()


# Files


def test_a_file_is_made_written_and_read(root: Directory, tmp_path: Path) -> None:
    file = open_file(root, "é ü", read=True, write=True, create=True)
    assert file.write(3, b"abc") == 3
    assert file.read(0, 100) == b"\0\0\0abc"
    assert file.read(4, 1) == b"b"
    assert file.read(6, 1) == b""
    assert file.write(1, b"xy") == 2
    file.sync()
    assert file.status()[2:5] == (FileType.REGULAR_FILE, 1, 6)
    assert (tmp_path / "é ü").read_bytes() == b"\0xyabc"
    file.close()


def test_made_files_are_not_executable(root: Directory, tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        write_new(root, "file")
        root.make_directory("directory")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "directory").stat().st_mode) == 0o755


def test_flags_of_opening(root: Directory, tmp_path: Path) -> None:
    assert refusal(open_file, root, "file", read=True) is Errno.NOENT
    write_new(root, "file", b"content")
    write_new(root, "file")
    assert refusal(open_file, root, "file", write=True, create=True, exclusive=True) is Errno.EXIST
    assert (tmp_path / "file").read_bytes() == b"content"
    open_file(root, "new", read=True, create=True, exclusive=True).close()
    open_file(root, "new", create=True).close()
    assert refusal(open_file, root, "file", read=True, truncate=True) is Errno.INVAL
    open_file(root, "file", write=True, truncate=True).close()
    assert (tmp_path / "file").read_bytes() == b""


def test_the_system_checks_the_right_to_read_and_write_too(root: Directory) -> None:
    write_new(root, "file", b"content")
    reader, writer = open_file(root, "file", read=True), open_file(root, "file", write=True)
    assert refusal(reader.write, 0, b"x") is Errno.BADF
    assert refusal(reader.append, b"x") is Errno.BADF
    assert refusal(reader.resize, 0) in (Errno.INVAL, Errno.BADF)
    assert refusal(writer.read, 0, 1) is Errno.BADF
    assert reader.read(0, 10) == b"content"


def test_appending_is_at_the_end_as_it_is_then(root: Directory, tmp_path: Path) -> None:
    file = open_file(root, "file", read=True, write=True, create=True)
    assert file.append(b"ab") == 2
    with (tmp_path / "file").open("ab") as other:
        other.write(b"cd")
    assert file.append(b"ef") == 2
    # After it, an offset is heeded again.
    assert file.write(0, b"X") == 1
    assert file.append(b"gh") == 2
    assert file.read(0, 100) == b"Xbcdefgh"


def test_resize(root: Directory) -> None:
    file = open_file(root, "file", read=True, write=True, create=True)
    file.write(0, b"abc")
    file.resize(1)
    file.resize(3)
    assert file.read(0, 9) == b"a\0\0"


@pytest.mark.parametrize("offset", [2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**80])
def test_offsets_that_no_file_has(root: Directory, offset: int) -> None:
    file = open_file(root, "file", read=True, write=True, create=True)
    assert file.read(offset, 1) == b""
    assert file.read(offset, 2**64) == b""
    assert file.read(0, offset) == b""
    assert file.write(offset, b"") == 0
    if offset > 2**62:
        assert refusal(file.write, offset, b"ab") in (Errno.FBIG, Errno.INVAL)
    if offset >= 2**63:
        assert refusal(file.resize, offset) is Errno.FBIG


def test_a_large_size_is_not_allocated(root: Directory) -> None:
    file = open_file(root, "file", read=True, write=True, create=True)
    file.write(0, b"a" * 100_000)
    assert len(file.read(10, 2**62)) == 99_990


def test_times(root: Directory, tmp_path: Path) -> None:
    file = open_file(root, "file", write=True, create=True)
    file.set_times(1, 2)
    file.set_times(None, 2_000_000_003)
    assert file.status()[5:7] == (1, 2_000_000_003)
    root.make_symbolic_link("link", "file")
    root.set_times_of("link", 5, None)
    root.set_times_of("link", None, 6)
    assert root.status_of("link")[5:7] == (5, 6)
    assert root.status_of("file")[5:7] == (1, 2_000_000_003)
    root.set_times(7, 8)
    assert root.status()[5:7] == (7, 8)
    root.set_times_of("file", 2**64 - 1, None)
    # The file system may know no such time, and take its last one.
    assert root.status_of("file").accessed > 2**60
    os.utime(tmp_path / "file", ns=(-5, -5))
    assert root.status_of("file")[5:7] == (0, 0)


def test_open_files_outlive_their_names(root: Directory) -> None:
    file = open_file(root, "file", read=True, write=True, create=True)
    root.remove_file("file")
    assert file.write(0, b"abc") == 3
    assert file.read(0, 9) == b"abc"
    assert file.status().links == 0


# Directories


def test_directories(root: Directory, tmp_path: Path) -> None:
    root.make_directory("a")
    inner = root.open_directory("a")
    write_new(inner, "file", b"1")
    assert refusal(root.remove_directory, "a") is Errno.NOTEMPTY
    again = inner.duplicate()
    inner.close()
    assert names(again) == {"file": FileType.REGULAR_FILE}
    # Each listing begins at the beginning.
    assert names(again) == names(root.open_directory("a")) == {"file": FileType.REGULAR_FILE}
    again.remove_file("file")
    again.sync()
    root.remove_directory("a")
    assert refusal(write_new, again, "late") is Errno.NOENT
    assert again.entries(10) == []
    assert list(tmp_path.iterdir()) == []


def test_kinds_and_errors(root: Directory, tmp_path: Path) -> None:
    write_new(root, "file", b"1")
    root.make_directory("directory")
    root.make_symbolic_link("link", "file")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # the path of a socket is short
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
    (tmp_path / os.fsdecode(b"\xff")).write_bytes(b"")
    assert names(root) == {
        "file": FileType.REGULAR_FILE,
        "directory": FileType.DIRECTORY,
        "link": FileType.SYMBOLIC_LINK,
        "fifo": FileType.UNKNOWN,
        "socket": FileType.SOCKET_STREAM,
    }
    assert refusal(root.entries, 5) is Errno.NOMEM
    assert len(root.entries(6)) == 5
    for name, kind in names(root).items():
        status = root.status_of(name)
        assert status.type is kind
        assert status.inode == os.lstat(tmp_path / name).st_ino
    for entry in root.entries(6):
        assert entry.inode == root.status_of(entry.name).inode
    assert root.read_link("link") == "file"
    assert root.status_of("link").size == 4
    assert refusal(root.read_link, "file") is Errno.INVAL
    assert refusal(root.read_link, "directory") is Errno.INVAL
    assert refusal(root.open_directory, "file") is Errno.NOTDIR
    assert refusal(root.open_directory, "link") in (Errno.NOTDIR, Errno.LOOP)
    assert refusal(root.open_directory, "fifo") is Errno.NOTDIR
    for how in ({"read": True}, {"write": True}, {"read": True, "write": True}):
        for more in ({}, {"create": True}):
            for name, number in (
                *(("directory", Errno.ISDIR), ("link", Errno.LOOP)),
                *(("fifo", Errno.ACCES), ("socket", Errno.ACCES)),
            ):
                assert refusal(open_file, root, name, **how | more) is number
    assert refusal(root.remove_file, "directory") is Errno.ISDIR
    assert refusal(root.remove_directory, "file") is Errno.NOTDIR
    assert refusal(root.remove_directory, "link") is Errno.NOTDIR
    for make in (root.make_directory, lambda name: root.make_symbolic_link(name, "x")):
        for name in names(root):
            assert refusal(make, name) is Errno.EXIST


def test_a_link_that_leads_nowhere_is_not_created_through(root: Directory, tmp_path: Path) -> None:
    root.make_symbolic_link("link", "absent")
    root.make_symbolic_link("slash", "absent/")
    for name in ("link", "slash"):
        assert refusal(open_file, root, name, write=True, create=True) is Errno.LOOP
        exclusively = {"write": True, "create": True, "exclusive": True}
        assert refusal(open_file, root, name, **exclusively) is Errno.EXIST
        assert refusal(root.make_directory, name) is Errno.EXIST
    assert sorted(os.listdir(tmp_path)) == ["link", "slash"]


def test_links(root: Directory, tmp_path: Path) -> None:
    write_new(root, "file", b"1")
    root.make_directory("directory")
    root.make_symbolic_link("symbolic", "file")
    inner = root.open_directory("directory")
    root.link("file", inner, "hard")
    root.link("symbolic", root, "second")
    assert root.status_of("file").links == 2
    assert root.status_of("second").type is FileType.SYMBOLIC_LINK
    assert (tmp_path / "directory" / "hard").samefile(tmp_path / "file")
    assert refusal(root.link, "file", inner, "hard") is Errno.EXIST
    assert refusal(root.link, "absent", inner, "other") is Errno.NOENT
    assert refusal(root.link, "directory", inner, "other") is Errno.PERM


def test_rename(root: Directory, tmp_path: Path) -> None:
    write_new(root, "a", b"1")
    write_new(root, "b", b"2")
    root.make_directory("d")
    inner = root.open_directory("d")
    root.rename("a", root, "b")
    root.rename("b", inner, "c")
    assert (tmp_path / "d" / "c").read_bytes() == b"1"
    root.make_directory("e")
    root.rename("e", inner, "e")
    assert refusal(root.rename, "d", inner.open_directory("e"), "d") is Errno.INVAL
    assert refusal(root.rename, "absent", root, "d") is Errno.NOENT
    root.make_directory("f")
    assert refusal(inner.rename, "c", root, "f") is Errno.ISDIR
    assert refusal(root.rename, "f", root, "d") is Errno.NOTEMPTY
    assert refusal(root.rename, "f", inner, "c") is Errno.NOTDIR


def test_links_and_renames_stay_in_one_grant(tmp_path: Path) -> None:
    roots = [HostDirectory(tmp_path, read_only=False).open(Limits()) for _ in range(2)]
    write_new(roots[0], "file", b"1")
    assert refusal(roots[0].link, "file", roots[1], "other") is Errno.XDEV
    assert refusal(roots[0].rename, "file", roots[1], "other") is Errno.XDEV
    assert os.listdir(tmp_path) == ["file"]


def test_nothing_changes_where_it_is_read_only(tmp_path: Path) -> None:
    for name in ("file", "other"):
        (tmp_path / name).write_bytes(b"content")
    (tmp_path / "directory").mkdir()
    before = os.stat(tmp_path)
    root = HostDirectory(tmp_path).open(Limits())
    changes: list[tuple[Callable[..., object], tuple[Any, ...]]] = [
        (write_new, (root, "file")),
        (write_new, (root, "new")),
        (root.make_directory, ("new",)),
        (root.make_symbolic_link, ("new", "x")),
        (root.link, ("file", root, "new")),
        (root.rename, ("file", root, "other")),
        (root.rename, ("file", root, "new")),
        (root.remove_file, ("file",)),
        (root.remove_directory, ("directory",)),
        (root.set_times_of, ("file", 1, 1)),
        (root.set_times, (1, 1)),
    ]
    for change, arguments in changes:
        assert refusal(change, *arguments) is Errno.ROFS
    assert refusal(open_file, root, "file", write=True, truncate=True) is Errno.ROFS
    assert refusal(open_file, root, "new", read=True, create=True) is Errno.ROFS
    file = open_file(root, "file", read=True, create=True)
    assert refusal(file.set_times, 1, 1) is Errno.ROFS
    assert file.read(0, 9) == b"content"
    assert refusal(file.write, 0, b"x") is Errno.BADF
    after = os.stat(tmp_path)
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)


#: Each operation on one name.
OPERATIONS: dict[str, Callable[[Directory, str], object]] = {
    "open_directory": lambda root, name: root.open_directory(name),
    "open_file": lambda root, name: open_file(root, name, read=True),
    "create": lambda root, name: open_file(root, name, write=True, create=True),
    "read_link": lambda root, name: root.read_link(name),
    "status_of": lambda root, name: root.status_of(name),
    "set_times_of": lambda root, name: root.set_times_of(name, 1, 1),
    "make_directory": lambda root, name: root.make_directory(name),
    "make_symbolic_link": lambda root, name: root.make_symbolic_link(name, "x"),
    "link from": lambda root, name: root.link(name, root, "new"),
    "link to": lambda root, name: root.link("file", root, name),
    "rename from": lambda root, name: root.rename(name, root, "new"),
    "rename to": lambda root, name: root.rename("file", root, name),
    "remove_directory": lambda root, name: root.remove_directory(name),
    "remove_file": lambda root, name: root.remove_file(name),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("name", "number"),
    [
        *((name, Errno.INVAL) for name in ("", ".", "..", "/", "a/b", "../x", "a/", "/a", "a\0b")),
        ("\ud800", Errno.ILSEQ),
        ("a" * 65536, Errno.NAMETOOLONG),
    ],
)
def test_what_is_no_name(operation: str, name: str, number: Errno, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "file").write_bytes(b"1")
    root = HostDirectory(inner, read_only=False).open(Limits())
    assert refusal(OPERATIONS[operation], root, name) is number
    assert os.listdir(inner) == ["file"]
    assert os.listdir(tmp_path) == ["inner"]


@pytest.mark.parametrize(
    ("target", "number"), [("", Errno.INVAL), ("a\0", Errno.INVAL), ("\ud800", Errno.ILSEQ)]
)
def test_what_is_no_target(root: Directory, target: str, number: Errno) -> None:
    assert refusal(root.make_symbolic_link, "link", target) is number


def test_a_target_that_is_not_utf8(root: Directory, tmp_path: Path) -> None:
    os.symlink(b"\xff", os.fsencode(tmp_path / "link"))
    assert refusal(root.read_link, "link") is Errno.ILSEQ


def test_a_directory_that_is_moved_stays_open(tmp_path: Path) -> None:
    (tmp_path / "granted").mkdir()
    (tmp_path / "granted" / "file").write_bytes(b"1")
    root = HostDirectory(tmp_path / "granted", read_only=False).open(Limits())
    (tmp_path / "granted").rename(tmp_path / "moved")
    (tmp_path / "granted").mkdir()
    write_new(root, "new", b"2")
    assert sorted(os.listdir(tmp_path / "moved")) == ["file", "new"]
    assert os.listdir(tmp_path / "granted") == []


# Descriptors of the host


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="the system lists no descriptors")
def test_descriptors_are_closed_once(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    before = open_descriptors()
    root = HostDirectory(tmp_path, read_only=False).open(Limits())
    file = open_file(root, "file", write=True, create=True)
    inner = root.open_directory("directory")
    for name in ("directory", "fifo"):
        refusal(open_file, root, name, read=True)
    assert open_descriptors() == before + 3
    file.close()
    reused = os.open(tmp_path / "file", os.O_RDONLY)
    file.close()
    del file
    os.fstat(reused)
    os.close(reused)
    del inner
    root.close()
    root.close()
    assert open_descriptors() == before
    assert not os.get_inheritable(os.open(os.devnull, os.O_RDONLY))


def test_descriptors_are_not_inherited(tmp_path: Path) -> None:
    root = HostDirectory(tmp_path, read_only=False).open(Limits())
    file = open_file(root, "file", write=True, create=True)
    for opened in (root, root.duplicate(), file):
        assert not os.get_inheritable(opened._fd)  # type: ignore[union-attr]


# Quotas


def usage(grant: HostDirectory) -> tuple[int, int]:
    return grant._usage.total, grant._usage.files


def test_sizes_are_counted_and_given_back(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"1234567890")
    grant = HostDirectory(tmp_path, read_only=False)
    first, second = grant.open(Limits(total_size=100)), grant.open(Limits(total_size=100))
    file = open_file(first, "file", write=True, create=True)
    file.write(0, b"a" * 60)
    file.write(20, b"a" * 40)
    assert usage(grant) == (60, 1)
    other = open_file(second, "other", write=True, create=True)
    assert refusal(other.write, 0, b"a" * 41) is Errno.NOSPC
    assert refusal(other.write, 1, b"a" * 40) is Errno.NOSPC
    assert refusal(other.append, b"a" * 41) is Errno.NOSPC
    assert refusal(other.resize, 41) is Errno.NOSPC
    assert other.append(b"a" * 40) == 40
    # What was there costs nothing, and is no credit.
    old = open_file(first, "old", write=True)
    assert old.write(0, b"X" * 10) == 10
    assert refusal(old.append, b"X") is Errno.NOSPC
    file.resize(10)
    assert usage(grant) == (50, 2)
    # An open file takes up space without a name.
    first.remove_file("file")
    assert usage(grant) == (50, 1)
    file.resize(20)
    file.close()
    assert usage(grant) == (40, 1)
    other.close()
    second.rename("old", second, "other")
    assert usage(grant) == (0, 0)
    open_file(first, "other", write=True, truncate=True).close()
    assert usage(grant) == (0, 0)


def test_a_linked_file_is_given_back_with_its_last_name(tmp_path: Path) -> None:
    grant = HostDirectory(tmp_path, read_only=False)
    root = grant.open(Limits())
    write_new(root, "file", b"123")
    root.link("file", root, "link")
    root.rename("file", root, "link")  # the same file: nothing happens
    assert usage(grant) == (3, 2)
    root.remove_file("file")
    assert usage(grant) == (3, 1)
    root.remove_file("link")
    assert usage(grant) == (0, 0)


def test_the_size_of_one_file(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"a" * 20)
    root = HostDirectory(tmp_path, read_only=False).open(Limits(file_size=10))
    file = open_file(root, "file", write=True, create=True)
    assert refusal(file.write, 5, b"a" * 6) is Errno.FBIG
    assert refusal(file.write, 2**64 - 1, b"a") is Errno.FBIG
    assert refusal(file.resize, 11) is Errno.FBIG
    assert file.write(5, b"a" * 5) == 5
    assert refusal(file.append, b"a") is Errno.FBIG
    # A larger file may be changed and cut off, and cannot grow.
    old = open_file(root, "old", write=True)
    assert old.write(10, b"b" * 10) == 10
    assert refusal(old.append, b"a") is Errno.FBIG
    old.resize(15)


def test_names_are_counted(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"")
    grant = HostDirectory(tmp_path, read_only=False)
    root = grant.open(Limits(files=4))
    write_new(root, "file")
    root.make_directory("directory")
    root.make_symbolic_link("symbolic", "x")
    root.link("file", root, "link")
    more: list[Callable[[], object]] = [
        lambda: write_new(root, "more"),
        lambda: root.make_directory("more"),
        lambda: root.make_symbolic_link("more", "x"),
        lambda: root.link("file", root, "more"),
    ]
    for make in more:
        assert refusal(make) is Errno.NOSPC
    write_new(root, "file")
    root.rename("file", root, "renamed")
    root.rename("symbolic", root, "link")
    assert usage(grant) == (0, 3)
    root.remove_directory("directory")
    root.remove_file("renamed")
    root.remove_file("link")
    root.remove_file("old")
    assert usage(grant) == (0, 0)


def test_entries_of_a_directory_are_counted(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"old{number}").write_bytes(b"")
    root = HostDirectory(tmp_path, read_only=False).open(Limits(entries=5))
    for _ in range(3):
        write_new(root, "a")
        root.make_directory("b")
        assert refusal(write_new, root, "c") is Errno.NOSPC
        inner = root.open_directory("b")
        write_new(inner, "d")
        assert refusal(inner.rename, "d", root, "d") is Errno.NOSPC
        inner.rename("d", inner, "e")
        inner.rename("e", root, "a")
        root.remove_directory("b")
        # Another process is noticed.
        (tmp_path / "theirs").write_bytes(b"")
        os.utime(tmp_path, ns=(0, 0))
        assert refusal(write_new, root, "c") is Errno.NOSPC
        (tmp_path / "theirs").unlink()
        root.remove_file("a")


def test_entries_are_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change tells how many there are; only a change by others has them counted again."""
    (tmp_path / "other").mkdir()
    root = HostDirectory(tmp_path, read_only=False).open(Limits())
    other = root.open_directory("other")
    write_new(root, "first")
    write_new(other, "first")
    counted: list[int] = []
    monkeypatch.setattr(os, "scandir", counted.append)
    for _ in range(3):
        write_new(root, "a")
        root.link("a", root, "b")
        root.rename("a", root, "b")
        root.rename("a", root, "c")
        root.make_directory("d")
        root.make_symbolic_link("e", "x")
        root.rename("c", other, "c")
        root.rename("b", other, "c")  # the same file: both names stay
        root.rename("b", other, "first")
        root.rename("d", other, "d")
        other.remove_directory("d")
        other.remove_file("c")
        root.remove_file("e")
        for path, directory in ((tmp_path, root), (tmp_path / "other", other)):
            known = directory._access.known_entries(directory._fd)  # type: ignore[attr-defined]
            assert known == len(os.listdir(path))
    assert counted == []


def test_a_large_directory_is_not_counted_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3000):
        (tmp_path / str(number)).touch()
    root = HostDirectory(tmp_path, read_only=False).open(Limits(entries=1000))
    met = 0

    class Counting:
        def __init__(self, entries: Any) -> None:
            self._entries = entries

        def __enter__(self) -> Iterator[Any]:
            return self._iterate()

        def __exit__(self, *_: object) -> None:
            self._entries.close()

        def _iterate(self) -> Iterator[Any]:
            nonlocal met
            for entry in self._entries:
                met += 1
                yield entry

    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda fd: Counting(scandir(fd)))
    assert refusal(write_new, root, "new") is Errno.NOSPC
    assert 1000 < met < 2000


@pytest.mark.skipif(sys.platform != "linux", reason="a process with /proc")
def test_the_use_of_files_is_not_kept(tmp_path: Path) -> None:
    grant = HostDirectory(tmp_path, read_only=False)
    root = grant.open(Limits())
    for number in range(600):
        root.make_directory(f"d{number}")
        inner = root.open_directory(f"d{number}")
        write_new(inner, "file", b"1")
        inner.close()
    assert grant._usage.opened == {}
    assert len(grant._usage.counts) <= host_files._COUNTED
