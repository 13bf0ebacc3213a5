"""`MemoryDirectory` from a zip and to one: what is kept, what is refused, and bombs."""

from __future__ import annotations

import errno
import io
import pickle
import stat
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins.errors import GrantError, InvalidOptionError
from purewasm_plugins.wasi.memory_files import MemoryDirectory, SymbolicLink
from tests.wasi.test_memory_files import CONTENT, Room, taking_less_than


def zipped(
    *entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for entry, data in entries:
            archive.writestr(entry, data)
    return packed.getvalue()


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    return made


def test_a_zip_of_another_program(tmp_path: Path) -> None:
    data = zipped(
        ("a/b.txt", b"hello"),
        ("a/c/", b""),
        (entry("a/link", stat.S_IFLNK | 0o777), "b.täxt".encode()),
        (entry("d.txt", stat.S_IFREG | 0o600), b"x" * 100_000),
    )
    (tmp_path / "a.zip").write_bytes(data)
    expected = {
        "a/b.txt": b"hello",
        "a/c/": b"",
        "a/link": SymbolicLink("b.täxt"),
        "d.txt": b"x" * 100_000,
    }
    with (tmp_path / "a.zip").open("rb") as file:
        sources: list[Any] = [data, tmp_path / "a.zip", str(tmp_path / "a.zip"), file]
        for source in sources:
            directory = MemoryDirectory.from_zip(source, read_only=True)
            assert directory.files() == expected
            assert directory.read_only


def test_equal_content_gives_equal_zips() -> None:
    packed = MemoryDirectory(CONTENT).to_zip()
    assert packed == MemoryDirectory(CONTENT).to_zip()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        modes = {one.filename: oct(one.external_attr >> 16) for one in archive.infolist()}
    assert modes == {
        "a.txt": "0o100644",
        "b/c/d.txt": "0o100644",
        "b/e/": "0o40755",
        "b/link": "0o120777",
        "f": "0o100644",
    }


def encrypted(data: bytes) -> bytes:
    """Set the bit of encryption of the first entry, in both of its headers."""
    changed = bytearray(data)
    changed[data.index(b"PK\1\2") + 8] |= 1
    changed[data.index(b"PK\3\4") + 6] |= 1
    return bytes(changed)


def renamed(data: bytes, name: bytes, other: bytes) -> bytes:
    assert len(name) == len(other)
    return data.replace(name, other)


HELLO = zipped(("hello", b"hello"))
DAMAGED = bytearray(zipped(("hello", b"hello" * 5), method=zipfile.ZIP_STORED))
DAMAGED[40] ^= 1

WRONG_ZIPS: dict[str, tuple[Any, str]] = {
    "no zip": (b"hello", "the zip cannot be read: File is not a zip file"),
    "nothing": (b"", "the zip cannot be read: File is not a zip file"),
    "cut off": (HELLO[:-1], "the zip cannot be read: "),
    "damaged": (bytes(DAMAGED), "the zip cannot be read: Bad CRC-32 for file 'hello'"),
    "no file": ("/no/such.zip", f"the zip cannot be read: [Errno {errno.ENOENT}] No such file"),
    "a directory": ("/", "the zip cannot be read: "),
    "U+0000 in the path": ("\0", "the zip cannot be read: embedded null byte"),
    "text": (io.StringIO("hello"), "the zip cannot be read: "),
    "no source": (None, "the zip must be bytes, a path or an open binary file, and is a NoneType"),
    "bytearray": (bytearray(HELLO), "the zip must be bytes, a path or an open binary file, and is"),
    "directory with bytes": (zipped(("a/", b"x")), "'a/' is a directory, and its value is not"),
    "above": (zipped(("../x", b"")), "the path '../x' has the component '..'"),
    "absolute": (zipped(("/x", b"")), "the path '/x' is absolute"),
    "backslash": (zipped(("a\\..\\x", b"")), r"the zip has a path with a backslash: 'a\\..\\x'"),
    "U+0000": (renamed(HELLO, b"hello", b"he\0lo"), r"the path 'he\x00lo' holds U+0000"),
    "encrypted": (encrypted(HELLO), "the zip has an encrypted file: 'hello'"),
    "twice": (
        renamed(zipped(("first", b""), ("other", b"")), b"other", b"first"),
        "'first' is there twice",
    ),
    "file and directory": (zipped(("a", b""), ("a/b", b"")), "'a' in 'a/b' is a file and a direct"),
    "LZMA": (
        zipped(("a", b"hello"), method=zipfile.ZIP_LZMA),
        "the zip has a file that is not compressed by deflate: 'a'",
    ),
    "device": (
        zipped((entry("a", stat.S_IFCHR), b"")),
        "the zip has an entry that is neither a file, a directory nor a symbolic link: 'a'",
    ),
    "empty link": (
        zipped((entry("a", stat.S_IFLNK), b"")),
        "the target of a symbolic link is empty: ''",
    ),
    "long link": (
        zipped((entry("a", stat.S_IFLNK), b"x" * 4097)),
        "the zip has a symbolic link with a target that is too long: 'a'",
    ),
    "link in no UTF-8": (
        zipped((entry("a", stat.S_IFLNK), b"\xff")),
        "the symbolic link 'a' has a target that is no UTF-8",
    ),
    "through a link": (
        zipped((entry("a", stat.S_IFLNK), b".."), ("a/b", b"")),
        "'a' in 'a/b' is a file and a directory at once",
    ),
}


@pytest.mark.parametrize("case", WRONG_ZIPS)
def test_zips_that_are_refused(case: str) -> None:
    source, words = WRONG_ZIPS[case]
    with pytest.raises(InvalidOptionError) as raised:
        MemoryDirectory.from_zip(source)
    assert raised.value.option == "directories"
    assert raised.value.details.startswith(words)


def claiming(data: bytes, size: int) -> bytes:
    """Change the size that the only entry of a zip claims to have."""
    changed = bytearray(data)
    central, local = data.index(b"PK\1\2") + 24, data.index(b"PK\3\4") + 22
    for offset in (central, local):
        changed[offset : offset + 4] = size.to_bytes(4, "little")
    return bytes(changed)


def test_bombs() -> None:
    """What counts is what is unpacked, not what the zip says of itself."""
    bomb = zipped(*((str(number), bytes(100_000)) for number in range(5)))
    assert len(bomb) < 2000
    assert len(MemoryDirectory.from_zip(bomb, limit_bytes=500_000).files()) == 5
    with pytest.raises(InvalidOptionError, match="holds more than 499999 bytes when it is unpacke"):
        MemoryDirectory.from_zip(bomb, limit_bytes=499_999)
    # More than is claimed is damage.
    for claimed in (1, 99_999):
        with pytest.raises(InvalidOptionError):
            MemoryDirectory.from_zip(claiming(zipped(("a", bytes(100_000))), claimed))
    many = zipped(*((str(number), b"") for number in range(11)))
    assert len(MemoryDirectory.from_zip(many, limit_files=11).files()) == 11
    with pytest.raises(InvalidOptionError, match="the zip holds more than 10 entries"):
        MemoryDirectory.from_zip(many, limit_files=10)
    with pytest.raises(
        InvalidOptionError, match="the zip holds more than 10 files and directories"
    ):
        MemoryDirectory.from_zip(zipped(("a/" * 11, b"")), limit_files=10)


def test_a_bomb_takes_no_memory() -> None:
    bombs = zipped(("a", bytes(50_000_000))), zipped((entry("a", stat.S_IFLNK), bytes(50_000_000)))
    for bomb in bombs:
        with taking_less_than(5_000_000), pytest.raises(InvalidOptionError):
            MemoryDirectory.from_zip(bomb, limit_bytes=1_000_000)


@given(st.data())
def test_no_zip_raises_another_error(data: st.DataObject) -> None:
    changed = bytearray(MemoryDirectory(CONTENT).to_zip())
    places = st.integers(0, len(changed) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        changed[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.just(len(changed)) | places)
    try:
        MemoryDirectory.from_zip(bytes(changed[:cut]))
    except InvalidOptionError:
        return


def test_what_cannot_be_packed_or_read_back() -> None:
    directory = MemoryDirectory({"a": bytes(100)})
    handle = directory.open(Room())
    handle.link("a", handle, "b")
    assert len(MemoryDirectory.from_zip(directory.to_zip(limit_bytes=200)).files()) == 2
    with pytest.raises(GrantError, match="'in memory' has more than 199 bytes, the limit of a zip"):
        directory.to_zip(limit_bytes=199)
    handle.make_directory("..\\evil")
    with pytest.raises(GrantError, match="has a file that no zip can hold"):
        directory.to_zip()
    # Deeper than Python can recurse, and as many bytes of paths as many files in it would have.
    room = Room(files=20_000)
    directory = MemoryDirectory()
    handle = directory.open(room)
    for _ in range(2000):
        handle.make_directory("d")
        handle = handle.open_directory("d")
    assert [*directory.files()] == ["d/" * 2000]
    assert pickle.loads(pickle.dumps(directory)).files() == directory.files()
    for _ in range(10_000):
        handle.make_directory("d")
        handle = handle.open_directory("d")
    for attempt in (directory.files, directory.to_zip, partial(pickle.dumps, directory)):
        with pytest.raises(GrantError, match="is nested so deeply that its paths have more than"):
            attempt()
