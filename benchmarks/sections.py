"""The measurements of `python -m benchmarks`, by their name in `--only`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import (
    byte_loop_speed,
    call_speed,
    debugging,
    frame_speed,
    guest_speed,
    kernel_speed,
    loading,
    map_speed,
    plugin_speed,
    stand_in_speed,
    trap_speed,
    wasi_speed,
)
from benchmarks.measure import Effort
from benchmarks.report import Table

SECTIONS: dict[str, Callable[[Effort], Iterator[Table]]] = {
    "kernels": kernel_speed.kernels,
    "rival": kernel_speed.rival,
    "guests": guest_speed.guests,
    "host-calls": call_speed.host_calls,
    "byte-loops": byte_loop_speed.byte_loops,
    "metering": kernel_speed.metering,
    "new-process": plugin_speed.new_process,
    "second-process": plugin_speed.second_process,
    "after-trap": trap_speed.after_trap,
    "frames": frame_speed.frames,
    "calls": plugin_speed.calls,
    "loading": loading.loading,
    "first-call": plugin_speed.first_call,
    "memory": plugin_speed.memory,
    "tools": plugin_speed.tools,
    "map": map_speed.many_inputs,
    "wasi": wasi_speed.wasi,
    "stand-in": stand_in_speed.stand_in,
    "debugging": debugging.debugging,
}

THOROUGH = Effort(rounds=7, seconds=0.1)
QUICK = Effort(rounds=3, seconds=0.02)
