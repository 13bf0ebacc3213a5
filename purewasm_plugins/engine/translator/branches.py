"""Branches (section 4.4.8) as Python statements: `break`, `continue`, `return`, or nothing.

`control` has decided what each construct becomes, and so what a branch to its label is. A branch
assigns the operands that it carries to the variables where the target expects them, and jumps.
"""

from __future__ import annotations

from purewasm_plugins.engine.translator.control import Analysis, Construct, Region, Style, Target
from purewasm_plugins.engine.translator.dispatch import Dispatch
from purewasm_plugins.engine.translator.expressions import (
    NOT,
    Expression,
    as_value,
    condition,
    negated,
)
from purewasm_plugins.engine.translator.loops import Loop, Loops
from purewasm_plugins.engine.translator.writer import Writer
from purewasm_plugins.wasm.types import FuncType, ValType

__all__ = ["Branches", "Open", "when"]

#: A `br_table` into a DISPATCH statement with so many different targets uses a tuple.
_TABLE_FROM = 4
#: A `br_table` of more ranges than this uses a tuple of the numbers of its different targets.
_MOST_RANGES = 64


class Open:
    """A construct that is being written.

    Attributes:
        construct: the construct.
        type: what it takes from the operand stack and what it leaves there.
        height: of the operand stack below its parameters.
        loop: the Python loop that branches to it leave or begin again, if it has one.
        indent: the levels of indentation where it was entered.
        saved: the parameters that the `else` starts with.
        live: whether execution can leave the first arm of an `if` at its end.
        entered: what ends the facts about locals that are found in it; see `Locals.leave`.
    """

    __slots__ = ("construct", "entered", "height", "indent", "live", "loop", "saved", "type")

    def __init__(
        self, construct: Construct, type: FuncType, height: int, loop: Loop | None, indent: int
    ) -> None:
        self.construct = construct
        self.type = type
        self.height = height
        self.loop = loop
        self.indent = indent
        self.saved: list[Expression] = []
        self.live = False
        self.entered = 0


