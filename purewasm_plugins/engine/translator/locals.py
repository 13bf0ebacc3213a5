"""The locals of the Python function that is being written, and the bounds of their values.

A local is a Python variable. Where the bounds of its value are closer than those of its type,
 the code that reads it needs fewer masks.
"""

from __future__ import annotations

from purewasm_plugins.engine.translator.alignment import kept_zeros
from purewasm_plugins.engine.translator.control import Analysis, Bounds, Construct, local_bit
from purewasm_plugins.engine.translator.expressions import (
    ATOM,
    HIGHEST,
    TRAPS,
    Expression,
    integer_bits,
    unsigned,
)
from purewasm_plugins.engine.translator.lines import Lines
from purewasm_plugins.engine.translator.operands import Operands
from purewasm_plugins.engine.translator.translation import MEMORY_END
from purewasm_plugins.support.typed import Callable
from purewasm_plugins.wasm.types import ValType

__all__ = ["Locals"]

#: The text of the default value of each type (section 4.2.1).
DEFAULTS: dict[ValType, str] = {
    ValType.I32: "0",
    ValType.I64: "0",
    ValType.F32: "0.0",
    ValType.F64: "0.0",
    ValType.V128: repr(bytes(16)),
    ValType.FUNCREF: "None",
    ValType.EXTERNREF: "None",
}


