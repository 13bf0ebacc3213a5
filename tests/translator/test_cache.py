"""The cache of translated code, and the directory that keeps it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from purewasm_plugins import PluginError, instantiate
from purewasm_plugins.cache import DirectoryCache
from purewasm_plugins.engine.translator import Translator, caching

Wat = Callable[[str], bytes]

MODULE = """(module (func (export "a") (result i32) (i32.const 1))
                    (func (export "b") (result i32) (i32.const 2)))"""


def call(data: bytes, cache: DirectoryCache, name: str) -> int:
    result: int = instantiate(data, engine=Translator(cache=cache)).exports[name]()  # type: ignore[operator]
    return result


def test_functions_are_translated_once(
    tmp_path: Path, wat: Wat, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = DirectoryCache(tmp_path / "cache")
    assert call(wat(MODULE), cache, "a") == 1
    assert call(wat(MODULE), cache, "b") == 2
    monkeypatch.setattr(caching, "compiled", None)
    assert call(wat(MODULE), cache, "a") == 1
    assert call(wat(MODULE), cache, "b") == 2


@pytest.mark.parametrize("damage", [b"", b"x", None])
def test_a_damaged_entry_is_none(tmp_path: Path, wat: Wat, damage: bytes | None) -> None:
    cache = DirectoryCache(tmp_path)
    tmp_path.chmod(0o700)
    assert call(wat(MODULE), cache, "a") == 1
    (entry,) = tmp_path.iterdir()
    content = entry.read_bytes()
    entry.write_bytes(content[:-1] + b"?" if damage is None else damage)
    assert call(wat(MODULE), cache, "a") == 1
    assert entry.read_bytes() == content


def test_the_directory_is_its_owners(tmp_path: Path) -> None:
    made = DirectoryCache(tmp_path / "new" / "cache").directory
    assert made.stat().st_mode & 0o777 == 0o700
    made.chmod(0o770)
    with pytest.raises(PluginError, match="writable by others"):
        DirectoryCache(made)


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
