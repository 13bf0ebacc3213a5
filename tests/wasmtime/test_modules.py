"""`Module` and `wat2wasm`: what is read, what is declared, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

EMPTY = b"\0asm\1\0\0\0"


def test_what_a_module_is_made_of(library: Any, tmp_path: Path) -> None:
    engine = library.Engine()
    for source in (EMPTY, bytearray(EMPTY), "(module)", b"(module)", "(func)"):
        assert library.Module(engine, source).imports == []
    for name, content in (("a.wasm", EMPTY), ("b.wat", b"(module)")):
        path = tmp_path / name
        path.write_bytes(content)
        for given in (path, str(path), str(path).encode()):
            library.Module.from_file(engine, given)
    with pytest.raises(FileNotFoundError):
        library.Module.from_file(engine, tmp_path / "missing")
    library.Module.validate(engine, EMPTY)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("", TypeError),
        (3, TypeError),
        (b"", "WasmtimeError"),
        (b"\0", "WasmtimeError"),
        (EMPTY + b"\1", "WasmtimeError"),
        ("(module (func (result i32)))", "WasmtimeError"),
        ("(modul)", "WasmtimeError"),
    ],
)
def test_what_is_no_module(library: Any, source: Any, error: Any) -> None:
    kind = library.WasmtimeError if isinstance(error, str) else error
    with pytest.raises(kind):
        library.Module(library.Engine(), source)


def test_what_is_no_engine(library: Any) -> None:
    with pytest.raises(TypeError, match="expected an Engine"):
        library.Module(1, EMPTY)
    with pytest.raises(AttributeError):
        library.Module.validate(1, EMPTY)
    with pytest.raises(TypeError, match="expected wasm bytes"):
        library.Module.validate(library.Engine(), 2)


def test_imports_and_exports(library: Any) -> None:
    module = library.Module(
        library.Engine(),
        """(module (import "a" "f" (func (param i32) (result f64))) (import "b" "g" (global i64))
             (import "b" "g" (memory 1 2)) (export "m" (memory 0))
             (table (export "t") 3 externref) (global (export "h") (mut f32) (f32.const 0)))""",
    )
    named = library.ValType
    function, constant, memory = module.imports
    assert (function.module, function.name) == ("a", "f")
    assert function.type.params == [named.i32()]
    assert function.type.results == [named.f64()]
    assert (constant.type.content, constant.type.mutable) == (named.i64(), False)
    assert (memory.module, memory.name) == ("b", "g")
    assert memory.type.limits == library.Limits(1, 2)
    assert (memory.type.is_64, memory.type.is_shared, memory.type.page_size) == (
        False,
        False,
        65536,
    )
    exported = {export.name: export.type for export in module.exports}
    assert [*exported] == ["m", "t", "h"]
    assert exported["m"].limits == library.Limits(1, 2)
    assert (exported["t"].element, exported["t"].limits) == (
        named.externref(),
        library.Limits(3, None),
    )
    assert (exported["h"].content, exported["h"].mutable) == (named.f32(), True)
    types = (library.FuncType, library.GlobalType, library.MemoryType)
    assert [type(one.type) for one in module.imports] == [*types]


def test_serialized_modules(library: Any, tmp_path: Path) -> None:
    engine = library.Engine()
    module = library.Module(engine, '(module (func (export "f") (result i32) (i32.const 8)))')
    encoded = module.serialize()
    assert isinstance(encoded, bytearray)
    path = tmp_path / "module"
    path.write_bytes(encoded)
    for again in (
        library.Module.deserialize(engine, encoded),
        library.Module.deserialize_file(engine, str(path)),
    ):
        store = library.Store(engine)
        instance = library.Instance(store, again, [])
        assert instance.exports(store)["f"](store) == 8
    for damaged in (b"", b"other", EMPTY, bytes(encoded[:-1]) if _ours(library) else b"x"):
        with pytest.raises(library.WasmtimeError):
            library.Module.deserialize(engine, damaged)
    with pytest.raises(library.WasmtimeError, match="failed to open file"):
        library.Module.deserialize_file(engine, str(tmp_path / "missing"))
    with pytest.raises(library.WasmtimeError):
        library.Module.deserialize_file(engine, "no\0path")
    with pytest.raises(TypeError, match="expected bytes"):
        library.Module.deserialize(engine, "text")


def _ours(library: Any) -> bool:
    return bool(library.__name__ != "wasmtime")


def test_each_damaged_byte_of_a_serialized_module(ours: Any) -> None:
    engine = ours.Engine()
    encoded = ours.Module(engine, "(module (memory 1))").serialize()
    for index in range(len(encoded)):
        damaged = bytearray(encoded)
        damaged[index] ^= 1
        with pytest.raises(ours.WasmtimeError, match="serialized module"):
            ours.Module.deserialize(engine, damaged)


def test_text(library: Any) -> None:
    assert library.wat2wasm("(module)") == EMPTY
    assert isinstance(library.wat2wasm(b"(module)"), bytearray)
    for text in ("x", "(module (func $a) (func $a))"):
        with pytest.raises(library.WasmtimeError, match=r"<anon>:1:\d+\n"):
            library.wat2wasm(text)


def test_errors_of_a_text_show_its_line(ours: Any) -> None:
    text = "(module\n  (func (result i32) (i64.const 1)))"
    with pytest.raises(ours.WasmtimeError) as raised:
        ours.Module(ours.Engine(), text)
    message, where, _, line, caret = str(raised.value).splitlines()
    assert message.startswith("type mismatch")
    assert where == "     --> <anon>:2:35"
    assert line == "    2 |   (func (result i32) (i64.const 1)))"
    assert caret.index("^") - caret.index("|") == 36


@pytest.mark.parametrize(
    "text",
    [
        '(module (tag (export "t") (param i32)))',
        "(module (memory i64 1))",
        "(module (memory 1 2 shared))",
        "(module (memory 1) (memory 1))",
        "(module (func (return_call 0)))",
    ],
)
def test_what_this_package_does_not_have(ours: Any, text: str) -> None:
    with pytest.raises(ours.WasmtimeError):
        ours.Module(ours.Engine(), text)


def test_components_are_refused(ours: Any) -> None:
    with pytest.raises(ours.WasmtimeError):
        ours.Module(ours.Engine(), b"\0asm\x0d\0\1\0")


def test_tags_are_refused(ours: Any) -> None:
    store = ours.Store()
    type = ours.TagType(ours.FuncType([ours.ValType.i32()], []))
    assert type.functype.params == [ours.ValType.i32()]
    with pytest.raises(ours.WasmtimeError, match="tags are not supported"):
        ours.Tag(store, type)
    with pytest.raises(TypeError, match="expected a TagType"):
        ours.Tag(store, 1)


def test_the_names(wasmtime: Any, ours: Any) -> None:
    """All that the newest version has; and what an older one has beside it."""
    assert {*wasmtime.__all__} <= {*ours.__all__}
    older = {"DirPerms", "FilePerms", "Managed", "Storelike", "install"}
    assert {*ours.__all__} - {*wasmtime.__all__} <= older
    assert [name for name in ours.__all__ if not hasattr(ours, name)] == []


@pytest.mark.parametrize("name", ["Func", "Caller", "Memory", "Table", "Global", "Instance"])
def test_the_methods(wasmtime: Any, ours: Any, name: str) -> None:
    theirs = {one for one in dir(getattr(wasmtime, name)) if not one.startswith("_")}
    assert theirs - {*dir(getattr(ours, name))} == set()
