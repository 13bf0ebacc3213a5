;; Calls across the border, each `n` times: out of WebAssembly, out and back in, and from outside.
;; calls.wasm is `wasmtime.wat2wasm` of this file.
(module
  (import "host" "out" (func $out (param i32) (result i32)))
  (import "host" "back" (func $back (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "next") (param i32) (result i32)
    (i32.add (local.get 0) (i32.const 1)))
  (func (export "call_out") (param $n i32) (result i32) (local $x i32)
    (loop $again
      (local.set $x (call $out (local.get $x)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x))
  (func (export "call_back") (param $n i32) (result i32) (local $x i32)
    (loop $again
      (local.set $x (call $back (local.get $x)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x)))
