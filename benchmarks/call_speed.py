"""Calls across the border: to a host function, to one that calls back, and from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.measure import Effort, Subject, Timings, interleaved
from benchmarks.report import GOAL_COLUMNS, NOTHING, Goal, Table, duration, times
from purewasm_plugins import RawFunction, instantiate

COMMAND = "python -m benchmarks --only host-calls"
MODULE = Path(__file__).parent / "calls.wasm"

#: Each makes as many calls as its argument says.
Calls = dict[str, Subject]

#: The kinds of calls, by the name of the subject.
KINDS = {
    "call_out": "host call",
    "call_back": "host call that calls back",
    "next": "call from Python",
}


def _out(x: int) -> int:
    return x


def repeated(function: Callable[[int], Any]) -> Subject:
    def subject(units: int) -> Any:
        x = 0
        for _ in range(units):
            x = function(x)
        return x

    return subject


def purewasm() -> Calls:
    """Make the subjects of ours, whose host functions take and return border values."""

    def back(x: int) -> object:
        return next_(x)

    exports = instantiate(MODULE.read_bytes(), {"host": {"out": _out, "back": back}}).exports
    next_ = exports.function("next")
    return {
        "call_out": exports.function("call_out"),
        "call_back": exports.function("call_back"),
        "next": repeated(next_),
    }


def pwasm() -> Calls:
    """Make the subjects of pwasm, with the limits that ours has by default."""
    sandbox = peers.pwasm_sandbox(MODULE, {"host": {"out": _out, "back": lambda x: next_(x)}})
    next_: Any = sandbox.exports["next"]

    def calling(name: str) -> Subject:
        return peers.pwasm_call(sandbox, name)

    return {
        "call_out": calling("call_out"),
        "call_back": calling("call_back"),
        "next": repeated(next_),
    }


def purewasm_raw() -> Calls:
    """Make the subjects of ours with raw host functions, and raw calls back."""

    def back(x: int) -> object:
        return next_(x)

    host = {"out": RawFunction(_out), "back": RawFunction(back)}
    exports = instantiate(MODULE.read_bytes(), {"host": host}).exports
    next_ = exports.function("next").call_raw
    return {
        "call_out": exports.function("call_out"),
        "call_back": exports.function("call_back"),
        "next": repeated(next_),
    }


def pwasm_raw() -> Calls:
    """Make the subjects of pwasm with what its own trampolines use, which is not documented."""
    runtime, types_ = peers.pwasm_module("pwasm.runtime"), peers.module_named("pwasm.types")
    type_ = types_.FuncType(("i32",), ("i32",))

    def back(x: int) -> Any:
        return next_.entry(x)

    host = {
        "out": runtime.HostFunction(type_, _out, raw=True),
        "back": runtime.HostFunction(type_, back, raw=True),
    }
    sandbox = peers.pwasm_sandbox(MODULE, {"host": host})
    next_: Any = sandbox.exports["next"].func
    return {
        "call_out": peers.pwasm_call(sandbox, "call_out"),
        "call_back": peers.pwasm_call(sandbox, "call_back"),
        "next": repeated(lambda x: next_.entry(x)),
    }


def wasmtime() -> Calls:
    """Make the subjects of wasmtime, without limits."""
    wasmtime = peers.module_named("wasmtime")
    store = wasmtime.Store()
    module = wasmtime.Module.from_file(store.engine, str(MODULE))
    i32 = wasmtime.ValType.i32()
    type_ = wasmtime.FuncType([i32], [i32])
    imports = [
        wasmtime.Func(store, type_, _out),
        wasmtime.Func(store, type_, lambda x: next_(store, x)),
    ]
    exports = wasmtime.Instance(store, module, imports).exports(store)
    next_: Any = exports["next"]
    return {
        "call_out": lambda units: exports["call_out"](store, units),
        "call_back": lambda units: exports["call_back"](store, units),
        "next": repeated(lambda x: next_(store, x)),
    }


OURS = "purewasm"
RIVAL = "pwasm"
SUBJECTS: dict[str, Callable[[], Calls]] = {
    OURS: purewasm,
    RIVAL: pwasm,
    f"{OURS}, raw": purewasm_raw,
    f"{RIVAL}, raw": pwasm_raw,
    "wasmtime": wasmtime,
}


def host_calls(effort: Effort) -> Iterator[Table]:
    """Measure one call of each kind on each peer."""
    peers_calls: dict[str, Calls] = {}
    notes = []
    for name, make in SUBJECTS.items():
        try:
            peers_calls[name] = make()
        except peers.Unavailable as reason:
            notes.append(f"{name} is left out: {reason}.")
    often = Effort(3 * effort.rounds, effort.seconds)
    timings: dict[str, Timings] = {
        kind: interleaved({name: calls[kind] for name, calls in peers_calls.items()}, often)
        for kind in KINDS
    }
    rows = []
    for kind, label in KINDS.items():
        measured = timings[kind]
        ratio = measured.ratio(RIVAL, OURS) if RIVAL in measured else None
        cells = [duration(measured.median(n)) if n in measured else NOTHING for n in SUBJECTS]
        rows.append([label, *cells, times(ratio)])
    title = "Calls across the border: one call, its loop included"
    yield Table(title, COMMAND, ["call", *SUBJECTS, "pwasm by purewasm"], rows, notes)
    goals = []
    for kind in ("call_out", "call_back"):
        measured = timings[kind]
        for form in ("", ", raw"):
            rival = RIVAL + form
            ratio = measured.ratio(rival, OURS + form) if rival in measured else None
            what = f"{KINDS[kind]}{form}, times as fast as pwasm"
            goals.append(Goal(what, ratio, 1.2, at_least=True))
    yield Table("Calls: goals", COMMAND, GOAL_COLUMNS, [goal.row() for goal in goals])
