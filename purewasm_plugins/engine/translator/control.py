"""Which Python statement each block, loop and if of a function becomes (section 4.4.8).

`analyse` reads the instructions of a body. It returns those that can be reached, and a tree of
`Construct`s that says how each `block`, `loop` and `if` is written in a language without goto:

- INLINE: no branch leads to its label, so it is no statement at all;
- NEST: a block that is only left by its own `br_if`s: what follows one of them stands in an `if`;
- ONCE: `while True:` around a body that ends in `break`, which is then a branch to its label;
- LOOP: `for _ in budget:`, a branch to it being `continue`;
- IF: `if`, with or without `else`; if a branch leads to its label, it stands in a ONCE;
- DISPATCH: blocks that start together, as a `switch` is compiled to: `while True:` around a binary
  decision over `pc`, with a part for what stands between the ends of two blocks. Branches set `pc`.

CPython allows 20 loops in each other and 100 levels of indentation. A function that needs more is
`flattened`: it is one DISPATCH statement, with a part for every label that is too high above its
innermost block. What nests less than that is written as above.
"""

from __future__ import annotations

from bisect import bisect_left

from purewasm_plugins.support.light import Enum
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Any, Callable, Iterable, Iterator
from purewasm_plugins.wasm.binary.instructions import Instruction

__all__ = ["Bounds", "Construct", "Region", "Style", "analyse", "local_bit", "loop_bounds"]

#: Sets of locals have so many bits. Locals that share a bit count as one, which costs an
#: assignment, or the bounds of a value. Sets of any number of bits would cost more.
LOCAL_BITS = 1024


def local_bit(index: int) -> int:
    """Return the bit of a local in a set of locals."""
    return 1 << index % LOCAL_BITS


#: The most `br_if`s of a NEST: each is a level of indentation.
_NESTED_IFS = 4
#: So many blocks that start together, and would each be a ONCE, become a DISPATCH statement.
_DISPATCH_FROM = 3
#: In a flattened function, constructs that are higher than this become parts of its statement.
_HEIGHT = 10


class Style(Enum):
    """The ways to write a construct.

    In turn an INLINE loop, a NEST, a ONCE inside an IF, and a LOOP.

    Example::

        (func (param i32)
          (loop (local.set 0 (i32.const 1)))
          (block $nest
            (br_if $nest (local.get 0))
            (local.set 0 (i32.const 2)))
          (if (local.get 0)
            (then
              (block $once
                (if (local.get 0) (then (br $once)))
                (local.set 0 (i32.const 3)))))
          (loop $loop
            (br_if $loop (local.get 0))))

        def f0(l0):
            for _ in budget: break
            for _ in budget: break
            l0 = 1
            if not l0:
                l0 = 2
            if l0:
                while True:
                    if l0:
                        break
                    l0 = 3
                    break
            for _ in budget:
                if l0:
                    continue
                break
            return

    For DISPATCH, see `Dispatch`.
    """

    INLINE = "inline"
    NEST = "nest"
    ONCE = "once"
    LOOP = "loop"
    IF = "if"
    DISPATCH = "dispatch"


#: Where a branch leads: a construct, and whether it is left (True) or begun again.
Target = tuple["Construct", bool]


class Region:
    """The constructs that become one DISPATCH statement.

    Attributes:
        root: the outermost of them.
        labels: where the parts of the statement but the first begin: index of an instruction ->
            number.
        trampolines: targets outside of it that a `br_table` reaches by number, with their numbers.
    """

    __slots__ = ("labels", "root", "trampolines")

    def __init__(self, root: Construct) -> None:
        self.root = root
        self.labels: dict[int, int] = {}
        self.trampolines: dict[Target, int] = {}


