"""The user's own cache directory, and the bound that the environment sets."""

from __future__ import annotations

import os
import sys

import pytest

from purewasm_plugins import PluginError
from purewasm_plugins.cache import location
from purewasm_plugins.cache.directory import DEFAULT_BOUND

#: Variables of the environment, and the directory where files have paths of POSIX.
LINUX = [
    ({"HOME": "/home/me"}, "/home/me/.cache/purewasm"),
    ({"HOME": "/home/me", "XDG_CACHE_HOME": "/var/me"}, "/var/me/purewasm"),
    # The specification of these directories has a relative one ignored.
    ({"HOME": "/home/me", "XDG_CACHE_HOME": "relative"}, "/home/me/.cache/purewasm"),
    ({"HOME": "relative"}, None),
]


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "PUREWASM_CACHE_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.skipif(os.name == "nt", reason="paths are different there")
@pytest.mark.parametrize(("environment", "expected"), LINUX)
def test_linux(
    environment: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert location.user_directory() == expected


@pytest.mark.skipif(os.name == "nt", reason="paths are different there")
def test_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("HOME", "/Users/me")
    assert location.user_directory() == "/Users/me/Library/Caches/purewasm"


def test_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert location.user_directory() is None


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", DEFAULT_BOUND),
        ("5000", 5000),
        ("1 KiB", 1024),
        ("64MiB", 64 << 20),
        (" 2gib ", 2 << 30),
        ("0", 0),
    ],
)
def test_sizes(text: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUREWASM_CACHE_SIZE", text)
    assert location.bound() == size


@pytest.mark.parametrize("text", ["much", "-1", "1.5GiB", "GiB", "5 pages", "٣", "9" * 16])
def test_no_sizes(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUREWASM_CACHE_SIZE", text)
    with pytest.raises(PluginError, match="PUREWASM_CACHE_SIZE is no size"):
        location.bound()
