"""The kernels: each in C, compiled (`*.c`, `*.wasm`, `build.sh`), and by hand in Python."""
