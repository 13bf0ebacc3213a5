"""Running a call that can be put at any of its steps.

- `program`: the code as text, and its names.
- `reasons`: the reasons to stop, and the stops.
- `effects`: what an instruction is about to do to memory.
- `snapshot`, `history`, `recorder`: the way back.
- `scope`: the values that an expression can read.
- `watcher`: whether to stop before an instruction.
- `execution`: all of this for one call.
"""
