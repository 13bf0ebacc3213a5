"""Random texts of modules: abbreviations, identifiers, literals and spacing in every form.

The texts can be assembled; whether the modules are valid is left to chance.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from purewasm_plugins.wasm.opcodes import OPCODES, Immediates, Opcode

__all__ = ["RandomText", "mutated", "spaced"]

_TYPES = ("i32", "i64", "f32", "f64", "v128", "funcref", "externref")
_TYPES_LONG = {"funcref": "( ref null func )", "externref": "( ref null extern )"}
_NAMES: tuple[str, ...] = (
    "$a",
    "$b",
    "$x!#%&'*+-./:<=>?@^_`|~",
    '$"a b"',
    '$"\\61"',
    '$"\\u{e9}\\n"',
    "$0",
)
_NAMES += ('$"x"', "$i32.add", '$"é"')
#: Names that are the same.
_SAME = {'$"\\61"': "$a", '$"x"': "$x"}
_PIECES: tuple[str, ...] = (
    "a",
    "é",
    "\\n",
    "\\t",
    "\\r",
    '\\"',
    "\\'",
    "\\\\",
    "\\00",
    "\\7f",
    "\\u{0}",
)
_PIECES += ("\\u{10_ffff}", "\\u{e9}", "( ;", ";)", "(;", ";;", "\u2028", "\U0001f600")
_SPACES: tuple[str, ...] = (
    " ",
    " ",
    " ",
    "\n",
    "\r\n",
    "\t",
    "\r",
    "(; ( ;)",
    "(;(;;);)",
    ";; ( x\n",
    ';; "\r',
)
_SPACES += ('(@x (a ") (; ") (; ) ;) 1.5 , [ { )', '(@"a b")', "(;;)", "(;a;b;)")
_BLOCKS = ("block", "loop", "if")
_SHAPES = {"i8x16": 16, "i16x8": 8, "i32x4": 4, "i64x2": 2, "f32x4": 4, "f64x2": 2}
_FLOATS: tuple[str, ...] = (
    "0",
    "-0",
    "0.",
    "1.5e+3",
    "1e-1_0",
    "inf",
    "-inf",
    "nan",
    "-nan",
    "+nan:0x1",
    "1_0",
)
_FLOATS += ("nan:0x3f_ffff", "nan:0x400000", "0x0p0", "0x1.fp-1_0", "-0x1.p3")
_FLOATS += ("0x1p-149", "0x1p-150", "0x1.000001p0", "0x1.0000010000001p0", "1e-45", "7e-46")
_FLOATS += ("340282346638528859811704183484516925440", "0x1.fffffep127", "16777217", "1e-400")
_FLOATS += ("0x1.fffffe7fp-127", "0x0.000001p-126", "0x0.0000011p-126", "1.1754943e-38", "0xap1")
_DOUBLES: tuple[str, ...] = (
    "0x1p-1074",
    "0x1p-1075",
    "0x1.8p-1074",
    "4.9e-324",
    "2.4e-324",
    "nan:0xfffffffffffff",
)
_DOUBLES += ("1.7976931348623157e308", "0x1.fffffffffffff7p1023", "9007199254740993", "1e308")
_OPCODES = [
    opcode
    for opcode in OPCODES
    if opcode.mnemonic not in ("else", "end") and opcode.immediates is not Immediates.BLOCK_TYPE
]


def spaced(random: Random, tokens: list[str]) -> str:
    """Join tokens with random white space, comments and annotations."""
    parts = []
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        parts.append(token)
        if not random.randrange(8):
            # A semicolon after a parenthesis would begin a comment.
            parts.append(" " * (token == "(") + random.choice(_SPACES))
        elif token != "(" and following != ")":
            parts.append(" ")
    return "".join(parts)


class RandomText:
    """One random module.

    Attributes:
        tokens: the tokens of its text.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.tokens: list[str] = []
        #: By keyword, the names of all definitions; None for one without a name.
        self._spaces: dict[str, list[str | None]] = {
            kind: [] for kind in ("type", "func", "table", "memory", "global", "elem", "data")
        }
        self._locals: list[str | None] = []
        self._labels: list[str | None] = []
        self._plan()

    # Choices

    def _chance(self, one_in: int) -> bool:
        return not self._random.randrange(one_in)

    def _some(self, most: int) -> range:
        return range(self._random.randint(0, most))

    def _add(self, text: str) -> None:
        """Add tokens that stand with one space between them."""
        self.tokens += text.split(" ")

    def _name_for(self, space: list[str | None]) -> str | None:
        """Choose a name for a definition that is not taken, or none."""
        name = self._random.choice(_NAMES) if self._chance(2) else None
        taken = {_SAME.get(other, other) for other in space if other is not None}
        if name is not None and _SAME.get(name, name) in taken:
            name = None
        return name

    def _define(self, kind: str) -> None:
        name = self._names[kind].pop(0)
        if name is not None:
            self._name(name)

    def _name(self, name: str) -> None:
        # It may contain spaces.
        self.tokens.append(name)

    def _integer(self, bits: int, *, signed: bool = True) -> str:
        random = self._random
        edges = (0, 1, 9, 10, (1 << bits - 1) - 1, 1 << bits - 1, (1 << bits) - 1)
        value = random.choice((*edges, random.getrandbits(bits)))
        sign = random.choice(("", "", "+", "-")) if signed else ""
        if sign == "-" and value > 1 << bits - 1:
            sign = ""
        digits = random.choice((f"{value}", f"{value:x}", f"{value:X}"))
        digits = digits if digits == f"{value}" and self._chance(2) else f"{value:x}"
        if digits == f"{value:x}" and (digits != f"{value}" or self._chance(2)):
            digits = "0" * random.randrange(3) + digits
            return f"{sign}0x{self._underscores(digits)}"
        return f"{sign}{self._underscores(digits)}"

    def _underscores(self, digits: str) -> str:
        return "".join(
            digit + ("_" if index < len(digits) - 1 and self._chance(8) else "")
            for index, digit in enumerate(digits)
        )

    def _float(self, bits: int) -> str:
        random = self._random
        kind = random.randrange(4)
        if kind == 0:
            return random.choice(_FLOATS if bits == 32 else (*_FLOATS, *_DOUBLES))
        sign = random.choice(("", "-", "+"))
        if kind == 1:
            digits = self._underscores(f"{random.getrandbits(random.choice((8, 24, 53, 80))):x}")
            exponent = random.randint(-160, 40)
            return f"{sign}0x{digits}.{random.getrandbits(30):x}p{exponent}"
        if kind == 2:
            return f"{sign}{random.getrandbits(random.choice((4, 60)))}.{random.getrandbits(40)}"
        return f"{sign}{random.random()!r}e{random.randint(-50, 30)}".replace("e-05e", "e")

    def _string(self) -> str:
        random = self._random
        return f'"{"".join(random.choice(_PIECES) for _ in self._some(4))}"'

    def _type_name(self) -> str:
        name = self._random.choice(_TYPES)
        return _TYPES_LONG[name] if name in _TYPES_LONG and self._chance(3) else name

    def _reference_type(self) -> str:
        name = self._random.choice(("funcref", "externref"))
        return _TYPES_LONG[name] if self._chance(3) else name

    def _index(self, space: list[str | None], *, beyond: int = 1) -> str:
        index = self._random.randrange(max(len(space), 1) + beyond)
        name = space[index] if index < len(space) else None
        if name is not None and self._chance(2):
            return next((k for k, v in _SAME.items() if v == name and self._chance(2)), name)
        return str(index) if self._chance(2) else hex(index)

    # The module

    def _plan(self) -> None:
        random = self._random
        fields: list[tuple[str, Callable[[], None]]] = []
        imports = [random.choice(("func", "table", "memory", "global")) for _ in self._some(4)]
        definitions = [random.choice(tuple(self._spaces)) for _ in range(random.randint(1, 9))]
        definitions += ["func"] * random.randrange(4)
        self._names: dict[str, list[str | None]] = {kind: [] for kind in self._spaces}
        contents: dict[str, str] = {"table": "elem", "memory": "data"}
        plan: list[tuple[str, str]] = []
        memories = 0
        for form, kinds in (("import", imports), ("", definitions)):
            for kind in kinds:
                memories += kind == "memory"
                if kind == "memory" and memories > 1:
                    continue
                inline = form == "" and kind in contents and self._chance(3)
                plan.append((form or ("contents" if inline else ""), kind))
        # Identifiers are known before the first token is written: texts refer to later fields.
        for form, kind in plan:
            name = self._name_for(self._spaces[kind])
            self._spaces[kind].append(name)
            self._names[kind].append(name)
            if form == "contents":
                self._spaces[contents[kind]].append(None)
        for form, kind in plan:
            fields.append((form, self._field(form, kind)))
        while fields and self._chance(2):
            at = random.randrange(len(fields) + 1)
            fields.insert(at, ("", random.choice((self._export, self._start_or_export))))
        self._started = False
        outer = self._chance(2)
        if outer:
            self._add("( module")
            if self._chance(2):
                self._name(random.choice(_NAMES))
        for _, write in fields:
            write()
        if outer:
            self._add(")")

    def _field(self, form: str, kind: str) -> Callable[[], None]:
        if form == "import":
            return lambda: self._import(kind)
        if form == "contents":
            return lambda: self._contents(kind)
        return {
            "type": self._type,
            "func": self._function,
            "table": self._table,
            "memory": self._memory,
            "global": self._global,
            "elem": self._elements,
            "data": self._data,
        }[kind]

    def _extern_type(self, kind: str) -> None:
        if kind == "func":
            self._locals = []
            self._use(named=True)
        elif kind == "table":
            self._limits(1 << 32)
            self._add(self._reference_type())
        elif kind == "memory":
            self._limits(1 << 16)
        else:
            self._global_type()

    def _limits(self, most: int) -> None:
        random = self._random
        self.tokens.append(random.choice(("0", "1", "0x1_0", str(random.randrange(most)))))
        if self._chance(2):
            self.tokens.append(random.choice(("1", "65536", str(random.randrange(most)))))

    def _global_type(self) -> None:
        self._add(f"( mut {self._type_name()} )" if self._chance(2) else self._type_name())

    def _inline_exports(self) -> None:
        while self._chance(3):
            self._add("( export")
            self.tokens += [self._string(), ")"]

    def _import(self, kind: str) -> None:
        if self._chance(2):
            self._add("( import")
            self.tokens += [self._string(), self._string(), "(", kind]
            self._define(kind)
            self._extern_type(kind)
            self._add(") )")
            return
        self.tokens += ["(", kind]
        self._define(kind)
        self._inline_exports()
        self._add("( import")
        self.tokens += [self._string(), self._string(), ")"]
        self._extern_type(kind)
        self._add(")")

    def _export(self) -> None:
        kind = self._random.choice(("func", "table", "memory", "global"))
        self._add("( export")
        self.tokens += [self._string(), "(", kind]
        self._name(self._index(self._spaces[kind]))
        self._add(") )")

    def _start_or_export(self) -> None:
        if self._started:
            self._export()
            return
        self._started = True
        self._add("( start")
        self._name(self._index(self._spaces["func"]))
        self._add(")")

    # Types

    def _signature(self, names: list[str | None] | None) -> None:
        while self._chance(2):
            self._declaration("param", names)
        while self._chance(3):
            self._add("( result")
            for _ in self._some(2):
                self._add(self._type_name())
            self._add(")")

    def _declaration(self, keyword: str, names: list[str | None] | None) -> None:
        self.tokens += ["(", keyword]
        name = self._name_for(names) if names is not None else None
        if name is not None and names is not None:
            names.append(name)
            self._name(name)
            self._add(self._type_name())
        else:
            for _ in self._some(3):
                self._add(self._type_name())
                if names is not None:
                    names.append(None)
        self._add(")")

    def _type(self) -> None:
        self._add("( type")
        self._define("type")
        self._add("( func")
        self._signature([])
        self._add(") )")

    def _use(self, *, named: bool) -> None:
        if self._spaces["type"] and self._chance(4):
            self._add("( type")
            # The names of locals need a type that is written.
            self._name(self._index(self._spaces["type"], beyond=0 if named else 1))
            self._add(")")
            return
        self._signature(self._locals if named else None)

    # Definitions

    def _function(self) -> None:
        self._add("( func")
        self._define("func")
        self._inline_exports()
        self._locals = []
        self._labels = []
        self._use(named=True)
        while self._chance(2):
            self._declaration("local", self._locals)
        self._instructions(4)
        self._add(")")

    def _table(self) -> None:
        self._add("( table")
        self._define("table")
        self._inline_exports()
        self._extern_type("table")
        self._add(")")

    def _memory(self) -> None:
        self._add("( memory")
        self._define("memory")
        self._inline_exports()
        self._extern_type("memory")
        self._add(")")

    def _contents(self, kind: str) -> None:
        self.tokens += ["(", kind]
        self._define(kind)
        self._inline_exports()
        if kind == "memory":
            self._add("( data")
            self._strings()
        else:
            self._add(self._reference_type())
            self._add("( elem")
            self._items(by_index=self._chance(2))
        self._add(") )")

    def _global(self) -> None:
        self._add("( global")
        self._define("global")
        self._inline_exports()
        self._global_type()
        self._constant()
        self._add(")")

    def _constant(self) -> None:
        """Write a constant expression, with or without parentheses."""
        word, immediate = self._random.choice(
            [
                ("i32.const", self._integer(32)),
                ("i64.const", self._integer(64)),
                ("f32.const", self._float(32)),
                ("f64.const", self._float(64)),
                ("ref.null", self._random.choice(("func", "extern"))),
                ("ref.func", self._index(self._spaces["func"])),
                ("global.get", self._index(self._spaces["global"])),
            ]
        )
        self.tokens += ["(", word, immediate, ")"] if self._chance(2) else [word, immediate]

    def _offset(self, keyword: str) -> None:
        if self._chance(2):
            self.tokens += ["(", keyword]
            self._constant()
            self._add(")")
        else:
            self.tokens += ["(", "i32.const", self._integer(32), ")"]

    # Segments

    def _strings(self) -> None:
        for _ in self._some(3):
            self.tokens.append(self._string())

    def _data(self) -> None:
        self._add("( data")
        self._define("data")
        if self._chance(2):
            if self._chance(2):
                self._add("( memory 0 )")
            self._offset("offset")
        self._strings()
        self._add(")")

    def _elements(self) -> None:
        self._add("( elem")
        self._define("elem")
        mode = self._random.choice(("passive", "declare", "active", "table"))
        if mode == "declare":
            self._add("declare")
        if mode == "table":
            self._add("( table")
            self._name(self._index(self._spaces["table"]))
            self._add(")")
        if mode in ("active", "table"):
            self._offset("offset")
        by_index = self._chance(2)
        if not by_index:
            self._add(self._reference_type())
        elif mode != "active" or self._chance(2):
            self._add("func")
        self._items(by_index=by_index)
        self._add(")")

    def _items(self, *, by_index: bool) -> None:
        for _ in self._some(3):
            if by_index:
                self._name(self._index(self._spaces["func"]))
            else:
                if self._chance(2):
                    self._add("( item")
                    self._constant()
                else:
                    self.tokens += ["(", "ref.func", self._index(self._spaces["func"])]
                self._add(")")

    # Instructions

    def _instructions(self, depth: int) -> None:
        for _ in self._some(3):
            self._instruction(depth, folded=self._chance(2))

    def _instruction(self, depth: int, *, folded: bool) -> None:
        if depth and self._chance(3):
            self._block(depth, folded=folded)
            return
        opcode = self._random.choice(_OPCODES)
        if folded:
            self._add("(")
        self._add(opcode.mnemonic)
        self.tokens += self._immediates(opcode)
        if folded:
            for _ in self._some(2) if depth else ():
                self._instruction(depth - 1, folded=True)
            self._add(")")

    def _block(self, depth: int, *, folded: bool) -> None:
        keyword = self._random.choice(_BLOCKS)
        if folded:
            self._add("(")
        self._add(keyword)
        # Names of labels may be used again.
        label = self._random.choice(_NAMES) if self._chance(2) else None
        if label is not None:
            self._name(label)
        self._use(named=False)
        if folded and keyword == "if":
            self._labels_of_condition(depth)
        self._labels.append(label)
        if folded and keyword == "if":
            self._add("( then")
            self._instructions(depth - 1)
            self._add(")")
            if self._chance(2):
                self._add("( else")
                self._instructions(depth - 1)
                self._add(")")
        else:
            self._instructions(depth - 1)
            if keyword == "if" and self._chance(2):
                self._repeated("else", label)
                self._instructions(depth - 1)
            if not folded:
                self._repeated("end", label)
        self._labels.pop()
        if folded:
            self._add(")")

    def _labels_of_condition(self, depth: int) -> None:
        for _ in self._some(2):
            self._instruction(depth - 1, folded=True)

    def _repeated(self, keyword: str, label: str | None) -> None:
        self._add(keyword)
        if label is not None and self._chance(2):
            self._name(label)

    def _label(self) -> str:
        if self._labels and self._chance(2):
            return self._random.choice([name or "0" for name in self._labels])
        return str(self._random.randrange(len(self._labels) + 2))

    def _immediates(self, opcode: Opcode) -> list[str]:
        random, spaces = self._random, self._spaces
        match opcode.immediates:
            case Immediates.LABEL:
                return [self._label()]
            case Immediates.LABEL_TABLE:
                return [self._label() for _ in range(random.randint(1, 4))]
            case Immediates.FUNCTION:
                return [self._index(spaces["func"])]
            case Immediates.CALL_INDIRECT:
                table = [self._index(spaces["table"])] if self._chance(2) else []
                return [*table, *self._written(lambda: self._use(named=False))]
            case Immediates.LOCAL:
                return [self._index(self._locals)]
            case Immediates.GLOBAL:
                return [self._index(spaces["global"])]
            case Immediates.TABLE:
                return [self._index(spaces["table"])] if self._chance(2) else []
            case Immediates.TABLE_TABLE:
                tables = [self._index(spaces["table"]) for _ in range(2)]
                return tables if self._chance(2) else []
            case Immediates.ELEMENT:
                return [self._index(spaces["elem"])]
            case Immediates.ELEMENT_TABLE:
                table = [self._index(spaces["table"])] if self._chance(2) else []
                return [*table, self._index(spaces["elem"])]
            case Immediates.DATA:
                return [self._index(spaces["data"])]
            case Immediates.DATA_MEMORY:
                return [*(["0"] if self._chance(3) else []), self._index(spaces["data"])]
            case Immediates.MEMORY:
                return ["0"] if self._chance(3) else []
            case Immediates.MEMORY_MEMORY:
                return ["0", "0x0"] if self._chance(3) else []
            case Immediates.MEMARG:
                return self._memory_argument(opcode)
            case Immediates.MEMARG_LANE:
                return [*self._memory_argument(opcode), str(random.randrange(opcode.lanes))]
            case Immediates.LANE:
                return [random.choice((str(random.randrange(256)), "0x0_f"))]
            case Immediates.LANES16:
                return [str(random.randrange(256)) for _ in range(16)]
            case Immediates.REF_TYPE:
                return [random.choice(("func", "extern"))]
            case Immediates.SELECT_TYPES:
                return ["(", "result", *self._type_name().split(" "), ")"]
            case Immediates.I32:
                return [self._integer(32)]
            case Immediates.I64:
                return [self._integer(64)]
            case Immediates.F32:
                return [self._float(32)]
            case Immediates.F64:
                return [self._float(64)]
            case Immediates.V128:
                return self._vector()
        return []

    def _written(self, write: Callable[[], None]) -> list[str]:
        """The tokens that a method writes."""
        start = len(self.tokens)
        write()
        found = self.tokens[start:]
        del self.tokens[start:]
        return found

    def _memory_argument(self, opcode: Opcode) -> list[str]:
        found = ["0"] if self._chance(8) else []
        if self._chance(2):
            found.append(f"offset={self._integer(32, signed=False)}")
        if self._chance(2):
            found.append(f"align={1 << self._random.randint(0, opcode.alignment)}")
        return found

    def _vector(self) -> list[str]:
        shape = self._random.choice(tuple(_SHAPES))
        count, bits = _SHAPES[shape], 128 // _SHAPES[shape]
        read = self._float if shape[0] == "f" else self._integer
        return [shape, *(read(bits) for _ in range(count))]


_OTHERS = (
    *("(", ")", "module", "func", "type", "import", "export", "memory", "table", "elem", "data"),
    *("param", "result", "local", "i32.const", "0", "1", "-1", "0x", "$a", '"a"', "end"),
    *("else", "then", "br_table", "funcref", "i32", "offset", "item", "offset=1", "align=2"),
    *("v128.const", "i32x4", "select", "call_indirect", "declare", "mut", "start", "null", "1.5"),
)


def mutated(random: Random, tokens: list[str]) -> list[str]:
    """Change one or two tokens of a text."""
    tokens = [*tokens]
    for _ in range(random.randint(1, 2)):
        at, other = (random.randrange(len(tokens)) for _ in range(2))
        if {tokens[at], tokens[other]} & {*_BLOCKS}:
            # In a constant expression, a block is read in another way; it is not valid there.
            continue
        match random.randrange(4):
            case 0 if len(tokens) > 1:
                del tokens[at]
            case 1:
                tokens.insert(at, random.choice((*_OTHERS, tokens[other])))
            case 2:
                tokens[at] = random.choice((*_OTHERS, tokens[other]))
            case _:
                tokens[at], tokens[other] = tokens[other], tokens[at]
    return tokens
