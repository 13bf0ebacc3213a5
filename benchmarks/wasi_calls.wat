;; Calls of WASI, as often as the parameter says.
;; wasi_calls.wasm is `wasmtime.wat2wasm` of this file.
(module
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; A buffer of 4 KiB.
  (data (i32.const 0) "\00\04\00\00\00\10\00\00")
  (func (export "clock") (param $times i32)
    (loop $again
      (if (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 8)) (then unreachable))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1))))))
  (func (export "write") (param $times i32)
    (loop $again
      (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
        (then unreachable))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))))
