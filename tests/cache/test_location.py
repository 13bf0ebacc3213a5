"""The bound of a cache that the environment sets."""

from __future__ import annotations

import pytest

from purewasm_plugins import PluginError
from purewasm_plugins.cache import location
from purewasm_plugins.cache.directory import DEFAULT_BOUND


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