class Construct:
    """A `block`, `loop` or `if`, or the function's body.

    Attributes:
        kind: "function", "block", "loop" or "if".
        type: its block type, as decoded; see `Immediates.BLOCK_TYPE`.
        parent: the construct around it.
        depth: how many constructs are around it.
        start, else_index, end: the indices of its instructions; there may be no `else`.
        branches: how many branches lead to its label.
        exits: how many branches out of a block that ends with this loop are a `break` of it.
        falls: whether execution can reach its `end` without a branch.
        assigned: the bits of the locals that are set inside it; see `local_bit`.
        back: of a loop, a `br_if` that begins it again: its index, and the construct it stands in.
        leaves: the least depth of a construct that a branch from inside it leads to.
        height: how many statements are nested in its body.
        style: how it is written.
        region: that of a DISPATCH construct.
        conditional: how many of the branches are `br_if`s that a NEST can hold; see `_classify`.
        reaches: the least depth of a block that execution gets to by falling out of this one.
        first: the construct that its first instruction opens, if that is one.
    """

    __slots__ = (
        "assigned",
        "back",
        "branches",
        "conditional",
        "depth",
        "else_index",
        "end",
        "exits",
        "falls",
        "first",
        "height",
        "kind",
        "leaves",
        "parent",
        "reaches",
        "region",
        "start",
        "style",
        "type",
    )

    def __init__(self, kind: str, type: Any, parent: Construct | None, start: int) -> None:
        self.kind = kind
        self.type = type
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.start = start
        self.else_index: int | None = None
        self.end = -1
        self.branches = 0
        self.exits = 0
        self.falls = False
        self.assigned = 0
        self.back: tuple[int, Construct] | None = None
        self.leaves = self.depth
        self.height = 0
        self.style = Style.INLINE
        self.region: Region | None = None
        self.conditional = 0
        self.reaches = self.depth
        self.first: Construct | None = None

    def __repr__(self) -> str:
        return f"<Construct {self.kind} {self.start}..{self.end} {self.style.name}>"


class Analysis:
    """The constructs and branches of one function.

    Attributes:
        body: the function's body.
        instructions: those that can be reached, with the `end` and `else` of each construct.
        constructs: by the index of the instruction that opens it.
        targets: by the index of a branch, where it leads: for each label in order, the construct,
            and whether it is left (True) or begun again.
        sets: by local, where it is set: the index, and the construct that it stands in.
    """

    __slots__ = ("body", "constructs", "instructions", "sets", "targets")

    def __init__(self, body: Construct) -> None:
        self.body = body
        self.instructions: list[Instruction] = []
        self.constructs: dict[int, Construct] = {}
        self.targets: dict[int, list[Target]] = {}
        self.sets: dict[int, list[tuple[int, Construct]]] = {}


def analyse(
    instructions: Iterable[Instruction],
    flattened: bool = False,
    check_limits: Callable[[], None] = lambda: None,
) -> Analysis:
    """Read a function's body, and decide how each of its constructs is written.

    Args:
        instructions: those of the body, valid.
        flattened: whether the function is one DISPATCH statement.
        check_limits: called between the steps; raises what ends the translation.
    """
    body = Construct("function", None, None, -1)
    analysis = Analysis(body)
    branches = _read(analysis, instructions)
    _classify(analysis, branches, flattened, check_limits)
    return analysis


#: The instructions that concern constructs and branches; `_read` only keeps the others.
_NOTED = {"local.set", "local.tee", "block", "loop", "if", "else", "end", "br", "br_if"}
_NOTED |= {"br_table", "return", "unreachable"}

#: A branch: the construct that it stands in, the one that it leads to, its mnemonic,
#: and its index.
_Branch = tuple[Construct, Construct, str, int]


