"""What a manifest may say, and each fault with its file, key and line."""

from __future__ import annotations

import contextlib
import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins import Http, PluginFileError, PluginOptions, ResourceLimits
from purewasm_plugins.plugin.manifest import ManifestError, read_manifest
from purewasm_plugins.plugin.manifest.tables import key_lines, read_table

Write = Callable[..., Path]

HASH = "0" * 64

WHOLE = f"""
[plugins.echo]
path = "echo.wasm"
sha256 = "{HASH}"
prefix = "{{plugin}}_"
config = {{ PLACE = "here" }}
secrets = {{ TOKEN = "MY_TOKEN" }}
http = {{ hosts = ["*.example.org"], timeout = 2 }}

[plugins.echo.limits]
timeout = 1.5
fuel = "none"

[plugins.echo.wasi]
clock = "fixed"
random = "host"
env = {{ MODE = "fast" }}
quotas = {{ files = 10, file_bytes = "none" }}

[plugins.echo.wasi.directories]
"/data" = {{ path = ".", read_only = false }}
"/texts" = {{ path = "." }}

[plugins.echo.tools.echo]
hidden = false
approval = true
title = "Echo"
read_only = true
destructive = false
idempotent = true
open_world = false
"""


@pytest.mark.parametrize("name", ["plugins.toml", "plugins.json"])
def test_a_whole_manifest(write: Write, tmp_path: Path, name: str) -> None:
    text = WHOLE if name.endswith("toml") else json.dumps(tomllib.loads(WHOLE))
    manifest = read_manifest(write(text, name))
    (plugin,) = manifest.plugins
    assert (plugin.name, plugin.kind, plugin.source) == ("echo", "path", "echo.wasm")
    assert (plugin.sha256, plugin.policy.prefix) == (HASH, "echo_")
    options = PluginOptions(engine="pywasm", limits=ResourceLimits(memory_pages=7))
    file = manifest.plugin_file(plugin, options, {"MY_TOKEN": "secret value"})
    assert (file.path, file.sha256) == (str(tmp_path / "echo.wasm"), HASH)
    assert file.options.engine == "pywasm"
    assert file.options.limits == ResourceLimits(memory_pages=7, timeout=1.5, fuel=None)
    wasi = file.options.wasi
    assert wasi is not None
    assert not isinstance(wasi, bool)
    assert wasi.env == {"MODE": "fast"}
    assert file.options.config == {"PLACE": "here", "TOKEN": "secret value"}
    assert file.options.http == Http(hosts=("*.example.org",), timeout=2)
    assert "secret value" not in repr(file)
    assert {path: one.read_only for path, one in wasi.directories.items()} == {
        "/data": False,
        "/texts": True,
    }
    assert (wasi.clock == "host", wasi.random) == (False, "host")
    assert (wasi.quotas.files, wasi.quotas.file_bytes) == (10, None)
    settings = plugin.policy.tools["echo"]
    assert (settings.hidden, settings.requires_approval) == (False, True)
    assert settings.annotations == {
        "readOnlyHint": True,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
        "title": "Echo",
    }


def test_what_is_granted_where_nothing_is_said(write: Write) -> None:
    text = "plugins.a = {path = 'a.wasm'}\nplugins.b = {path = 'b.wasm', wasi = true}\n"
    text += "plugins.c = {path = 'c.wasm', secrets = ['S']}\n"
    manifest = read_manifest(write(text))
    a, b, c = (
        manifest.plugin_file(
            plugin, PluginOptions(wasi=True, config={"X": "1"}), {"S": "1"}
        ).options
        for plugin in manifest.plugins
    )
    assert (a.wasi, a.config) == (None, None), "the manager's grants are none of the manifest's"
    assert b.wasi is not None
    assert c.config == {"S": "1"}


P = "[plugins.p]\npath = 'p.wasm'\n"

