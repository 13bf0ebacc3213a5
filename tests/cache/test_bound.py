"""The bound of a cache: which entries are removed, and what stays beside other processes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins.cache import directory as module
from purewasm_plugins.cache.directory import DirectoryCache, Usage
from tests.conftest import ROOT

BLOCK = 4096


def key(number: int) -> str:
    return f"{number:064x}"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def put(cache: DirectoryCache, number: int, *, age: float = 0.0, size: int = 100) -> None:
    """Put an entry that was last used so many seconds ago."""
    cache.put(key(number), bytes(size))
    path = Path(cache.directory, f"{key(number)}.code")
    if path.exists():
        os.utime(path, (time.time() - age,) * 2)


def numbers(cache: DirectoryCache) -> list[int]:
    return sorted(int(path.name.partition(".")[0], 16) for path in Path(cache.directory).iterdir())


def test_the_least_recently_used_entries_are_removed(directory: Path) -> None:
    cache = DirectoryCache(directory, 4 * BLOCK)
    for number in range(4):
        put(cache, number, age=1000 - number)
    assert cache.usage() == Usage(4, 4 * BLOCK)
    # A use counts, too.
    assert cache.get(key(0)) is not None
    put(cache, 4)
    # Three quarters of the bound are left.
    assert numbers(cache) == [0, 3, 4]


def test_an_entry_over_the_bound_is_not_kept(directory: Path) -> None:
    cache = DirectoryCache(directory, 4 * BLOCK)
    put(cache, 1)
    put(cache, 2, size=4 * BLOCK + 1)
    assert numbers(cache) == [1]
    assert DirectoryCache(directory, 0).usage().entries == 1
    put(DirectoryCache(directory, 0), 3)
    assert numbers(cache) == [1]


def test_files_that_were_never_finished(directory: Path) -> None:
    cache = DirectoryCache(directory)
    for name, age in (("new", 10), ("old", 10_000)):
        path = directory / f"{key(7)}.{name}.new"
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    put(cache, 1)
    assert {path.name for path in directory.iterdir()} == {f"{key(1)}.code", f"{key(7)}.new.new"}
    assert cache.usage().entries == 1


def test_other_files_stay(directory: Path) -> None:
    others = {"notes.code", "key.new", "README", f"{key(1)}.txt"}
    for name in others:
        (directory / name).write_text("mine")
    cache = DirectoryCache(directory, BLOCK)
    for number in range(3):
        put(cache, number)
    cache.clear()
    assert {path.name for path in directory.iterdir()} == others


def test_clear(directory: Path) -> None:
    cache = DirectoryCache(directory)
    for number in range(3):
        put(cache, number)
    assert cache.clear() == Usage(3, 3 * BLOCK)
    assert cache.usage() == cache.clear() == Usage(0, 0)
    put(cache, 1)
    assert cache.get(key(1)) == bytes(100)


@pytest.mark.parametrize("failing", ["write", "replace", "open", "scandir", "utime"])
def test_a_full_disk_is_no_error(
    directory: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = DirectoryCache(directory)
    put(cache, 1, age=1000)

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    real_open = os.open

    def opened(path: Any, flags: int, *mode: int) -> int:
        return full() if flags & os.O_CREAT else real_open(path, flags, *mode)

    if failing == "write":
        monkeypatch.setattr(module, "digest", full)
    else:
        monkeypatch.setattr(os, failing, opened if failing == "open" else full)
    cache.put(key(2), b"content")
    if failing != "write":
        assert cache.get(key(1)) == bytes(100)
    monkeypatch.undo()
    kept = {"utime": [1, 2], "scandir": [1, 2]}.get(failing, [1])
    assert numbers(cache) == kept


#: Puts entries into a small cache, and reads them: each is whole, or is not there.
WORKER = """
import sys
from purewasm_plugins.cache.directory import DirectoryCache
cache = DirectoryCache(sys.argv[1], 20 * 4096)
for turn in range(60):
    for number in range(12):
        key = f"{number:064x}"
        content = bytes([number]) * 5000
        found = cache.get(key)
        assert found is None or found == content, number
        cache.put(key, content)
    if turn % 20 == 19:
        cache.clear()
"""


@pytest.mark.skipif(sys.platform == "emscripten", reason="there are no processes here")
def test_many_processes(directory: Path) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(directory)], cwd=ROOT) for _ in range(4)
    ]
    assert [worker.wait(60) for worker in workers] == [0] * 4
    cache = DirectoryCache(directory, 20 * BLOCK)
    put(cache, 0)
    assert cache.usage().size <= 20 * BLOCK
    assert not [path for path in directory.iterdir() if path.name.endswith(".new")]
