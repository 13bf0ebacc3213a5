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
