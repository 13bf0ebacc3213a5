"""`MemoryDirectory`: what it is made of, what it holds, and what its handles do."""

from __future__ import annotations

import contextlib
import copy
import gc
import pickle
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.wasi.errno import Errno, ErrnoError
from purewasm_plugins.wasi.files import Directory, File, FileType
from purewasm_plugins.wasi.grants import DirectoryGrant
from purewasm_plugins.wasi.memory_files import MemoryDirectory, SymbolicLink


class Room:
    """A quota with room for so much, and a clock that moves by 1 when it is read."""

    def __init__(
        self, file: int = 1 << 20, total: int = 1 << 20, files: int = 100, entries: int = 100
    ) -> None:
        self.file, self.total, self.files, self.entries = file, total, files, entries
        self.time = 1000

    def now(self) -> int:
        self.time += 1
        return self.time

    def spend(self, units: int) -> None:
        pass

    def check_file_size(self, size: int) -> None:
        self._check(size <= self.file, Errno.FBIG)

    def check_total_size(self, size: int) -> None:
        self._check(size <= self.total, Errno.NOSPC)

    def check_files(self, count: int) -> None:
        self._check(count <= self.files, Errno.NOSPC)

    def check_entries(self, count: int) -> None:
        self._check(count <= self.entries, Errno.NOSPC)

    def _check(self, fits: bool, errno: Errno) -> None:
        if not fits:
            raise ErrnoError(errno)


def fails(errno: Errno, attempt: Callable[..., object], *values: object, **named: object) -> None:
    with pytest.raises(ErrnoError) as raised:
        attempt(*values, **named)
    assert raised.value.errno is errno


def opened(directory: Directory, name: str, **options: bool) -> File:
    """Open a file to be read and written, made where there is none."""
    given = dict.fromkeys(("read", "write", "create"), True)
    given |= dict.fromkeys(("exclusive", "truncate"), False)
    return directory.open_file(name, **(given | options))


def put(directory: Directory, name: str, data: bytes) -> None:
    file = opened(directory, name, truncate=True)
    file.append(data)
    file.close()


# Content.

CONTENT: dict[str, bytes | str | SymbolicLink] = {
    "a.txt": b"bytes",
    "b/c/d.txt": "tëxt",
    "b/e/": b"",
    "b/link": SymbolicLink("../a.txt"),
    "f": b"",
}


def test_content_is_read_back() -> None:
    files = MemoryDirectory(CONTENT).files()
    assert files == CONTENT | {"b/c/d.txt": "tëxt".encode()}
    assert MemoryDirectory(files).files() == files
    assert MemoryDirectory().files() == {}
    # A directory that is not empty needs no entry of its own, but may have one, before or after.
    for order in ("a/b", "a/"), ("a/", "a/b"):
        assert MemoryDirectory(dict.fromkeys(order, b"")).files() == {"a/b": b""}


def test_what_it_says_of_itself() -> None:
    directory = MemoryDirectory(CONTENT, read_only=True)
    assert isinstance(directory, DirectoryGrant)
    assert repr(directory) == "<MemoryDirectory: 7 files and directories, 18 bytes, read-only>"
    assert repr(MemoryDirectory()) == "<MemoryDirectory: 0 files and directories, 0 bytes>"
    directory.finish()


LONG = "ü" * 128

