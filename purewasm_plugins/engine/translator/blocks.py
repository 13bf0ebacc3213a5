"""Control instructions (section 4.4.8): blocks and branches as Python statements.

`control` has decided what each construct becomes; here it is written. A branch that has to leave
several Python loops says where it is going in `br` and leaves the innermost; after each loop on its
way stands a test that takes it on.
"""

from __future__ import annotations

from typing import NamedTuple

from purewasm_plugins.engine.translator.control import (
    Analysis,
    Bounds,
    Construct,
    Region,
    Style,
    Target,
    loop_bounds,
)
from purewasm_plugins.engine.translator.expressions import (
    CALLS,
    NOT,
    Expression,
    condition,
    negated,
)
from purewasm_plugins.engine.translator.writer import (
    MOST_INDENTED,
    MOST_LOOPS,
    Line,
    TooDeep,
    Writer,
    as_value,
)
from purewasm_plugins.wasm.types import FuncType, ValType

__all__ = ["Blocks"]

#: The types of blocks that are declared without a function type.
_NO_TYPE = FuncType()
_RESULT_TYPES = {type: FuncType((), (type,)) for type in ValType}

#: From this many different targets on, a `br_table` into segments looks `pc` up.
_TABLE_FROM = 4
#: A `br_table` of more ranges than this looks up which of its different targets is meant.
_MOST_RANGES = 64


class _Loop:
    """A Python loop that is open.

    Attributes:
        header: a line before it, for the `br = 0` that the tests after it may need.
        passing: branches that leave it for something further out: number -> (loop, action).
    """

    __slots__ = ("header", "passing")

    def __init__(self, header: Line) -> None:
        self.header = header
        self.passing: dict[int, tuple[_Loop, str]] = {}


class _Open:
    """A construct that is being written.

    Attributes:
        height: of the operand stack below its parameters.
        loop: the Python loop that branches to it leave or begin again, if it has one.
        indent, nesting: those outside of it.
        saved: the parameters that the `else` starts with.
        live: whether execution can reach the `else`.
    """

    __slots__ = ("construct", "height", "indent", "live", "loop", "nesting", "saved", "type")

    def __init__(
        self,
        construct: Construct,
        type: FuncType,
        height: int,
        loop: _Loop | None,
        indent: int,
        nesting: int,
        saved: list[Expression],
    ) -> None:
        self.construct = construct
        self.type = type
        self.height = height
        self.loop = loop
        self.indent = indent
        self.nesting = nesting
        self.saved = saved
        self.live = False


class _Segments(NamedTuple):
    """A SEGMENTS statement that is being written: number of each part -> its first line."""

    region: Region
    loop: _Loop
    variable: str
    first: int
    marks: list[tuple[int, int]]


