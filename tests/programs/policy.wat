;; A policy as the Open Policy Agent compiles them (its ABI 1.3), written by hand. A value is the
;; address of its JSON, which ends with a null byte. The rules:
;;
;;     package example
;;     allow if input.user == data.owner
;;     loud := text.upper(input)        # a builtin of the host
;;     fail                             # aborts
(module
  (import "env" "memory" (memory 2))
  (import "env" "opa_abort" (func $abort (param i32)))
  (import "env" "opa_println" (func $println (param i32)))
  (import "env" "opa_builtin1" (func $builtin1 (param i32 i32 i32) (result i32)))

  (global (export "opa_wasm_abi_version") i32 (i32.const 1))
  (global (export "opa_wasm_abi_minor_version") i32 (i32.const 3))
  (global $heap (mut i32) (i32.const 4096))

  (data (i32.const 1024) "{\"example/allow\":0,\"example/loud\":1,\"example/fail\":2}\00")
  (data (i32.const 1100) "{\"text.upper\":7}\00")
  (data (i32.const 1200) "[{\"result\":true}]\00")
  (data (i32.const 1300) "[{\"result\":false}]\00")
  (data (i32.const 1400) "[{\"result\":")
  (data (i32.const 1500) "\"user\"")
  (data (i32.const 1600) "\"owner\"")
  (data (i32.const 1700) "fail: this rule always does\00")
  (data (i32.const 1800) "loud: größer\00")

  (func (export "entrypoints") (result i32) (i32.const 1024))
  (func (export "builtins") (result i32) (i32.const 1100))
  (func (export "opa_heap_ptr_get") (result i32) (global.get $heap))
  (func (export "opa_heap_ptr_set") (param i32) (global.set $heap (local.get 0)))
  (func (export "opa_free") (param i32))

  (func $malloc (export "opa_malloc") (param $size i32) (result i32)
    (global.get $heap)
    (global.set $heap (i32.add (global.get $heap) (local.get $size))))

  (func $parse (export "opa_json_parse") (param $text i32) (param $size i32) (result i32)
    (local $value i32)
    (if (i32.eqz (local.get $size)) (then (return (i32.const 0))))
    (local.set $value (call $malloc (i32.add (local.get $size) (i32.const 1))))
    (memory.copy (local.get $value) (local.get $text) (local.get $size))
    (i32.store8 (i32.add (local.get $value) (local.get $size)) (i32.const 0))
    (local.get $value))

  (func (export "opa_json_dump") (param $value i32) (result i32) (local.get $value))

  (func $length (param $text i32) (result i32)
    (local $end i32)
    (local.set $end (local.get $text))
    (block $found
      (loop $next
        (br_if $found (i32.eqz (i32.load8_u (local.get $end))))
        (local.set $end (i32.add (local.get $end) (i32.const 1)))
        (br $next)))
    (i32.sub (local.get $end) (local.get $text)))

  ;; Whether as many bytes are the same.
  (func $same (param $a i32) (param $b i32) (param $size i32) (result i32)
    (loop $next
      (if (i32.eqz (local.get $size)) (then (return (i32.const 1))))
      (if (i32.ne (i32.load8_u (local.get $a)) (i32.load8_u (local.get $b)))
        (then (return (i32.const 0))))
      (local.set $a (i32.add (local.get $a) (i32.const 1)))
      (local.set $b (i32.add (local.get $b) (i32.const 1)))
      (local.set $size (i32.sub (local.get $size) (i32.const 1)))
      (br $next))
    (unreachable))

  ;; The address of a member's string, after its first quotation mark, or 0.
  (func $member (param $json i32) (param $key i32) (param $size i32) (result i32)
    (block $none
      (loop $next
        (br_if $none (i32.eqz (i32.load8_u (local.get $json))))
        (if (call $same (local.get $json) (local.get $key) (local.get $size))
          (then
            (local.set $json (i32.add (local.get $json) (local.get $size)))
            (loop $skip
              (local.set $json (i32.add (local.get $json) (i32.const 1)))
              (br_if $skip
                (i32.ne (i32.load8_u (i32.sub (local.get $json) (i32.const 1))) (i32.const 34))))
            (return (local.get $json))))
        (local.set $json (i32.add (local.get $json) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  (func $allow (param $input i32) (param $data i32) (result i32)
    (local $user i32) (local $owner i32)
    (local.set $user (call $member (local.get $input) (i32.const 1500) (i32.const 6)))
    (local.set $owner (call $member (local.get $data) (i32.const 1600) (i32.const 7)))
    (if (i32.or (i32.eqz (local.get $user)) (i32.eqz (local.get $owner)))
      (then (return (i32.const 1300))))
    (loop $next
      (if (i32.ne (i32.load8_u (local.get $user)) (i32.load8_u (local.get $owner)))
        (then (return (i32.const 1300))))
      (if (i32.eq (i32.load8_u (local.get $user)) (i32.const 34))
        (then (return (i32.const 1200))))
      (local.set $user (i32.add (local.get $user) (i32.const 1)))
      (local.set $owner (i32.add (local.get $owner) (i32.const 1)))
      (br $next))
    (unreachable))

  (func $loud (param $input i32) (result i32)
    (local $answer i32) (local $size i32) (local $result i32)
    (call $println (i32.const 1800))
    (local.set $answer (call $builtin1 (i32.const 7) (i32.const 0) (local.get $input)))
    (local.set $size (call $length (local.get $answer)))
    (local.set $result (call $malloc (i32.add (local.get $size) (i32.const 14))))
    (memory.copy (local.get $result) (i32.const 1400) (i32.const 11))
    (memory.copy (i32.add (local.get $result) (i32.const 11)) (local.get $answer) (local.get $size))
    (i32.store (i32.add (local.get $result) (i32.add (local.get $size) (i32.const 11)))
      (i32.const 0x5d7d)) ;; }] and two null bytes
    (local.get $result))

  (func (export "opa_eval")
    (param $reserved i32) (param $entrypoint i32) (param $data i32) (param $input i32)
    (param $size i32) (param $heap i32) (param $format i32) (result i32)
    (global.set $heap (local.get $heap))
    (local.set $input (call $parse (local.get $input) (local.get $size)))
    (block $fail
      (block $loud
        (block $allow
          (br_table $allow $loud $fail (local.get $entrypoint)))
        (return (call $allow (local.get $input) (local.get $data))))
      (return (call $loud (local.get $input))))
    (call $abort (i32.const 1700))
    (unreachable)))