WRONG: list[tuple[object, str]] = [
    ({"": b""}, "the path '' is empty"),
    ({"/": b""}, "the path '/' is absolute"),
    ({"/etc/passwd": b""}, "the path '/etc/passwd' is absolute"),
    ({"../x": b""}, "the path '../x' has the component '..'"),
    ({"a/..": b""}, "the path 'a/..' has the component '..'"),
    ({"a/./b": b""}, "the path 'a/./b' has the component '.'"),
    ({"a//b": b""}, "the path 'a//b' has an empty component"),
    ({"a//": b""}, "the path 'a//' has an empty component"),
    ({"a\0": b""}, r"the path 'a\x00' holds U+0000"),
    ({"a\ud800": b""}, r"the path 'a\ud800' holds a lone surrogate"),
    ({f"a/{LONG}": b""}, f"the path {f'a/{LONG}'[:100]!r}... has a name of more than 255 bytes"),
    ({"a": b"", "a/b": b""}, "'a' in 'a/b' is a file and a directory at once"),
    ({"a/b": b"", "a": b""}, "'a' is a file and a directory at once"),
    ({"a": b"", "a/": b""}, "'a/' is a file and a directory at once"),
    ({"l": SymbolicLink("b"), "l/b": b""}, "'l' in 'l/b' is a file and a directory at once"),
    ({"a/": b"x"}, "'a/' is a directory, and its value is not b''"),
    ({"a/": ""}, "'a/' is a directory, and its value is not b''"),
    ({"a": None}, "the value of 'a' must be bytes, a str or a SymbolicLink, and is a NoneType"),
    ({"a": bytearray()}, "the value of 'a' must be bytes, a str or a SymbolicLink, and is a byte"),
    ({"a": "\udfff"}, "the text of 'a' holds a lone surrogate"),
    ({1: b""}, "a path must be a str, and is a int"),
    ([("a", b"")], "the content must be a mapping of paths to bytes, and is a list"),
]


@pytest.mark.parametrize(("content", "words"), WRONG, ids=[repr(one)[:40] for one, _ in WRONG])
def test_content_that_is_refused(content: Any, words: str) -> None:
    with pytest.raises(InvalidOptionError) as raised:
        MemoryDirectory(content)
    assert raised.value.option == "directories"
    assert raised.value.details.startswith(words)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("", "is empty: ''"),
        ("a\0", r"holds U+0000: 'a\x00'"),
        ("\ud800", r"holds a lone surrogate: '\ud800'"),
        (b"a", "must be a str, and is a bytes"),
        (None, "must be a str, and is a NoneType"),
    ],
)
def test_targets_that_are_refused(target: Any, words: str) -> None:
    with pytest.raises(InvalidOptionError) as raised:
        SymbolicLink(target)
    assert raised.value.details == f"the target of a symbolic link {words}"


def test_options_that_are_refused() -> None:
    wrong: Any = 1
    with pytest.raises(InvalidOptionError, match="'read_only': it must be a bool, and is a int"):
        MemoryDirectory(read_only=wrong)
    values: list[Any] = [-1, "1", None]
    for value in values:
        with pytest.raises(InvalidOptionError, match="'limit_bytes': it must be an int from 0 on"):
            MemoryDirectory.from_zip(b"", limit_bytes=value)
        with pytest.raises(InvalidOptionError, match="'limit_files': it must be an int from 0 on"):
            MemoryDirectory.from_zip(b"", limit_files=value)
    with pytest.raises(InvalidOptionError, match="'limit_bytes'"):
        MemoryDirectory().to_zip(limit_bytes=-1)