class Locals:
    """The locals of one function.

    Attributes:
        types: of the locals, parameters first.
        names: what they are called.
        constructs: how many constructs are open that are statements in Python: code outside of all
            runs exactly once.
        loops: how many Python loops are open that may run more than once.
    """

    def __init__(
        self, types: list[ValType], params: int, names: list[str], lines: Lines, operands: Operands
    ) -> None:
        """Begin a function.

        Args:
            types: of the locals, parameters first.
            params: how many are parameters.
            names: what they are called.
            lines: where assignments of locals are written.
            operands: where the values of locals are pushed and popped.
        """
        self.types = types
        self.names = names
        self.constructs = 0
        self.loops = 0
        self._params = params
        self._lines = lines
        self._operands = operands
        #: Each local with the bounds of its type, or of the counter that it is.
        self._plain = [
            _variable(name, 0, HIGHEST.get(type, 0), index)
            for index, (name, type) in enumerate(zip(names, types, strict=True))
        ]
        #: What a `local.get` pushes: with the bounds of the value that was set last.
        self._known = list(self._plain)
        #: The locals whose bounds are closer than those of their types, by their bits.
        self._narrowed: dict[int, set[int]] = {}
        self._narrowed_bits = 0
        #: The bounds of locals that accesses imply which may not have been evaluated yet.
        self._implied: list[tuple[int, int, int]] = []
        #: Locals whose bounds an access has made closer, with what was known before.
        self._learned: list[tuple[int, Expression]] = []
        #: Counters that are kept as signed ints while their loop runs.
        self._signed: set[int] = set()
        self._used = bytearray(len(types))
        #: Locals that are set before they are read, in code that runs exactly once.
        self._set_first: set[int] = set()

    # Instructions (section 4.4.5)

    def get(self, index: int) -> None:
        """Translate `local.get`."""
        self._operands.push(self.expression(index))

    def expression(self, index: int) -> Expression:
        """Return the present value of a local."""
        self._used[index] = 1
        if self._implied:
            self._learn()
        return self._known[index]

    def mask(self, index: int) -> str:
        """Return the text that makes a sum of integers a value of a local's."""
        return "" if index in self._signed else f" & {HIGHEST[self.types[index]]:#x}"

    def set(self, index: int) -> None:
        """Translate `local.set`.

        An operand that reads the old value is spilled. A counter is masked only past the small
        ints. Where the last line has spilled the value, that line assigns the local instead.

        Example::

            (module (memory 1)
              (func (param i32 i32) (result i32)
                (local.get 0)
                (local.set 0 (i32.load (local.get 1)))
                (local.set 1 (i32.load (local.get 0)))))

            def f0(l0, l1):
                for _ in budget: break
                s1, = load_u32(memory, l1)
                s0 = l0
                l0 = s1
                l1, = load_u32(memory, l0)
                return s0

        Example::

            (func (param i32)
              (loop $again
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (br_if $again (i32.and (local.get 0) (i32.const 3)))))

            def f0(l0):
                for _ in budget: break
                for _ in budget:
                    l0 = l0 - 1 if l0 >= 1 else l0 - 1 & 0xffffffff
                    if l0 & 3:
                        continue
                    break
                return
        """
        if self._implied:
            self._implied = [fact for fact in self._implied if fact[0] != index]
        if not self._used[index]:
            self._used[index] = 1
            if not self.constructs:
                self._set_first.add(index)
        type = self.types[index]
        operands = self._operands
        operand = operands.pop()
        if type in HIGHEST and index not in self._signed:
            bare, step, bits = operand.text, operand.step, integer_bits(type)
            operand = unsigned(operand, bits)
            if self.loops and step is not None and step[0] == bits and operand.text != bare:
                # A counter seldom leaves the small ints, where comparing is cheaper than masking.
                operand.text = f"{bare} if {step[3]} else {operand.text}"
        bit = local_bit(index)
        name = self.names[index]
        text = operand.text
        if text != name and not (text == operands.last_spilled and operands.rename_last(name, bit)):
            operands.spill_conflicting(operand.effects, bit)
            self._lines.write(f"{name} = {text}")
        self._narrow(index, operand.low, operand.high, operand.zeros)

    def tee(self, index: int) -> None:
        """Translate `local.tee`."""
        operand = self._operands.stack[-1]
        self.set(index)
        self._operands.push(self._known[index] if operand.size else operand)

    # Bounds

    def _narrow(self, index: int, low: int, high: int, zeros: int) -> None:
        """Note the bounds of a local's new value, and its lowest bits that are zero."""
        plain = self._plain[index]
        if low > plain.low or high < plain.high or zeros > plain.zeros:
            self._known[index] = _variable(plain.text, low, high, index, max(zeros, plain.zeros))
            bit = local_bit(index)
            self._narrowed_bits |= bit
            self._narrowed.setdefault(bit, set()).add(index)
        else:
            self._widen(index)

    def _widen(self, index: int) -> None:
        """Forget the bounds of a local, but for those of its type."""
        if self._known[index] is self._plain[index]:
            return
        self._known[index] = self._plain[index]
        narrowed = self._narrowed.get(local_bit(index))
        if narrowed is not None:
            narrowed.discard(index)

    def bounds(self, index: int) -> tuple[int, int]:
        """Return the bounds of a local's present value."""
        known = self._known[index]
        return known.low, known.high

    def narrowed(self, assigned: int) -> list[int]:
        """Return which of some locals, by their bits, have closer bounds than their types."""
        found: list[int] = []
        bits = self._narrowed_bits & assigned
        while bits:
            bit = bits & -bits
            bits ^= bit
            found += self._narrowed[bit]
        return sorted(found)

    def forget(self, assigned: int) -> None:
        """Forget the bounds of locals, by their bits: they may have been set on the way here."""
        if self._implied:
            self._implied = [fact for fact in self._implied if not local_bit(fact[0]) & assigned]
        for index in self.narrowed(assigned):
            self._widen(index)
        self._narrowed_bits &= ~assigned

    def forget_all(self) -> None:
        """Forget the bounds of all locals."""
        self._implied.clear()
        self.forget(-1)

    # Accesses

    def note_access(self, origin: tuple[int, int], offset: int, size: int) -> None:
        """Note the bounds of a local that an access to memory implies: it traps if they are wrong.

        An address is below `MEMORY_END`. So a local that is the address needs no mask after it, nor
        does its sum with a constant. After an access at a local minus a constant the local is not
        less than that. This holds until the local is set, and until the end of the construct.

        Example::

            (module (memory 1)
              (func (param i32) (result i32)
                (i32.store offset=4 (local.get 0) (i32.const 7))
                (i32.add (i32.load (local.get 0))
                  (i32.load (i32.add (local.get 0) (i32.const 12))))))

            def f0(l0):
                for _ in budget: break
                store_u32(memory, l0 + 4, 7)
                s0, = load_u32(memory, l0)
                s1, = load_u32(memory, l0 + 12)
                return s0 + s1 & 0xffffffff

        Args:
            origin: of the address, the operand; see `Expression`.
            offset: that is added to it.
            size: bytes that are accessed.
        """
        index, distance = origin
        if self.types[index] is not ValType.I32 or index in self._signed:
            return
        distance = (distance + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        top = MEMORY_END - size - offset
        if top < 0 or (distance > 0 and self._known[index].high + distance > 0xFFFFFFFF):
            return
        self._implied.append((index, -distance, top - distance))

    def _learn(self) -> None:
        """Take the bounds that accesses imply for known, if all of these have been evaluated."""
        for operand in self._operands.stack:
            if operand.effects & TRAPS:
                return
        for index, low, high in self._implied:
            known = self._known[index]
            low, high = max(low, known.low), min(high, known.high)
            if low <= high and (low > known.low or high < known.high):
                self._learned.append((index, known))
                self._narrow(index, low, high, known.zeros)
        self._implied.clear()

    def enter(self) -> int:
        """Begin a construct; return what `leave` needs."""
        if self._implied:
            self._learn()
        return len(self._learned)

    def leave(self, entered: int) -> None:
        """End a construct, or the first arm of an `if`.

        Its accesses may not have been executed.

        Args:
            entered: what `enter` returned.
        """
        self._implied.clear()
        while len(self._learned) > entered:
            index, known = self._learned.pop()
            if known is self._plain[index]:
                self._widen(index)
            else:
                self._narrow(index, known.low, known.high, known.zeros)

    # Counters of loops

    def begin_counters(self, bounds: list[Bounds]) -> list[tuple[Bounds, Expression]]:
        """Rely on the bounds of a loop's counters until the loop ends.

        Example::

            (module (memory 1)
              (func (local i32)
                (local.set 0 (i32.const 0))
                (loop $again
                  (i32.store8 offset=100 (local.get 0) (i32.const 7))
                  (br_if $again
                    (i32.ne
                      (local.tee 0 (i32.add (local.get 0) (i32.const 4)))
                      (i32.const 60))))))

            def f0():
                for _ in budget: break
                l0 = 0
                for _ in budget:
                    memory[l0 + 100] = 7
                    l0 = l0 + 4
                    if l0 != 60:
                        continue
                    break
                return

        Returns:
            What `end_counters` needs.
        """
        before = []
        for bound in bounds:
            index = bound.local
            plain = self._plain[index]
            before.append((bound, plain))
            if bound.least < 0:
                self._signed.add(index)
                self._write_start(index, bound.low)
            self._plain[index] = _variable(plain.text, bound.least, bound.most, index, plain.zeros)
            self._narrow(index, bound.low, bound.high, plain.zeros)
        return before

    def _write_start(self, index: int, start: int) -> None:
        """Write the start of a signed counter, in place of the same number without a sign."""
        last = self._lines.written[-1]
        name = self.names[index]
        if last.indent == self._lines.indent and last.text == f"{name} = {start & 0xFFFFFFFF:#x}":
            last.text = f"{name} = {start}"
        else:
            self._lines.write(f"{name} = {start}")

    def end_counters(self, before: list[tuple[Bounds, Expression]]) -> None:
        """End the loop that `begin_counters` began."""
        for bound, plain in before:
            self._plain[bound.local] = plain
            self._widen(bound.local)
            self._signed.discard(bound.local)

    # Alignment

    def align_body(self, analysis: Analysis) -> None:
        """Find out which locals are always multiples of a power of two."""
        locals = range(self._params, len(self.types))
        before = {index: 64 for index in locals if self.types[index] is ValType.I32}
        for index, zeros in kept_zeros(analysis, analysis.body, before, _unknown).items():
            plain = self._plain[index]
            aligned = _variable(plain.text, plain.low, plain.high, index, zeros)
            self._plain[index] = self._known[index] = aligned

    def align_loop(self, analysis: Analysis, loop: Construct) -> list[tuple[int, Expression]]:
        """Find out which of the locals that a loop sets stay multiples of a power of two.

        Then forget what else is known of them. Until the loop ends, they are known to be aligned.

        Returns:
            What `end_alignment` needs.
        """
        before = {}
        for index in self.narrowed(loop.assigned):
            zeros = self._known[index].zeros
            if zeros > self._plain[index].zeros and self.types[index] is ValType.I32:
                before[index] = zeros
        kept = kept_zeros(analysis, loop, before, self._zeros_outside(loop)) if before else {}
        self.forget(loop.assigned)
        replaced = []
        for index, zeros in kept.items():
            plain = self._plain[index]
            if zeros > plain.zeros:
                replaced.append((index, plain))
                aligned = _variable(plain.text, plain.low, plain.high, index, zeros)
                self._plain[index] = self._known[index] = aligned
        return replaced

    def _zeros_outside(self, loop: Construct) -> Callable[[int], int]:
        """Return what tells the alignment of locals that the loop does not keep aligned."""

        def zeros(index: int) -> int:
            set_inside = loop.assigned & local_bit(index)
            return (self._plain if set_inside else self._known)[index].zeros

        return zeros

    def end_alignment(self, replaced: list[tuple[int, Expression]]) -> None:
        """End the loop of `align_loop`."""
        for index, plain in replaced:
            self._plain[index] = plain
            self._widen(index)

    # Defaults

    def defaults(self) -> list[str]:
        """Return the statements that give locals their default values, where these can be read."""
        groups: dict[str, list[str]] = {}
        for index in range(self._params, len(self.types)):
            if self._used[index] and index not in self._set_first:
                groups.setdefault(DEFAULTS[self.types[index]], []).append(self.names[index])
        return [
            f"{' = '.join(names[start : start + 32])} = {default}"
            for default, names in groups.items()
            for start in range(0, len(names), 32)
        ]


def _unknown(index: int) -> int:
    return 0


def _variable(name: str, low: int, high: int, index: int, zeros: int = 0) -> Expression:
    """Make the expression of a local with what is known of its value."""
    variable = Expression(name, ATOM, low, high, 0, local_bit(index))
    variable.origin = index, 0
    variable.zeros = zeros
    return variable
