"""The calls that the benchmarks measure give the right results on each peer."""

from __future__ import annotations

import pytest

from benchmarks.call_speed import KINDS, MODULE, SUBJECTS
from benchmarks.peers import Unavailable
from tests.conftest import need


@pytest.mark.parametrize("peer", SUBJECTS)
def test_calls(peer: str) -> None:
    try:
        calls = SUBJECTS[peer]()
    except Unavailable as reason:
        pytest.skip(str(reason))
    results = {kind: calls[kind](10) for kind in KINDS}
    # A call out returns its argument, the others its successor.
    assert results == {"call_out": 0, "call_back": 10, "next": 10}


def test_the_module_is_its_text() -> None:
    need("wasmtime")
    import wasmtime

    text = MODULE.with_suffix(".wat").read_text("utf-8")
    assert MODULE.read_bytes() == bytes(wasmtime.wat2wasm(text))
