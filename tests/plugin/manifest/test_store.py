"""The key-value stores that a manifest grants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from purewasm_plugins import PluginOptions, WasmPluginManager
from purewasm_plugins.plugin.manifest import ManifestError, read_manifest
from tests.capabilities.conftest import caller_of

pytest.importorskip("sqlite3", reason="Pyodide has it as a package of its own")

Write = Callable[..., Path]

P = "[plugins.p]\npath = 'p.wasm'\n"


def test_all_keys(write: Write, tmp_path: Path) -> None:
    text = P + "kv = {path = 'values.db', namespace = 'n', keys = 1, key_bytes = 2, "
    text += "value_bytes = 3, operations = 4}\n[plugins.q]\npath = 'q.wasm'\nkv = {}\n"
    manifest = read_manifest(write(text))
    stores = [
        manifest.plugin_file(plugin, PluginOptions(), {}).options.kv for plugin in manifest.plugins
    ]
    p, q = stores
    assert p is not None
    assert q is not None
    assert (p.path, p.namespace) == (str(tmp_path / "values.db"), "n")
    assert (p.keys, p.key_bytes, p.value_bytes, p.operations) == (1, 2, 3, 4)
    assert (q.path, q.namespace, q.key_bytes) == (None, "q", 256)
    p.close()


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("kv = 'x.db'", "kv", "it must be a table"),
        ("kv.file = 'x.db'", "kv.file", "unknown key; there are: path, namespace"),
        ("kv.path = ''", "kv.path", "the path of a file"),
        ("kv.namespace = ''", "kv.namespace", "'' is no namespace"),
        ("kv.keys = -1", "kv.keys", "an int from 0"),
        ("kv.value_bytes = true", "kv.value_bytes", "an int from 0"),
    ],
)
def test_faults(write: Write, text: str, key: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words) as raised:
        read_manifest(write(P + text))
    assert (raised.value.key, raised.value.line) == (f"plugins.p.{key}", 3)


def test_a_file_that_cannot_be_used(write: Write) -> None:
    manifest = read_manifest(write(P + "kv.path = '.'"))
    with pytest.raises(ManifestError, match=r"plugins.p.kv.path: .* cannot be used"):
        manifest.plugin_file(manifest.plugins[0], PluginOptions(), {})


def test_a_store(write: Write, tmp_path: Path) -> None:
    """In a file, the keys are those of the plugin's name in the manifest; in memory, they end."""
    path = write("plugins.caller = {path = 'caller.wasm', kv = {path = 'values.db'}}")
    for function, input, output in (
        ("kv_set", "a|1", "(none)"),
        ("kv_list", "", "=a"),
        ("kv_get", "a", "=1"),
    ):
        (tmp_path / "caller.wasm").write_bytes(caller_of(function))
        manager = WasmPluginManager.from_manifest(path)
        assert manager.execute_tool("caller", "Calls", input) == output
        store = manager.files["caller"].options.kv
        assert store is not None
        store.close()
    path = write("plugins.caller = {path = 'caller.wasm', kv = true}")
    manager = WasmPluginManager.from_manifest(path)
    assert manager.execute_tool("caller", "Calls", "a") == "(none)"
    path = write("plugins.caller = {path = 'caller.wasm', kv = false}")
    manager = WasmPluginManager.from_manifest(path)
    assert manager.execute_tool("caller", "Calls", "a") == "!a key-value store was not granted"
