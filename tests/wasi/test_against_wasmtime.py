"""Random sequences of operations on files: in memory, on the host, in a copy, and on wasmtime.

`PUREWASM_WASI=4000 python -m pytest tests/wasi/test_against_wasmtime.py -s` makes so many
sequences, of fifty operations each. What differs on purpose is not drawn, or made equal by `Side`,
and a comment says why.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from purewasm_plugins.wasi.files import FileType
from purewasm_plugins.wasi.layout import OpenFlags, Rights
from tests.conftest import label

from .sides import (
    OPENED,
    READ_ONLY,
    ROOT,
    STREAMS,
    CopiedSide,
    Entry,
    HostSide,
    MemorySide,
    Side,
    WasmtimeSide,
)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="error numbers in memory are those of Linux"
)

DEFAULT = 80
SEQUENCES = int(os.environ.get("PUREWASM_WASI", DEFAULT))
STEPS = 50

#: A file system in memory, if there is one: to have files stored on a disk takes long.
_SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

READ, WRITE, BOTH = Rights.FD_READ, Rights.WRITING, Rights.FD_READ | Rights.WRITING

slots = st.sampled_from([5, 6] * 8 + [*OPENED] * 2 + [*STREAMS, ROOT, READ_ONLY, 10])
directories = st.sampled_from([ROOT] * 10 + [READ_ONLY] * 2 + [*OPENED, 7, 0, 10])
names = st.one_of(
    st.sampled_from(["f", "h", "a", "b", "e", "n", "m", "x", "é", "", ".", "..", "..", "{255}"]),
    st.sampled_from(["la", "ls", "lf", "lfs", "lo", "lx", "ll", "ld", "up", "out", "abs", "{256}"]),
)
plain = st.sampled_from(["f", "h", "a", "e", "n", "m", "la", "lf", "lx", "x", "a/f", "a/b", "a/n"])


@st.composite
def _paths(draw: st.DrawFn) -> bytes:
    path = "/".join(draw(st.lists(names, min_size=1, max_size=4)))
    prefix = draw(st.sampled_from([""] * 15 + ["/"]))
    return (prefix + path + draw(st.sampled_from(["", "", "", "/", "//", "/."]))).encode()


paths = st.one_of(
    plain.map(str.encode),
    plain.map(str.encode),
    _paths(),
    _paths(),
    st.sampled_from([b"", b"\xff", b"f\0", b"a/{5000}", b"\xc3\xa9/\xff"]),
)
data = st.sampled_from([b"", b"x", b"some text", bytes(range(256))])
sizes = st.sampled_from([0, 1, 3, 5, 8, 100, 65536])
# None is beyond the quota on a file and below what the host's file system takes.
offsets = st.sampled_from([0, 1, 4, 5, 6, 300, 1 << 63, (1 << 64) - 1])
vectors = st.sampled_from([[0], [5], [0, 8], [100, 0], [2, 0, 3, 4], [1, 300], []])
lookups = st.sampled_from([0, 1, 1])
times = st.sampled_from([0, 1, 999_999_999, 1_700_000_000_123_456_789])
# Without any, no time is set, and Linux does not look for the file.
time_flags = st.integers(1, 15)
rights = st.sampled_from([READ, WRITE, BOTH, BOTH])


def _errno(result: Any) -> str:
    return str(result[0] if isinstance(result, tuple) else result)


def _without_links(tree: dict[str, Entry]) -> dict[str, Entry]:
    """A tree without the counts of links."""
    return {path: (type, 0, size, data) for path, (type, _, size, data) in tree.items()}


def _is_refused(arguments: tuple[Any, ...]) -> bool:
    """Whether there is a path that no file system takes: with U+0000, or of thousands of bytes.

    Ours refuse it first; wasmtime does so when it comes to it, and may meet another error before.
    """
    given = (argument for argument in arguments if isinstance(argument, bytes))
    return any(b"\0" in path or b"{5000}" in path for path in given)


#: What is known of an open slot, where it matters: that it is a directory, or a file whose rights
#: wasmtime does not heed.
_DIRECTORY, _LAX = 1, 2


class Files(RuleBasedStateMachine):
    """The same operations on each side."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.scratch = Path(tempfile.mkdtemp(dir=_SCRATCH))
        self.sides: list[Side] = [
            WasmtimeSide(self.scratch / "wasmtime"),
            HostSide(self.scratch / "host"),
            MemorySide(),
            CopiedSide(self.scratch / "copied"),
        ]
        self.kinds = {ROOT: _DIRECTORY, READ_ONLY: _DIRECTORY}
        self.path_open(ROOT, 5, 1, b"f", 0, BOTH, 0)
        self.path_open(ROOT, 6, 1, b"a/f", 0, BOTH, 0)
        self.path_open(ROOT, 7, 1, b"a", OpenFlags.DIRECTORY, READ, 0)
        self.path_open(READ_ONLY, 8, 1, b"f", 0, READ, 0)

    def teardown(self) -> None:
        try:
            trees = [side.tree() for side in self.sides]
            for side, tree in zip(self.sides[1:3], trees[1:3], strict=True):
                assert tree == trees[0], side.name
            # A copy has a file for each name.
            assert _without_links(trees[3]) == _without_links(trees[0])
        finally:
            for side in self.sides:
                side.close()
            shutil.rmtree(self.scratch)

    def same(self, name: str, *arguments: Any) -> Any:
        """Make an operation on each side, and compare."""
        Files.steps += 1
        results = {side.name: getattr(side, name)(*arguments) for side in self.sides}
        ours, wasmtime = results["memory"], results["wasmtime"]
        assert results["host"] == results["copied"] == ours, results
        is_refused = name.startswith("path_") and _is_refused(arguments)
        if not is_refused or "SUCCESS" in (_errno(ours), _errno(wasmtime)):
            assert ours == wasmtime, results
        return ours

    @rule()
    def store(self) -> None:
        for side in self.sides:
            side.store()

    @rule(
        slot=directories,
        into=st.sampled_from(OPENED),
        lookup=lookups,
        path=paths,
        opening=st.sampled_from([0, 0, 1, 1, 1, 2, 4, 5, 8, 9, 3, 10, 13]),
        rights=rights,
        flags=st.sampled_from([0, 0, 0, 1, 4, 2, 16]),
    )
    def path_open(
        self, slot: int, into: int, lookup: int, path: bytes, opening: int, rights: int, flags: int
    ) -> None:
        errno, type = self.same("path_open", slot, into, lookup, path, opening, rights, flags)
        if errno == "SUCCESS":
            # wasmtime opens for writing what it creates or truncates.
            changed = opening & (OpenFlags.CREAT | OpenFlags.TRUNC) and not rights & WRITE
            self.kinds[into] = _DIRECTORY if type == FileType.DIRECTORY else changed and _LAX

    @rule(slot=slots, sizes=vectors)
    def fd_read(self, slot: int, sizes: list[int]) -> None:
        self.same("fd_read", slot, sizes)

    @rule(slot=slots, sizes=vectors, offset=offsets)
    def fd_pread(self, slot: int, sizes: list[int], offset: int) -> None:
        self.same("fd_pread", slot, sizes, offset)

    @rule(slot=slots, data=data)
    def fd_write(self, slot: int, data: bytes) -> None:
        if self.kinds.get(slot) != _LAX:
            self.same("fd_write", slot, data)

    @rule(slot=slots, data=data, offset=offsets)
    def fd_pwrite(self, slot: int, data: bytes, offset: int) -> None:
        if self.kinds.get(slot) != _LAX:
            self.same("fd_pwrite", slot, data, offset)

    @rule(slot=slots, offset=offsets, whence=st.integers(0, 2))
    def fd_seek(self, slot: int, offset: int, whence: int) -> None:
        self.same("fd_seek", slot, offset, whence)

    @rule(slot=slots)
    def fd_tell(self, slot: int) -> None:
        self.same("fd_tell", slot)

    @rule(slot=slots, offset=offsets, size=offsets, advice=st.integers(0, 5))
    def fd_advise(self, slot: int, offset: int, size: int, advice: int) -> None:
        self.same("fd_advise", slot, offset, size, advice)

    @rule(slot=slots, name=st.sampled_from(["fd_sync", "fd_datasync"]))
    def fd_sync(self, slot: int, name: str) -> None:
        # wasmtime has only files stored, and refuses directories.
        if self.kinds.get(slot) != _DIRECTORY:
            self.same(name, slot)

    @rule(slot=slots)
    def fd_filestat_get(self, slot: int) -> None:
        self.same("fd_filestat_get", slot)

    @rule(slot=slots, size=offsets)
    def fd_filestat_set_size(self, slot: int, size: int) -> None:
        if self.kinds.get(slot) != _LAX:
            self.same("fd_filestat_set_size", slot, size)

    @rule(slot=slots, accessed=times, modified=times, flags=time_flags)
    def fd_filestat_set_times(self, slot: int, accessed: int, modified: int, flags: int) -> None:
        self.same("fd_filestat_set_times", slot, accessed, modified, flags)

    @rule(slot=slots)
    def fd_fdstat_get(self, slot: int) -> None:
        if self.kinds.get(slot) != _LAX:
            self.same("fd_fdstat_get", slot)

    @rule(slot=slots, flags=st.sampled_from([0, 1, 4, 5, 2, 8, 16]))
    def fd_fdstat_set_flags(self, slot: int, flags: int) -> None:
        self.same("fd_fdstat_set_flags", slot, flags)

    @rule(slot=slots)
    def fd_prestat_get(self, slot: int) -> None:
        self.same("fd_prestat_get", slot)

    @rule(slot=slots, size=st.sampled_from([0, 1, 2, 5]))
    def fd_prestat_dir_name(self, slot: int, size: int) -> None:
        self.same("fd_prestat_dir_name", slot, size)

    @rule(slot=directories, size=sizes, cookie=st.sampled_from([0, 0, 1 << 40, 1 << 63]))
    def fd_readdir(self, slot: int, size: int, cookie: int) -> None:
        self.same("fd_readdir", slot, size, cookie)

    @rule(slot=directories, size=st.sampled_from([24, 30, 64, 100, 4096]))
    def listing(self, slot: int, size: int) -> None:
        self.same("listing", slot, size)

    @rule(slot=slots, to=slots)
    def fd_renumber(self, slot: int, to: int) -> None:
        if self.same("fd_renumber", slot, to) == "SUCCESS":
            self.kinds[to] = self.kinds.pop(slot, 0)

    @rule(slot=slots)
    def fd_close(self, slot: int) -> None:
        if self.same("fd_close", slot) == "SUCCESS":
            self.kinds.pop(slot, 0)

    @rule(slot=directories, path=paths)
    def path_create_directory(self, slot: int, path: bytes) -> None:
        self.same("path_create_directory", slot, path)

    @rule(slot=directories, lookup=lookups, path=paths)
    def path_filestat_get(self, slot: int, lookup: int, path: bytes) -> None:
        self.same("path_filestat_get", slot, lookup, path)

    @rule(
        slot=directories,
        lookup=lookups,
        path=paths,
        accessed=times,
        modified=times,
        flags=time_flags,
    )
    def path_filestat_set_times(
        self, slot: int, lookup: int, path: bytes, accessed: int, modified: int, flags: int
    ) -> None:
        self.same("path_filestat_set_times", slot, lookup, path, accessed, modified, flags)

    @rule(
        slot=directories,
        lookup=st.sampled_from([0, 0, 0, 1]),
        path=paths,
        to=directories,
        new_path=paths,
    )
    def path_link(self, slot: int, lookup: int, path: bytes, to: int, new_path: bytes) -> None:
        self.same("path_link", slot, lookup, path, to, new_path)

    @rule(slot=directories, path=paths, size=sizes)
    def path_readlink(self, slot: int, path: bytes, size: int) -> None:
        self.same("path_readlink", slot, path, size)

    @rule(slot=directories, path=paths)
    def path_remove_directory(self, slot: int, path: bytes) -> None:
        # wasmtime takes "directory/" for "directory/.", which cannot be removed.
        self.same("path_remove_directory", slot, path.rstrip(b"/") or path)

    @rule(slot=directories, path=paths, to=directories, new_path=paths)
    def path_rename(self, slot: int, path: bytes, to: int, new_path: bytes) -> None:
        self.same("path_rename", slot, path, to, new_path)

    @rule(content=paths, slot=directories, path=paths)
    def path_symlink(self, content: bytes, slot: int, path: bytes) -> None:
        self.same("path_symlink", content, slot, path)

    @rule(slot=directories, path=paths)
    def path_unlink_file(self, slot: int, path: bytes) -> None:
        self.same("path_unlink_file", slot, path)


