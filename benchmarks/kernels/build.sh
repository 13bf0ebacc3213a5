#!/bin/sh
# Compiles the kernels in place, with instructions of WebAssembly 1.0 only, so that every peer can
# run them. Needs Zig (`pip install ziglang`); ZIG=zig uses another.
set -eu
cd "$(dirname "$0")"
ZIG=${ZIG:-python -m ziglang}
for source in *.c; do
    $ZIG cc --target=wasm32-freestanding -mcpu=mvp -O2 -nostdlib -fno-builtin -fno-math-errno \
        -ffp-contract=off -Wl,--no-entry -Wl,--export=run -Wl,--strip-debug -Wl,-z,stack-size=16384 \
        "$source" -o "${source%.c}.wasm"
    chmod -x "${source%.c}.wasm"
done