#: A manifest, the key and the line of its fault, and words of the error.
FAULTS = [
    ("plugin = 1", "plugin", 1, "did you mean 'plugins'?"),
    ("plugins = 1", "plugins", 1, "it must be a table, not 1"),
    ("[plugins]\np = 1", "plugins.p", 2, "it must be a table"),
    ("[plugins.p]\n\nprefix = 'x'", "plugins.p", 1, "one of the keys path, entry_point, url"),
    (P + "url = 'https://x'", "plugins.p", 1, "one of the keys"),
    (P + "sha265 = 'x'", "plugins.p.sha265", 3, "did you mean 'sha256'?"),
    (P + "sha256 = 'x'", "plugins.p.sha256", 3, "64 hexadecimal digits"),
    (P + "sha256 = 5", "plugins.p.sha256", 3, "it must be text, not 5"),
    (P + "\n[plugins.p.limits]\ntimeuot = 5", "plugins.p.limits.timeuot", 5, "'timeout'?"),
    (P + "limits = {timeout = -1}", "plugins.p.limits.timeout", 3, "must not be negative"),
    (P + "limits.fuel = 1.5", "plugins.p.limits.fuel", 3, "must be an int"),
    (P + "limits.fuel = inf", "plugins.p.limits.fuel", 3, "must be an int"),
    (P + "limits.timeout = inf", "plugins.p.limits.timeout", 3, "must be finite"),
    (P + "wasi = 'all'", "plugins.p.wasi", 3, "it must be a table"),
    (P + "wasi.clock = 'real'", "plugins.p.wasi.clock", 3, "'host' or 'fixed'"),
    (P + "wasi.env.A = 1", "plugins.p.wasi.env.A", 3, "it must be text"),
    (P + "wasi.quotas.files = 'x'", "plugins.p.wasi.quotas.files", 3, "must be an int"),
    (P + "wasi.directories.'/a b' = 'x'", 'plugins.p.wasi.directories."/a b"', 3, "a table"),
    (P + "wasi.directories.d = {}", "plugins.p.wasi.directories.d.path", 3, "a directory"),
    (P + "secrets = [1]", "plugins.p.secrets", 3, "a list of names"),
    (P + "config.A = 1", "plugins.p.config.A", 3, "it must be text"),
    (P + "secrets.A = 'B'\nconfig.A = '1'", "plugins.p.secrets", 3, "'A' is in 'config', too"),
    (P + "http = {}", "plugins.p.http.hosts", 3, "a list of hosts"),
    (P + "http.hosts = 'a'", "plugins.p.http.hosts", 3, "a list of texts"),
    (P + "http.hosts = ['a b']", "plugins.p.http.hosts", 3, "'a b'"),
    (P + "http.hosts = ['a']\nhttp.timeout = -1", "plugins.p.http.timeout", 4, "a number from 0"),
    (P + "http.host = ['a']", "plugins.p.http.host", 3, "did you mean 'hosts'?"),
    (P + "[plugins.p.tools]\na = {hiden = true}", "plugins.p.tools.a.hiden", 4, "'hidden'?"),
    (P + "tools.a.hidden = 1", "plugins.p.tools.a.hidden", 3, "true or false"),
    ("[plugins.p]\npath = 'p.wat'", "plugins.p.path", 2, "a .wasm file"),
    ("[plugins.p]\npath = ''", "plugins.p.path", 2, "must not be empty"),
    ("[plugins.p]\nurl = 'http://x/p.wasm'", "plugins.p.url", 2, "begin with https://"),
    ("[plugins.p]\nurl = 'https://x/p.wasm'", "plugins.p.url", 2, "needs the hash"),
    (P + "prefix." + "a." * 30 + "a = 1", "plugins.p.prefix", 3, "not a table"),
    (P + "prefix." + "a." * 200_000 + "a = 1", "", 3, "a key has more than 40 parts"),
    (P + "prefix" + ".'a'" * 100_000 + " = 1", "", 3, "a key has more than 40 parts"),
    (P + "prefix = [" + "'a.b', " * 100 + "]", "plugins.p.prefix", 3, "not a list"),
    (P + "prefix = 0x" + "f" * 5000, "plugins.p.prefix", 3, "a value of the type int"),
    (P + "prefix = 1979-05-27", "plugins.p.prefix", 3, "a value of the type date"),
    (P + "limits.fuel = 0x" + "f" * 5000, "plugins.p.limits.fuel", 3, "a number up to"),
    (P + f"wasi = '{'=' * 100_000}'", "plugins.p.wasi", 3, "not '====="),
    ("[plugins.p]\npath = ", "", 2, "Invalid value"),
    ("\n\n[plugins.p", "", 3, "Expected"),
]


