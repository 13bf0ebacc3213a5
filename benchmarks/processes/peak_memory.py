"""A whole process: the memory that a plugin takes once it is loaded, above the bare interpreter.

Prints, in bytes: the peak of what Python allocated, the plugin's linear memory aside; the linear
memory; the process's peak resident size. Without an argument: only that of a bare interpreter.
"""

import resource
import sys
from pathlib import Path


def resident_peak() -> int:
    """In bytes. What `getrusage` says can be the parent's on Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if len(sys.argv) > 1:
    import tracemalloc

    tracemalloc.start()

    from purewasm_plugins import WasmPlugin

    plugin = WasmPlugin.load(sys.argv[1], engine=sys.argv[2])
    linear = len(plugin.instance.memories[0].raw)
    print(tracemalloc.get_traced_memory()[1] - linear, linear, end=" ")
print(resident_peak())