def _read(analysis: Analysis, instructions: Iterable[Instruction]) -> list[_Branch]:
    """Find the constructs and branches, and drop the instructions that cannot be reached.

    Example::

        (func (param i32) (result i32)
          (block
            (br_if 0 (local.get 0))
            (return (i32.const 1))
            (loop (local.set 0 (i32.const 2)) (br 0)))
          (i32.const 3))

        def f0(l0):
            for _ in budget: break
            if not l0:
                return 1
            return 3
    """
    kept = analysis.instructions
    constructs = analysis.constructs
    keep = kept.append
    current = analysis.body
    open_ = [current]
    branches: list[_Branch] = []
    live = True
    # How many constructs are open in code that cannot be reached.
    skipped = 0
    for instruction in instructions:
        _, opcode, immediates = instruction
        mnemonic = opcode.mnemonic
        if not live:
            if mnemonic in ("block", "loop", "if"):
                skipped += 1
                continue
            if mnemonic not in ("end", "else"):
                continue
            if skipped:
                skipped -= mnemonic == "end"
                continue
        elif mnemonic not in _NOTED:
            keep(instruction)
            continue
        if mnemonic in ("local.set", "local.tee"):
            local = immediates[0]
            current.assigned |= 1 << local % LOCAL_BITS
            sets = analysis.sets.get(local)
            if sets is None:
                sets = analysis.sets[local] = []
            sets.append((len(kept), current))
            keep(instruction)
            continue
        match mnemonic:
            case "block" | "loop" | "if":
                construct = Construct(mnemonic, immediates[0], current, len(kept))
                constructs[len(kept)] = construct
                if current.start == len(kept) - 1:
                    current.first = construct
                current = construct
                open_.append(construct)
            case "else":
                current.else_index = len(kept)
                current.falls = live
                live = True
            case "end":
                current.end = len(kept)
                current.falls = current.falls or live
                if current.kind == "if" and current.else_index is None:
                    current.falls = True
                live = current.falls or (current.kind != "loop" and current.branches > 0)
                inner = open_.pop()
                if open_:
                    current = open_[-1]
                    current.assigned |= inner.assigned
                    current.leaves = min(current.leaves, inner.leaves)
            case "br" | "br_if":
                target = open_[~immediates[0]]
                target.branches += 1
                branches.append((current, target, mnemonic, len(kept)))
                live = mnemonic == "br_if"
            case "br_table":
                labels, default = immediates
                for label in dict.fromkeys((*labels, default)):
                    target = open_[~label]
                    target.branches += 1
                    branches.append((current, target, mnemonic, len(kept)))
                # Of every label in order, duplicates included.
                analysis.targets[len(kept)] = [
                    (open_[~label], open_[~label].kind != "loop") for label in (*labels, default)
                ]
                live = False
            case "return" | "unreachable":
                live = False
        keep(instruction)
    return branches


def _classify(
    analysis: Analysis, branches: list[_Branch], flattened: bool, check_limits: Callable[[], None]
) -> None:
    """Choose the style of each construct, and resolve the targets of branches.

    The block around a loop that ends where the loop does needs no statement of its own: a branch
    to its label is a `break` of the loop.

    Example::

        (func (param i32 i32) (result i32)
          (block $done
            (loop $again
              (br_if $done (local.get 0))
              (local.set 0 (i32.shr_u (local.get 1) (i32.const 8)))
              (br $again)))
          (local.get 1))

        def f0(l0, l1):
            for _ in budget: break
            for _ in budget:
                if l0:
                    break
                l0 = l1 >> 8
                continue
            return l1
    """
    order = list(analysis.constructs.values())
    for construct in order:
        # Falling out of this one also leaves the blocks whose ends follow at once, if it hands them
        # no results: a `break` has none for them.
        parent = construct.parent
        if parent is not None and parent.kind != "function" and construct.type is None:
            after = construct.end + 1
            if parent.end == after or parent.else_index == after:
                construct.reaches = parent.reaches

    check_limits()
    # The innermost loop around each construct that becomes a Python loop.
    loop_around: dict[Construct, Construct | None] = {analysis.body: None}
    for construct in order:
        around = loop_around[construct.parent] if construct.parent is not None else None
        is_loop = construct.kind == "loop" and construct.branches
        loop_around[construct] = construct if is_loop else around
    check_limits()
    resolved: list[tuple[Construct, Construct, str]] = []
    for source, target, mnemonic, index in branches:
        exits = target.kind != "loop"
        final = target
        if exits and target.kind != "function":
            loop = loop_around[source]
            for _ in range(8):
                if loop is None or loop.depth <= target.depth:
                    break
                if loop.reaches <= target.depth and not target_carries(target):
                    final = loop
                    target.branches -= 1
                    loop.exits += 1
                    break
                loop = loop_around[loop.parent] if loop.parent is not None else None
        if mnemonic != "br_table":
            analysis.targets[index] = [(final, exits)]
            if not exits and mnemonic == "br_if":
                target.back = (index, source)
        elif final is not target:
            targets = analysis.targets[index]
            targets[:] = [(final, True) if to is target else (to, out) for to, out in targets]
        resolved.append((source, final, mnemonic))
        if target.kind != "function":
            source.leaves = min(source.leaves, final.depth)
    for construct in reversed(order):
        if construct.parent is not None:
            construct.parent.leaves = min(construct.parent.leaves, construct.leaves)

    check_limits()
    # Which `br_if`s have nothing but INLINE constructs between them and their target.
    anchor: dict[Construct, Construct] = {analysis.body: analysis.body}
    for construct in order:
        inline = construct.branches == 0 and construct.kind != "if"
        parent = construct.parent
        anchor[construct] = anchor[parent] if inline and parent is not None else construct
    direct: dict[Construct, int] = {}
    for source, target, mnemonic in resolved:
        if anchor[source] is target and mnemonic != "br_table":
            direct[target] = direct.get(target, 0) + 1
            target.conditional += mnemonic == "br_if"

    for construct in order:
        if construct.kind == "if":
            construct.style = Style.IF
        elif construct.branches == 0:
            construct.style = Style.INLINE
        elif construct.kind == "loop":
            construct.style = Style.LOOP
        elif (
            direct.get(construct, 0) == construct.branches
            and construct.conditional <= _NESTED_IFS
            and not target_carries(construct)
            and (construct.conditional <= 1 or construct.leaves < construct.depth)
        ):
            construct.style = Style.NEST
        else:
            construct.style = Style.ONCE
    check_limits()
    if flattened:
        _flatten(analysis, order)
    check_limits()
    _find_switches(order)


