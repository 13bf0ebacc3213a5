"""How often each instruction runs, against the stops of a session and a trace."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from purewasm_plugins import Trap, WasmPlugin, instantiate
from purewasm_plugins.debugger import (
    CoverageEngine,
    DebugSession,
    StopReason,
    report,
    trace,
)
from purewasm_plugins.wasm import load
from tests.conftest import ROOT
from tests.debugger.programs import random_call

WAT = ROOT / "fixtures" / "wat"
BUGGY = str(WAT / "buggy_shout.wasm")


@settings(max_examples=6)
@given(st.integers(0, 2**32))
def test_a_breakpoint_stops_as_often_as_coverage_counts(seed: int) -> None:
    data, name, arguments = random_call(Random(seed))
    engine = CoverageEngine()
    function: Any = instantiate(data, engine=engine).exports[name]
    trap = None
    try:
        function(*arguments)
    except Trap as raised:
        trap = raised
    counts = engine.counts()
    session = DebugSession.for_function(instantiate(data, engine="pywasm"), name, *arguments)
    for index in session.program.functions():
        for line in session.program.lines(index):
            session.stops.add_breakpoint(hex(line.offset))
    # The session begins at this breakpoint, so it does not stop there.
    stops = Counter([session.stop.offset])
    while (stop := session.resume()).reason is StopReason.BREAKPOINT:
        stops[stop.offset] += 1
    assert stops == counts
    assert (stop.trap is None) is (trap is None)
    session = DebugSession.for_function(instantiate(data, engine="pywasm"), name, *arguments)
    traced = Counter(step.offset for step in trace(session))
    if trap is not None:
        traced[stop.offset or 0] += 1
    assert traced == counts


def test_coverage_tells_what_never_ran() -> None:
    engine = CoverageEngine()
    plugin = WasmPlugin.load(BUGGY, engine=engine)
    engine.reset()
    plugin.execute_tool(0, "")
    functions = {f.name: f for f in report(plugin.module.valid, engine.counts())}
    capital = functions["capital"]
    assert capital.calls == 1
    assert 0 < capital.ran < capital.total
    missed = [line.text for line, count in capital.lines if not count]
    assert "return" in missed
    assert functions["plugin_name"].ran == 0
    engine.reset()
    assert not engine.counts()
    assert report(load(Path(BUGGY).read_bytes()), Counter())[0].calls == 0
