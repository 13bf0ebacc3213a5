"""Any instruction in a sentence: what it pops, what it pushes, and when it traps.

The types come from the opcode table, the meaning from core specification 2.0, sections 4.3 and 4.4.
"""

from __future__ import annotations

import re

from purewasm_plugins.debugger.machine.effects import is_access
from purewasm_plugins.wasm.opcodes import BY_MNEMONIC, Immediates, Opcode

_CONTROL = {
    "unreachable": "Traps, always: the program says that this place cannot be reached.",
    "nop": "Does nothing.",
    "block": "Opens a block: a branch to its label goes on behind its end.",
    "loop": "Opens a loop: a branch to its label goes back to its beginning; without one, it ends.",
    "if": "Pops an i32: if it is not 0, goes on here, and otherwise at the else or behind the end.",
    "else": "Ends the first part of an if: goes on behind the end.",
    "end": "Ends the block, and its label is gone; at the end of a function, returns from it.",
    "br": "Branches to a label, counted from the innermost block, which is 0.",
    "br_if": "Pops an i32 and branches to the label if it is not 0.",
    "br_table": "Pops an i32 and branches to the label of that number in the list; to the last one "
    "if the list is too short.",
    "return": "Returns from the function, with its results from the top of the stack.",
    "call": "Pops the arguments and calls the function; it will push its results.",
    "call_indirect": "Pops an i32 and the arguments, and calls the function at that index of the "
    "table. Traps if there is none, or if it has another type.",
    "drop": "Pops a value and discards it.",
    "select": "Pops an i32 c, then b, then a, and pushes a if c is not 0, else b.",
    "local.get": "Pushes the value of the local.",
    "local.set": "Pops a value into the local.",
    "local.tee": "Copies the top of the stack into the local; it stays on the stack.",
    "global.get": "Pushes the value of the global.",
    "global.set": "Pops a value into the global.",
    "table.get": "Pops an i32 and pushes the table's entry of that index. Traps if there is none.",
    "table.set": "Pops a reference, then an i32, and puts it into the table at that index. Traps "
    "if there is no such entry.",
    "table.size": "Pushes how many entries the table has.",
    "table.grow": "Pops an i32 n, then a reference, adds n entries of it to the table, and pushes "
    "how many there were before; -1 if that many cannot be added.",
    "table.fill": "Pops an i32 n, then a reference, then an i32 i, and fills n entries from i on. "
    "Traps if they are not all in the table.",
    "table.copy": "Pops n, then the source s, then the destination d (i32), and copies n entries. "
    "Traps if they are not all in the tables.",
    "table.init": "Pops n, then the source s, then the destination d (i32), and copies n entries "
    "from the segment. Traps if they are not all there.",
    "elem.drop": "Drops the element segment: it is empty afterwards.",
    "memory.size": "Pushes the size of memory, in pages of 64 KiB.",
    "memory.grow": "Pops an i32 n, adds n pages of 64 KiB to memory, and pushes how many there "
    "were before; -1 if that many cannot be had.",
    "memory.fill": "Pops n, then a byte v, then the address d (i32), and writes v to n bytes from "
    "d on. Traps if they are not all in memory.",
    "memory.copy": "Pops n, then the source s, then the destination d (i32), and copies n bytes. "
    "Traps if they are not all in memory.",
    "memory.init": "Pops n, then the source s, then the destination d (i32), and copies n bytes "
    "from the data segment. Traps if they are not all there.",
    "data.drop": "Drops the data segment: it is empty afterwards.",
    "ref.null": "Pushes the null reference.",
    "ref.is_null": "Pops a reference and pushes 1 if it is null, else 0.",
    "ref.func": "Pushes a reference to the function.",
}

#: By the name of the operation: what is pushed, of the operands a and b.
_OPERATIONS = {
    "eqz": "1 if a is 0, else 0",
    "eq": "1 if a = b, else 0",
    "ne": "1 if a and b differ, else 0",
    "lt": "1 if a < b, else 0",
    "gt": "1 if a > b, else 0",
    "le": "1 if a ≤ b, else 0",
    "ge": "1 if a ≥ b, else 0",
    "clz": "how many of a's highest bits are 0",
    "ctz": "how many of a's lowest bits are 0",
    "popcnt": "how many of a's bits are 1",
    "add": "a + b",
    "sub": "a - b",
    "mul": "a * b",
    "div": "a / b",
    "rem": "the remainder of a / b",
    "and": "a and b, bit by bit",
    "andnot": "a and not b, bit by bit",
    "or": "a or b, bit by bit",
    "xor": "a exclusive-or b, bit by bit",
    "not": "a with every bit turned over",
    "bitselect": "the bits of a where those of c are 1, else those of b",
    "shl": "a with its bits shifted left by b places",
    "shr": "a with its bits shifted right by b places",
    "rotl": "a with its bits rotated left by b places",
    "rotr": "a with its bits rotated right by b places",
    "abs": "a without its sign",
    "neg": "-a",
    "ceil": "a rounded up to an integer",
    "floor": "a rounded down to an integer",
    "trunc": "a rounded towards 0 to an integer",
    "nearest": "a rounded to the nearest integer, to the even one from the middle",
    "sqrt": "the square root of a",
    "min": "the smaller of a and b",
    "max": "the larger of a and b",
    "copysign": "a with the sign of b",
    "pmin": "b if b < a, else a",
    "pmax": "b if a < b, else a",
    "wrap_i64": "a's lowest 32 bits",
    "demote_f64": "a, rounded to an f32",
    "promote_f32": "a, as an f64",
    "any_true": "1 if any bit of a is 1, else 0",
    "all_true": "1 if no lane of a is 0, else 0",
    "bitmask": "the highest bit of each lane of a, put together to a number",
    "splat": "a vector with a in every lane",
    "extract_lane": "the lane of a that is named",
    "replace_lane": "a with b in the lane that is named",
    "shuffle": "16 bytes picked from a and b by the list",
    "swizzle": "the bytes of a that b names; 0 where there is none",
    "add_sat": "a + b, kept within the bounds of the type",
    "sub_sat": "a - b, kept within the bounds of the type",
    "avgr": "the average of a and b, rounded up",
    "q15mulr_sat": "a * b as fixed-point numbers, kept within the bounds of the type",
}

