"""Programs for the tests of the debugger, and the state by which they are compared."""

from __future__ import annotations

from random import Random
from typing import Any

from purewasm_plugins import instantiate
from purewasm_plugins.debugger import DebugSession
from tests.conftest import assemble
from tests.random_modules.modules import random_module
from tests.random_modules.plan import TYPES

#: Calls, loops, branches, memory, globals and a table, in few enough steps to look at each.
FACTORIALS = """
(module $factorials
  (memory (export "memory") 1)
  (global $calls (export "calls") (mut i32) (i32.const 0))
  (table funcref (elem $factorial))
  (func $factorial (param $n i32) (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (result i32) (local.get $n)
      (then
        (i32.mul
          (local.get $n)
          (call $factorial (i32.sub (local.get $n) (i32.const 1)))))
      (else (i32.const 1))))
  (func $all (export "all") (param $count i32) (result i32) (local $i i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
        (i32.store
          (i32.mul (local.get $i) (i32.const 4))
          (call_indirect (param i32) (result i32) (local.get $i) (i32.const 0)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (i32.load (i32.mul (i32.const 4) (i32.sub (local.get $i) (i32.const 1))))))
"""


def start(text: str, name: str, *arguments: Any, **options: Any) -> DebugSession:
    """A session at the start of a function of a module's text."""
    instance = instantiate(assemble(text), options.pop("imports", None), engine="pywasm")
    return DebugSession.for_function(instance, name, *arguments, **options)


def random_call(random: Random) -> tuple[bytes, str, list[Any]]:
    """A module, the export that is called, and the arguments."""
    data = random_module(
        random, functions=8, size=150, canonical_nans=True, vector_signatures=False
    )
    instance = instantiate(data, engine="pywasm")
    functions = [name for name in instance.exports if name[0] == "f"]
    name = random.choice(functions)
    defaults = {str(type): 0 for type in TYPES[:4]} | {"v128": bytes(16)}
    function: Any = instance.exports[name]
    return data, name, [defaults.get(str(param)) for param in function.type.params]


def state(session: DebugSession) -> str:
    """All that there is to see, as text: a NaN equals itself there."""
    return repr(
        (
            session.step_number,
            session.finished,
            session.view.frames(),
            session.view.stack(),
            session.view.globals(),
            session.view.tables(),
            session.view.read_memory(0, session.view.memory_size()),
            session.instance.fuel_used,
        )
    )


def text(session: DebugSession) -> str:
    """The instruction that is next, as text."""
    line = next(line for line in session.view.lines() if line.offset == session.stop.offset)
    return line.text