#: Single operations, with the error number of each: ends of paths above all.
ENDS: list[tuple[str, tuple[Any, ...], str]] = [
    ("path_create_directory", (ROOT, b"n/"), "SUCCESS"),
    ("path_create_directory", (ROOT, b"n/."), "NOENT"),
    ("path_create_directory", (ROOT, b"f/."), "NOTDIR"),
    ("path_create_directory", (ROOT, b"a/.."), "EXIST"),
    ("path_create_directory", (ROOT, b"lx/"), "EXIST"),
    ("path_create_directory", (READ_ONLY, b"\xff"), "ILSEQ"),
    ("path_filestat_get", (ROOT, 1, b"la/out"), "PERM"),
    ("path_filestat_get", (ROOT, 0, b"abs"), "SUCCESS"),
    ("path_filestat_get", (ROOT, 0, b"abs/"), "PERM"),
    ("path_filestat_get", (ROOT, 1, b"lo"), "LOOP"),
    ("path_link", (ROOT, 0, b"f", ROOT, b"n/"), "NOENT"),
    ("path_link", (ROOT, 0, b"f", ROOT, b"lx/"), "NOENT"),
    ("path_link", (ROOT, 0, b"lfs//", ROOT, b"x/y/z"), "NOTDIR"),
    ("path_link", (ROOT, 0, b"a", ROOT, b"n"), "PERM"),
    ("path_link", (ROOT, 0, b"a/.", ROOT, b"n"), "PERM"),
    ("path_link", (ROOT, 0, b"a/.", ROOT, b"f"), "EXIST"),
    ("path_link", (ROOT, 0, b"n", ROOT, b"a/."), "NOENT"),
    ("path_link", (ROOT, 0, b"f", ROOT, b"a/."), "EXIST"),
    ("path_link", (ROOT, 0, b"n", ROOT, b"f/"), "NOTDIR"),
    ("path_link", (READ_ONLY, 0, b"f", ROOT, b"n"), "PERM"),
    ("path_link", (ROOT, 1, b"lf", ROOT, b"n"), "INVAL"),
    ("path_open", (ROOT, 5, 0, b"la", OpenFlags.DIRECTORY, READ, 0), "LOOP"),
    ("path_open", (ROOT, 5, 0, b"la/", OpenFlags.DIRECTORY, READ, 0), "SUCCESS"),
    ("path_open", (ROOT, 5, 0, b"f", OpenFlags.DIRECTORY, BOTH, 0), "NOTDIR"),
    ("path_open", (ROOT, 5, 0, b"x", OpenFlags.DIRECTORY, BOTH, 0), "NOENT"),
    ("path_open", (ROOT, 5, 0, b"a", OpenFlags.DIRECTORY, BOTH, 0), "ISDIR"),
    ("path_open", (ROOT, 5, 1, b"lf", OpenFlags.EXCL, READ, 0), "SUCCESS"),
    ("path_open", (ROOT, 5, 1, b"abs/", OpenFlags.CREAT, BOTH, 0), "ISDIR"),
    ("path_open", (ROOT, 5, 1, b"lfs", OpenFlags.CREAT, BOTH, 0), "ISDIR"),
    ("path_open", (ROOT, 5, 1, b"a/.", OpenFlags.CREAT | OpenFlags.EXCL, READ, 0), "EXIST"),
    ("path_open", (ROOT, 5, 1, b"lx", OpenFlags.CREAT, BOTH, 0), "SUCCESS"),
    ("path_open", (READ_ONLY, 5, 1, b"f", OpenFlags.TRUNC, READ, 0), "PERM"),
    ("path_open", (READ_ONLY, 5, 1, b"f", 0, WRITE, 0), "PERM"),
    ("path_open", (0, 5, 1, b"f", 0, READ, 0), "BADF"),
    ("path_readlink", (ROOT, b"f/", 9), "NOTDIR"),
    ("path_readlink", (ROOT, b"a/", 9), "INVAL"),
    ("path_readlink", (0, b"la", 9), "BADF"),
    ("path_readlink", (ROOT, b"abs", 9), "PERM"),
    ("path_remove_directory", (ROOT, b"e/."), "INVAL"),
    ("path_remove_directory", (ROOT, b"la"), "NOTDIR"),
    ("path_remove_directory", (ROOT, b"a"), "NOTEMPTY"),
    ("path_rename", (ROOT, b"f", ROOT, b"n/"), "NOTDIR"),
    ("path_rename", (ROOT, b"f/", ROOT, b"n"), "NOTDIR"),
    ("path_rename", (ROOT, b"lx", ROOT, b"{256}/"), "NAMETOOLONG"),
    ("path_rename", (ROOT, b"a", ROOT, b"la/"), "NOTDIR"),
    ("path_rename", (ROOT, b"la/", ROOT, b"n"), "NOTDIR"),
    ("path_rename", (ROOT, b"f", ROOT, b"a/."), "BUSY"),
    ("path_rename", (ROOT, b"f", READ_ONLY, b"n"), "PERM"),
    ("path_rename", (ROOT, b"a/f", ROOT, b"a"), "NOTEMPTY"),
    ("path_rename", (ROOT, b"e", ROOT, b"a"), "NOTEMPTY"),
    ("path_rename", (ROOT, b"a", ROOT, b"a/b/n"), "INVAL"),
    ("path_rename", (ROOT, b"f", ROOT, b"e"), "ISDIR"),
    ("path_rename", (ROOT, b"e", ROOT, b"f"), "NOTDIR"),
    ("path_rename", (ROOT, b"f", ROOT, b"h"), "SUCCESS"),
    ("path_symlink", (b"e", ROOT, b"n/"), "NOENT"),
    ("path_symlink", (b"/e", ROOT, b"e"), "PERM"),
    ("path_symlink", (b"", ROOT, b"f/"), "NOTDIR"),
    ("path_symlink", (b"/e", ROOT, b"\xff"), "ILSEQ"),
    ("path_symlink", (b"e\0", 0, b"n"), "BADF"),
    ("path_unlink_file", (ROOT, b"la/"), "ISDIR"),
    ("path_unlink_file", (ROOT, b"lf/"), "NOTDIR"),
    ("path_unlink_file", (READ_ONLY, b"f"), "PERM"),
    ("fd_readdir", (1, 100, 0), "BADF"),
    ("fd_filestat_set_size", (8, 1 << 63), "PERM"),
    ("fd_filestat_set_times", (8, 1, 2, 5), "PERM"),
    ("fd_pwrite", (8, b"x", 0), "BADF"),
    ("fd_advise", (ROOT, 0, 1, 0), "BADF"),
]