@pytest.mark.parametrize(("text", "key", "line", "words"), FAULTS)
def test_faults(write: Write, text: str, key: str, line: int, words: str) -> None:
    path = write(text)
    with pytest.raises(ManifestError) as raised:
        read_manifest(path)
    error = raised.value
    assert (error.file, error.key, error.line) == (str(path), key, line)
    assert words in error.details
    assert str(error).startswith(f"{path}:{line}: ")


@pytest.mark.parametrize("text", ["kv = true", "kv = {}"])
def test_python_without_sqlite3(write: Write, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "purewasm_plugins.capabilities.key_value", None)
    with pytest.raises(ManifestError, match="has no sqlite3") as raised:
        read_manifest(write(P + text))
    assert (raised.value.key, raised.value.line) == ("plugins.p.kv", 3)
    assert read_manifest(write(P + "kv = false")).plugins[0].kv is None


def test_faults_of_json(write: Write) -> None:
    for text, key, line in (
        ('{"plugins": {"p": {"path": "p.wasm", "limits": {"x": 1}}}}', "plugins.p.limits.x", None),
        ('{\n"plugins": ', "", 2),
        ("[]", "", None),
        ("[" * 300, "", None),
        ('{"plugins": null}', "plugins", None),
        ('{"plugins": {"p": {"path": "\\ud800.wasm"}}}', "", None),
    ):
        with pytest.raises(ManifestError) as raised:
            read_manifest(write(text, "p.json"))
        assert (raised.value.key, raised.value.line) == (key, line)


@pytest.mark.parametrize("data", [b"\xff", b"a=" + b"[" * 20_000, b"#" * (1 << 21)])
def test_what_is_no_text_of_a_manifest(data: bytes, write: Write) -> None:
    path = write("")
    path.write_bytes(data)
    with pytest.raises(ManifestError):
        read_manifest(path)
    path.unlink()
    with pytest.raises(PluginFileError, match="Failed to read manifest"):
        read_manifest(path)


def test_what_is_found_out_when_it_is_loaded(write: Write) -> None:
    text = P + "secrets.A = 'GONE'\n[plugins.r]\npath = 'r.wasm'\nconfig.'A=B' = 'x'\n"
    text += "[plugins.q]\npath='q.wasm'\nwasi.directories.d.path = 'gone'\n"
    manifest = read_manifest(write(text))
    for plugin, line, words in zip(
        manifest.plugins,
        (3, 6, 9),
        ("no variable 'GONE'", "'A=B' is no name", "no directory"),
        strict=True,
    ):
        with pytest.raises(ManifestError, match=words) as raised:
            manifest.plugin_file(plugin, PluginOptions(), {})
        assert raised.value.line == line


def test_the_lines_of_keys() -> None:
    text = """
a = 1
"x = y".'z' = 2 # = 3

[b]
c.d = "="
[b."e f"]
  g = {h = 1}
"""
    assert key_lines(text) == {
        ("a",): 2,
        ("x = y",): 3,
        ("x = y", "z"): 3,
        ("b",): 5,
        ("b", "c"): 6,
        ("b", "c", "d"): 6,
        ("b", "e f"): 7,
        ("b", "e f", "g"): 8,
    }


@given(st.binary(max_size=60) | st.text("[]{}=.\"'ab1\n# ", max_size=60).map(str.encode))
def test_any_bytes_are_a_table_or_an_error(data: bytes) -> None:
    for is_json in (False, True):
        with contextlib.suppress(ManifestError):
            read_table("file", data, is_json=is_json).allow("a")