_UNSIGNED = "taken as unsigned"
_SIGNED = "taken as signed"


def explain(opcode: Opcode | str) -> str:
    """Say what an instruction does, in one sentence or two.

    Args:
        opcode: the instruction's, or its mnemonic.

    Raises:
        KeyError: no instruction is called so.
    """
    row = BY_MNEMONIC[opcode] if isinstance(opcode, str) else opcode
    if row.mnemonic in _CONTROL:
        return _CONTROL[row.mnemonic]
    if is_access(row):
        return _access(row)
    if row.mnemonic.endswith(".const"):
        return f"Pushes the constant, of type {(row.results or ('?',))[0]}."
    return _operation(row)


def _access(opcode: Opcode) -> str:
    size = opcode.access_size
    kind, _, operation = opcode.mnemonic.partition(".")
    count = "the byte" if size == 1 else f"{size} bytes"
    trap = "Traps if that is not all in memory."
    lane = " of the lane" if opcode.immediates is Immediates.MEMARG_LANE else ""
    if operation.startswith("store"):
        lowest = "" if lane or (size in (4, 8, 16) and size == _width(kind)) else "lowest "
        what = f"its {lowest}{'byte' if size == 1 else f'{size} bytes'}{lane}"
        return f"Pops a value ({kind}), then an address (i32), and writes {what} there. {trap}"
    pops = "Pops a v128, then an address (i32)" if lane else "Pops an address (i32)"
    sign = ""
    if not lane and re.search(r"_[su]$", operation):
        sign = f", {_SIGNED if operation.endswith('s') else _UNSIGNED}"
    result = "the v128 with that in the lane" if lane else f"as {_article(kind)} {kind}"
    return f"{pops}, reads {count} there{sign}, and pushes it {result}. {trap}".replace(
        "pushes it the", "pushes the"
    )


def _width(kind: str) -> int:
    return {"i32": 4, "f32": 4, "i64": 8, "f64": 8}.get(kind, 16)


def _article(kind: str) -> str:
    return "an" if kind[0] in "fi" else "a"


def _operation(opcode: Opcode) -> str:
    kind, _, name = opcode.mnemonic.partition(".")
    params, results = opcode.params or (), opcode.results or ()
    shape = re.fullmatch(r"([if]\d+)x(\d+)", kind)
    sign = ""
    if re.search(r"_[su]$", name):
        sign = f" ({_SIGNED if name.endswith('s') else _UNSIGNED})"
        name = name[:-2]
    pushed = _OPERATIONS.get(name) or _conversion(name, str(results[0]) if results else "")
    names = ("a", "b", "c")[: len(params)]
    popped = ", then ".join(
        f"{letter} ({param})" for letter, param in reversed(list(zip(names, params, strict=True)))
    )
    where = ""
    if shape is not None and name not in _WHOLE:
        where = f", in each of {shape[2]} lanes of {shape[1]}"
    return f"Pops {popped} and pushes {pushed}{sign}{where}.{_trap(kind, name, _SIGNED in sign)}"


#: Operations whose sentence speaks of the lanes itself.
_WHOLE = ("splat", "extract_lane", "replace_lane", "shuffle", "swizzle", "all_true", "bitmask")


def _conversion(name: str, result: str) -> str:
    if name.startswith("trunc_sat"):
        return "a rounded towards 0, kept within the bounds of the type; 0 for a NaN"
    if name.startswith("trunc_"):
        return "a rounded towards 0"
    if name.startswith("extend"):
        bits = re.search(r"extend(\d+)", name)
        return f"a's lowest {bits[1]} bits, extended" if bits else "a, extended"
    if name.startswith("convert"):
        return f"the {result} nearest to a"
    if name.startswith("reinterpret"):
        return f"the same bits as {_article(result)} {result}"
    return f"what `{name}` makes of that" if name else "the result"


def _trap(kind: str, name: str, signed: bool) -> str:
    if kind not in ("i32", "i64"):
        return ""
    if name == "div" and signed:
        return " Traps if b is 0, or if the result does not fit."
    if name in ("div", "rem"):
        return " Traps if b is 0."
    if name.startswith("trunc_") and not name.startswith("trunc_sat"):
        return " Traps for a NaN, and if the result does not fit."
    return ""