@pytest.mark.parametrize(("name", "arguments", "errno"), ENDS, ids=label)
def test_one_operation(name: str, arguments: tuple[Any, ...], errno: str, machine: Files) -> None:
    assert _errno(machine.same(name, *arguments)) == errno


def test_offsets_are_looked_at_before_rights(machine: Files) -> None:
    for slot, name, rights in [(5, b"f", READ), (6, b"a/f", WRITE)]:
        assert _errno(machine.same("path_open", ROOT, slot, 1, name, 0, rights, 0)) == "SUCCESS"
    for offset, errno in [(0, "BADF"), (1 << 63, "INVAL")]:
        assert _errno(machine.same("fd_pwrite", 5, b"x", offset)) == errno
        assert _errno(machine.same("fd_pread", 6, [1], offset)) == errno


#: Paths that end in every way, and of every kind.
_KINDS = (
    "f n a e la lf lx lo lfs ls abs ld . .. a/. n/. f/. la/. lx/. lo/. a/ n/ f/ e/ la/ lf/ lx/ lo/"
    " ls/ lfs/ abs/ ld/ ./ / /f ../f x/y f/y lf/y lo/y x/.. f/.. a/.. a/up/.. a/out a/out/ a/up/n"
    " a//b a/b/../../n n/n {256} {256}/ {256}/."
)
KINDS = [b"", *_KINDS.encode().split()]


