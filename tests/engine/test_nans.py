"""NaNs: the same bits each time, where an engine promises that."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT, assemble

#: Each function gives the bits of a sum or product of two NaNs that are different: the lanes
#: of its result, lowest first.
_NANS = """(module
  (func (export "f32.add") (result i32) (i32.reinterpret_f32
    (f32.add (f32.const nan:0x400001) (f32.const nan:0x400002))))
  (func (export "f32.mul") (result i32) (i32.reinterpret_f32
    (f32.mul (f32.const nan:0x400001) (f32.const nan:0x400002))))
  (func (export "f64.add") (result i64) (i64.reinterpret_f64
    (f64.add (f64.const nan:0x8000000000001) (f64.const nan:0x8000000000002))))
  (func (export "f64.mul") (result i64) (i64.reinterpret_f64
    (f64.mul (f64.const nan:0x8000000000001) (f64.const nan:0x8000000000002))))
  (func (export "f32x4.add") (result i32 i32) (local v128)
    (local.set 0 (f32x4.add (v128.const f32x4 1 nan:0x400001 nan:0x400003 1)
      (v128.const f32x4 1 nan:0x400002 1 nan:0x400004)))
    (i32x4.extract_lane 1 (local.get 0)) (i32x4.extract_lane 3 (local.get 0)))
  (func (export "f64x2.mul") (result i64 i64) (local v128)
    (local.set 0 (f64x2.mul (v128.const f64x2 nan:0x8000000000001 1)
      (v128.const f64x2 nan:0x8000000000002 nan:0x8000000000004)))
    (i64x2.extract_lane 0 (local.get 0)) (i64x2.extract_lane 1 (local.get 0))))
"""

#: Prints what each function gives at first and, once CPython has adapted itself, at last.
_SCRIPT = """if True:
    import sys
    from purewasm_plugins import instantiate
    exports = instantiate(sys.stdin.buffer.read(), engine="pywasm").exports
    for name, function in exports.items():
        first = function()
        for _ in range(100):
            last = function()
        print(name, first, last, sep="; ")
"""


def test_the_reference_keeps_the_first_of_two_nans_at_first_and_at_last() -> None:
    # In a new process: in this one, pywasm has run often.
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        input=assemble(_NANS),
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    f32, f64 = 0x7FC00000, 0x7FF8000000000000
    expected: dict[str, object] = {
        "f32.add": f32 + 1,
        "f32.mul": f32 + 1,
        "f64.add": f64 + 1,
        "f64.mul": f64 + 1,
        "f32x4.add": (f32 + 1, f32 + 4),
        "f64x2.mul": (f64 + 1, f64 + 4),
    }
    assert done.stdout.decode().splitlines() == [
        f"{name}; {value}; {value}" for name, value in expected.items()
    ]
