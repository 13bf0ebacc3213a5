"""Keys differ if any of their parts differs."""

from __future__ import annotations

import sys

import pytest

from purewasm_plugins.cache import keys


def test_keys_differ() -> None:
    made = [
        keys.code_key(b"module", 1, True),
        keys.code_key(b"module", 1, False),
        keys.code_key(b"module", 2, True),
        keys.code_key(b"other", 1, True),
        keys.validity_key(b"module"),
        keys.validity_key(b"other"),
    ]
    assert len({*made}) == len(made)
    assert all(key.isalnum() for key in made)
    assert made[0] == keys.code_key(b"module", 1, True)


@pytest.mark.parametrize(
    ("name", "value", "concerns_validity"),
    [("VERSION", "another", True), ("MAGIC_NUMBER", b"another", False)],
)
def test_another_python_or_package(
    name: str, value: object, concerns_validity: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, validity = keys.code_key(b"module"), keys.validity_key(b"module")
    monkeypatch.setattr(keys, name, value)
    assert keys.code_key(b"module") != code
    assert (keys.validity_key(b"module") != validity) is concerns_validity


def test_another_version_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    code = keys.code_key(b"module")
    monkeypatch.setattr(sys, "version_info", (9, 9, 9))
    assert keys.code_key(b"module") != code
