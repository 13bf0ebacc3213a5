"""`Store` and `Engine`: fuel, epochs, limits, data, and the end."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wasmtime.wat import Call, exports, function_type, host

LOOPS = """
(module
  (import "" "" (func $h (param i32)))
  (func $count (export "count") (param i32)
    (loop $again
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "host_and_count") (param i32)
    (call $h (local.get 0)) (call $count (local.get 0)))
  (func (export "forever") (loop $again (br $again)))
  (memory 1)
  (func (export "fill") (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536))))
"""


def configured(library: Any, **options: object) -> Any:
    """Return a store of an engine with options."""
    config = library.Config()
    for name, value in options.items():
        setattr(config, name, value)
    return library.Store(library.Engine(config))


def loops(library: Any, store: Any, called: Any = lambda number: None) -> Any:
    return exports(library, LOOPS, [host(library, store, "i32 ->", called)], store)


def test_no_fuel_without_the_option(library: Any) -> None:
    store = library.Store()
    for call in (lambda: store.set_fuel(1), store.get_fuel):
        with pytest.raises(library.WasmtimeError, match="fuel is not configured in this store"):
            call()


def test_fuel_runs_out(library: Any) -> None:
    store = configured(library, consume_fuel=True)
    assert store.get_fuel() == 0
    module = loops(library, store)
    for call in (lambda: module.count(1), module.forever, module.fill):
        with pytest.raises(library.Trap, match="all fuel consumed by WebAssembly") as raised:
            call()
        assert raised.value.trap_code is library.TrapCode.OUT_OF_FUEL
        assert store.get_fuel() == 0
    store.set_fuel(10_000)
    module.count(100)
    assert 0 < store.get_fuel() < 10_000
    with pytest.raises(library.Trap):
        module.forever()
    assert store.get_fuel() == 0
    store.set_fuel(2**64 - 1)
    assert store.get_fuel() == 2**64 - 1


def test_fuel_runs_out_in_a_start_function(library: Any) -> None:
    store = configured(library, consume_fuel=True)
    text = "(module (func $s (loop $l (br $l))) (start $s))"
    for fuel in (0, 5000):
        store.set_fuel(fuel)
        with pytest.raises(library.Trap, match="all fuel consumed"):
            exports(library, text, store=store)


def test_what_fuel_costs(ours: Any) -> None:
    """An entry of a function, a start of a loop's body, and 4 KiB are a unit each."""
    store = configured(ours, consume_fuel=True)
    store.set_fuel(10**6)
    module, second = loops(ours, store), loops(ours, store)

    def used(call: Any, *arguments: int) -> int:
        before: int = store.get_fuel()
        call(*arguments)
        return before - int(store.get_fuel())

    assert [used(module.count, number) for number in (1, 2, 1000)] == [2, 3, 1001]
    assert used(module.fill) == 17
    assert used(module.host_and_count, 5) == 7
    assert used(second.count, 5) == 6
    store.set_fuel(4)
    module.count(1)
    second.count(1)
    assert store.get_fuel() == 0
    with pytest.raises(ours.Trap):
        second.count(1)
    store.set_fuel(3)
    with pytest.raises(ours.Trap):
        module.fill()
    assert store.get_fuel() == 0


def test_instances_share_the_fuel_of_nested_calls(ours: Any) -> None:
    """What one uses is not there for the other, to the unit."""
    store = configured(ours, consume_fuel=True)
    seen = []
    inner = loops(ours, store)

    def called(number: int) -> None:
        seen.append(store.get_fuel())
        inner.count(number)
        seen.append(store.get_fuel())

    outer = loops(ours, store, called)
    store.set_fuel(1 + 2 * 1001)
    outer.host_and_count(1000)
    assert (seen, store.get_fuel()) == ([2002, 1001], 0)
    seen.clear()
    for fuel, expected in ((2 * 1001, [2001, 1000]), (1001, [1000])):
        seen.clear()
        store.set_fuel(fuel)
        with pytest.raises(ours.Trap, match="all fuel consumed"):
            outer.host_and_count(1000)
        assert (seen, store.get_fuel()) == (expected, 0)


CALLS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 1500), st.none() | st.integers(0, 2)),
    max_size=12,
)


@given(fuel=st.integers(0, 8000), calls=CALLS)
def test_fuel_is_exact_whichever_instance_uses_it(
    fuel: int, calls: list[tuple[int, int, int | None]]
) -> None:
    """A call is of one of three instances, maybe with a call of one of them in its middle."""
    import purewasm_plugins.wasmtime as ours

    store = configured(ours, consume_fuel=True)
    inner = 0
    modules: list[Any] = [
        loops(ours, store, lambda number: modules[inner].count(number)) for _ in range(3)
    ]
    store.set_fuel(fuel)
    for index, number, nested in calls:
        if nested is None:
            cost, call = number + 1, modules[index].count
        else:
            inner = nested
            cost, call = 1 + 2 * (number + 1), modules[index].host_and_count
        if cost <= fuel:
            call(number)
            fuel -= cost
        else:
            with pytest.raises(ours.Trap, match="all fuel consumed"):
                call(number)
            assert store.get_fuel() == 0
            fuel = 3000
            store.set_fuel(fuel)
        assert store.get_fuel() == fuel