class Branches:
    """The branches of one function, which are written as Python statements.

    Attributes:
        opened: the constructs that are open, or have been.
        loops: the Python loops that are open.
        dispatches: the DISPATCH statements that are open, or have been.
    """

    def __init__(self, writer: Writer, analysis: Analysis) -> None:
        self.opened: dict[Construct, Open] = {}
        self.loops = Loops(writer.lines)
        self.dispatches: dict[Region, Dispatch] = {}
        self._analysis = analysis
        self._results = writer.type.results
        self._lines = writer.lines
        self._operands = writer.operands

    def return_(self) -> None:
        """Translate `return`, and the end of the body.

        Example::

            (func (param i32 i64) (result i32 i64)
              (return (i32.mul (local.get 0) (i32.const 3)) (local.get 1)))

            def f0(l0, l1):
                for _ in budget: break
                return l0 * 3 & 0xffffffff, l1
        """
        results = self._operands.pop_typed(self._results)
        self._operands.spill_effects()
        if results:
            self._lines.write(f"return {', '.join([result.text for result in results])}")
        else:
            self._lines.write("return")
        self._lines.live = False

    def unreachable(self) -> None:
        """Translate `unreachable`.

        Example::

            (func (unreachable))

            def f0():
                for _ in budget: break
                unreachable()
        """
        self._operands.spill_effects()
        self._lines.write(self._lines.trace("unreachable()"))
        self._lines.live = False

    def branch(self, index: int) -> None:
        """Translate `br`.

        Example::

            (func (param i32) (result i32)
              (block $done (result i32)
                (if (local.get 0) (then (br $done (i32.const 1))))
                (i32.const 2)))

            def f0(l0):
                for _ in budget: break
                while True:
                    if l0:
                        s0 = 1
                        break
                    s0 = 2
                    break
                return s0
        """
        target = self._analysis.targets[index][0]
        if target[0].kind == "function":
            self.return_()
            return
        height, types = self.destination(target)
        operands = self._operands.pop_typed(types)
        self._operands.spill_effects()
        self._lines.write_all(self.moves(height, types, operands))
        self._lines.write_all(self._jump(target))
        self._lines.live = False

    def branch_if(self, index: int) -> None:
        """Translate `br_if`.

        The operands that it carries are spilled, since the code after it uses them, too. A branch
        out of a NEST is the opposite: the rest of the block goes inside the `if`.

        Example::

            (func (param i32) (result i32)
              (loop $again
                (br_if $again
                  (local.tee 0 (i32.shr_u (local.get 0) (i32.const 1)))))
              (local.get 0))

            def f0(l0):
                for _ in budget: break
                for _ in budget:
                    l0 = l0 >> 1
                    if l0:
                        continue
                    break
                return l0

        Example::

            (func (param i32) (result i32)
              (block $skip
                (br_if $skip (local.get 0))
                (local.set 0 (i32.const 7)))
              (local.get 0))

            def f0(l0):
                for _ in budget: break
                if not l0:
                    l0 = 7
                return l0
        """
        lines, operands = self._lines, self._operands
        target = self._analysis.targets[index][0]
        decision = operands.pop()
        height, types = self.destination(target)
        if types or decision.effects:
            operands.push(decision)
            self._spill_carried(types)
            decision = operands.pop()
        operands.spill_effects()
        construct = target[0]
        if construct.style is Style.NEST and construct.region is None:
            lines.open(f"if {when(decision, False)}:")
            return
        body = self._branch_lines(target, height, types)
        lines.write_compound(f"if {when(decision, True)}:", body)

    def branch_table(self, index: int) -> None:
        """Translate `br_table`, to a binary decision or to a tuple of values of `pc`.

        Example::

            (func (param i32)
              (block $a
                (loop $b
                  (br_table $a $b $a (local.get 0)))))

            def f0(l0):
                for _ in budget: break
                for _ in budget:
                    if l0 < 1:
                        break
                    else:
                        if l0 < 2:
                            continue
                        else:
                            break
                return

        Example::

            (func (param i32)
              (block $d (block $c (block $b (block $a
                (br_table $a $b $c $d $a $a (local.get 0))))
                (local.set 0 (i32.const 1)))))

            def f0(l0):
                for _ in budget: break
                pc0 = (1, 2, 3, 4, 1,)[l0] if l0 < 5 else 1
                while True:
                    if pc0 < 3:
                        if pc0 < 2:
                            pc0 = 2
                            continue
                        else:
                            l0 = 1
                            pc0 = 3
                            continue
                    else:
                        if pc0 < 4:
                            break
                        else:
                            break
                return
        """
        operands = self._operands
        targets = self._analysis.targets[index]
        types = self.destination(targets[0])[1]
        self._spill_carried(types)
        operands.push(operands.pop_unsigned())
        operands.simplify(-1)
        selector = operands.pop()
        operands.spill_effects()
        dispatch = self._dispatch_of(targets) if not types else None
        if dispatch is not None:
            numbers = [dispatch.number(target) for target in targets]
            self._look_up(dispatch.variable, numbers, selector)
            self._lines.write_all(dispatch.continue_())
        else:
            ranges = _ranges(targets)
            if len(ranges) > _MOST_RANGES:
                labels = {target: number for number, target in enumerate(dict.fromkeys(targets))}
                self._look_up("label", [labels[target] for target in targets], selector)
                selector = Expression("label")
                ranges = list(enumerate(labels, 1))
            self._branch_by_ranges(ranges, selector, types)
        self._lines.live = False

    # Targets

    def destination(self, target: Target) -> tuple[int, tuple[ValType, ...]]:
        """Return the height that the operands of a branch go to, and their types."""
        construct, out = target
        if construct.kind == "function":
            return 0, self._results
        opened = self.opened[construct]
        if construct.kind == "loop":
            # A branch out of a loop, to the end of a block around it, carries no operands.
            return opened.height, () if out else opened.type.params
        return opened.height, opened.type.results

    def moves(
        self, height: int, types: tuple[ValType, ...], operands: list[Expression]
    ) -> list[str]:
        """Return what assigns the topmost operands to the variables from a height on."""
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

    def _jump(self, target: Target) -> list[str]:
        """Return the statements of a branch whose operands have been moved.

        None for a branch out of a NEST: what follows it there cannot be reached.
        """
        construct, out = target
        region = construct.region
        if region is not None:
            dispatch = self.dispatches[region]
            if construct is region.root:
                return dispatch.break_()
            return dispatch.go_to(construct.end if out else construct.start)
        loop = self.opened[construct].loop
        return [] if loop is None else self.loops.leave(loop, "break" if out else "continue")

    def _branch_lines(self, target: Target, height: int, types: tuple[ValType, ...]) -> list[str]:
        """Return the statements of a branch that leaves its operands where they are."""
        operands = self._operands.stack
        if target[0].kind == "function":
            values = [operand.text for operand in operands[len(operands) - len(types) :]]
            return [f"return {', '.join(values)}".rstrip()]
        return self.moves(height, types, operands) + self._jump(target)

    def leave_dispatch(self, target: Target) -> list[str]:
        """Return the statements of a branch without operands; see `Dispatch.end`."""
        return self._branch_lines(target, self.destination(target)[0], ())

    def _spill_carried(self, types: tuple[ValType, ...]) -> None:
        """Spill the operands that a conditional branch carries: both ways need them.

        Their types are given; above them lies the condition.
        """
        operands = self._operands
        first = len(operands.stack) - 1 - len(types)
        for position, type in enumerate(types, first):
            operands.spill(position, type)
        if operands.stack[-1].effects:
            decision = operands.pop()
            operands.spill_conflicting(decision.effects)
            operands.push(decision)

    # Branch tables

    def _dispatch_of(self, targets: list[Target]) -> Dispatch | None:
        """Return the innermost DISPATCH statement that can branch to all of some targets."""
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
        # A loop inside it, for one, is closed where the branches out of the statement stand.
        inside = (
            construct.region is not region and construct.depth > region.root.depth
            for construct, _ in targets
        )
        return None if any(inside) else self.dispatches[region]

    def _look_up(self, variable: str, numbers: list[int], selector: Expression) -> None:
        """Write the assignment of the number that is selected: the last is the default."""
        *selected, default = numbers
        table = f"({', '.join(map(str, selected))},)"
        self._lines.write(
            f"{variable} = {table}[{selector.text}] "
            f"if {selector.text} < {len(selected)} else {default}"
        )

    def _branch_by_ranges(
        self,
        ranges: list[tuple[int, Target]],
        selector: Expression,
        types: tuple[ValType, ...],
    ) -> None:
        """Write a binary decision; a range goes from the end of the last one up to its number."""
        lines = self._lines
        if len(ranges) == 1:
            target = ranges[0][1]
            lines.write_all(
                self._branch_lines(target, self.destination(target)[0], types) or ["pass"]
            )
            return
        middle = len(ranges) // 2
        lines.open(f"if {selector.text} < {ranges[middle - 1][0]}:")
        self._branch_by_ranges(ranges[:middle], selector, types)
        lines.close()
        lines.open("else:")
        self._branch_by_ranges(ranges[middle:], selector, types)
        lines.close()


def when(decision: Expression, wanted: bool) -> str:
    """Return the text of a condition, or of its opposite."""
    if decision.size == 0:
        return str(bool(decision.low & 0xFFFFFFFF) is wanted)
    if wanted:
        return condition(decision).text
    if decision.precedence == NOT and decision.text.startswith("not "):
        return decision.text[4:]
    return negated(decision).text


def _ranges(targets: list[Target]) -> list[tuple[int, Target]]:
    """Return the targets of a `br_table`, with neighbours of the same target made one."""
    ranges: list[tuple[int, Target]] = []
    for number, target in enumerate(targets, 1):
        if ranges and ranges[-1][1] == target:
            ranges[-1] = (number, target)
        else:
            ranges.append((number, target))
    return ranges
