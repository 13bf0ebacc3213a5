"""A chart of the kernels. It needs matplotlib, from the extra `bench`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

COLOURS = {
    "pywasm": "#555555",
    "ppci": "#7a6ff0",
    "pwasm": "#8a9a3b",
    "translator": "#d1495b",
    "hand-written": "#2e7d6b",
    "wasm3": "#e0a030",
    "wasmtime": "#3a86c8",
}


def draw(seconds: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Draw each peer's speed on each kernel in multiples of pywasm's, on a logarithmic scale.

    Args:
        seconds: kernel -> peer -> seconds.
        path: the SVG file to write.
    """
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "kernels"
    pyplot = importlib.import_module("matplotlib.pyplot")

    kernels = [kernel for kernel, by_peer in seconds.items() if "pywasm" in by_peer]
    figure, axes = pyplot.subplots(figsize=(8, 0.32 * len(kernels) + 1.4))
    for peer, colour in COLOURS.items():
        places = [place for place, kernel in enumerate(kernels) if peer in seconds[kernel]]
        speeds = [
            seconds[kernels[place]]["pywasm"] / seconds[kernels[place]][peer] for place in places
        ]
        if places:
            size = 70 if peer == "translator" else 30
            axes.scatter(speeds, places, label=peer, color=colour, s=size, zorder=3)
    axes.set_xscale("log")
    axes.set_yticks(range(len(kernels)), kernels)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#dddddd", zorder=0)
    axes.set_xlabel("times as fast as pywasm")
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="upper center", ncols=len(COLOURS), frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 0.95))
    figure.savefig(path, format="svg", metadata={"Date": None})