def target_carries(construct: Construct) -> bool:
    """Return whether branches to a block's label carry operands: it has results."""
    return construct.type is not None


def _find_switches(order: list[Construct]) -> None:
    """Make a DISPATCH statement of blocks that start together.

    Example::

        (func (param i32) (result i32)
          (block $default (block $two (block $one (block $zero
                  (br_table $zero $one $two $default (local.get 0)))
                (return (i32.const 10)))
              (return (i32.const 11)))
            (return (i32.const 12)))
          (i32.const 13))

        def f0(l0):
            for _ in budget: break
            pc0 = (1, 2, 3,)[l0] if l0 < 3 else 4
            while True:
                if pc0 < 3:
                    if pc0 < 2:
                        return 10
                    else:
                        return 11
                else:
                    if pc0 < 4:
                        return 12
                    else:
                        break
            return 13
    """
    for construct in order:
        if construct.style is not Style.ONCE or construct.kind != "block":
            continue
        chain = [construct]
        inner = construct.first
        while inner is not None and inner.kind == "block":
            if inner.style in (Style.ONCE, Style.NEST):
                chain.append(inner)
            inner = inner.first
        while chain[-1].style is Style.NEST:
            chain.pop()
        if len(chain) < _DISPATCH_FROM:
            continue
        region = Region(construct)
        for number, block in enumerate(reversed(chain), 1):
            block.style = Style.DISPATCH
            block.region = region
            if block is not construct:
                region.labels[block.end] = number


def _flatten(analysis: Analysis, order: list[Construct]) -> None:
    """Make one DISPATCH statement of the body and of the constructs that are too high."""
    body = analysis.body
    for construct in reversed(order):
        nests = construct.style is not Style.INLINE
        if construct.parent is not None:
            height = construct.height + nests
            construct.parent.height = max(construct.parent.height, height)
    region = Region(body)
    marks: list[int] = []
    for construct in order:
        if construct.style is Style.INLINE or construct.height < _HEIGHT:
            continue
        construct.region = region
        construct.style = Style.DISPATCH
        marks.append(construct.end)
        if construct.kind == "loop":
            marks.append(construct.start)
        elif construct.else_index is not None:
            marks.append(construct.else_index)
    region.labels = {mark: number for number, mark in enumerate(sorted(marks), 1)}
    body.region = region
    body.style = Style.DISPATCH


# Counters


class Bounds(Record):
    """The bounds of a local in a loop.

    Attributes:
        local: its index.
        low, high: of its value where an iteration begins.
        least, most: of its value anywhere in the loop; below zero it is kept as a signed int.
    """

    local: int
    low: int
    high: int
    least: int
    most: int


#: A loop's last instruction but its `end`: the local that it compares, how, and with what.
_Test = tuple[int, str, int]

#: Counters stay below this, so that their sums need no mask either.
_FEW = 1 << 31


