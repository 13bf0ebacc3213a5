"""The kernels as a chart: needs matplotlib, which the extra `bench` brings."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import NOTHING, TIMES, Table

COLOURS = {
    "translator": "#d1495b",
    "hand-written": "#2e7d6b",
    "ppci": "#7a6ff0",
    "pywasm": "#555555",
    "wasm3": "#e0a030",
    "wasmtime": "#3a86c8",
}


def draw(tables: Sequence[Table], path: Path) -> None:
    """Draw the table of kernels: each peer's speed in multiples of pywasm's, on a log scale."""
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "kernels"
    pyplot = importlib.import_module("matplotlib.pyplot")

    table = next(
        table for table in tables if table.columns[0] == "kernel" and len(table.columns) > 5
    )
    kernels = [row[0] for row in table.rows if row[0] != "geometric mean"]
    figure, axes = pyplot.subplots(figsize=(8, 0.34 * len(kernels) + 1.3))
    for peer, colour in COLOURS.items():
        points = []
        for place, row in enumerate(table.rows[: len(kernels)]):
            pywasm = _multiple(row[table.columns.index("pywasm")])
            own = 1.0 if peer == "translator" else _multiple(row[table.columns.index(peer)])
            if pywasm and own:
                points.append((pywasm / own, place))
        if points:
            x, y = zip(*points, strict=True)
            size = 60 if peer == "translator" else 28
            axes.scatter(x, y, label=peer, color=colour, s=size, zorder=3)
    axes.set_xscale("log")
    axes.set_yticks(range(len(kernels)), kernels)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#dddddd", zorder=0)
    axes.set_xlabel("times as fast as pywasm")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, 1.12), ncols=6, frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})


def _multiple(cell: str) -> float | None:
    return None if cell == NOTHING else float(cell.removesuffix(f" {TIMES}"))
