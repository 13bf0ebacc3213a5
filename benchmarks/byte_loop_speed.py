"""A plugin whose time is that of its C library's loops over bytes: `strlen`, `memchr`, `strcat`."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator

from benchmarks import peers
from benchmarks.measure import Effort, Subject, interleaved, repeating
from benchmarks.plugin_speed import ROOT
from benchmarks.report import GOAL_COLUMNS, Goal, Table, duration
from purewasm_plugins import ResourceLimits, WasmPlugin

COMMAND = "python -m benchmarks --only byte-loops"
PLUGIN = ROOT / "fixtures" / "plugins" / "c_libc_csv" / "csv.wasm"

#: Seconds that the longer input took on the machine of `PERFORMANCE.md`, before loops over bytes
#: became operations on bytes.
BEFORE = 28.6

#: The size that pwasm gets too, which takes the square of it, and the size of the goal.
SHORT, LONG = 10_000, 80_000


def table_of(size: int) -> str:
    """Return CSV of about a size."""
    rows = (f'{number},person {number},"said ""hello"", twice"\n' for number in range(size // 39))
    return "id,name,comment\n" + "".join(rows)


def purewasm() -> Callable[[str], str]:
    """Load the plugin; the time of a call is not limited."""
    limits = ResourceLimits(timeout=None)
    return functools.partial(WasmPlugin.load(PLUGIN, limits=limits).execute_tool, "csv_to_json")


def pwasm() -> Callable[[str], str]:
    """Instantiate the plugin with pwasm. Inputs go to new pages of its memory."""
    sandbox = peers.pwasm_sandbox(PLUGIN)
    pages = -(-2 * SHORT // 65536)
    place = sandbox.memory.grow(pages) * 65536

    def call(text: str) -> str:
        sandbox.fuel = peers.FUEL
        sandbox.write(place, text.encode() + b"\0")
        output: bytes = sandbox.read_cstr(sandbox.call("plugin_tool_execute", 0, place))
        return output.decode()

    return call


def byte_loops(effort: Effort) -> Iterator[Table]:
    """Measure one call on 10 KB here and on pwasm, and one on 80 KB here."""
    text = table_of(SHORT)
    calls = {"purewasm": purewasm()}
    notes = [f"{PLUGIN.parent.name}, its tool csv_to_json, which takes the square of a size."]
    try:
        calls["pwasm"] = pwasm()
    except peers.Unavailable as reason:
        notes.append(f"pwasm is left out: {reason}.")
    if len({call(text) for call in calls.values()}) > 1:
        notes.append("The outputs differ!")
    subjects: dict[str, Subject] = {
        name: repeating(functools.partial(call, text)) for name, call in calls.items()
    }
    measured = interleaved(subjects, effort)
    ratio = measured.ratio("pwasm", "purewasm") if "pwasm" in measured else None
    rows = [[f"{len(text):,}", name, duration(measured.median(name))] for name in subjects]
    text = table_of(LONG)
    start = time.process_time()
    calls["purewasm"](text)
    seconds = time.process_time() - start
    rows.append([f"{len(text):,}", "purewasm", duration(seconds)])
    title = "A plugin with a C library's string functions on long texts"
    yield Table(title, COMMAND, ["bytes", "by", "a call"], rows, notes)
    goals = [
        Goal(f"80 KB, times as fast as before ({BEFORE:g} s)", BEFORE / seconds, 20, at_least=True),
        Goal("10 KB, times as fast as pwasm", ratio, 1, at_least=True),
    ]
    yield Table("Loops over bytes: goals", COMMAND, GOAL_COLUMNS, [goal.row() for goal in goals])