class Blocks:
    """Writes the constructs of one function."""

    def __init__(self, writer: Writer, analysis: Analysis) -> None:
        self.writer = writer
        self.analysis = analysis
        self._open: list[_Open] = []
        self._by_construct: dict[Construct, _Open] = {}
        self._loops: list[_Loop] = []
        self._segments: dict[Region, _Segments] = {}
        self._passes: dict[tuple[_Loop, str], int] = {}
        #: What to restore when a loop with counters ends.
        self._counters: dict[Construct, list[tuple[Bounds, Expression]]] = {}

    # The function

    def begin(self) -> None:
        """The function's body begins."""
        body = self.analysis.body
        self.writer.nesting = 0
        if self.writer.metered:
            self.writer.write(f"for _ in {self.writer.trace('budget')}: break")
        self._note(body, self.writer.type, 0, None)
        if body.region is not None:
            self._begin_segments(body.region)

    def _finish(self) -> None:
        writer = self.writer
        body = self.analysis.body
        if writer.live:
            self.return_()
        if body.region is not None:
            self._end_segments(body.region)
        self._open.pop()

    def return_(self) -> None:
        """`return`, and the end of the body."""
        writer = self.writer
        results = writer.take_typed(writer.type.results)
        writer.settle_effects()
        if results:
            writer.write(f"return {', '.join([result.text for result in results])}")
        else:
            writer.write("return")
        writer.live = False

    def unreachable(self) -> None:
        """`unreachable`."""
        self.writer.settle_effects()
        self.writer.write(self.writer.trace("unreachable()"))
        self.writer.live = False

    # Constructs

    def begin_construct(self, index: int) -> None:
        """`block`, `loop` or `if`."""
        writer = self.writer
        construct = self.analysis.constructs[index]
        type = self._block_type(construct.type)
        decision = None
        if construct.kind == "if":
            decision = writer.pop()
        height = len(writer.stack) - len(type.params)
        style = construct.style
        if style is Style.INLINE:
            if construct.kind == "loop" and writer.metered:
                # Its only start: nobody branches back.
                writer.make_way(CALLS)
                writer.write(f"for _ in {writer.trace('budget')}: break")
            self._note(construct, type, height, None)
            return
        if decision is not None and decision.effects:
            # Operands that are evaluated from here on come after it.
            writer.push(decision)
            writer.spill_all()
            decision = writer.pop()
        writer.spill_all()
        loop = None
        region = construct.region
        indent, nesting = writer.indent, writer.nesting
        if construct.kind == "loop":
            for position, param in enumerate(type.params, height):
                writer.spill(position, param, force=True)
            bounds: list[Bounds] = []
            if region is None:
                known = writer.narrowed(construct.assigned)
                bounds = list(loop_bounds(self.analysis, construct, writer.bounds, known))
            writer.forget(construct.assigned)
            if bounds:
                self._counters[construct] = writer.count(bounds)
            if region is not None:
                self._boundary(region, construct.start)
                if writer.metered:
                    writer.write(f"for _ in {writer.trace('budget')}: break")
            else:
                loop = self._begin_loop("for _ in {}:")
                writer.repeats += 1
            self._enter_parameters(type, height)
        elif region is not None and construct.kind == "block":
            if region not in self._segments:
                self._begin_segments(region)
        elif style is Style.ONCE or (style is Style.IF and construct.branches):
            loop = self._begin_loop("while True:")
        opened = self._note(construct, type, height, loop)
        opened.indent, opened.nesting = indent, nesting
        if decision is not None:
            opened.saved = writer.stack[height:]
            if region is not None:
                otherwise = construct.end if construct.otherwise is None else construct.otherwise
                writer.write(f"if {self._when(decision, False)}:")
                self._write_deeper([*self._else_values(opened), *self._go(region, otherwise)])
            else:
                writer.write(f"if {self._when(decision, True)}:")
                writer.deeper()

    def _else_values(self, opened: _Open) -> list[str]:
        """What skips the `else` that is not there: the parameters are the results."""
        if opened.construct.otherwise is not None:
            return []
        return self._moves(opened.height, opened.type.results, self.writer.stack)

    def otherwise(self) -> None:
        """`else`."""
        writer = self.writer
        opened = self._open[-1]
        construct = opened.construct
        self._leave_results(opened)
        opened.live = writer.live
        writer.forget(construct.assigned)
        if construct.region is not None and construct.otherwise is not None:
            if writer.live:
                self._write_all(self._go(construct.region, construct.end))
            writer.live = False
            self._boundary(construct.region, construct.otherwise)
        else:
            writer.shallower()
            writer.write("else:")
            writer.deeper()
        del writer.stack[opened.height :]
        for operand in opened.saved:
            writer.push(operand)
        writer.live = True

    def end(self) -> None:
        """`end`."""
        writer = self.writer
        opened = self._open[-1]
        construct = opened.construct
        if construct.kind == "function":
            self._finish()
            return
        style = construct.style
        if style is Style.INLINE:
            if not construct.falls:
                # Nobody comes here, or the `break` of a loop, which leaves operands behind.
                del writer.stack[opened.height :]
            self._open.pop()
            return
        self._leave_results(opened)
        falls = writer.live
        counters = self._counters.pop(construct, None)
        if counters is not None:
            writer.discount(counters)
        writer.forget(construct.assigned)
        if construct.region is not None:
            self._end_in_region(construct, construct.region)
        elif construct.kind == "loop":
            if writer.live:
                writer.write("break")
            self._end_loop(opened)
            writer.repeats -= 1
        elif construct.kind == "if":
            self._end_if(opened)
        elif opened.loop is not None:
            if writer.live:
                writer.write("break")
            self._end_loop(opened)
        elif writer.indent > opened.indent:
            writer.shallower(writer.indent - opened.indent)
        writer.nesting = opened.nesting
        self._open.pop()
        writer.live = (
            falls
            or opened.live
            or construct.exits > 0
            or (construct.kind != "loop" and construct.branches > 0)
            or (construct.kind == "if" and construct.otherwise is None)
        )
        del writer.stack[opened.height :]
        for position, result in enumerate(opened.type.results, opened.height):
            writer.push(writer.slot(position, result))

    def _end_if(self, opened: _Open) -> None:
        writer = self.writer
        construct = opened.construct
        if construct.otherwise is None and opened.type.results:
            # Without an `else` the parameters are the results.
            values = self._moves(opened.height, opened.type.results, opened.saved)
            if values:
                writer.shallower()
                writer.write("else:")
                writer.deeper()
                self._write_all(values)
        writer.shallower()
        if opened.loop is not None:
            writer.write("break")
            self._end_loop(opened)

    def _leave_results(self, opened: _Open) -> None:
        """Put the results of a construct where whoever comes after it looks for them."""
        writer = self.writer
        if not writer.live:
            return
        writer.settle_effects()
        for position, result in enumerate(opened.type.results, opened.height):
            writer.spill(position, result, force=True)

    def _enter_parameters(self, type: FuncType, height: int) -> None:
        writer = self.writer
        del writer.stack[height:]
        for position, param in enumerate(type.params, height):
            writer.push(writer.slot(position, param))

    def _note(self, construct: Construct, type: FuncType, height: int, loop: _Loop | None) -> _Open:
        writer = self.writer
        opened = _Open(construct, type, height, loop, writer.indent, writer.nesting, [])
        self._open.append(opened)
        self._by_construct[construct] = opened
        if construct.style is not Style.INLINE and construct.kind != "function":
            writer.nesting += 1
        return opened

    def _block_type(self, type: ValType | int | None) -> FuncType:
        if type is None:
            return _NO_TYPE
        if isinstance(type, ValType):
            return _RESULT_TYPES[type]
        return self.writer.module.types[type]

    # Python loops

    def _begin_loop(self, header: str) -> _Loop:
        writer = self.writer
        loop = _Loop(writer.reserve())
        if header == "for _ in {}:":
            header = header.format(writer.trace("budget")) if writer.metered else "while True:"
        writer.write(header)
        self._loops.append(loop)
        if len(self._loops) > MOST_LOOPS:
            raise TooDeep
        writer.deeper()
        return loop

    def _end_loop(self, opened: _Open) -> None:
        loop = opened.loop
        if loop is not None:
            self.writer.shallower(self.writer.indent - opened.indent)
            self._close(loop)

    def _close(self, loop: _Loop) -> None:
        """After a loop: take on the branches that pass through it."""
        writer = self.writer
        self._loops.pop()
        if not loop.passing:
            return
        loop.header.text = "br = 0"
        for number, (target, action) in sorted(loop.passing.items()):
            writer.write(f"if br == {number}:")
            self._write_deeper([action if self._loops[-1] is target else "break"])

    def _leave(self, loop: _Loop, action: str) -> list[str]:
        """The statements that `break` or `continue` a loop that need not be the innermost."""
        if self._loops[-1] is loop:
            return [action]
        number = self._passes.setdefault((loop, action), len(self._passes) + 1)
        for passed in reversed(self._loops):
            if passed is loop:
                break
            passed.passing[number] = (loop, action)
        return [f"br = {number}", "break"]

    # Branches

    def _jump(self, target: Target) -> list[str]:
        """The statements of a branch that carries nothing any more."""
        construct, out = target
        opened = self._by_construct[construct]
        region = construct.region
        if region is not None:
            if construct is region.root:
                return self._leave(self._segments[region].loop, "break")
            return self._go(region, construct.end if out else construct.start)
        if opened.loop is not None:
            return self._leave(opened.loop, "break" if out else "continue")
        return []  # a NEST: the rest of it is what cannot be reached

    def _arity(self, target: Target) -> tuple[int, tuple[ValType, ...]]:
        """Where the operands that a branch carries go, and their types."""
        construct, _ = target
        opened = self._by_construct[construct]
        if construct.kind == "loop" and not target[1]:
            return opened.height, opened.type.params
        # What leaves a loop for the end of a block around it carries nothing.
        return opened.height, () if construct.kind == "loop" else opened.type.results

    def _moves(
        self, height: int, types: tuple[ValType, ...], operands: list[Expression]
    ) -> list[str]:
        """Assign the topmost of some operands to the variables from a height on."""
        if not types:
            return []
        carried = zip(types, operands[-len(types) :], strict=True)
        values = [as_value(operand, type).text for type, operand in carried]
        pairs = [
            (f"s{position}", text)
            for position, text in enumerate(values, height)
            if text != f"s{position}"
        ]
        if not pairs:
            return []
        return [f"{', '.join(p[0] for p in pairs)} = {', '.join(p[1] for p in pairs)}"]

    def branch(self, index: int) -> None:
        """`br`."""
        writer = self.writer
        target = self.analysis.targets[index][0]
        if target[0].kind == "function":
            self.return_()
            return
        height, types = self._arity(target)
        operands = writer.take_typed(types)
        writer.settle_effects()
        self._write_all(self._moves(height, types, operands))
        self._write_all(self._jump(target))
        writer.live = False

    def branch_if(self, index: int) -> None:
        """`br_if`."""
        writer = self.writer
        target = self.analysis.targets[index][0]
        decision = writer.pop()
        construct = target[0]
        height, types = (0, writer.type.results)
        if construct.kind != "function":
            height, types = self._arity(target)
        if types or decision.effects:
            writer.push(decision)
            self._spill_carried(types, 1)
            decision = writer.pop()
        writer.settle_effects()
        if construct.style is Style.NEST and construct.region is None:
            writer.write(f"if {self._when(decision, False)}:")
            writer.deeper()
            return
        writer.write(f"if {self._when(decision, True)}:")
        self._write_deeper(self._branch_lines(target, height, types))

    def _branch_lines(self, target: Target, height: int, types: tuple[ValType, ...]) -> list[str]:
        operands = self.writer.stack
        if target[0].kind == "function":
            values = [operand.text for operand in operands[len(operands) - len(types) :]]
            return [f"return {', '.join(values)}".rstrip()]
        return self._moves(height, types, operands) + self._jump(target)

    def _spill_carried(self, types: tuple[ValType, ...], above: int) -> None:
        """Evaluate the operands that a conditional branch carries: they are needed either way."""
        writer = self.writer
        first = len(writer.stack) - above - len(types)
        for position, type in enumerate(types, first):
            writer.spill(position, type)
        if above and writer.stack[-1].effects:
            effects = writer.stack[-1].effects
            top = writer.pop()
            writer.make_way(effects)
            writer.push(top)

    def branch_table(self, index: int) -> None:
        """`br_table`."""
        writer = self.writer
        targets = self.analysis.targets[index]
        first = targets[0]
        types = writer.type.results if first[0].kind == "function" else self._arity(first)[1]
        self._spill_carried(types, 1)
        writer.push(writer.pop_unsigned())
        writer.simplify(-1)
        selector = writer.pop()
        writer.settle_effects()
        region = self._lookup_region(targets) if not types else None
        if region is not None:
            self._branch_by_lookup(targets, selector, region)
        else:
            ranges = _ranges(targets)
            if len(ranges) > _MOST_RANGES:
                numbers = {target: number for number, target in enumerate(dict.fromkeys(targets))}
                self._look_up("label", [numbers[target] for target in targets], selector)
                selector = Expression("label")
                ranges = list(enumerate(numbers, 1))
            self._branch_by_ranges(ranges, selector, types)
        writer.live = False

    def _lookup_region(self, targets: list[Target]) -> Region | None:
        """The innermost SEGMENTS statement that some of the targets are parts of."""
        if len(set(targets)) < _TABLE_FROM:
            return None
        regions = [
            construct.region
            for construct, _ in targets
            if construct.region is not None and construct is not construct.region.root
        ]
        if not regions:
            return None
        region = max(regions, key=lambda region: region.root.depth)
        # What is open inside it, a loop for one, is closed where its trampolines stand.
        inside = (
            construct.region is not region and construct.depth > region.root.depth
            for construct, _ in targets
        )
        return None if any(inside) else region

    def _branch_by_lookup(
        self, targets: list[Target], selector: Expression, region: Region
    ) -> None:
        numbers = [self._number(region, target) for target in targets]
        self._look_up(self._segments[region].variable, numbers, selector)
        self._write_all(self._leave(self._segments[region].loop, "continue"))

    def _look_up(self, variable: str, numbers: list[int], selector: Expression) -> None:
        """Assign the number that the selector chooses: the last is that of the default."""
        *chosen, default = numbers
        table = f"({', '.join(map(str, chosen))},)"
        self.writer.write(
            f"{variable} = {table}[{selector.text}] "
            f"if {selector.text} < {len(chosen)} else {default}"
        )

    def _number(self, region: Region, target: Target) -> int:
        """The number of the part of a SEGMENTS statement that goes on at a target."""
        construct, out = target
        if construct.region is region and construct is not region.root:
            return region.labels[construct.end if out else construct.start]
        number = len(region.labels) + len(region.trampolines) + 1
        return region.trampolines.setdefault(target, number)

    def _branch_by_ranges(
        self,
        ranges: list[tuple[int, Target]],
        selector: Expression,
        types: tuple[ValType, ...],
    ) -> None:
        """A binary decision; each range goes from the end of the one before it up to its number."""
        writer = self.writer
        if len(ranges) == 1:
            target = ranges[0][1]
            height = 0 if target[0].kind == "function" else self._arity(target)[0]
            lines = self._branch_lines(target, height, types)
            self._write_all(lines or ["pass"])
            return
        middle = len(ranges) // 2
        writer.write(f"if {selector.text} < {ranges[middle - 1][0]}:")
        writer.deeper()
        self._branch_by_ranges(ranges[:middle], selector, types)
        writer.shallower()
        writer.write("else:")
        writer.deeper()
        self._branch_by_ranges(ranges[middle:], selector, types)
        writer.shallower()

    def _when(self, decision: Expression, wanted: bool) -> str:
        """The text of a condition, or of its opposite."""
        if decision.size == 0:
            return str(bool(decision.low & 0xFFFFFFFF) is wanted)
        if wanted:
            return condition(decision).text
        if decision.precedence == NOT and decision.text.startswith("not "):
            return decision.text[4:]
        return negated(decision).text

    # SEGMENTS

    def _begin_segments(self, region: Region) -> None:
        writer = self.writer
        variable = f"pc{len(self._segments)}"
        writer.write(f"{variable} = 0")
        loop = self._begin_loop("while True:")
        first = len(writer.lines)
        self._segments[region] = _Segments(region, loop, variable, first, [(0, first)])

    def _go(self, region: Region, label: int) -> list[str]:
        """The statements that go on at a label of a SEGMENTS statement."""
        segments = self._segments[region]
        return [
            f"{segments.variable} = {region.labels[label]}",
            *self._leave(segments.loop, "continue"),
        ]

    def _boundary(self, region: Region, label: int) -> None:
        """The next part of a SEGMENTS statement begins."""
        writer = self.writer
        segments = self._segments[region]
        if writer.live:
            self._write_all(self._go(region, label))
        segments.marks.append((region.labels[label], len(writer.lines)))
        writer.forget_all()
        writer.live = True

    def _end_in_region(self, construct: Construct, region: Region) -> None:
        if construct is region.root:
            if self.writer.live:
                self.writer.write("break")
            self._end_segments(region)
            self.writer.indent = self._by_construct[construct].indent
        else:
            self._boundary(region, construct.end)

    def _end_segments(self, region: Region) -> None:
        writer = self.writer
        segments = self._segments[region]
        for target, number in region.trampolines.items():
            segments.marks.append((number, len(writer.lines)))
            height = 0 if target[0].kind == "function" else self._arity(target)[0]
            self._write_all(self._branch_lines(target, height, ()))
        starts = [start for _, start in segments.marks]
        ends = [*starts[1:], len(writer.lines)]
        parts = [writer.lines[start:end] for start, end in zip(starts, ends, strict=True)]
        del writer.lines[segments.first :]
        self._decide(segments.variable, parts, 0, len(parts), 0)
        writer.shallower()
        self._close(segments.loop)

    def _decide(
        self, variable: str, parts: list[list[Line]], low: int, high: int, depth: int
    ) -> None:
        """The binary decision over the parts from number `low` up to `high`."""
        writer = self.writer
        if high - low == 1:
            for line in parts[low]:
                line.indent += depth
                if line.indent > MOST_INDENTED:
                    raise TooDeep
                writer.lines.append(line)
            if not parts[low]:
                writer.write("pass")
            return
        middle = 1 if low == 0 else (low + high) // 2
        writer.write(f"if {variable} < {middle}:")
        writer.indent += 1
        self._decide(variable, parts, low, middle, depth + 1)
        writer.indent -= 1
        writer.write("else:")
        writer.indent += 1
        self._decide(variable, parts, middle, high, depth + 1)
        writer.indent -= 1

    # Writing

    def _write_all(self, lines: list[str]) -> None:
        for line in lines:
            self.writer.write(line)

    def _write_deeper(self, lines: list[str]) -> None:
        self.writer.indent += 1
        self._write_all(lines or ["pass"])
        self.writer.indent -= 1


def _ranges(targets: list[Target]) -> list[tuple[int, Target]]:
    """The targets of a `br_table` with neighbours of the same target made one."""
    ranges: list[tuple[int, Target]] = []
    for number, target in enumerate(targets, 1):
        if ranges and ranges[-1][1] == target:
            ranges[-1] = (number, target)
        else:
            ranges.append((number, target))
    return ranges
