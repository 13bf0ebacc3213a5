"""The tools of the real plugins on both engines and on wasmtime, their outputs compared."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.measure import Effort, Subject, geometric_mean, interleaved, repeating
from benchmarks.report import NOTHING, Table, duration, times
from benchmarks.sample_inputs import input_of
from purewasm_plugins import PluginError, ToolExecutionError, WasmPlugin

OURS = "translator"
OTHERS = ("pywasm", "wasmtime")


def tool_table(paths: Iterable[Path], effort: Effort) -> Table:
    rows: list[list[str]] = []
    notes = ["The translator's time for a call; the others' as multiples of it."]
    reasons: dict[str, list[str]] = {}
    ratios: dict[str, list[float]] = {other: [] for other in OTHERS}
    seen = set()
    for path in paths:
        hosts, missing = _hosts(path)
        for reason in missing:
            reasons.setdefault(reason, []).append(path.name)
        plugin = next((host for host in hosts.values() if isinstance(host, WasmPlugin)), None)
        # Of a plugin with several builds, one is measured.
        if plugin is None or plugin.name in seen:
            continue
        seen.add(plugin.name)
        for tool in plugin.tools:
            text = input_of(tool)
            label = f"{plugin.name} {tool.name}"
            calls = {}
            answers = set()
            for name, host in hosts.items():
                call = functools.partial(host.execute_tool, tool.index, text)
                try:
                    answers.add(call())
                    calls[name] = call
                except ToolExecutionError as error:
                    notes.append(f"{label} on {name}: {str(error).splitlines()[0]}")
            if len(answers) > 1:
                notes.append(f"{label}: the outputs differ!")
            subjects: dict[str, Subject] = {name: repeating(call) for name, call in calls.items()}
            measured = interleaved(subjects, effort)
            row = [label, f"{len(text.encode())}"]
            row.append(duration(measured.median(OURS)) if OURS in measured else NOTHING)
            for other in OTHERS:
                ratio = None
                if OURS in measured and other in measured:
                    ratio = measured.ratio(other, OURS)
                    ratios[other].append(ratio)
                row.append(times(ratio))
            rows.append(row)
    notes += [f"{reason} ({', '.join(files)})" for reason, files in reasons.items()]
    means = [times(geometric_mean(ratios[other]) if ratios[other] else None) for other in OTHERS]
    rows.append(["geometric mean", "", "", *means])
    columns = ["tool", "bytes in", OURS, *OTHERS]
    title = "Tools of the real plugins: a call, and other engines in multiples of it"
    return Table(title, "python -m benchmarks --only tools", columns, rows, notes)


def _hosts(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Load the plugin in each engine, and collect the reasons of failures."""
    hosts: dict[str, Any] = {}
    reasons = []
    for engine in (OURS, "pywasm"):
        try:
            hosts[engine] = WasmPlugin.load(path, engine=engine)
        except PluginError as error:
            reasons.append(f"{engine}: {str(error).splitlines()[0]}")
    try:
        from benchmarks.wasmtime_host import WasmtimePlugin

        hosts["wasmtime"] = WasmtimePlugin(path)
    except ImportError:
        reasons.append("wasmtime is not installed")
    return hosts, reasons
