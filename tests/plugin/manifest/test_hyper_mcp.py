"""Configurations of hyper-mcp: what means the same, and what is refused with file and key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins import PluginOptions, WasmPluginManager
from purewasm_plugins.plugin.manifest import ManifestError, read_manifest

Write = Callable[..., Path]

WHOLE = """
plugins:
  echo:
    url: file://{folder}/echo.wasm
    runtime_config:
      allowed_hosts: ["1.1.1.1", "*.example.org"]
      allowed_paths:
        - {folder}
      env_vars:
        FOO: "bar"
        TOKEN: ${{MY_TOKEN}}
      memory_limit: "128Mi"
      skip_tools:
        - echo
      skip_prompts: [".*"]
  hello:
    path: {folder}/hello.wasm
"""

AS_TOML = """
[plugins.echo]
url = "file://{folder}/echo.wasm"
runtime_config.allowed_paths = ["{folder}"]
[plugins.hello]
path = "file://{folder}/hello.wasm"
"""


def test_a_whole_configuration(write: Write, tmp_path: Path) -> None:
    manifest = read_manifest(write(WHOLE.format(folder=tmp_path), "config.yaml"))
    echo, hello = manifest.plugins
    file = manifest.plugin_file(echo, PluginOptions(), {"MY_TOKEN": "secret"})
    options = file.options
    assert file.path == str(tmp_path / "echo.wasm")
    assert options.http is not None
    assert options.http.hosts == ("1.1.1.1", "*.example.org")
    assert "DELETE" in options.http.methods
    assert options.config == {"FOO": "bar", "TOKEN": "secret"}
    assert options.limits is not None
    assert options.limits.memory_pages == 128 * 16
    assert options.wasi is not None
    assert not isinstance(options.wasi, bool)
    (granted,) = options.wasi.directories.items()
    assert (granted[0], granted[1].read_only) == (str(tmp_path), False)
    assert echo.policy.tools["echo"].hidden
    hello_options = manifest.plugin_file(hello, PluginOptions(), {}).options
    assert (hello_options.http, hello_options.config) == (None, None)


@pytest.mark.parametrize("name", ["config.yml", "config.toml", "config.json"])
def test_its_plugins_are_loaded(write: Write, tmp_path: Path, name: str) -> None:
    text = AS_TOML if name.endswith("toml") else WHOLE
    text = text.format(folder=tmp_path)
    if name.endswith("json"):
        source = f"file://{tmp_path}/echo.wasm"
        text = json.dumps({"plugins": {"echo": {"url": source}}})
    manager = WasmPluginManager.from_manifest(write(text, name), environ={"MY_TOKEN": "x"})
    assert manager.execute_tool("echo", "echo", "text") == "text"


FILE: dict[str, Any] = {"url": "file:///p.wasm"}


def of(**settings: Any) -> dict[str, Any]:
    return {"plugins": {"p": {**FILE, "runtime_config": settings}}}


#: A configuration, the key of its fault, and words of the error.
FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"auths": {}, "plugins": {}}, "auths", "it is not read"),
    ({"plugins": {"p": {"url": "oci://ghcr.io/a/b:1"}}}, "p.url", "'oci' is no source"),
    ({"plugins": {"p": {"path": "s3://a/b"}}}, "p.path", "'s3' is no source"),
    ({"plugins": {"p": {"url": "https://a/p.wasm", "runtime_config": {}}}}, "p.url", "a hash"),
    ({"plugins": {"p": {"url": "http://a/p.wasm", "runtime_config": {}}}}, "p.url", "'http'"),
    ({"plugins": {"p": {"path": "p.wasm", "runtime_config": {}}}}, "p.path", "the absolute path"),
    ({"plugins": {"p": {"path": "file:///p%20.wasm"}}}, "p.path", "the absolute path"),
    ({"plugins": {"p": {**FILE, "path": "/p.wasm"}}}, "p", "one of the keys url, path"),
    ({"plugins": {"p": {"runtime_config": {}}}}, "p", "one of the keys url, path"),
    ({"plugins": {"p": {**FILE, "wasi": True}}}, "p.wasi", "unknown key"),
    ({"plugins": {"p": {**FILE, "runtime_config": []}}}, "p.runtime_config", "it must be a table"),
    (of(allowed_host=["a"]), "allowed_host", "did you mean 'allowed_hosts'?"),
    (of(allowed_hosts=["*"]), "allowed_hosts", "'\\*' is not granted"),
    (of(allowed_hosts=["a*.com"]), "allowed_hosts", "is no host"),
    (of(allowed_hosts="a"), "allowed_hosts", "a list of texts"),
    (of(allowed_paths=["data"]), "allowed_paths", "no absolute path"),
    (of(allowed_paths=["ro:/data"]), "allowed_paths", "no absolute path"),
    (of(env_vars={"A": 1}), "env_vars.A", "it must be text"),
    (of(memory_limit="lots"), "memory_limit", "it must be a size"),
    (of(memory_limit=512), "memory_limit", "it must be text"),
    (of(skip_tools=["temp_.*"]), "skip_tools", "is a pattern"),
    (of(skip_prompts=[1]), "skip_prompts", "a list of texts"),
]


@pytest.mark.parametrize(("value", "key", "words"), FAULTS)
def test_what_is_refused(write: Write, value: dict[str, Any], key: str, words: str) -> None:
    path = write(json.dumps(value), "config.json")
    with pytest.raises(ManifestError, match=words) as raised:
        read_manifest(path)
    assert raised.value.file == str(path)
    assert raised.value.key.endswith(key)


@pytest.mark.parametrize(
    ("size", "pages"),
    [("512Mi", 8192), ("1GB", 15258), ("64KiB", 1), ("65536", 1), ("65535B", 0), ("2 Gi", 32768)],
)
def test_sizes(write: Write, size: str, pages: int) -> None:
    manifest = read_manifest(write(json.dumps(of(memory_limit=size)), "config.json"))
    assert manifest.plugins[0].limits == {"memory_pages": pages}


def test_errors_of_yaml_have_their_line(write: Write) -> None:
    text = "plugins:\n  p:\n    path: /p.wasm\n    runtime_config:\n      memory: 1\n"
    with pytest.raises(ManifestError, match=r"config\.yaml:5: plugins\.p\.runtime_config\.memory"):
        read_manifest(write(text, "config.yaml"))
    with pytest.raises(ManifestError, match=r"config\.yaml:2: .* not read here"):
        read_manifest(write("plugins:\n  p: &a 1", "config.yaml"))
    with pytest.raises(ManifestError, match="it must be a table"):
        read_manifest(write("plugins:\n- p:\n", "config.yaml"))
