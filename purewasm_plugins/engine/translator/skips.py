"""The code before a loop that is one operation on bytes: it does most iterations at once.

It finds how many iterations certainly lead to another one, and does all of them but the last two:
the loop itself runs these, leaves as ever, and gives every local that it sets its value. An
iteration that is skipped is paid for by `grant`. Loops that turn a few times only pay one test.
"""

from __future__ import annotations

from purewasm_plugins.engine.translator.byte_loops import (
    ByteLoop,
    Copy,
    Counter,
    Equal,
    Fill,
    Linear,
    Span,
    Until,
    byte_loop,
)
from purewasm_plugins.engine.translator.control import Analysis, Construct
from purewasm_plugins.engine.translator.expressions import (
    ADD,
    COMPARISON,
    MULTIPLY,
    Expression,
    binary,
    constant,
    spelled,
    unsigned,
)
from purewasm_plugins.engine.translator.writer import Writer

__all__ = ["write_skip"]

#: Loops that turn no more often than this run as they are.
_FEW = 16

#: The number of iterations, where nothing is known of it before bytes are read.
_WINDOW = 1 << 16

#: The highest effective address.
_HIGHEST = 2 * ((1 << 32) - 1)

#: After fewer iterations than this the bytes that end the loop are near.
_MANY = 1 << 12


def write_skip(writer: Writer, analysis: Analysis, loop: Construct) -> None:
    """Write what skips iterations of a loop, if they are one operation on bytes.

    Example::

        (module (memory 1)
          (func (param i32) (result i32)
            (loop $again
              (br_if $again
                (i32.load8_u
                  (local.tee 0 (i32.add (local.get 0) (i32.const 1))))))
            (local.get 0)))

        def f0(l0):
            for _ in budget: break
            while 0 not in memory[(first := l0 + 1 & 0xffffffff):first + 16]:
                if not (count := grant(count_until(memory, first, 1, 0x10000, 0) - 1)):
                    break
                l0 = l0 + count & 0xffffffff
                if count < 4096:
                    break
            for _ in budget:
                l0 = l0 + 1 if l0 < 0x3fff0000 else l0 + 1 & 0xffffffff
                if memory[l0]:
                    continue
                break
            return l0

    Args:
        writer: of the function.
        analysis: of the function.
        loop: the loop, which is opened next.
    """
    found = byte_loop(analysis, loop)
    if found is not None:
        _Skip(writer, found).write()


