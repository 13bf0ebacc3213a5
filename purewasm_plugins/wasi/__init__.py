"""What a module may touch: WASI preview 1, with a jail.

`grants` says what is granted, and `linking` makes imports of it. The functions lie in `preview1`
and the files that it names, on the state of one instance (`state`). Paths are taken apart in
`paths` and nowhere else; `files` says what a directory is, `memory_files`, `host_files` and
`copied_files` are the kinds of them. `assemblyscript` and `emscripten` have what those compilers
import beside WASI.
"""
