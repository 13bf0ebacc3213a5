"""Random valid modules."""

from __future__ import annotations

from random import Random

from purewasm_plugins.wasm import (
    Export,
    ExternKind,
    GlobalType,
    Limits,
    MemoryType,
    TableType,
)
from purewasm_plugins.wasm.binary.encoder import (
    code,
    data_segment,
    element_segment,
    encode,
    export,
    function_type,
    global_type,
    memory_type,
    module,
    section,
    table_type,
    unsigned,
    vector,
)
from tests.random_modules.bodies import Body
from tests.random_modules.plan import (
    EXTERNREF,
    EXTERNREFS,
    FUNCREF,
    FUNCREFS,
    LEAVES,
    TABLE_SIZE,
    TYPES,
    Plan,
)
from tests.random_modules.values import constant


def random_module(
    random: Random,
    *,
    functions: int = 4,
    size: int = 40,
    canonical_nans: bool = False,
    vector_signatures: bool = True,
) -> bytes:
    """Make a valid module: functions `f0`, `f1` … that end, a memory, two tables, globals `g0` ….

    Args:
        random: where the choices come from.
        functions: how many.
        size: roughly how many instructions are in each.
        canonical_nans: whether to make every NaN that an instruction computes the canonical one,
            so that two engines must agree on every bit.
        vector_signatures: whether functions may take and return v128, which not every host can.
    """
    plan = Plan(random, max(functions, LEAVES), vector_signatures)
    bodies = []
    for index in range(len(plan.functions)):
        body = Body(random, plan, index, size, canonical_nans)
        written = body.write()
        bodies.append(code([(1, type_) for type_ in body.locals], written))
    exports = [
        *(Export(f"f{at}", ExternKind.FUNCTION, at) for at in range(len(plan.functions))),
        Export("memory", ExternKind.MEMORY, 0),
        *(Export(f"t{at}", ExternKind.TABLE, at) for at in (FUNCREFS, EXTERNREFS)),
        *(Export(f"g{at}", ExternKind.GLOBAL, at) for at in range(len(plan.globals))),
    ]
    end = encode("end")
    globals_ = [
        global_type(GlobalType(type_, mutable=at < len(TYPES))) + constant(random, type_) + end
        for at, type_ in enumerate(plan.globals)
    ]
    zero = encode("i32.const", 0) + end
    table = Limits(TABLE_SIZE, TABLE_SIZE + 4)
    return module(
        section("type", vector(map(function_type, plan.types))),
        section("function", vector(unsigned(plan.type_index(type_)) for type_ in plan.functions)),
        section("table", vector(table_type(TableType(t, table)) for t in (FUNCREF, EXTERNREF))),
        section("memory", vector([memory_type(MemoryType(Limits(1, 2)))])),
        section("global", vector(globals_)),
        section("export", vector(map(export, exports))),
        section(
            "element",
            vector(
                [
                    element_segment("active", range(LEAVES), table=FUNCREFS, offset=zero),
                    element_segment("passive", range(LEAVES)),
                ]
            ),
        ),
        section("data count", unsigned(2)),
        section("code", vector(bodies)),
        section(
            "data",
            vector([data_segment(random.randbytes(64), zero), data_segment(random.randbytes(16))]),
        ),
    )
