"""A folder with a manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUREWASM_PLUGINS", "")


@pytest.fixture
def write(tmp_path: Path, fixture_data: Callable[[str], bytes]) -> Callable[..., Path]:
    """`write(text, name="plugins.toml")`: the manifest; `echo.wasm` and others lie beside it."""
    for name in ("echo", "hello", "with_schema", "imports_wasi"):
        (tmp_path / f"{name}.wasm").write_bytes(fixture_data(name))

    def write(text: str, name: str = "plugins.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write