def _operations_on_kinds() -> Iterator[tuple[Any, ...]]:
    for path in KINDS:
        yield "path_readlink", ROOT, path, 9
        for name in ("path_create_directory", "path_unlink_file", "path_remove_directory"):
            # See the rule on this function.
            yield name, ROOT, path.rstrip(b"/") or path if name.endswith("y") else path
        for lookup in (0, 1):
            yield "path_filestat_get", ROOT, lookup, path
            yield "path_filestat_set_times", ROOT, lookup, path, 1, 2, 5
            for opening, rights in itertools.product(range(16), (READ, WRITE, BOTH)):
                yield "path_open", ROOT, 5, lookup, path, opening, rights, 0
                yield "path_open", READ_ONLY, 5, lookup, path, opening, rights, 0
        for other in KINDS:
            yield "path_link", ROOT, 0, path, ROOT, other
            yield "path_rename", ROOT, path, ROOT, other
            yield "path_symlink", path, ROOT, other


def test_paths_of_all_kinds() -> None:
    """Each operation on each path, and on each pair of them; a part, where not many are wanted."""
    operations = [*_operations_on_kinds()][:: 23 if SEQUENCES == DEFAULT else 1]
    files = Files()
    for name, *arguments in operations:
        result = files.same(name, *arguments)
        if _errno(result) == "SUCCESS" and name not in ("path_filestat_get", "path_readlink"):
            files.teardown()
            files = Files()
    files.teardown()
    print(f"{len(operations):,} operations on paths of all kinds")


@pytest.fixture
def machine() -> Iterator[Files]:
    files = Files()
    yield files
    files.teardown()


def test_files() -> None:
    given = settings(
        settings.get_profile("ci" if SEQUENCES == DEFAULT else "default"),
        max_examples=SEQUENCES,
        stateful_step_count=STEPS,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Files, settings=given)
    print(f"{Files.steps:,} operations on each side")