def test_a_host_function_gives_fuel(library: Any) -> None:
    store = configured(library, consume_fuel=True)
    module = loops(library, store, lambda number: store.set_fuel(100_000))
    store.set_fuel(100)
    module.host_and_count(1000)
    assert 0 < store.get_fuel() < 100_000


def test_a_store_without_a_deadline_runs_nothing(library: Any) -> None:
    store = configured(library, epoch_interruption=True)
    module = loops(library, store)
    with pytest.raises(library.Trap, match="wasm trap: interrupt") as raised:
        module.count(1)
    assert raised.value.trap_code is library.TrapCode.INTERRUPT
    with pytest.raises(library.Trap, match="interrupt"):
        exports(library, "(module (func $s) (start $s))", store=store)


def test_epochs(library: Any) -> None:
    store = configured(library, epoch_interruption=True)
    module = loops(library, store)
    store.set_epoch_deadline(2)
    store.engine.increment_epoch()
    module.count(5)
    store.engine.increment_epoch()
    for _ in range(2):
        with pytest.raises(library.Trap, match="interrupt"):
            module.count(5)
    store.set_epoch_deadline(1)
    module.count(5)
    store.set_epoch_deadline(0)
    with pytest.raises(library.Trap, match="interrupt"):
        module.count(5)


def test_an_epoch_of_another_thread(library: Any) -> None:
    store = configured(library, epoch_interruption=True)
    store.set_epoch_deadline(1)
    began = threading.Event()
    module = loops(library, store, lambda number: began.set())

    def interrupt() -> None:
        began.wait()
        store.engine.increment_epoch()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(library.Trap, match="interrupt"):
        module.host_and_count(-1)
    thread.join()


def test_an_epoch_of_a_host_function(library: Any) -> None:
    store = configured(library, epoch_interruption=True)
    store.set_epoch_deadline(1)
    module = loops(library, store, lambda number: store.engine.increment_epoch())
    with pytest.raises(library.Trap, match="interrupt"):
        module.host_and_count(5)


def test_epochs_mean_nothing_without_the_option(library: Any) -> None:
    store = library.Store()
    store.engine.increment_epoch()
    loops(library, store).count(5)
    assert not store.engine.is_pulley()


GROWING = """
(module (memory (export "memory") 1) (table (export "table") 2 funcref)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "grow_table") (param i32) (result i32)
    (table.grow (ref.null func) (local.get 0))))
"""


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_limits_of_growth(library: Any, before: bool) -> None:
    """They hold whether they were set before the instance was made, or after it."""
    store = library.Store()
    limits = {"memory_size": 3 * 65536 + 9, "table_elements": 4}
    if before:
        store.set_limits(**limits)
    module = exports(library, GROWING, store=store)
    store.set_limits(**limits)
    assert [module.grow(pages) for pages in (3, 1, 2, 1, 1)] == [-1, 1, -1, 2, -1]
    assert [module.grow_table(count) for count in (3, 2, 1)] == [-1, 2, -1]
    calls: list[tuple[Call, str]] = [
        (lambda: module.memory.grow(store, 1), "failed to grow memory"),
        (lambda: module.table.grow(store, 1, None), "failed to grow table"),
    ]
    for grow, message in calls:
        with pytest.raises(library.WasmtimeError, match=message):
            grow()
    store.set_limits()
    assert module.grow(1) == 3
    assert module.grow_table(1) == 4


def test_growth_by_nothing_under_a_limit_below_what_there_is(library: Any) -> None:
    """It tells the size, as always."""
    module = exports(library, GROWING)
    module.store.set_limits(memory_size=0, table_elements=0)
    assert (module.grow(0), module.grow_table(0)) == (1, 2)
    assert (module.grow(1), module.grow_table(1)) == (-1, -1)
    assert module.memory.grow(module.store, 0) == 1
    assert module.table.grow(module.store, 0, None) == 2


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"memory_size": 65535}, "memory minimum size of 1 pages exceeds memory limits"),
        ({"table_elements": 1}, "table minimum size of 2 elements exceeds table limits"),
        ({"instances": 0}, "resource limit exceeded: instance count too high at 1"),
        ({"memories": 0}, "resource limit exceeded: memory count too high at 1"),
        ({"tables": 0}, "resource limit exceeded: table count too high at 1"),
    ],
)
def test_limits_of_what_there_is(library: Any, limits: dict[str, int], message: str) -> None:
    store = library.Store()
    store.set_limits(**limits)
    with pytest.raises(library.WasmtimeError, match=message):
        exports(library, GROWING, store=store)


def test_limits_of_what_the_host_makes(library: Any) -> None:
    store = library.Store()
    store.set_limits(memory_size=100_000, table_elements=1)
    type = library.MemoryType
    library.Memory(store, type(library.Limits(1, None)))
    with pytest.raises(library.WasmtimeError, match="exceeds memory limits"):
        library.Memory(store, type(library.Limits(2, None)))
    table = library.TableType(library.ValType.funcref(), library.Limits(2, None))
    with pytest.raises(library.WasmtimeError, match="exceeds table limits"):
        library.Table(store, table, None)


