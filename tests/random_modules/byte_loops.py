"""Random loops on bytes, such as compilers make of `strlen`, `memcpy` and their like.

A loop reads, compares, fills or copies bytes at one or two pointers that move by constant steps,
and ends by a counter, by a byte or by both. Some have a step, a gap or an order that no compiler
chooses, or pointers that depend on what was loaded.
"""

from __future__ import annotations

from random import Random

__all__ = ["PARAMS", "random_arguments", "random_byte_loops"]

#: The parameters of a loop: two pointers, a number of iterations, a byte and an index.
PARAMS = ("p", "q", "n", "c", "i")

#: The locals that a loop may set besides.
_OTHERS = ("x", "y", "z")

#: The type of its results: all of these.
_RESULTS = "i32 " * (len(PARAMS) + len(_OTHERS))

_ACCESSES = {
    1: (("i32.load8_u", "i32.store8"), ("i32.load8_s", "i32.store8")),
    2: (("i32.load16_u", "i32.store16"),),
    4: (("i32.load", "i32.store"), ("f32.load", "f32.store")),
    8: (("i64.load", "i64.store"), ("f64.load", "f64.store")),
}

_UP = ("ne", "lt_u", "lt_s", "le_u", "le_s")
_DOWN = ("ne", "gt_u", "gt_s", "ge_u", "ge_s")
_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_SWAPPED = {"eq": "eq", "ne": "ne", "lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


#: Pointers: near each other, near the end of the memory, and where addresses wrap.
_POINTERS = (0, 1, 4, 64, 66, 70, 100, 164, 300, 65000, 65500, 65535, 65536, -1, -4, -300)
_COUNTS = (0, 1, 2, 13, 14, 15, 16, 30, 100, 101, 400, 70000, -1, -30, -(1 << 31))


def random_arguments(random: Random) -> list[int]:
    """Make the arguments of a call of such a function."""
    p = random.choice(_POINTERS) + random.choice((0, 0, random.randint(-9, 99)))
    q = random.choice((p, random.choice(_POINTERS), p + random.randint(-40, 40)))
    n = random.choice(_COUNTS)
    c = random.choice((0, 97, 98, 99, 355, -1))
    i = random.choice((0, 0, 0, 1, -1, -400, 300, 65536))
    return [(value + (1 << 31)) % (1 << 32) - (1 << 31) for value in (p, q, n, c, i)]


def random_byte_loops(random: Random, functions: int = 4, calls: int = 4) -> str:
    """Make the text of a module with a page of memory, whose functions have a loop each.

    Args:
        random: the source of all choices.
        functions: how many there are; their exports are `f0`, `f1` and so on.
        calls: how many other exports call each of them with arguments of their own.
    """
    bodies = [_Loop(random).text(f"f{index}") for index in range(functions)]
    for index in range(functions):
        for call in range(calls):
            given = " ".join(f"(i32.const {value})" for value in random_arguments(random))
            bodies.append(
                f'(func (export "c{index}{call}") (result {_RESULTS}) (call $f{index} {given}))'
            )
    data = "".join(random.choice(("ab", "a" * 40, "b\\00", "c" * 7, "dcba")) for _ in range(200))
    return f"""(module (memory (export "memory") 1 2)
  (data (i32.const 0) "{data}") (data (i32.const 65000) "{data[:500].replace(chr(92), "")}")
  {" ".join(bodies)})"""


class _Loop:
    """A loop that is being made."""

    def __init__(self, random: Random) -> None:
        self._random = random
        kinds = ("until", "until", "equal", "fill", "copy", "copy until", "words", "copy words")
        self._kind = random.choice(kinds)
        self._size = random.choice((1, 1, 1, 2, 4, 8))
        if "until" in self._kind and random.random() < 0.9:
            self._size = 1
        if "words" in self._kind:
            self._size = 4
        self._unrolled = random.choice((1, 1, 1, 2, 4))
        down = random.random() < 0.25
        size = self._size * self._unrolled
        #: What the pointers and the index grow by.
        self._step = (-1 if down else 1) * (
            size if random.random() < 0.9 else random.choice((0, 1, 2, 3, 16))
        )
        self._index = random.random() < 0.4
        self._scaled = random.choice((0, 0, 2)) if self._index and size == 4 else 0
        stops = ("(i32.const 98)", "(local.get $c)", "(i32.and (local.get $c) (i32.const 255))")
        self._stops = stops if random.random() < 0.2 else random.sample(stops, 1)
        self._tests: list[str] = []
        self._accesses: list[str] = []
        self._statements: list[str] = []

    def text(self, name: str) -> str:
        """Return the text of the function."""
        random = self._random
        self._access()
        tests, self._tests = self._tests, []
        self._count()
        steps = self._steps()
        body = self._accesses
        if random.random() < 0.3:
            body[:0] = self._tests
        else:
            tests += self._tests
        random.shuffle(tests)
        body += tests
        # The order of what an iteration does, but that loads come before what tests them.
        place = random.choice((0, len(body) - len(tests), len(body)))
        body[place:place] = steps
        if random.random() < 0.2:
            body.insert(random.randint(0, len(body)), self._other())
        last = body[-1]
        if "(br_if $out (i32.eqz" in last and random.random() < 0.7:
            body[-1] = last.replace("(br_if $out (i32.eqz", "(br_if $again (block (result i32)")
        else:
            body.append("(br $again)")
        locals_ = " ".join(f"(local ${local} i32)" for local in _OTHERS)
        params = " ".join(f"(param ${param} i32)" for param in PARAMS)
        names = (*PARAMS, *_OTHERS)
        results = " ".join(f"(local.get ${local})" for local in names)
        return (
            f'(func ${name} (export "{name}") {params} (result {_RESULTS}) {locals_}'
            f" (block $out (loop $again {' '.join(body)})) {results})"
        )

    def _address(self, pointer: str, position: int) -> tuple[str, str]:
        """Return the address of an access, and its offset."""
        random = self._random
        base = f"(local.get ${pointer})"
        if self._index:
            index = "(local.get $i)"
            if self._scaled:
                index = f"(i32.shl {index} (i32.const {self._scaled}))"
            pair = [base, index]
            random.shuffle(pair)
            base = f"(i32.add {' '.join(pair)})"
        offset = position * self._size
        if random.random() < 0.05:
            offset += random.choice((1, 7))
        if not offset and random.random() < 0.8:
            return base, ""
        if random.random() < 0.5:
            return base, f"offset={offset + random.choice((0, 0, 0, 4))}"
        return f"(i32.add {base} (i32.const {offset}))", ""

    def _access(self) -> None:
        random = self._random
        kind = random.choice(("until", "until", "equal", "fill", "copy", "copy", "copy until"))
        load, store = random.choice(_ACCESSES[self._size])
        if "until" in kind and random.random() < 0.8:
            self._size, (load, store) = 1, random.choice(_ACCESSES[1])
        if "words" in kind:
            load, store = _ACCESSES[4][0]
        if "until" in kind and random.random() < 0.9:
            load = load.replace("_s", "_u")
        places = list(range(self._unrolled))
        if random.random() < 0.15:
            random.shuffle(places)
        elif self._step < 0:
            places.reverse()
        integer = load.startswith("i32")
        if kind == "fill":
            value = random.choice(("(local.get $c)", "(i32.const 0)", "(i32.const 7)"))
            if store.startswith("i64"):
                value = random.choice((f"(i64.extend_i32_u {value})", "(i64.const 0x101010101)"))
            if store.startswith("f"):
                value = f"({store[:3]}.const 1.5)"
            for place in places:
                address, offset = self._address("p", place)
                self._accesses.append(f"({store} {offset} {address} {value})")
            return
        for place in places:
            source, offset = self._address("q", place)
            loaded = f"({load} {offset} {source})"
            if "words" in kind:
                self._accesses.append(f"(local.set $x {loaded})")
                loaded = "(local.get $x)"
                self._accesses.append(self._word())
            if kind == "copy until" and integer:
                self._accesses.append(f"(local.set $x {loaded})")
                loaded = "(local.get $x)"
                if random.random() < 0.5:
                    self._until(loaded)
                    self._accesses.append(self._tests.pop())
                else:
                    self._until(loaded)
            if "copy" in kind:
                address, offset = self._address("p", place)
                self._accesses.append(f"({store} {offset} {address} {loaded})")
            elif kind == "equal":
                address, offset = self._address("p", place)
                shape = load[:3]
                self._exit(shape, "eq", loaded, f"({load} {offset} {address})")
            elif kind == "until" and integer:
                if random.random() < 0.5:
                    self._accesses.append(f"(local.set $x {loaded})")
                    loaded = "(local.get $x)"
                for _ in range(random.choice((1, 1, 1, 2))):
                    self._until(loaded)

    def _word(self) -> str:
        """Return a test that goes on where no byte of the local x is zero, or another one."""
        random = self._random
        word = random.choice(
            (
                "(local.get $x)",
                "(local.get $x)",
                "(local.tee $y (i32.xor (local.get $x) (i32.const 0x62626262)))",
                "(local.tee $y (i32.xor (local.get $x) (i32.mul (local.get $c)"
                " (i32.const 0x1010101))))",
            )
        )
        again = "(local.get $y)" if "$y" in word else word
        high = f"(i32.const {0x80808080 if random.random() < 0.95 else 0x8080})"
        minus = random.choice(
            (
                f"(i32.sub {again} (i32.const 0x01010101))",
                f"(i32.add {again} (i32.const -0x01010101))",
                f"(i32.sub {again} (i32.const 0x01010102))",
            )
        )
        if random.random() < 0.4:
            test = f"(i32.or (i32.sub (i32.const 0x01010100) {word}) {again})"
            return f"(br_if $out (i32.ne (i32.and {test} {high}) {high}))"
        pair = [f"(i32.xor {word} (i32.const -1))", minus]
        if again == word and random.random() < 0.5:
            pair.reverse()
        test = f"(i32.and (i32.and {' '.join(pair)}) {high})"
        return random.choice(
            (f"(br_if $out {test})", f"(block $next (br_if $next (i32.eqz {test})) (br $out))")
        )

    def _until(self, loaded: str) -> None:
        random = self._random
        if random.random() < 0.4:
            self._tests.append(f"(br_if $out (i32.eqz {loaded}))")
            return
        if random.random() < 0.2:
            loaded = f"(i32.and {loaded} (i32.const 255))"
        stop = random.choice(self._stops)
        relation = "ne" if random.random() < 0.95 else random.choice(("eq", "lt_u"))
        self._exit("i32", relation, loaded, stop)

    def _count(self) -> None:
        random = self._random
        if random.random() < (0.05 if self._kind in ("fill", "copy") else 0.25):
            return
        down = random.random() < 0.5
        counter, step = random.choice((("n", -1 if down else 1), ("i", self._step)))
        if counter == "n" and random.random() < 0.2:
            step *= random.choice((2, 3, 8))
        relation = random.choice(_DOWN if step < 0 else _UP)
        limit = random.choice(("(i32.const 0)", "(i32.const 30)", "(local.get $y)"))
        if step > 0:
            limit = random.choice(("(i32.const 300)", "(i32.const -1)", "(local.get $y)"))
        self._statements.append(_grown(counter, step))
        left = f"(local.get ${counter})"
        if relation == "ne" and limit == "(i32.const 0)":
            self._tests.append(f"(br_if $out (i32.eqz {left}))")
        else:
            self._exit("i32", relation, left, limit)

    def _exit(self, shape: str, relation: str, left: str, right: str) -> None:
        """Append a test that goes on where a relation holds."""
        random = self._random
        name, _, sign = relation.partition("_")
        if shape.startswith("f"):
            name, sign = "eq", ""
        if random.random() < 0.3:
            name, left, right = _SWAPPED[name], right, left
        suffix = f"_{sign}" if sign else ""
        opposite = f"({shape}.{_OPPOSITE[name]}{suffix} {left} {right})"
        holds = f"({shape}.{name}{suffix} {left} {right})"
        if shape.startswith("f"):
            opposite = f"(i32.eqz {holds})"
        match random.choice("obe"):
            case "o":
                self._tests.append(f"(br_if $out {opposite})")
            case "b":
                self._tests.append(f"(block $next (br_if $next {holds}) (br $out))")
            case _:
                self._tests.append(f"(br_if $out (i32.eqz {holds}))")

    def _steps(self) -> list[str]:
        random = self._random
        grown = self._step >> self._scaled if self._scaled else self._step
        if self._index:
            if not any("local.set $i " in statement for statement in self._statements):
                self._statements.append(_grown("i", grown))
        else:
            self._statements += [_grown("p", self._step), _grown("q", self._step)]
        random.shuffle(self._statements)
        return self._statements

    def _other(self) -> str:
        """Return a statement on a local that the loop does not use otherwise, or should not."""
        return self._random.choice(
            (
                "(local.set $z (i32.add (local.get $p) (i32.const 1)))",
                "(local.set $z (local.get $i))",
                "(local.set $z (i32.add (local.get $z) (local.get $x)))",
                "(local.set $z (i32.load8_u (local.get $z)))",
                "(local.set $c (i32.add (local.get $c) (i32.const 1)))",
                "(local.set $p (i32.and (local.get $p) (i32.const -2)))",
                "(if (i32.eq (local.get $n) (i32.const 9)) (then (local.set $z (i32.const 1))))",
                "(if (local.get $z) (then (br $out)) (else (local.set $y (local.get $y))))",
                "(drop (i32.const 0))",
                "(drop (i32.load8_u offset=65000 (local.get $i)))",
            )
        )


def _grown(local: str, step: int) -> str:
    if step < 0 and step % 2:
        return f"(local.set ${local} (i32.sub (local.get ${local}) (i32.const {-step})))"
    return f"(local.set ${local} (i32.add (local.get ${local}) (i32.const {step})))"
