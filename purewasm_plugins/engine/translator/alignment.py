"""How many of the lowest bits of locals are zero, wherever they are read: their alignment.

Compilers compute an address that is a multiple of four or eight from constants, shifts, and locals
that step by such multiples. What each `local.set` sets is read backwards from it, as far as the
instructions are simple. The locals that depend on each other are assumed to be aligned until one
of their sets shows less.
"""

from __future__ import annotations

from bisect import bisect_left

from purewasm_plugins.engine.translator.control import Analysis, Construct
from purewasm_plugins.engine.translator.expressions import trailing_zeros
from purewasm_plugins.support.typed import Callable
from purewasm_plugins.wasm.binary.instructions import Instruction

__all__ = ["kept_zeros"]

#: How far an expression is read: its height, and how often the locals are looked at. What needs
#: more counts as not aligned.
_HEIGHT = 5
_ROUNDS = 6

_ALIKE = {"i32.add", "i32.sub", "i32.or", "i32.xor"}


def kept_zeros(
    analysis: Analysis, around: Construct, before: dict[int, int], others: Callable[[int], int]
) -> dict[int, int]:
    """Return how many of the lowest bits of locals are zero in a construct, wherever they are read.

    Example::

        (module (memory 1)
          (func (param i32) (local i32)
            (local.set 1 (i32.const 1024))
            (loop $again
              (i32.store (local.get 1) (local.get 0))
              (local.set 1 (i32.add (local.get 1) (i32.const 12)))
              (br_if $again
                (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))

        def f0(l0):
            for _ in budget: break
            l1 = 1024
            for _ in budget:
                memory32[l1 >> 2] = l0
                l1 = l1 + 12
                l0 = l0 - 1 if l0 >= 1 else l0 - 1 & 0xffffffff
                if l0:
                    continue
                break
            return

    Args:
        analysis: of the function.
        around: the construct.
        before: for i32 locals that it sets, how many are zero where it begins.
        others: returns the same for a local that it does not set.
    """
    kept = dict(before)
    places: dict[int, list[int]] = {}
    for local in kept:
        sets = analysis.sets.get(local, [])
        first, after = (bisect_left(sets, (place,)) for place in (around.start, around.end))
        places[local] = [position for position, _ in sets[first:after]]

    def zeros(local: int) -> int:
        found = kept.get(local)
        if found is None:
            return others(local)
        return found

    for _ in range(_ROUNDS):
        changed = False
        for local, known in kept.items():
            if known:
                least = known
                for position in places[local]:
                    least = min(
                        least, _value(analysis.instructions, position - 1, zeros, _HEIGHT)[0]
                    )
                if least < known:
                    kept[local] = least
                    changed = True
        if not changed:
            return {local: least for local, least in kept.items() if least}
    return {}


def _value(
    body: list[Instruction], end: int, zeros: Callable[[int], int], height: int
) -> tuple[int, int | None]:
    """Return how many of the lowest bits are zero of the value that an instruction leaves.

    Args:
        body: the function's instructions.
        end: the index of the instruction.
        zeros: returns the same of a local.
        height: how many levels of operands are read.

    Returns:
        How many are known to be zero, and the index of the first instruction that makes the value;
        None where that is not known.
    """
    if end < 0 or not height:
        return 0, None
    _, opcode, immediates = body[end]
    mnemonic = opcode.mnemonic
    height -= 1
    if mnemonic == "i32.const":
        return trailing_zeros(immediates[0]), end
    if mnemonic == "local.get":
        return zeros(immediates[0]), end
    if mnemonic == "local.tee":
        return _value(body, end - 1, zeros, height)
    if mnemonic in _ALIKE or mnemonic in ("i32.and", "i32.mul"):
        right, start = _value(body, end - 1, zeros, height)
        left = 0
        if start is not None:
            left, start = _value(body, start - 1, zeros, height)
        if mnemonic == "i32.and":
            return max(left, right), start
        return (left + right if mnemonic == "i32.mul" else min(left, right)), start
    if mnemonic in ("i32.shl", "i32.shr_u"):
        count = body[end - 1]
        if count.opcode.mnemonic == "i32.const":
            shift = count.immediates[0] & 31
            left, start = _value(body, end - 2, zeros, height)
            return (left + shift if mnemonic == "i32.shl" else max(left - shift, 0)), start
    return 0, None