def test_instances_are_counted(library: Any) -> None:
    store = library.Store()
    store.set_limits(instances=2)
    for _ in range(2):
        exports(library, "(module)", store=store)
    with pytest.raises(library.WasmtimeError, match="instance count too high at 3"):
        exports(library, "(module)", store=store)


def test_data(library: Any) -> None:
    thing = {"any": "object"}
    assert library.Store(data=thing).data() is thing
    assert library.Store().data() is None
    with pytest.raises(TypeError, match="expected an Engine"):
        library.Store(3)


def test_a_closed_store(library: Any) -> None:
    with library.Store() as store:
        module = exports(library, GROWING, store=store)
        module.grow(1)
    store.close()
    for call in (
        lambda: module.grow(1),
        store.gc,
        store.data,
        lambda: store.set_epoch_deadline(1),
        lambda: store.set_limits(),
        lambda: library.Func(store, function_type(library, "->"), print),
        lambda: exports(library, "(module)", store=store),
    ):
        with pytest.raises(ValueError, match="already closed"):
            call()


@pytest.mark.parametrize(
    "code",
    [
        "(call $f)",
        "(call $closes)",
        "(call_indirect (i32.const 0))",
        "(call_indirect (i32.const 1))",
    ],
)
def test_a_store_that_a_host_function_closes(ours: Any, code: str) -> None:
    store = ours.Store()
    module = exports(
        ours,
        f"""
        (module
          (import "" "" (func $closes))
          (table 2 funcref)
          (elem (i32.const 0) func $f)
          (func $f)
          (func (export "run") (call $closes) {code}))
        """,
        [host(ours, store, "->", store.close)],
        store,
    )
    with pytest.raises(ours.WasmtimeError, match="instance was discarded"):
        module.run()
    with pytest.raises(ValueError, match="already closed"):
        module.run()


def test_a_store_cannot_be_copied(ours: Any) -> None:
    """The end of a copy would close the store."""
    module = exports(ours, GROWING)
    for call in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            call(module.store)
    module.grow(1)


def test_a_dropped_store_frees_its_instances(ours: Any) -> None:
    """At once, and not by Python's next garbage collection."""
    gc.disable()
    try:
        module = exports(ours, GROWING)
        module.grow(1)
        gone = weakref.ref(module.instance.inner)
        del module
        assert gone() is None
    finally:
        gc.enable()


def test_options_are_checked(library: Any) -> None:
    config = library.Config()
    for name, value, error in (
        ("debug_info", 1, TypeError),
        ("wasm_simd", "yes", TypeError),
        ("max_wasm_stack", 1.5, TypeError),
        ("cache", 1, TypeError),
        ("cache", False, library.WasmtimeError),
        ("cache", "/nothing/there.toml", library.WasmtimeError),
        ("strategy", "other", library.WasmtimeError),
        ("profiler", "other", library.WasmtimeError),
        ("cranelift_opt_level", "other", library.WasmtimeError),
        ("target", "no-target", library.WasmtimeError),
        ("target", 3, TypeError),
    ):
        with pytest.raises(error):
            setattr(config, name, value)
    with pytest.raises(AttributeError):
        config.debug_info  # noqa: B018
    library.Engine(config)
    for use in (lambda: library.Engine(config), lambda: setattr(config, "debug_info", True)):
        with pytest.raises(ValueError, match="already closed"):
            use()
    with pytest.raises(TypeError, match="expected Config"):
        library.Engine(3)


def test_every_option_is_accepted(wasmtime: Any, ours: Any) -> None:
    options = {
        name
        for name, value in vars(wasmtime.Config).items()
        if isinstance(value, property) or callable(value)
    }
    missing = {name for name in options if not name.startswith("_")} - {*dir(ours.Config)}
    assert missing == set()


def test_what_a_module_declares_allocates_little(ours: Any) -> None:
    """Without limits, too: there the system gives pages only where they are used."""
    for text in ("(module (memory 65536))", "(module (memory 16385))"):
        with pytest.raises(ours.WasmtimeError, match=r"limits: without `Store\.set_limits`"):
            exports(ours, text)
    imports = ours.Module(ours.Engine(), '(module (import "" "" (memory 65536)))')
    linker = ours.Linker(imports.engine)
    with pytest.raises(ours.WasmtimeError, match="exceeds memory limits"):
        linker.define_unknown_imports_as_default_values(ours.Store(imports.engine), imports)
    with pytest.raises(ours.WasmtimeError, match="20000000 table elements"):
        exports(ours, f"(module {'(table 10000000 funcref) ' * 2})")
    module = exports(ours, GROWING)
    assert module.grow(20_000) == -1
    assert module.grow_table(1 << 30) == -1
    module.store.set_limits(memory_size=1 << 32, table_elements=1 << 32)
    assert module.grow(20_000) == -1
