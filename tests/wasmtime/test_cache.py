"""`Config.cache` keeps what is translated for later processes."""

from __future__ import annotations

from pathlib import Path

import pytest

import purewasm_plugins.wasmtime as wasmtime

TEXT = '(module (func (export "f") (result i32) (i32.const 42)))'


def run(cache: bool) -> None:
    """Call a function of a module, with an engine whose cache is on or off."""
    config = wasmtime.Config()
    if cache:
        config.cache = True
    store = wasmtime.Store(wasmtime.Engine(config))
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, TEXT), [])
    function = instance.exports(store)["f"]
    assert isinstance(function, wasmtime.Func)
    assert function(store) == 42


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory, and no cache that the environment names."""
    monkeypatch.delenv("PUREWASM_CACHE")
    for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("cache", [True, False])
def test_the_users_own(home: Path, cache: bool) -> None:
    run(cache)
    assert bool([*home.rglob("purewasm/*")]) == cache


@pytest.mark.parametrize("cache", [True, False])
def test_the_environment_decides(home: Path, cache: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUREWASM_CACHE", "")
    run(cache)
    assert not [*home.iterdir()]
    monkeypatch.setenv("PUREWASM_CACHE", str(home / "other"))
    run(cache)
    assert [path.name for path in home.iterdir()] == ["other"]


def test_one_that_cannot_be_used(home: Path) -> None:
    for folder in ("purewasm", "Library"):
        (home / folder).touch()
    run(True)
