"""MicroPython and QuickJS, as they come with pwasm: on pwasm, and on this package."""
