"""Blocks, loops and ifs (section 4.4.8) as Python statements.

`control` has decided what each construct becomes; here it is written.
"""

from __future__ import annotations

from purewasm_plugins.engine.translator.branches import Branches, Open, when
from purewasm_plugins.engine.translator.control import (
    Analysis,
    Bounds,
    Construct,
    Region,
    Style,
    loop_bounds,
)
from purewasm_plugins.engine.translator.dispatch import Dispatch
from purewasm_plugins.engine.translator.expressions import CALLS, Expression
from purewasm_plugins.engine.translator.loops import Loop
from purewasm_plugins.engine.translator.writer import Writer
from purewasm_plugins.wasm.types import FuncType, ValType

__all__ = ["Blocks"]

#: The types of blocks that are declared without a function type.
_NO_TYPE = FuncType()
_RESULT_TYPES = {type: FuncType((), (type,)) for type in ValType}


class Blocks:
    """The constructs of one function, which are written as Python statements."""

    def __init__(self, writer: Writer, analysis: Analysis, branches: Branches) -> None:
        self._writer = writer
        self._types = writer.module.types
        self._type = writer.type
        self._metered = writer.metered
        self._lines = writer.lines
        self._operands = writer.operands
        self._locals = writer.locals
        self._analysis = analysis
        self._branches = branches
        self._open: list[Open] = []
        #: What ends the counters of a loop.
        self._counters: dict[Construct, list[tuple[Bounds, Expression]]] = {}
        #: What ends the alignment of locals in a loop.
        self._aligned: dict[Construct, list[tuple[int, Expression]]] = {}

    # The function

    def begin(self) -> None:
        """Begin the function's body: a function that is metered takes a unit of fuel.

        Example::

            (func)

            def f0():
                for _ in budget: break
                return
        """
        body = self._analysis.body
        self._write_unit()
        self._enter(body, self._type, 0, None)
        if body.region is not None:
            self._begin_dispatch(body.region)
            self._locals.constructs += 1

    def _finish(self) -> None:
        if self._lines.live:
            self._branches.return_()
        region = self._analysis.body.region
        if region is not None:
            self._end_dispatch(region)
        self._open.pop()

    def _write_unit(self) -> None:
        """Write what takes one unit of fuel."""
        if self._metered:
            self._lines.write(f"for _ in {self._lines.trace('budget')}: break")

    # Constructs

    def begin_construct(self, index: int) -> None:
        """Translate `block`, `loop` or `if`.

        Operands below it are spilled, since the construct may run more than once, or not at all.

        Example::

            (func (param i32) (result i32)
              (i32.add (local.get 0)
                (if (result i32) (i32.eqz (local.get 0))
                  (then (i32.const 1))
                  (else (local.tee 0 (i32.const 2))))))

            def f0(l0):
                for _ in budget: break
                s0 = l0
                if not l0:
                    s1 = 1
                else:
                    l0 = 2
                    s1 = 2
                return s0 + s1 & 0xffffffff
        """
        construct = self._analysis.constructs[index]
        type = self._block_type(construct.type)
        decision = self._operands.pop() if construct.kind == "if" else None
        height = len(self._operands.stack) - len(type.params)
        if construct.style is Style.INLINE:
            if construct.kind == "loop" and self._metered:
                # It starts once: there is no branch back.
                self._operands.spill_conflicting(CALLS)
                self._write_unit()
            self._enter(construct, type, height, None)
            return
        if decision is not None and decision.effects:
            # Operands that are spilled from here on come after it.
            self._operands.push(decision)
            self._operands.spill_all()
            decision = self._operands.pop()
        self._operands.spill_all()
        loop = None
        region = construct.region
        if construct.kind == "loop":
            loop = self._begin_loop(construct, type, height)
        elif region is not None and construct.kind == "block":
            if region not in self._branches.dispatches:
                self._begin_dispatch(region)
        elif construct.style is Style.ONCE or (construct.style is Style.IF and construct.branches):
            loop = self._branches.loops.begin("while True:")
        opened = self._enter(construct, type, height, loop)
        if decision is not None:
            self._begin_if(opened, decision)

    def _begin_loop(self, construct: Construct, type: FuncType, height: int) -> Loop | None:
        """Begin a loop: its parameters are variables, and each turn takes a unit of fuel.

        Example::

            (func (param i32 i64) (result i64)
              (local.get 1)
              (loop $again (param i64) (result i64)
                (i64.mul (i64.const 3))
                (br_if $again
                  (local.tee 0 (i32.shr_u (local.get 0) (i32.const 1))))))

            def f0(l0, l1):
                for _ in budget: break
                s0 = l1
                for _ in budget:
                    l0 = l0 >> 1
                    s0 = s0 * 3 & 0xffffffffffffffff
                    if l0:
                        continue
                    break
                return s0
        """
        for position, param in enumerate(type.params, height):
            self._operands.spill(position, param, force=True)
        bounds: list[Bounds] = []
        if construct.region is None:
            known = self._locals.narrowed(construct.assigned)
            bounds = list(loop_bounds(self._analysis, construct, self._locals.bounds, known))
            self._aligned[construct] = self._locals.align_loop(self._analysis, construct)
        else:
            self._locals.forget(construct.assigned)
        if bounds:
            self._counters[construct] = self._locals.begin_counters(bounds)
        if construct.region is None:
            # Imported here: it takes a millisecond, and first calls of many plugins meet no loop.
            from purewasm_plugins.engine.translator.skips import write_skip

            write_skip(self._writer, self._analysis, construct)
        loop = None
        if construct.region is not None:
            self._begin_part(construct.region, construct.start)
            self._write_unit()
        else:
            budget = self._lines.trace("budget")
            header = f"for _ in {budget}:" if self._metered else "while True:"
            loop = self._branches.loops.begin(header)
            self._locals.loops += 1
        del self._operands.stack[height:]
        for position, param in enumerate(type.params, height):
            self._operands.push(self._operands.slot(position, param))
        return loop

    def _begin_if(self, opened: Open, decision: Expression) -> None:
        """Begin the first arm of an `if`; in a DISPATCH statement, branch to the `else` instead."""
        construct = opened.construct
        opened.saved = self._operands.stack[opened.height :]
        opened.decision = decision
        if construct.region is None:
            self._lines.open(f"if {when(decision, True)}:")
            self._locals.note_condition(decision, True)
            return
        values: list[str] = []
        label = construct.else_index
        if label is None:
            # Without an `else` the parameters are the results.
            label = construct.end
            types = opened.type.results
            values = self._branches.moves(opened.height, types, self._operands.stack)
        go = self._branches.dispatches[construct.region].go_to(label)
        self._lines.write_compound(f"if {when(decision, False)}:", [*values, *go])

    def begin_else(self) -> None:
        """Translate `else`: the second arm starts with the parameters that the first one had.

        Example::

            (func (param i32) (result i32)
              (local.get 0)
              (if (param i32) (result i32) (local.get 0)
                (then (i32.add (i32.const 1)))
                (else (i32.sub (i32.const 1)))))

            def f0(l0):
                for _ in budget: break
                s0 = l0
                if l0:
                    s0 = s0 + 1 & 0xffffffff
                else:
                    s0 = s0 - 1 & 0xffffffff
                return s0
        """
        opened = self._open[-1]
        construct = opened.construct
        self._spill_results(opened)
        opened.live = self._lines.live
        self._locals.leave(opened.entered)
        self._locals.forget(construct.assigned)
        if construct.region is not None and construct.else_index is not None:
            if self._lines.live:
                dispatch = self._branches.dispatches[construct.region]
                self._lines.write_all(dispatch.go_to(construct.end))
            self._lines.live = False
            self._begin_part(construct.region, construct.else_index)
        else:
            self._lines.close()
            self._lines.open("else:")
            if opened.decision is not None:
                self._locals.note_condition(opened.decision, False)
        del self._operands.stack[opened.height :]
        for operand in opened.saved:
            self._operands.push(operand)
        self._lines.live = True

    def end(self) -> None:
        """Translate `end`: the results are in the variables of their heights.

        Example::

            (func (param i32) (result i32)
              (if (result i32) (local.get 0)
                (then (i32.const 1))
                (else (i32.const 2)))
              (i32.mul (i32.const 3)))

            def f0(l0):
                for _ in budget: break
                if l0:
                    s0 = 1
                else:
                    s0 = 2
                return s0 * 3 & 0xffffffff
        """
        opened = self._open[-1]
        construct = opened.construct
        if construct.kind == "function":
            self._finish()
            return
        if construct.style is Style.INLINE:
            if not construct.falls:
                # What comes here, if anything, is the `break` of a loop, which leaves operands.
                del self._operands.stack[opened.height :]
            self._open.pop()
            return
        self._spill_results(opened)
        falls = self._lines.live
        self._locals.leave(opened.entered)
        counters = self._counters.pop(construct, None)
        if counters is not None:
            self._locals.end_counters(counters)
        self._locals.end_alignment(self._aligned.pop(construct, []))
        self._locals.forget(construct.assigned)
        if construct.region is not None:
            self._end_in_region(construct, construct.region)
        elif construct.kind == "if":
            self._end_if(opened)
        elif opened.loop is not None:
            if self._lines.live:
                self._lines.write("break")
            self._branches.loops.end(opened.loop)
            if construct.kind == "loop":
                self._locals.loops -= 1
        elif self._lines.indent > opened.indent:
            self._lines.close(self._lines.indent - opened.indent)
        self._locals.constructs -= 1
        self._open.pop()
        self._lines.live = (
            falls
            or opened.live
            or construct.exits > 0
            or (construct.kind != "loop" and construct.branches > 0)
            or (construct.kind == "if" and construct.else_index is None)
        )
        del self._operands.stack[opened.height :]
        for position, result in enumerate(opened.type.results, opened.height):
            self._operands.push(self._operands.slot(position, result))

    def _end_if(self, opened: Open) -> None:
        """End an `if`: without an `else` its parameters are its results.

        Example::

            (func (param i32 i32) (result i32)
              (local.get 1)
              (if (param i32) (result i32) (local.get 0)
                (then (drop) (i32.const 5))))

            def f0(l0, l1):
                for _ in budget: break
                s0 = l1
                if l0:
                    s0 = 5
                return s0
        """
        lines = self._lines
        if opened.construct.else_index is None and opened.type.results:
            values = self._branches.moves(opened.height, opened.type.results, opened.saved)
            if values:
                lines.close()
                lines.open("else:")
                lines.write_all(values)
        lines.close()
        if opened.loop is not None:
            lines.write("break")
            self._branches.loops.end(opened.loop)

    def _spill_results(self, opened: Open) -> None:
        """Put the results of a construct where the code after it expects them."""
        if not self._lines.live:
            return
        self._operands.spill_effects()
        for position, result in enumerate(opened.type.results, opened.height):
            self._operands.spill(position, result, force=True)

    def _enter(self, construct: Construct, type: FuncType, height: int, loop: Loop | None) -> Open:
        opened = Open(construct, type, height, loop, self._lines.indent)
        self._open.append(opened)
        self._branches.opened[construct] = opened
        opened.entered = self._locals.enter()
        if construct.style is not Style.INLINE and construct.kind != "function":
            self._locals.constructs += 1
        return opened

    def _block_type(self, type: ValType | int | None) -> FuncType:
        if type is None:
            return _NO_TYPE
        if isinstance(type, ValType):
            return _RESULT_TYPES[type]
        return self._types[type]

    # DISPATCH statements

    def _begin_dispatch(self, region: Region) -> None:
        branches = self._branches
        number = len(branches.dispatches)
        branches.dispatches[region] = Dispatch(region, number, self._lines, branches.loops)

    def _begin_part(self, region: Region, label: int) -> None:
        """Begin the next part of a DISPATCH statement: branches lead to it from everywhere."""
        self._branches.dispatches[region].begin_part(label)
        self._locals.forget_all()

    def _end_in_region(self, construct: Construct, region: Region) -> None:
        """End a construct of a DISPATCH statement; the outermost one ends the statement."""
        if construct is not region.root:
            self._begin_part(region, construct.end)
            return
        if self._lines.live:
            self._lines.write("break")
        self._end_dispatch(region)

    def _end_dispatch(self, region: Region) -> None:
        self._branches.dispatches[region].end(self._branches.leave_dispatch)
