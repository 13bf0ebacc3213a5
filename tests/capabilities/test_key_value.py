"""The key-value store: what plugins keep in it, apart from each other, and within its limits."""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins import (
    DeadlineExceeded,
    InvalidOptionError,
    KeyValueStore,
    PluginOptions,
    ResourceLimits,
    ToolExecutionError,
    WasmPlugin,
    assemble,
)
from tests.capabilities.conftest import caller_of
from tests.conftest import ROOT

Caller = Callable[..., WasmPlugin]


class Keeper:
    """The operations of plugins that share a store; each is a plugin of its own."""

    def __init__(self, caller: Caller, store: KeyValueStore, **options: Any) -> None:
        self._plugins = {
            name: caller(f"kv_{name}", kv=store, **options)
            for name in ("get", "set", "delete", "list")
        }

    def get(self, key: str) -> str:
        return self._plugins["get"].execute_tool(0, key)

    def set(self, key: str, value: str) -> str:
        return self._plugins["set"].execute_tool(0, f"{key}|{value}")

    def delete(self, key: str) -> str:
        return self._plugins["delete"].execute_tool(0, key)

    def list(self, prefix: str = "") -> str:
        return self._plugins["list"].execute_tool(0, prefix)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> KeyValueStore:
    path = None if request.param == "memory" else tmp_path / "values.db"
    return KeyValueStore(path, namespace="n", keys=3, key_bytes=10, value_bytes=100)


def test_values(caller: Caller, store: KeyValueStore) -> None:
    keeper = Keeper(caller, store)
    assert (keeper.get("a"), keeper.list()) == ("(none)", "=")
    assert keeper.set("a", "1 é🎈") == "(none)"
    assert keeper.set("b%_'", "") == "(none)"
    assert (keeper.get("a"), keeper.get("b%_'")) == ("=1 é🎈", "=")
    assert keeper.set("a", "2") == "(none)"
    assert (keeper.get("a"), keeper.list(), keeper.list("b%")) == ("=2", "=a\nb%_'", "=b%_'")
    assert (keeper.list("%"), keeper.list("x" * 1000)) == ("=", "=")
    assert (keeper.delete("a"), keeper.delete("a"), keeper.get("a")) == ("(none)",) * 3


def test_limits(caller: Caller, store: KeyValueStore) -> None:
    keeper = Keeper(caller, store)
    for key in ("", "x" * 11, "é" * 6, "a\nb", "\x7f"):
        assert keeper.set(key, "") == "!a key has 1 to 10 bytes and no control characters"
        assert keeper.get(key)[0] == keeper.delete(key)[0] == "!"
    assert keeper.set("a", "é" * 50) == "(none)"
    assert keeper.get("a") == "=" + "é" * 50
    assert keeper.set("a", "é" * 50 + "x") == "!the value has more than 100 bytes"
    assert keeper.set("x" * 10, "") == keeper.set("c", "") == "(none)"
    assert keeper.set("d", "") == "!there are 3 keys, and no more may be made"
    assert keeper.set("c", "new") == "(none)"
    assert keeper.list() == "=a\nc\n" + "x" * 10
    assert keeper.delete("c") == keeper.set("d", "") == "(none)"


def test_the_largest_value(caller: Caller) -> None:
    keeper = Keeper(caller, KeyValueStore(namespace="n"))
    value = "x" * (64 * 1024)
    assert keeper.set("a", value) == "(none)"
    assert keeper.get("a") == "=" + value
    assert keeper.set("a", value + "x")[0] == "!"
    small = Keeper(caller, KeyValueStore(namespace="n"), limits=ResourceLimits(output_bytes=300))
    assert small.set("a", "x" * 290) == "(none)"
    # The plugin's memory takes no longer string.
    assert small.get("a") == "=" + "x" * 290


def test_nothing_is_kept_without_a_grant(caller: Caller) -> None:
    for name in ("get", "set", "delete", "list"):
        found = caller(f"kv_{name}").execute_tool(0, "a|b")
        assert found == "!a key-value store was not granted"


def test_plugins_are_apart(caller: Caller, tmp_path: Path) -> None:
    """By what the host calls them, or by their bytes: not by what they call themselves."""
    path = tmp_path / "values.db"
    first, second = (Keeper(caller, KeyValueStore(path, namespace=name)) for name in "ab")
    first.set("key", "1")
    second.set("key", "2")
    assert (first.get("key"), second.get("key")) == ("=1", "=2")
    second.delete("key")
    assert (first.list(), second.list()) == ("=key", "=")
    unnamed = Keeper(caller, KeyValueStore(path))
    unnamed.set("key", "3")
    assert (unnamed.get("key"), unnamed.list()) == ("(none)", "=")


