"""The folders of the user on each platform."""

from __future__ import annotations

import os
import sys

import pytest

from purewasm_plugins.support.user_folders import cache_folder, config_folder

#: Variables of the environment, and the two folders where files have paths of POSIX.
LINUX = [
    ({"HOME": "/home/me"}, "/home/me/.cache/purewasm", "/home/me/.config/purewasm"),
    (
        {"HOME": "/home/me", "XDG_CACHE_HOME": "/var/me", "XDG_CONFIG_HOME": "/etc/me"},
        "/var/me/purewasm",
        "/etc/me/purewasm",
    ),
    # The specification of these folders has a relative one ignored.
    (
        {"HOME": "/home/me", "XDG_CACHE_HOME": "relative", "XDG_CONFIG_HOME": "relative"},
        "/home/me/.cache/purewasm",
        "/home/me/.config/purewasm",
    ),
    ({"HOME": "relative"}, None, None),
]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="paths are different there")


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("environment", "cache", "config"), LINUX)
def test_linux(
    environment: dict[str, str],
    cache: str | None,
    config: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (cache_folder(), config_folder()) == (cache, config)


def test_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("HOME", "/Users/me")
    assert cache_folder() == "/Users/me/Library/Caches/purewasm"
    assert config_folder() == "/Users/me/Library/Application Support/purewasm"


def test_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert cache_folder() is None
    assert config_folder() is None