def loop_bounds(
    analysis: Analysis, loop: Construct, entry: Callable[[int], tuple[int, int]], known: list[int]
) -> Iterator[Bounds]:
    """Yield the bounds of a loop's counters, from how the one branch back to it is decided.

    Compilers count in a local from a constant to another, in the loop's last instructions. Those
    and the one place where the counter is set are all that is read: there is no second pass.

    Args:
        analysis: of the function.
        loop: the loop.
        entry: the bounds of a local where the loop is entered.
        known: the locals that the loop sets of which these are not those of their type.
    """
    if loop.back is None or loop.branches != 1:
        return
    test = _test(analysis.instructions, loop.back[0])
    if test is None:
        return
    local, relation, limit = test
    low, high = entry(local)
    step = _step(analysis, loop, local)
    start = low if low < _FEW else low - (1 << 32)
    constant = low == high
    if start < 0 and not (constant and _leaves_at_end(loop)):
        return
    if relation == "i32.lt_u":
        if high >= _FEW and start >= 0:
            return
        last = max(start if constant else high, limit - 1)
        if last >= _FEW:
            return
        if step is None or step < 0:
            if start >= 0:
                yield Bounds(local, 0, last, 0, (1 << 32) - 1)
        elif start + step >= 0 and last + step < _FEW:
            yield Bounds(local, start, last, start, last + step)
        return
    if step is None or not constant or limit >= _FEW or (limit - start) % step:
        return
    count = (limit - start) // step
    if count < 1 or (start < 0 and step < 0):
        return
    yield _counted(local, start, step, count)
    for other in known:
        low, high = entry(other)
        pace = _step(analysis, loop, other) if other != local and low == high else None
        if pace is not None and low + count * pace in range(_FEW) and low < _FEW:
            yield _counted(other, low, pace, count)


def _counted(local: int, start: int, step: int, count: int) -> Bounds:
    last, end = start + (count - 1) * step, start + count * step
    return Bounds(local, min(start, last), max(start, last), min(start, end), max(start, end))


def _test(body: list[Instruction], branch: int) -> _Test | None:
    """Return what decides a `br_if`, if it compares a local with a constant."""
    relation, limit, get = "i32.ne", 0, body[branch - 1]
    if get.opcode.mnemonic in ("i32.ne", "i32.lt_u"):
        bound = body[branch - 2]
        if bound.opcode.mnemonic != "i32.const":
            return None
        relation, limit, get = (
            get.opcode.mnemonic,
            bound.immediates[0] & 0xFFFFFFFF,
            body[branch - 3],
        )
    if get.opcode.mnemonic not in ("local.get", "local.tee"):
        return None
    return get.immediates[0], relation, limit


def _step(analysis: Analysis, loop: Construct, local: int) -> int | None:
    """Return what is added to a local once in each iteration, if it is not set elsewhere."""
    if loop.back is None:
        return None
    branch, source = loop.back
    sets = analysis.sets.get(local, [])
    first, after = (bisect_left(sets, (place,)) for place in (loop.start, loop.end))
    if after - first != 1:
        return None
    position, around = sets[first]
    if position > branch or position - 3 <= loop.start:
        return None
    # Execution that reaches the branch has set the local exactly once: neither of them stands in
    # an arm of an `if` or in an inner loop that does not hold the other.
    reached = source is around
    while source is not loop:
        if source.kind != "block" or source.parent is None:
            return None
        source = source.parent
        reached = reached or source is around
    if not reached:
        return None
    get, constant, operation = analysis.instructions[position - 3 : position]
    if get.opcode.mnemonic != "local.get" or get.immediates[0] != local:
        return None
    if constant.opcode.mnemonic != "i32.const":
        return None
    amount = (constant.immediates[0] + 0x80000000 & 0xFFFFFFFF) - 0x80000000
    match operation.opcode.mnemonic:
        case "i32.add":
            return amount or None
        case "i32.sub":
            return -amount or None
    return None


def _leaves_at_end(loop: Construct) -> bool:
    """Return whether a loop is only left by `return`s and after a branch back that is not taken.

    A counter that is kept as a signed int is no longer below zero there.
    """
    at_end = loop.back == (loop.end - 1, loop)
    return at_end and loop.leaves >= loop.depth and not loop.exits
