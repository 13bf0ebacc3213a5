"""Random programs of `programs`: what can be called with what, and with what is wrong."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.wasmtime.programs import (
    EXPORTS,
    FLOATS,
    HOSTS,
    INTS,
    MODULES,
    OTHER_EXPORTS,
    OTHERS,
    SIGNATURES,
    TYPES,
    Operation,
    Slot,
)

__all__ = ["random_program"]

_CALLING = ("caller", "again", "swallows", "changes")
_CONFIG: tuple[str, ...] = (
    "consume_fuel",
    "epoch_interruption",
    "debug_info",
    "wasm_memory64",
    "wasm_threads",
)
_CONFIG += ("wasm_simd", "wasm_bulk_memory", "wasm_reference_types", "wasm_multi_value")
_CONFIG += ("wasm_tail_call", "wasm_gc", "wasm_exceptions", "wasm_multi_memory", "shared_memory")
_CONFIG += ("cranelift_debug_verifier", "parallel_compilation", "wasm_relaxed_simd", "strategy")
_CONFIG += ("cranelift_opt_level", "profiler", "max_wasm_stack", "cranelift_nan_canonicalization")
_BYTES: tuple[Any, ...] = (
    b"",
    b"\0asm",
    b"\0asm\1\0\0\0",
    b"\0asm\2\0\0\0",
    "(module)",
    "(modul",
    "",
    5,
    None,
)
_BYTES += (bytearray(b"\0asm\1\0\0\0"), b"(module (func))", b"\0asm\1\0\0\0\xff")
# Less memory than this is too little for wasmtime's own objects, such as references.
_LIMITS: dict[str, tuple[Any, ...]] = {
    "memory_size": (-1, 2**20, 3 * 2**20, "x"),
    "table_elements": (-1, 3, 7, 100, None),
}
_LIMITS |= {"instances": (-1, 0, 3, 10, "x"), "memories": (-1, 0, 1, 4, 1.5)}
_INDICES: tuple[Any, ...] = (0, 1, 2, 3, -1, 5, 100, 2**31, 2**32, 2**40, None, "x", 1.0)
_STARTS: tuple[Any, ...] = (
    0,
    1,
    8,
    100,
    65530,
    65535,
    65536,
    70000,
    -1,
    -6,
    -65536,
    -70000,
    None,
    2**40,
)
# What is no size, such as -1, or a largest below a least, is taken by wasmtime in some cases.
_SIZES: tuple[Any, ...] = (
    (0, None),
    (1, 2),
    (2, 2),
    (5, 65_536),
    (0, 65_536),
    (True, 2),
    (None, 1),
    ("x", 1),
)
_SIZES += ((1, "x"), (1.5, 2))


class _Generator:
    def __init__(self, random: Random) -> None:
        self._random = random
        self.operations: list[Operation] = []
        #: By kind, the slots with the store that each belongs to, and what is known of it.
        self._made: dict[str, list[tuple[Slot, Slot | None, Any]]] = {}

    def add(self, name: str, *arguments: Any) -> Slot:
        self.operations.append(Operation(name, arguments))
        return Slot(len(self.operations) - 1)

    def keep(self, kind: str, slot: Slot, store: Slot | None = None, known: Any = None) -> Slot:
        self._made.setdefault(kind, []).append((slot, store, known))
        return slot

    def one(self, kind: str, store: Slot | None = None) -> tuple[Slot, Any] | None:
        """Choose something that was made, of a store if one is given."""
        found = [
            (slot, known)
            for slot, owner, known in self._made.get(kind, ())
            if store is None or owner == store
        ]
        return self._random.choice(found) if found else None

    def chance(self, one_in: int) -> bool:
        return not self._random.randrange(one_in)

    def choose(self, values: Any) -> Any:
        return self._random.choice(values)

    # Values

    def value(self, kind: str, store: Slot, *, alone: bool = False) -> Any:
        """A value for a parameter, mostly of its type; a function in place of another if alone."""
        if self.chance(6):
            function = self.one("func", store) if alone else None
            return self.choose((*INTS, *FLOATS, *OTHERS, *([function[0]] if function else [])))
        if kind in ("i32", "i64"):
            return self.choose(INTS)
        if kind in ("f32", "f64"):
            return self.choose(FLOATS)
        if kind == "funcref":
            function = self.one("func", store)
            return function[0] if function and self.chance(2) else None
        return self.choose(OTHERS)

    def values(self, signature: str, store: Slot) -> tuple[Any, ...]:
        kinds = signature.partition("->")[0].split()
        values = [self.value(kind, store, alone=len(kinds) == 1) for kind in kinds]
        if self.chance(12):
            values.append(self.choose(INTS))
        elif values and self.chance(12):
            values.pop()
        return tuple(values)

    # Programs

    def run(self, steps: int) -> None:
        # Not both: which of them ends code is not specified.
        self.flags = self.choose(([], [], ["consume_fuel"], ["epoch_interruption"]))
        self.engine = self.add("engine", *self.flags)
        self.keep("engine", self.engine)
        self.new_store()
        while len(self.operations) < steps:
            found = self.one("store")
            assert found is not None
            getattr(self, self.choose(_STEPS))(found[0])

    def new_store(self) -> Slot:
        made = self.add("store", self.engine, self.choose((None, "data", 0, 5)))
        if "consume_fuel" in self.flags:
            self.add("set_fuel", made, 10**6)
        if "epoch_interruption" in self.flags:
            # Else it depends on the segments of a module whether it can be instantiated.
            self.add("deadline", made, 10**6)
        # A program of WASI without it ends the process of wasmtime.
        self.add("set_wasi", made, ("program",))
        return self.keep("store", made)

    def store_step(self, store: Slot) -> None:
        name = self.choose(
            (
                "data",
                "set_fuel",
                "get_fuel",
                "set_limits",
                "deadline",
                "increment",
                "gc",
                "set_wasi",
            )
        )
        match name:
            case "set_fuel":
                self.add(name, store, self.choose((10**6, 10**9, "x", 1.5, None)))
            case "set_limits":
                limit = self.choose(("memory_size", "table_elements", "instances", "memories"))
                self.add(name, store, ((limit, self.choose(_LIMITS[limit])),))
            case "deadline":
                self.add(name, store, self.choose((10**6, 10**7, "x", 1.5)))
            case "increment":
                self.add(name, self.engine)
            case "set_wasi":
                self.add(name, store, ("a", "b"))
            case _:
                self.add(name, store)

    def config_step(self, store: Slot) -> None:
        self.add("config", self.choose(_CONFIG), self.choose((True, False, 1, 0, "x", None, 2**20)))

    def type_step(self, store: Slot) -> None:
        match self._random.randrange(9):
            case 0:
                self.add("equal", "ValType", self.choose(TYPES), self.choose(TYPES))
            case 1:
                self.add("equal", "Val", self.choose(OTHERS), self.choose(OTHERS))
            case 2:
                self.add("limits", *self.choose(_SIZES))
            case 3:
                self.add("memory_type", *self.choose(_SIZES))
            case 4:
                self.add("table_type", self.choose(TYPES), *self.choose(_SIZES))
            case 5:
                self.add("global_type", self.choose(TYPES), self.choose((True, False, 1, None)))
            case 6:
                self.add("val", self.choose(TYPES), self.choose((*INTS, *FLOATS, *OTHERS[:6])))
            case 7:
                params = tuple(self.choose(TYPES) for _ in range(self._random.randrange(4)))
                self.keep("functype", self.add("functype", params, params[:2]))
            case _:
                type = self.one("functype")
                self.add("func_of", store, type[0] if type else None, self.choose((None, 5, "x")))

    def module_step(self, store: Slot) -> None:
        match self._random.randrange(6):
            case 0:
                self.add("module_of", self.engine, self.choose(_BYTES))
            case 1:
                self.add("validate", self.engine, self.choose(_BYTES))
            case 2 | 3:
                self.module()
            case 4:
                module = self.module()
                self.add(self.choose(("imports", "exports")), module)
            case _:
                self.add("again", self.engine, self.module())

    def module(self, name: str | None = None) -> Slot:
        name = name or self.choose(tuple(MODULES))
        return self.keep("module", self.add("module", self.engine, name), None, name)

    def func_step(self, store: Slot) -> None:
        signature = self.choose(SIGNATURES)
        made = self.add("func", store, signature, self.choose(tuple(HOSTS)), self.chance(2))
        self.keep("func", made, store, signature)
        self.add("type", made, store)
        self.call(made, signature, store)

    def call(self, function: Slot, signature: str, store: Slot) -> None:
        for _ in range(self._random.randint(1, 3)):
            self.add("call", function, store, self.values(signature, store))

    def call_step(self, store: Slot) -> None:
        found = self.one("func", store)
        if found:
            self.call(*found, store)
            if self.chance(4):
                self.add("kept_caller", found[0])

    def calc_step(self, store: Slot) -> None:
        """Instantiate `calc`, and use its exports."""
        found = self.one("calc", store)
        if found is None or self.chance(6):
            module = self.module("calc")
            made = self.keep("calc", self.add("instance", store, module, ()), store)
            self.keep("instance", made, store)
            found = made, None
            for kind, names in (
                ("memory", ("memory",)),
                ("table", ("table", "objects")),
                ("global", ("g", "c", "o", "f")),
            ):
                for name in names:
                    self.keep(kind, self.add("export", made, store, name), store, name)
            for name in ("add", "i64", "f32", "func"):
                signature = {"add": "i32 i32->i32", "func": "funcref->funcref"}.get(
                    name, f"{name}->{name}"
                )
                self.keep("func", self.add("export", made, store, name), store, signature)
        name = self.choose(EXPORTS)
        kinds = {"add": "i32 i32", "i64": "i64", "f32": "f32", "f64": "f64", "trunc": "f64"}
        kinds |= {"extern": "externref", "func": "funcref", "div": "i32 i32", "store": "i32 i32"}
        kinds |= {"nothing": "", "trap": "", "null": "", "init": ""}
        self.add("call_export", found[0], store, name, self.values(kinds.get(name, "i32"), store))

    def host_step(self, store: Slot) -> None:
        """Instantiate a module that calls Python."""
        module, signature = self.choose((("host", "i32->i32"), ("start calls", "i32->i32")))
        host = self.choose(("caller", "again", "swallows", "changes", *HOSTS))
        function = self.add("func", store, signature, host, self.chance(2) or host in _CALLING)
        made = self.add("instance", store, self.module(module), (function,))
        self.keep("instance", made, store)
        if module == "host":
            for _ in range(2):
                name = self.choose(("call", "twice"))
                self.add("call_export", made, store, name, (self.choose(INTS),))
            if self.chance(2):
                self.add("kept_caller", function)

    def values_step(self, store: Slot) -> None:
        hosts = [
            self.add("func", store, signature, self.choose(tuple(HOSTS)), self.chance(3))
            for signature in ("i64->i64", "f32->f32", "i32 i64->i64 i32")
        ]
        made = self.add("instance", store, self.module("values"), tuple(hosts))
        for name, kinds in (("a", "i64"), ("b", "f32"), ("c", "i32 i64")):
            self.add("call_export", made, store, name, self.values(kinds, store))

    def instance_step(self, store: Slot) -> None:
        imports = []
        for _ in range(self._random.randrange(5)):
            found = self.one(self.choose(("func", "memory", "table", "global")), store)
            imports.append(found[0] if found else self.choose((None, 5)))
        made = self.add("instance", store, self.module(), tuple(imports))
        self.keep("instance", made, store)
        self.add("names", made, store)

    def mismatch_step(self, store: Slot) -> None:
        """Give a module as many imports as it has, of any types."""
        counts = {"host": 1, "start calls": 1, "values": 3, "imports": 4, "unknown": 2, "wasi": 1}
        counts |= {"limits": 2}
        name = self.choose(tuple(counts))
        given = []
        for _ in range(counts[name]):
            found = self.one(self.choose(("func", "memory", "table", "global")), store)
            if found is None:
                return
            given.append(found[0])
        self.keep("instance", self.add("instance", store, self.module(name), tuple(given)), store)

    def export_step(self, store: Slot) -> None:
        found = self.one("instance", store)
        if found:
            name = self.choose((*EXPORTS, *OTHER_EXPORTS, 0, 100, None))
            self.add("export", found[0], store, name)
            if self.chance(2):
                self.add("call_export", found[0], store, name, (self.choose(INTS),))

    def memory_step(self, store: Slot) -> None:
        found = self.one("memory", store)
        if found is None or self.chance(8):
            minimum, maximum = self.choose(((0, None), (1, 2), (2, 2), (3, 1), (1, 70_000)))
            made = self.add("memory", store, minimum, maximum)
            self.keep("memory", made, store)
            self.add("type", made, store)
            return
        memory = found[0]
        match self._random.randrange(8):
            case 7:
                self.add("type", memory, store)
            case 0 | 1:
                self.add("read", memory, store, self.choose(_STARTS), self.choose(_STARTS))
            case 2 | 3:
                data = self.choose((b"", b"x", b"hello world", bytearray(b"ab"), "x", [1, 2], 3))
                self.add("write", memory, store, data, self.choose(_STARTS))
            case 4:
                self.add("grow", memory, store, self.choose((0, 1, 2, -1, 100_000, "x", 1.5)))
            case 5:
                self.add("pages", memory, store)
                self.add("size", memory, store)
            case _:
                self.add("pointer", memory, store, self.choose((0, 1, 100)))
                self.add("buffer", memory, store, self.choose((0, 1, 16)), self.choose((0, 5)))

    def table_step(self, store: Slot) -> None:
        found = self.one("table", store)
        if found is None or self.chance(8):
            kind = self.choose(("externref", "funcref", "i32"))
            minimum, maximum = self.choose(((0, None), (1, 2), (2, 2), (4, 100)))
            value = self.value(kind, store)
            made = self.add("table", store, kind, minimum, maximum, value)
            self.keep("table", made, store, "objects" if kind == "externref" else "table")
            self.add("type", made, store)
            return
        table, name = found
        value = self.value("externref" if name == "objects" else "funcref", store)
        match self._random.randrange(5):
            case 4:
                self.add("type", table, store)
            case 0:
                self.add("get", table, store, self.choose(_INDICES))
            case 1:
                self.add("set", table, store, self.choose(_INDICES), value)
            case 2:
                self.add("grow", table, store, self.choose((0, 1, 2, 100, "x")), value)
            case _:
                self.add("size", table, store)

    def global_step(self, store: Slot) -> None:
        found = self.one("global", store)
        if found is None or self.chance(4):
            kind = self.choose(TYPES)
            made = self.add("global", store, kind, self.chance(2), self.value(kind, store))
            self.keep("global", made, store, kind)
            self.add("type", made, store)
        else:
            made, kind = found
            kind = {"g": "i32", "c": "f64", "o": "externref", "f": "funcref"}.get(kind, kind)
            value = self.value(kind, store)
            if not isinstance(value, Slot) or kind == "funcref":
                self.add("set_value", made, store, value)
        self.add("global_value", made, store)

    def linker_step(self, store: Slot) -> None:
        found = self.one("linker", store)
        if found is None or self.chance(25):
            linker = self.keep("linker", self.add("linker", self.engine), store)
            if self.chance(2):
                self.add("define_wasi", linker)
            return
        linker = found[0]
        # Few names, and so many that are there.
        module = self.choose(("host", "calc") * 6 + ("", "nowhere", None))
        name = self.choose(("f", "memory", "g", "add", "table") * 3 + ("i64", "two", "x", "", 5))
        match self._random.randrange(14):
            case 0:
                self.add("shadowing", linker, self.choose((True, False, 1)))
            case 1 | 2:
                found = self.one(self.choose(("func", "memory", "table", "global")), store)
                self.add("define", linker, store, module, name, found[0] if found else 5)
            case 3 | 4:
                signature = self.choose(("i32->i32", *SIGNATURES))
                host = self.choose(tuple(HOSTS))
                name = self.choose(("f", name))
                self.add("define_func", linker, module, name, signature, host, self.chance(2))
            case 5:
                found = self.one("instance", store)
                self.add("define_instance", linker, store, module, found[0] if found else None)
            case 6:
                used = self.choose(("command", "reactor", "calc", "wasi", "start traps", "loop"))
                self.add("define_module", linker, store, module or "m", self.module(used))
            case 7:
                unknown = self.module(self.choose(("unknown", "host", "wasi", "imports")))
                if self.chance(2):
                    self.add("as_traps", linker, unknown)
                else:
                    self.add("as_defaults", linker, store, unknown)
            case 8 | 9 | 10:
                used = self.choose(("host", "imports", "wasi", "unknown", "calc", "values"))
                made = self.add("link", linker, store, self.module(used))
                self.keep("instance", made, store)
                for _ in range(2):
                    export = self.choose((*OTHER_EXPORTS, *EXPORTS))
                    arguments = self.values(self.choose(("i32", "", "i32")), store)
                    self.add("call_export", made, store, export, arguments)
            case 11:
                made = self.add("link_pre", linker, store, self.module())
                self.keep("instance", made, store)
            case 12:
                made = self.add("found", linker, store, module, name)
            case _:
                made = self.add("default", linker, store, self.choose(("m", "calc", module)))
                self.add("type", made, store)
                self.add("call", made, store, ())

    def loop_step(self, store: Slot) -> None:
        """Run without end, where something ends it."""
        if self.flags:
            self.add("increment", self.engine)
            made = self.add("instance", store, self.module("loop"), ())
            self.add("deadline", store, 0)
            self.add("set_fuel", store, self.choose((0, 1000)))
            self.add("call_export", made, store, "loop", ())
            self.add("get_fuel", store)
            self.add("call_export", made, store, "one", ())
            self.add("set_fuel", store, 10**6)
            self.add("deadline", store, 10**6)
            self.add("call_export", made, store, "one", ())

    def deep_step(self, store: Slot) -> None:
        found = self.one("calc", store)
        if found and self.chance(4):
            self.add("call_export", found[0], store, "deep", ())

    def imports_step(self, store: Slot) -> None:
        """Instantiate a module that shares what another one exports."""
        instance = self.add("instance", store, self.module("calc"), ())
        names = ["memory", "table", "g", "add"]
        shared = {name: self.add("export", instance, store, name) for name in names}
        if self.chance(4):
            self._random.shuffle(names)
        made = self.add(
            "instance", store, self.module("imports"), tuple(shared[name] for name in names)
        )
        self.keep("instance", made, store)
        for _ in range(2):
            self.add("set_value", shared["g"], store, self.choose(INTS))
            self.add("write", shared["memory"], store, b"abc", self.choose((7, 8)))
            self.add("call_export", made, store, "sum", ())
        again = self.add("export", made, store, "again")
        self.add("set", shared["table"], store, self.choose((0, 1, 2)), again)
        signature = self.choose(("", "i32 i32->i32"))
        host = self.add("func", store, signature, self.choose(tuple(HOSTS)), self.chance(2))
        self.add("set", shared["table"], store, self.choose((0, 1, 2)), host)
        for index in range(4):
            self.add("call_export", instance, store, "indirect", (index,))

    def wasi_step(self, store: Slot) -> None:
        """End a program."""
        linker = self.add("linker", self.engine)
        self.add("define_wasi", linker)
        made = self.add("link", linker, store, self.module("wasi"))
        if self.chance(2):
            self.add("set_wasi", store, ())
        for code in (0, 1, 125, 126, 255, -1, self.choose(INTS)):
            self.add("call_export", made, store, "exit", (code,))

    def view_step(self, store: Slot) -> None:
        found = self.one("instance", store)
        if found:
            self.add("view", found[0], store)
        self.add(self.choose(("trap", "raise")), self.choose(("", "words", "a\nb", "é", 5, None)))

    def close_step(self, store: Slot) -> None:
        kind = self.choose(("module", "linker", "functype", "store", "engine", *"none" * 8))
        if kind == "store":
            self.close_store(store)
        elif kind == "engine":
            self.add("close", self.engine)
            # What belongs to it does not go with what belongs to the next one.
            self._made = {}
            self.add("store", self.engine, None)
            self.add("module", self.engine, "calc")
            self.add("increment", self.engine)
            self.engine = self.add("engine", *self.flags)
            self.new_store()
        else:
            found = self.one(kind)
            if found:
                self.add("close", found[0])

    def close_store(self, store: Slot) -> None:
        """Close a store, and use it and what belonged to it once more."""
        self.add("close", store)
        self.add("close", store)
        self.add("gc", store)
        self.add("data", store)
        self.add("instance", store, self.module("calc"), ())
        for kind, name, arguments in (
            ("func", "call", ((),)),
            ("func", "type", ()),
            ("memory", "size", ()),
            ("memory", "read", (0, 1)),
            ("memory", "grow", (1,)),
            ("table", "get", (0,)),
            ("global", "global_value", ()),
        ):
            found = self.one(kind, store)
            if found:
                self.add(name, found[0], store, *arguments)
        self._made["store"] = [entry for entry in self._made["store"] if entry[0] != store]
        if not self._made["store"]:
            self.new_store()

    def another_store_step(self, store: Slot) -> None:
        if self.chance(4):
            self.new_store()


#: How often each kind of steps is drawn. Some are one operation, some are twenty.
_WEIGHTS = {
    "store_step": 3,
    "config_step": 1,
    "type_step": 3,
    "module_step": 2,
    "func_step": 2,
    "call_step": 3,
    "calc_step": 4,
    "host_step": 3,
    "values_step": 1,
    "instance_step": 1,
    "mismatch_step": 3,
    "export_step": 2,
    "view_step": 1,
    "memory_step": 12,
    "table_step": 10,
    "global_step": 4,
    "linker_step": 20,
    "loop_step": 1,
    "deep_step": 1,
    "close_step": 1,
    "another_store_step": 1,
    "imports_step": 1,
    "wasi_step": 1,
}
_STEPS = tuple(name for name, weight in _WEIGHTS.items() for _ in range(weight))


def random_program(random: Random, steps: int = 80) -> list[Operation]:
    """Return a program of about so many operations."""
    generator = _Generator(random)
    generator.run(steps)
    return generator.operations
