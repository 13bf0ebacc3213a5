"""The small functions whose translation is pinned in `golden/`: name -> module text."""

SOURCES: dict[str, str] = {
    "add": """(module (func (param i32 i32) (result i32)
        (i32.add (local.get 0) (local.get 1))))""",
    "masks": """(module (func (param i32 i32) (result i32)
        (i32.and (i32.const 255)
          (i32.mul (i32.add (local.get 0) (i32.const -1)) (local.get 1)))))""",
    "signed": """(module (func (param i32 i32) (result i32)
        (i32.or (i32.lt_s (local.get 0) (local.get 1)) (i32.ge_s (local.get 0) (i32.const 7)))))""",
    "fib": """(module (func $fib (param i32) (result i32)
        (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
          (then (local.get 0))
          (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                         (call $fib (i32.sub (local.get 0) (i32.const 2))))))))""",
    "count": """(module (memory 1) (func (param i32) (result i32) (local i32 i32)
        (block $exit (loop $again
          (br_if $exit (i32.ge_u (local.get 1) (local.get 0)))
          (i32.store8 (i32.and (local.get 1) (i32.const 1023)) (local.get 2))
          (local.set 2 (i32.add (local.get 2) (i32.load offset=4 (local.get 1))))
          (local.set 1 (i32.add (local.get 1) (i32.const 1)))
          (br $again)))
        (local.get 2)))""",
    "nest": """(module (func (param i32) (result i32) (local i32)
        (block (br_if 0 (i32.eqz (local.get 0))) (local.set 1 (i32.const 5)))
        (local.get 1)))""",
    "switch": """(module (func (param i32) (result i32)
        (block (block (block (block (br_table 0 1 2 3 (local.get 0)))
          (return (i32.const 10))) (return (i32.const 20))) (return (i32.const 30)))
        (i32.const 40)))""",
    "leaving": """(module (func (param i32) (result i32) (local i32)
        (loop $outer
          (loop $inner
            (local.set 1 (i32.add (local.get 1) (i32.const 1)))
            (br_if $outer (i32.lt_u (local.get 1) (local.get 0)))
            (br_if $inner (i32.and (local.get 1) (i32.const 1))))
          (local.set 1 (i32.shl (local.get 1) (i32.const 1))))
        (local.get 1)))""",
    "order": """(module (memory 1) (func (param i32 i32) (result i32)
        (i32.load (local.get 0))
        (i32.store (local.get 1) (i32.const 7))
        (i32.load8_s (local.get 1))
        (i32.add)))""",
    "single": """(module (memory 1) (func (param f32 i32) (result f32)
        (f32.add (f32.mul (local.get 0) (f32.const 0.1)) (f32.load (local.get 1)))))""",
    "truncate": """(module (func (param f64) (result i32)
        (i32.trunc_f64_s (f64.div (local.get 0) (f64.const 3)))))""",
    "indirect": """(module (type $t (func (param i32) (result i32))) (table 2 funcref)
        (func (param i32) (result i32)
          (call_indirect (type $t) (local.get 0) (i32.const 1))))""",
    "global": """(module
        (global (mut i32) (i32.const 0)) (global (export "g") (mut i64) (i64.const 0))
        (func (global.set 0 (i32.sub (global.get 0) (i32.const 16)))
              (global.set 1 (i64.extend_i32_s (global.get 0)))))""",
}
