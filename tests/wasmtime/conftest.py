"""The two libraries, each of which every test of the interface runs with."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

import pytest

import purewasm_plugins.wasmtime
from purewasm_plugins.wasmtime.interface import NAME, VERSION
from tests.conftest import need


@pytest.fixture
def wasmtime() -> Any:
    """Return wasmtime itself."""
    need("wasmtime")
    return importlib.import_module("wasmtime")


@pytest.fixture
def oracle(wasmtime: Any) -> Any:
    """Return wasmtime, of the version whose words the stand-in has."""
    found, wanted = importlib.metadata.version(NAME), VERSION
    if found.partition(".")[0] != wanted.partition(".")[0]:
        pytest.skip(f"wasmtime {found} is here; what differs is known for {wanted}")
    return wasmtime


@pytest.fixture(params=["wasmtime", "ours"], ids=["wasmtime", "stand-in"])
def library(request: pytest.FixtureRequest) -> Any:
    """Return wasmtime or the stand-in: what a test says holds for both."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def ours() -> Any:
    """Return the stand-in, for what holds for it alone."""
    return purewasm_plugins.wasmtime