NAMES = st.text("ab.ä\n𝄞", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
TREES = st.recursive(
    st.binary(max_size=20) | NAMES.map(SymbolicLink),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def flat(tree: Any, path: str = "") -> dict[str, bytes | SymbolicLink]:
    if not isinstance(tree, dict):
        return {path: tree}
    if not tree and path:
        return {f"{path}/": b""}
    prefix = f"{path}/" if path else ""
    return {
        key: value
        for name, inner in tree.items()
        for key, value in flat(inner, prefix + name).items()
    }


@given(st.dictionaries(NAMES, TREES, max_size=4))
def test_any_content_is_read_back(tree: dict[str, Any]) -> None:
    content = flat(tree)
    directory = MemoryDirectory(content)
    assert directory.files() == content
    assert MemoryDirectory.from_zip(directory.to_zip()).files() == content
    assert pickle.loads(pickle.dumps(directory)).files() == content


def test_copies_are_directories_of_their_own() -> None:
    directory = MemoryDirectory(CONTENT, read_only=True)
    for duplicate in (pickle.loads(pickle.dumps(directory)), copy.deepcopy(directory)):
        assert duplicate.files() == directory.files()
        assert duplicate.read_only
        assert repr(duplicate) == repr(directory)
        handles = [one.open(Room()) for one in (directory, duplicate)]
        # The numbers tell the files of one from those of the other.
        assert len({handle.status().device for handle in handles}) == 2


def test_hard_links_are_one_file_in_a_copy() -> None:
    """A module can make thousands of names of a file: a copy must not take as much memory."""
    directory = MemoryDirectory({"a": b"12345"})
    handle = directory.open(Room())
    handle.link("a", handle, "b")
    files = directory.files()
    assert files == {"a": b"12345", "b": b"12345"}
    assert files["a"] is files["b"]
    duplicate = pickle.loads(pickle.dumps(directory))
    assert repr(duplicate) == "<MemoryDirectory: 2 files and directories, 5 bytes>"
    handle = duplicate.open(Room())
    opened(handle, "a").write(0, b"x")
    assert opened(handle, "b").read(0, 9) == b"x2345"
    assert handle.status_of("b").links == 2


def test_bytes_that_files_share_become_their_own_where_there_is_room() -> None:
    shared = bytes(1000)
    directory = MemoryDirectory({str(number): shared for number in range(10)})
    # The content is larger than the quota: nothing is copied.
    file = opened(directory.open(Room(total=500)), "0")
    fails(Errno.NOSPC, file.write, 0, b"x")
    fails(Errno.NOSPC, file.resize, 999)
    file.resize(0)
    file = opened(directory.open(Room(total=9_000)), "1")
    file.write(0, b"x")
    assert shared == bytes(1000)
    assert file.read(0, 2) == b"x\0"


def test_a_file_that_is_cut_off_is_not_copied_before() -> None:
    handle = MemoryDirectory({"a": bytes(10_000_000)}).open(Room(total=10_000_000))
    file = opened(handle, "a")
    with taking_less_than(1_000_000):
        file.resize(10)
    assert file.read(0, 99) == bytes(10)


@contextlib.contextmanager
def taking_less_than(size: int) -> Iterator[None]:
    """Check how many bytes are allocated at once, by Python as it counts them."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


def test_a_directory_is_freed_at_once() -> None:
    directory = MemoryDirectory({"a/b/c": b""})
    handle = directory.open(Room()).open_directory("a")
    alive = weakref.ref(handle)
    gc.disable()
    try:
        tree = weakref.ref(directory)
        del directory
        assert tree() is None
        del handle
        assert alive() is None
    finally:
        gc.enable()


# Handles.


def test_a_file_has_the_bytes_that_were_put_there() -> None:
    directory = MemoryDirectory({"a": b"hello"})
    file = opened(directory.open(Room()), "a")
    assert file.read(1, 3) == b"ell"
    assert file.read(3, 1 << 64) == b"lo"
    assert file.read(5, 1) == file.read(1 << 64, 1 << 64) == b""
    assert file.write(1, b"EL") == 2
    assert file.write(8, b"!") == 1
    assert file.append(b"?") == 1
    assert file.write(1 << 64, b"") == file.append(b"") == 0
    assert file.read(0, 99) == b"hELlo\0\0\0!?"
    file.resize(2)
    file.resize(4)
    assert directory.files() == {"a": b"hE\0\0"}
    # What was read back stays as it was.
    before = directory.files()
    file.write(0, b"x")
    assert before == {"a": b"hE\0\0"}
    assert directory.files() == {"a": b"xE\0\0"}


@pytest.mark.parametrize("offset", [1 << 20, 1 << 32, (1 << 63) - 1, (1 << 64) - 1])
def test_large_offsets_take_no_memory(offset: int) -> None:
    directory = MemoryDirectory()
    handle = directory.open(Room())
    file = opened(handle, "a")
    fails(Errno.FBIG, file.write, offset, b"x")
    fails(Errno.FBIG, file.resize, offset + 1)
    # Without quotas, too.
    free = opened(directory.open(Room(file=1 << 70, total=1 << 70)), "a")
    if offset > 1 << 31:
        fails(Errno.FBIG, free.write, offset, b"x")
        fails(Errno.FBIG, free.resize, offset + 1)
    assert handle.status_of("a").size == 0
    assert directory.files() == {"a": b""}


def test_the_room_is_that_of_all_instances_together() -> None:
    directory = MemoryDirectory({"a": b"1234"})
    handles = [directory.open(Room(total=10, files=4, entries=3)) for _ in range(10)]
    one = opened(handles[0], "a")
    one.append(b"56")
    two = opened(handles[1], "b")
    two.append(b"789")
    fails(Errno.NOSPC, opened(handles[2], "a").append, b"xx")
    fails(Errno.NOSPC, handles[3].make_symbolic_link, "c", "xx")
    handles[3].make_symbolic_link("c", "x")
    fails(Errno.NOSPC, two.resize, 4)
    # Where nothing grows there is room.
    two.write(0, b"!")
    # The directory is full.
    for attempt in (
        partial(opened, handles[4], "d"),
        partial(handles[5].make_directory, "d"),
        partial(handles[6].make_symbolic_link, "d", "x"),
        partial(handles[7].link, "a", handles[7], "d"),
    ):
        fails(Errno.NOSPC, attempt)
    handles[0].remove_file("c")
    handles[8].make_directory("d")
    inner = handles[9].open_directory("d")
    put(inner, "e", b"")
    # So are all together: entries could be made in it.
    fails(Errno.NOSPC, inner.make_directory, "f")
    handles[0].rename("a", inner, "e")
    assert directory.files() == {"b": b"!89", "d/e": b"123456"}
    assert repr(directory) == "<MemoryDirectory: 3 files and directories, 9 bytes>"


def test_moving_into_a_full_directory() -> None:
    directory = MemoryDirectory({"a": b"", "full/1": b"", "full/2": b""})
    handle = directory.open(Room(entries=2))
    full = handle.open_directory("full")
    fails(Errno.NOSPC, handle.rename, "a", full, "3")
    full.rename("1", full, "3")
    handle.rename("a", full, "3")
    assert directory.files() == {"full/2": b"", "full/3": b""}


def test_a_file_without_a_name_counts_until_it_is_closed() -> None:
    directory = MemoryDirectory({"a": b"12345", "b": b"1"})
    handle = directory.open(Room(total=10))
    files = [opened(handle, "a") for _ in range(2)]
    handle.remove_file("a")
    files[0].append(b"6")
    assert files[1].read(0, 9) == b"123456"
    assert files[1].status().links == 0
    fails(Errno.NOSPC, opened(handle, "c").append, b"1234")
    files[0].close()
    fails(Errno.NOSPC, opened(handle, "c").append, b"1234")
    files[1].close()
    opened(handle, "c").append(b"1234")
    # Of one that is dropped unclosed, too, as the descriptors of an instance are.
    file = opened(handle, "d")
    file.append(b"12345")
    handle.remove_file("d")
    fails(Errno.NOSPC, opened(handle, "c").append, b"5")
    del file
    opened(handle, "c").append(b"5")
    opened(handle, "c").resize(4)
    # A file that another takes the place of is as one that was removed.
    file = opened(handle, "c")
    handle.rename("b", handle, "c")
    assert file.read(0, 9) == b"1234"
    assert directory.files() == {"c": b"1"}


def test_all_files_without_a_name_count() -> None:
    handle = MemoryDirectory({"a": b"123", "b": b"456"}).open(Room(total=9))
    files = [opened(handle, name) for name in "ab"]
    for name in "ab":
        handle.remove_file(name)
    fails(Errno.NOSPC, opened(handle, "c").append, b"1234")
    opened(handle, "c").append(b"123")
    assert [file.read(0, 9) for file in files] == [b"123", b"456"]


def test_files_that_were_removed_leave_nothing() -> None:
    handle = MemoryDirectory().open(Room())
    with taking_less_than(100_000):
        for _ in range(3000):
            opened(handle, "a").close()
            handle.remove_file("a")


def test_a_removed_directory() -> None:
    directory = MemoryDirectory({"a/": b"", "f": b""})
    handle = directory.open(Room())
    removed = handle.open_directory("a")
    handle.remove_directory("a")
    for attempt in (
        partial(opened, removed, "x"),
        partial(removed.make_directory, "x" * 256),
        partial(removed.make_symbolic_link, "x", "y"),
        partial(handle.link, "f", removed, "x"),
        partial(handle.rename, "f", removed, "x"),
        partial(removed.status_of, "x"),
    ):
        fails(Errno.NOENT, attempt)
    assert removed.status().links == 0
    assert removed.entries(0) == []
    removed.duplicate().close()
    # One of the same name is another.
    handle.make_directory("a")
    assert handle.status_of("a").inode != removed.status().inode
    fails(Errno.NOENT, removed.make_directory, "x")


def test_what_is_known_of_files() -> None:
    directory = MemoryDirectory({"a/b": b"123", "a/c/": b"", "a/l": SymbolicLink("ü")})
    handle = directory.open(Room()).open_directory("a")
    found = {entry.name: entry for entry in handle.entries(3)}
    assert {name: entry.type for name, entry in found.items()} == {
        "b": FileType.REGULAR_FILE,
        "c": FileType.DIRECTORY,
        "l": FileType.SYMBOLIC_LINK,
    }
    for name, size, links in (("b", 3, 1), ("c", 0, 2), ("l", 2, 1)):
        status = handle.status_of(name)
        assert (status.size, status.links) == (size, links)
        assert (status.inode, status.type) == (found[name].inode, found[name].type)
        assert status[-3:] == (0, 0, 0)
    assert handle.status().links == 3
    assert handle.read_link("l") == "ü"
    fails(Errno.NOMEM, handle.entries, 2)


def test_a_directory_has_a_link_from_each_one_in_it() -> None:
    handle = MemoryDirectory({"a/b/": b"", "c/": b"", "f": b""}).open(Room())
    inner, other = handle.open_directory("a"), handle.open_directory("c")

    def links() -> list[int]:
        return [directory.status().links for directory in (handle, inner, other)]

    assert links() == [4, 3, 2]
    inner.rename("b", other, "d")
    assert links() == [4, 2, 3]
    # It takes the place of an empty one.
    other.rename("d", handle, "a")
    assert links() == [4, 0, 2]
    handle.rename("c", handle.open_directory("a"), "c")
    assert links() == [3, 0, 2]
    handle.open_directory("a").remove_directory("c")
    assert links() == [3, 0, 0]
    assert handle.status_of("a").links == 2


def test_a_directory_that_was_moved_is_not_moved_into_itself() -> None:
    directory = MemoryDirectory({"a/b/": b"", "c/": b""})
    handle = directory.open(Room())
    inner, other = handle.open_directory("a"), handle.open_directory("c")
    moved = inner.open_directory("b")
    inner.rename("b", other, "b")
    fails(Errno.INVAL, handle.rename, "c", moved, "c")
    handle.rename("a", moved, "a")
    assert directory.files() == {"c/b/a/": b""}


#: What changes the content of a directory, and what it has then: of each path, whether its content
#: or its status changed.
TIMES: list[tuple[str, Callable[[Directory], object], dict[str, str]]] = [
    ("write", lambda root: opened(root, "f").write(0, b"x"), {"f": "mc"}),
    ("write nothing", lambda root: opened(root, "f").write(0, b""), {}),
    ("read", lambda root: opened(root, "f").read(0, 1), {}),
    ("append", lambda root: opened(root, "f").append(b"x"), {"f": "mc"}),
    ("resize", lambda root: opened(root, "f").resize(1), {"f": "mc"}),
    ("truncate", lambda root: opened(root, "f", truncate=True), {"f": "mc"}),
    ("create", lambda root: opened(root, "n"), {"": "mc", "n": "amc"}),
    ("directory", lambda root: root.make_directory("n"), {"": "mc", "n": "amc"}),
    ("symbolic link", lambda root: root.make_symbolic_link("n", "f"), {"": "mc", "n": "amc"}),
    ("link", lambda root: root.link("f", root, "n"), {"": "mc", "f": "c", "n": "c"}),
    ("rename", lambda root: root.rename("f", root, "n"), {"": "mc", "n": "c"}),
    ("rename to itself", lambda root: root.rename("f", root, "f"), {}),
    ("move", lambda root: root.rename("f", root.open_directory("d"), "n"), {"": "mc", "d": "mc"}),
    ("remove", lambda root: root.remove_file("h"), {"": "mc", "g": "c"}),
    ("remove directory", lambda root: root.remove_directory("d"), {"": "mc"}),
    ("times", lambda root: root.set_times_of("f", 0, None), {"f": "c"}),
    ("own times", lambda root: root.set_times(None, 7), {"": "mc"}),
    ("times of an open file", lambda root: opened(root, "f").set_times(7, 8), {"f": "amc"}),
    ("failure", lambda root: fails(Errno.EXIST, root.make_directory, "f"), {}),
]


@pytest.mark.parametrize(
    ("change", "expected"), [one[1:] for one in TIMES], ids=[t[0] for t in TIMES]
)
def test_times(change: Callable[[Directory], object], expected: dict[str, str]) -> None:
    directory = MemoryDirectory({"f": b"123", "d/": b"", "g": b""})
    root = directory.open(Room())
    root.link("g", root, "h")
    for name in ("f", "g", "d"):
        root.set_times_of(name, 0, 0)
    root.set_times(0, 0)
    start = root.status().changed
    change(root)
    found = {}
    for name in ("", *(entry.name for entry in root.entries(9))):
        status = root.status_of(name) if name else root.status()
        marks = (
            "a" * (status.accessed != 0),
            "m" * (status.modified != 0),
            "c" * (status.changed > start),
        )
        if any(marks):
            found[name] = "".join(marks)
    assert found == expected


def test_times_are_those_of_the_clock() -> None:
    directory = MemoryDirectory()
    room = Room()
    handle = directory.open(room)
    room.time = 41
    opened(handle, "a")
    assert handle.status_of("a")[-3:] == (42, 42, 42)
    handle.set_times_of("a", 1, None)
    assert handle.status_of("a")[-3:] == (1, 42, 43)


def test_nothing_of_a_read_only_directory_changes() -> None:
    directory = MemoryDirectory({"f": b"123", "d/": b"", "l": SymbolicLink("f")}, read_only=True)
    before = directory.files()
    root = directory.open(Room())
    inner = root.open_directory("d").duplicate()
    reader = opened(root, "f", write=False, create=False)
    for attempt in (
        partial(opened, root, "f"),
        partial(opened, root, "f", write=False, truncate=True),
        partial(opened, root, "n", write=False),
        partial(root.make_directory, "n"),
        partial(root.make_symbolic_link, "n", "f"),
        partial(root.link, "f", inner, "n"),
        partial(root.rename, "f", inner, "n"),
        partial(root.remove_file, "f"),
        partial(root.remove_directory, "d"),
        partial(root.set_times, 1, 1),
        partial(root.set_times_of, "f", 1, 1),
        partial(reader.write, 0, b"x"),
        partial(reader.append, b"x"),
        partial(reader.resize, 0),
        partial(reader.set_times, 1, 1),
    ):
        fails(Errno.ROFS, attempt)
    assert opened(root, "f", write=False).read(0, 9) == b"123"
    assert directory.files() == before
    assert root.status()[-3:] == root.status_of("f")[-3:] == (0, 0, 0)


def test_no_entry_goes_from_one_directory_to_another() -> None:
    one, other = MemoryDirectory({"f": b""}), MemoryDirectory()
    source, target = one.open(Room()), other.open(Room())
    for move in (source.link, source.rename):
        fails(Errno.XDEV, move, "f", target, "f")
        # Another instance's handle of the same directory is none of another.
        fails(Errno.EXIST, source.link, "f", one.open(Room()), "f")
    assert (one.files(), other.files()) == ({"f": b""}, {})


def test_a_symbolic_link_with_an_impossible_target() -> None:
    handle = MemoryDirectory().open(Room())
    fails(Errno.NOENT, handle.make_symbolic_link, "a", "")
    fails(Errno.INVAL, handle.make_symbolic_link, "a", "b\0")


def test_threads_share_a_directory() -> None:
    directory = MemoryDirectory({"log": b""})
    rounds = 300

    def work(number: int) -> None:
        root = directory.open(Room(total=1 << 20, files=1000, entries=1000))
        log = opened(root, "log")
        for turn in range(rounds):
            log.append(b"%d" % number)
            put(root, f"{number}", b"x" * (turn % 7))
            root.rename(f"{number}", root, f"{number}-{turn % 3}")
        log.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = directory.files()
    log = files["log"]
    assert isinstance(log, bytes)
    assert sorted(log) == sorted(b"0123" * rounds)
    assert len(files) == 1 + 4 * 3
    size = sum(len(data) for data in files.values() if isinstance(data, bytes))
    assert repr(directory) == f"<MemoryDirectory: 13 files and directories, {size} bytes>"
