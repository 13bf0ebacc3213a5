"""Policies of wassette: what means the same, and what is refused with file and key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from purewasm_plugins import PluginOptions
from purewasm_plugins.plugin.manifest import Manifest, ManifestError, read_manifest

Write = Callable[..., Path]

WHOLE = """version: "1.0"
description: "What the tool needs"
permissions:
  storage:
    allow:
      - uri: "fs://workspace/**"
        access: ["read", "write"]
      - uri: fs://{folder}/data
        access:
          - read
    deny:
  network:
    allow:
      - host: "api.example.com"
      - host: "localhost:8080"
  environment:
    allow:
      - key: "API_KEY"
  resources:
    limits:
      memory: "512Mi"
"""


@pytest.fixture
def read(write: Write, tmp_path: Path) -> Callable[..., Manifest]:
    """`read(policy, more)`: a manifest with a policy, and more keys of its plugin."""
    (tmp_path / "policies" / "workspace").mkdir(parents=True)
    (tmp_path / "data").mkdir()

    def read(policy: str, more: str = "") -> Manifest:
        (tmp_path / "policies" / "echo.policy.yaml").write_text(
            policy.replace("{folder}", str(tmp_path))
        )
        text = "[plugins.echo]\npath = 'echo.wasm'\npolicy = 'policies/echo.policy.yaml'\n"
        return read_manifest(write(text + more))

    return read


def test_a_whole_policy(read: Callable[..., Manifest], tmp_path: Path) -> None:
    manifest = read(WHOLE, "limits.timeout = 3\nconfig.A = 'b'\n")
    (plugin,) = manifest.plugins
    options = manifest.plugin_file(plugin, PluginOptions(), {"API_KEY": "secret"}).options
    assert options.wasi is not None
    assert not isinstance(options.wasi, bool)
    found = {guest: one.read_only for guest, one in options.wasi.directories.items()}
    assert found == {"workspace": False, f"{tmp_path}/data": True}
    workspace = plugin.wasi.directories[0] if plugin.wasi else None
    assert workspace is not None
    assert workspace.host == str(tmp_path / "policies" / "workspace")
    assert options.http is not None
    assert options.http.hosts == ("api.example.com", "localhost:8080")
    assert options.config == {"A": "b", "API_KEY": "secret"}
    assert options.limits is not None
    assert (options.limits.memory_pages, options.limits.timeout) == (8192, 3)


@pytest.mark.parametrize("policy", ["version: '1.0'\n", "version: '1.0'\npermissions:\n"])
def test_a_policy_that_allows_nothing(read: Callable[..., Manifest], policy: str) -> None:
    (plugin,) = read(policy).plugins
    assert (plugin.http, plugin.secrets, plugin.limits) == (None, {}, {})
    assert plugin.wasi is not None
    assert plugin.wasi.directories == ()


def granting(kind: str, entry: str, rule: str = "allow") -> str:
    return f'version: "1.0"\npermissions:\n  {kind}:\n    {rule}:\n      - {entry}\n'


STORED = "permissions.storage.allow.0"

#: A policy, the key and the line of its fault, and words of the error.
FAULTS = [
    ("permissions:", "version", None, "it must be '1.0'"),
    ("version: '2.0'", "version", 1, "it must be '1.0'"),
    ("version: '1.0'\npermission:", "permission", 2, "did you mean 'permissions'?"),
    ("version: '1.0'\npermissions:\n  runtime:\n    docker:", "permissions.runtime", 3, "unknown"),
    ("version: '1.0'\npermissions:\n  ipc:\n    a: 1", "permissions.ipc", 3, "unknown key"),
    (granting("storage", "uri: 'http://a'"), f"{STORED}.uri", 5, "it must be a directory"),
    (granting("storage", "uri: 'fs://a/*'"), f"{STORED}.uri", 5, "it must be a directory"),
    (granting("storage", "uri: 'fs://**/a'"), f"{STORED}.uri", 5, "it must be a directory"),
    (granting("storage", "uri: 'fs:///**'"), f"{STORED}.uri", 5, "it must be a directory"),
    (granting("storage", "uri: 'fs://a/../..'"), f"{STORED}.uri", 5, "lead upwards"),
    (granting("storage", "uri: 'fs://a'\n        access: [write]"), f"{STORED}.access", 6, "read"),
    (granting("storage", "uri: 'fs://a'"), f"{STORED}.access", 5, "it must be"),
    (granting("storage", "url: 'fs://a'"), f"{STORED}.url", 5, "there are: uri, access"),
    (granting("storage", "text"), STORED, 5, "it must be a table"),
    (granting("storage", "uri: 'fs://a'", "deny"), "permissions.storage.deny", 4, "no exceptions"),
    (granting("network", "host: '*'"), "permissions.network.allow.0.host", 5, "is not granted"),
    (granting("network", "host: 'a b'"), "permissions.network.allow.0.host", 5, "is no host"),
    (granting("network", "cidr: '10.0.0.0/8'"), "permissions.network.allow.0.cidr", 5, "a network"),
    (granting("network", "defaults: true"), "permissions.network.allow.0.defaults", 5, "default"),
    (granting("network", "host: a.example", "deny"), "permissions.network.deny", 4, "exceptions"),
    (granting("environment", "key: 'A*'"), "permissions.environment.allow.0.key", 5, "a variable"),
    (granting("environment", "key: A", "deny"), "permissions.environment.deny", 4, "unknown key"),
    (
        "version: '1.0'\npermissions:\n  resources:\n    limits:\n      cpu: '500m'",
        "permissions.resources.limits.cpu",
        5,
        "timeout and fuel",
    ),
    (
        "version: '1.0'\npermissions:\n  resources:\n    memory: 512",
        "permissions.resources.memory",
        4,
        "unknown key",
    ),
]


@pytest.mark.parametrize(("policy", "key", "line", "words"), FAULTS)
def test_what_is_refused(
    read: Callable[..., Manifest], policy: str, key: str, line: int | None, words: str
) -> None:
    with pytest.raises(ManifestError, match=words) as raised:
        read(policy)
    assert raised.value.file.endswith("echo.policy.yaml")
    assert (raised.value.key, raised.value.line) == (key, line)


@pytest.mark.parametrize(
    ("more", "key", "words"),
    [
        ("wasi = true", "wasi", "the policy says it"),
        ("http.hosts = []", "http", "the policy says it"),
        ("secrets = ['A']", "secrets", "the policy says it"),
        ("config.API_KEY = 'x'", "config", "'API_KEY' is in the policy, too"),
    ],
)
def test_a_manifest_that_says_the_same(
    read: Callable[..., Manifest], more: str, key: str, words: str
) -> None:
    with pytest.raises(ManifestError, match=words) as raised:
        read(WHOLE, more)
    assert (raised.value.key, raised.value.line) == (f"plugins.echo.{key}", 4)


def test_a_policy_that_is_not_there(write: Write) -> None:
    text = "[plugins.echo]\npath = 'echo.wasm'\npolicy = 'gone.yaml'\n"
    with pytest.raises(ManifestError, match=r"plugins.toml:3: plugins.echo.policy: .*gone.yaml"):
        read_manifest(write(text))
