"""What the functions of a random module may refer to: types, other functions, globals, tables."""

from __future__ import annotations

from random import Random

from purewasm_plugins.wasm import FuncType, ValType

I32, I64, F32, F64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64
V128, FUNCREF, EXTERNREF = ValType.V128, ValType.FUNCREF, ValType.EXTERNREF
NUMERIC = (I32, I64, F32, F64)
TYPES = (*NUMERIC, V128, FUNCREF, EXTERNREF)

#: The number of functions that call no other. Only these are in tables, so no call is recursive.
LEAVES = 2

#: Indices of the two tables.
FUNCREFS, EXTERNREFS = 0, 1

TABLE_SIZE = 6
#: Indices of the passive segments.
PASSIVE_DATA, PASSIVE_ELEMENTS = 1, 1


class Plan:
    """The types, functions and globals of a module."""

    def __init__(self, random: Random, functions: int, vectors: bool) -> None:
        self.types: list[FuncType] = []
        self.functions = [
            FuncType(
                random_types(random, 3, vectors=vectors),
                random_types(random, 2, least=1, vectors=vectors),
            )
            for _ in range(functions)
        ]
        for type_ in self.functions:
            self.type_index(type_)
        #: Types of the globals; the second half of them is immutable.
        self.globals = (*TYPES, *TYPES)

    def type_index(self, type_: FuncType) -> int:
        """Return the index of a function type, which is added where it is new."""
        if type_ not in self.types:
            self.types.append(type_)
        return self.types.index(type_)


def random_types(
    random: Random, most: int, *, least: int = 0, vectors: bool = True
) -> tuple[ValType, ...]:
    """Choose value types, most of them numeric."""
    types = [type_ for type_ in TYPES if vectors or type_ is not V128]
    count = random.randint(least, most)
    return tuple(random.choice(types if random.random() < 0.3 else NUMERIC) for _ in range(count))
