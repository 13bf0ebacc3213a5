"""The pywasm engine: the specification's abstract machine, one instruction at a time.

Nothing outside this folder uses pywasm. Its `Machine.evaluate` runs as it is; the instructions that
pywasm leaves out, bounds wrongly or computes wrongly are hooks (`hooks`).

- `values`: raw values and pywasm's values.
- `bodies`: a function's code as pywasm's nested lists of instructions.
- `hooks`: the instructions that run our Python code.
- `traps`: what an error of pywasm's means, and the backtrace.
- `machine`: the machine of one instance.
- `engine`: the engine.
- `stepping`, `stacks`: the machine that the debugger drives, and how its stack is read and saved.
- `counting`: the machine that counts how often each instruction runs.
"""

from purewasm_plugins.engine.instantiate import ENGINES
from purewasm_plugins.errors import UnknownEngineError

try:
    import pywasm  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "pywasm":
        raise
    raise UnknownEngineError(
        "pywasm",
        ENGINES,
        "the package pywasm is not installed; `python -m pip install purewasm-plugins` brings it"
        " along, and the engine 'translator' does not need it",
    ) from None
