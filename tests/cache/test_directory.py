"""The directory of translated code: which entries it accepts, and which owners it trusts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from purewasm_plugins import PluginError
from purewasm_plugins.cache.directory import DirectoryCache

KEY, OTHER = "1" * 64, "2" * 64


def test_the_directory_is_its_owners(tmp_path: Path) -> None:
    made = Path(DirectoryCache(tmp_path / "new" / "cache").directory)
    assert made.stat().st_mode & 0o777 == 0o700
    made.chmod(0o770)
    with pytest.raises(PluginError, match="writable by others"):
        DirectoryCache(made)


def odd_entries() -> dict[str, Callable[[Path], object]]:
    """Return the replacement of an entry, which is renamed to `kept` before."""
    return {
        "pipe": lambda entry: os.mkfifo(entry),
        "directory": lambda entry: entry.mkdir(),
        "symbolic link": lambda entry: entry.symlink_to(entry.with_name("kept")),
        "link to nothing": lambda entry: entry.symlink_to(entry.with_name("nothing")),
        "device": lambda entry: entry.symlink_to("/dev/zero"),
        "writable by the group": lambda entry: copied(entry).chmod(0o620),
        "writable by others": lambda entry: copied(entry).chmod(0o602),
        "not readable": lambda entry: copied(entry).chmod(0),
        "another owner's": lambda entry: os.chown(copied(entry), 12345, 12345),
        "huge": lambda entry: os.truncate(copied(entry), 1 << 40),
    }


def copied(entry: Path) -> Path:
    entry.write_bytes(entry.with_name("kept").read_bytes())
    return entry


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such files here")
@pytest.mark.parametrize("kind", odd_entries())
def test_an_odd_entry_is_none(tmp_path: Path, kind: str) -> None:
    if kind == "another owner's" and os.getuid() != 0:
        pytest.skip("only root can give a file away")
    if kind == "not readable" and os.getuid() == 0:
        pytest.skip("root can read it")
    tmp_path.chmod(0o700)
    cache = DirectoryCache(tmp_path)
    cache.put(KEY, b"content")
    assert cache.get(KEY) == b"content"
    (entry,) = tmp_path.iterdir()
    entry.rename(entry.with_name("kept"))
    odd_entries()[kind](entry)
    assert cache.get(KEY) is None
    if kind != "directory":
        cache.put(KEY, b"new")
        assert cache.get(KEY) == b"new"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="there are no owners here")
def test_the_parents_are_looked_at_each_time(tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    parent.mkdir(mode=0o700)
    cache = DirectoryCache(parent / "cache")
    for directory, mode in ((parent, 0o770), (parent, 0o707), (parent / "cache", 0o770)):
        cache.put(KEY, b"content")
        assert cache.get(KEY) == b"content"
        directory.chmod(mode)
        assert cache.get(KEY) is None
        cache.put(OTHER, b"content")
        with pytest.raises(PluginError, match="writable by others"):
            DirectoryCache(parent / "cache")
        directory.chmod(0o700)
        assert cache.get(OTHER) is None
    # As /tmp is.
    parent.chmod(0o1777)
    assert cache.get(KEY) == b"content"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="there are no owners here")
def test_the_directory_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: 12345678)
    with pytest.raises(PluginError, match="another user"):
        DirectoryCache(tmp_path)


def test_not_a_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(PluginError):
        DirectoryCache(file)