def test_another_program_uses_the_file(caller: Caller, tmp_path: Path) -> None:
    path = tmp_path / "values.db"
    keeper = Keeper(caller, KeyValueStore(path, namespace="n"))
    keeper.set("a", "1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    plugin = caller("kv_set", kv=keeper_store(path))
    with pytest.raises(ToolExecutionError) as caught:
        plugin.execute_tool(0, "a|2", timeout=0.1)
    assert isinstance(caught.value.__cause__, DeadlineExceeded)
    other.execute("ROLLBACK")
    assert plugin.execute_tool(0, "a|3") == "(none)"
    assert keeper.get("a") == "=3"
    values = [("b", b"\xff"), ("c", "x\0y"), ("d", "x" * 100_000), ("e\n", "")]
    for key, value in values:
        other.execute("INSERT INTO purewasm_values VALUES ('n', ?, ?)", (key, value))
    other.execute("INSERT INTO purewasm_values VALUES ('n', 'f', CAST(X'FF' AS TEXT))")
    for key in "bcdf":
        assert keeper.get(key)[0] == "!"
    assert keeper.list() == "=a\nb\nc\nd\nf"
    other.execute("DROP TABLE purewasm_values")
    assert keeper.get("a") == "!the store cannot be used: SQLITE_ERROR"
    other.close()


def keeper_store(path: Path) -> KeyValueStore:
    return KeyValueStore(path, namespace="n")


def test_operations_of_one_call(engine: str) -> None:
    """A plugin that asks again and again gets words, and the next call may ask again."""
    text = """(module
      (import "purewasm" "kv_get" (func $get (param i32) (result i32)))
      (memory (export "memory") 1)
      (global $top (mut i32) (i32.const 1024))
      (data (i32.const 16) "a\\00")
      (func $text (result i32) (i32.const 16))
      (func $of (param i32) (result i32) (i32.const 16))
      (export "plugin_name" (func $text)) (export "plugin_version" (func $text))
      (export "plugin_description" (func $text)) (export "plugin_tool_name" (func $of))
      (export "plugin_tool_description" (func $of))
      (func (export "plugin_tools_count") (result i32) (i32.const 1))
      (func (export "plugin_alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "plugin_tool_execute") (param i32 i32) (result i32)
        (local $count i32) (local $found i32)
        (loop $again
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (local.set $found (call $get (i32.const 16)))
          (br_if $again (i32.and (i32.eqz (local.get $found))
                                 (i32.lt_u (local.get $count) (i32.const 100)))))
        (i32.store8 (i32.const 2000) (i32.add (i32.const 32) (local.get $count)))
        (if (local.get $found) (then (i32.store8 (local.get $found) (local.get $count))))
        (select (local.get $found) (i32.const 2000) (local.get $found))))"""
    store = KeyValueStore(operations=40)
    plugin = WasmPlugin.load_from_bytes(assemble(text), engine=engine, kv=store)
    for _ in range(2):
        assert plugin.execute_tool(0, "") == ")one call may use the store 40 times"


def test_a_process_that_is_killed(tmp_path: Path) -> None:
    """What an operation has returned for is in the file, and the file is whole."""
    path = tmp_path / "values.db"
    (tmp_path / "set.wasm").write_bytes(caller_of("kv_set"))
    program = f"""if True:
        from purewasm_plugins import KeyValueStore, WasmPlugin
        store = KeyValueStore({str(path)!r}, namespace="n")
        plugin = WasmPlugin.load({str(tmp_path / "set.wasm")!r}, kv=store)
        for n in range(100_000):
            plugin.execute_tool(0, f"{{n % 50}}|{{n}}")
            print(n, flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(30):
            process.stdout.readline()
        process.kill()
        last = int(["29", *process.stdout.read().split()][-1])
    getter = WasmPlugin.load_from_bytes(caller_of("kv_get"), kv=keeper_store(path))
    found = getter.execute_tool(0, str(last % 50))
    assert int(found.removeprefix("=")) >= last
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_it_can_be_pickled(caller: Caller, tmp_path: Path) -> None:
    store = KeyValueStore(tmp_path / "values.db", namespace="n", keys=7)
    Keeper(caller, store).set("a", "1")
    again = pickle.loads(pickle.dumps(store))
    assert (again.namespace, again.keys, str(again)) == ("n", 7, str(store))
    assert Keeper(caller, again).get("a") == "=1"
    memory = pickle.loads(pickle.dumps(KeyValueStore(namespace="n")))
    assert repr(memory) == "<KeyValueStore in memory>"
    assert Keeper(caller, memory).list() == "="


def test_a_relative_path_is_one_file(
    caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = KeyValueStore("values.db", namespace="n")
    Keeper(caller, store).set("key", "value")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir("other")
    # As in a process that was forked off.
    monkeypatch.setattr(store, "_process", 0)
    for one in (store, pickle.loads(pickle.dumps(store))):
        assert Keeper(caller, one).get("key") == "=value"


def test_a_store_that_is_closed(caller: Caller, store: KeyValueStore) -> None:
    keeper = Keeper(caller, store)
    store.close()
    assert keeper.get("a").startswith("!the store cannot be used")


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": 1},
        {"path": "a\0b"},
        {"path": "/nowhere/at/all/values.db"},
        {"namespace": ""},
        {"namespace": "a\0"},
        {"keys": -1},
        {"value_bytes": 1.5},
        {"operations": True},
    ],
)
def test_what_is_refused(arguments: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError):
        KeyValueStore(**arguments)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, and no database. " * 100)
    with pytest.raises(InvalidOptionError, match="cannot be used: file is not a database"):
        KeyValueStore(path)
    with pytest.raises(InvalidOptionError, match="a KeyValueStore or None"):
        PluginOptions(kv=path)  # type: ignore[arg-type]
