"""Running a call that can be put at any of its steps.

- `program`: the code as text, and its names.
- `reasons`: why the machine stops, and what it can be told to stop for.
- `effects`: what an instruction is about to do to memory.
- `snapshot`, `history`, `recorder`: the way back.
- `scope`: the values that an expression can read.
- `watcher`: whether to stop before an instruction.
- `execution`: all of this for one call.
"""