class _Skip:
    """The code before one loop."""

    def __init__(self, writer: Writer, loop: ByteLoop) -> None:
        self._locals = writer.locals
        self._lines = writer.lines
        self._loop = loop
        #: The bytes whose address is in the variable `first`.
        self._first: Span | None = None

    def write(self) -> None:
        """Write it, unless the loop is known to be short."""
        counts = [self._count(counter) for counter in self._loop.counters]
        if any(count.high <= _FEW for count in counts):
            return
        scans = self._loop.scans
        tests = [f"{spelled(count, ADD)} > {_FEW}" for count in counts]
        if scans:
            tests.append(self._first_bytes(scans[0]))
        count = counts[0] if counts else constant(_WINDOW)
        if len(counts) > 1:
            count = Expression(f"min({', '.join([count.text for count in counts])})")
        for scan in scans:
            count = Expression(self._scanned(scan, count.text))
        steps = sorted(self._loop.steps.items())
        self._lines.write_skip(
            " and ".join(tests),
            self._done(_added(count, constant(1), -1).text),
            {self._locals.names[local]: self._stepped(local, step) for local, step in steps},
            _MANY if scans else 0,
        )

    # Numbers

    def _sum(self, value: Linear) -> Expression:
        """Return a value, modulo the width of its type."""
        total: Expression | None = None
        for local, factor in sorted(value.terms, key=lambda term: term[1] < 0):
            term = self._locals.expression(local)
            size = abs(factor)
            if size != 1:
                term = binary(
                    term, "*", constant(size), MULTIPLY, term.low * size, term.high * size
                )
            total = _added(total or constant(0), term, factor)
        total = total or constant(0)
        if value.constant:
            total = _added(total, constant(abs(value.constant)), value.constant)
        return total

    def _count(self, counter: Counter) -> Expression:
        """Return for how many iterations a condition on a counter certainly holds.

        What is no more than zero stands for none.
        """
        if counter.relation == "ne":
            # Where the difference is no multiple of the step, they never meet before it wraps.
            total = self._sum(counter.right.plus(counter.left, -1))
            if total.high >= 1 << counter.left.bits or total.high <= 0:
                total = unsigned(total, counter.left.bits)
        else:
            bits = counter.left.bits
            bias = Linear(bits, counter.bias)
            left, right = (
                unsigned(self._sum(side.plus(bias)), bits) for side in (counter.left, counter.right)
            )
            total = _added(right, left, -1)
            if counter.relation == "lt" and counter.step > 1:
                total = _added(total, constant(counter.step - 1), 1)
        if counter.step > 1:
            total = binary(
                total,
                "//",
                constant(counter.step),
                MULTIPLY,
                total.low // counter.step,
                total.high // counter.step,
            )
        return _added(total, constant(1), 1) if counter.relation == "le" else total

    def _address(self, span: Span) -> Expression:
        """Return the lowest address of an iteration's bytes."""
        if span == self._first:
            return Expression("first", high=_HIGHEST)
        address = unsigned(self._sum(span.address), 32)
        return _added(address, constant(span.offset), 1) if span.offset else address

    # Statements

    def _first_bytes(self, scan: Until | Equal) -> str:
        """Return a test of the first bytes: that the loop does not end among them."""
        if isinstance(scan, Equal):
            size = _FEW * scan.left.step
            left, right = (self._address(span) for span in (scan.left, scan.right))
            return (
                f"memory[{left.text}:{spelled(left, ADD)} + {size}] == "
                f"memory[{right.text}:{spelled(right, ADD)} + {size}]"
            )
        address, at = self._address(scan.span), "first"
        step = scan.span.step
        stop = spelled(unsigned(self._sum(scan.stop), 8), COMPARISON + 1)
        if address.size <= 1:
            at = address.text
        else:
            self._first = scan.span
            address = Expression(f"({at} := {address.text})")
        if step > 0:
            return f"{stop} not in memory[{address.text}:{at} + {_FEW * step}]"
        # Python counts a start below zero from the end, which only makes the bytes fewer.
        return f"{stop} not in memory[{address.text} - {_FEW * -step}:{at} + {-step}]"

    def _scanned(self, scan: Until | Equal, count: str) -> str:
        """Return the text of what finds how many iterations a condition on bytes holds for."""
        if isinstance(scan, Equal):
            step = scan.left.step
            left, right = (self._address(span).text for span in (scan.left, scan.right))
            return f"count_equal(memory, {left}, {right}, {step}, {count})"
        stop = unsigned(self._sum(scan.stop), 32).text
        if scan.repeated:
            stop = f"repeated_byte({stop})"
        address = self._address(scan.span).text
        return f"count_until(memory, {address}, {scan.span.step}, {count}, {stop})"

    def _done(self, count: str) -> str:
        """Return the text of what does the iterations but the last two, and says how many."""
        store = self._loop.store
        if isinstance(store, Copy):
            destination, source = (
                self._address(span).text for span in (store.destination, store.source)
            )
            step = store.source.step
            return (
                f"copy_iterations(memory, grant, {destination}, {source}, "
                f"{step}, {store.unit}, {count})"
            )
        if isinstance(store, Fill):
            address = self._address(store.span).text
            pattern = repr(store.value)
            if isinstance(store.value, Linear):
                value = unsigned(self._sum(store.value), 8 * store.size)
                pattern = f"pattern({value.text}, {store.size}, {abs(store.span.step)})"
            return (
                f"fill_iterations(memory, grant, {address}, {store.span.step}, {pattern}, {count})"
            )
        return f"grant({count})"

    def _stepped(self, local: int, step: int) -> str:
        """Return the value of a local after the iterations."""
        name = self._locals.names[local]
        sign = "-" if step < 0 else "+"
        times = f" * {abs(step)}" if abs(step) != 1 else ""
        mask = self._locals.mask(local)
        return f"{name} {sign} count{times}{mask}"


def _added(left: Expression, right: Expression, sign: int) -> Expression:
    """Return the sum of two expressions, or their difference if `sign` is below zero."""
    if left.size == right.size == 0:
        return constant(left.low + right.low if sign > 0 else left.low - right.low)
    if left.size == 0 and left.low == 0 and sign > 0:
        return right
    if sign < 0:
        return binary(left, "-", right, ADD, left.low - right.high, left.high - right.low)
    return binary(left, "+", right, ADD, left.low + right.low, left.high + right.high)
