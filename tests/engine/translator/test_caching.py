"""The code of translated functions is shared by instances, and kept by a cache."""

from __future__ import annotations

import gc
import marshal
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins import Trap, instantiate
from purewasm_plugins.cache.directory import DirectoryCache
from purewasm_plugins.cache.keys import code_key
from purewasm_plugins.engine.translator import Translator, caching, source, translation
from purewasm_plugins.wasm import Module, load

Wat = Callable[[str], bytes]

MODULE = """(module (func (export "a") (result i32) (i32.const 1))
                    (func (export "b") (result i32) (i32.const 2)))"""


def call(data: bytes, cache: DirectoryCache, name: str) -> int:
    result: int = instantiate(data, engine=Translator(cache=cache)).exports.function(name)()
    return result


def test_functions_are_translated_once(
    tmp_path: Path, wat: Wat, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = DirectoryCache(tmp_path / "cache")
    assert call(wat(MODULE), cache, "a") == 1
    assert call(wat(MODULE), cache, "b") == 2
    monkeypatch.setattr(source, "compiled", None)
    assert call(wat(MODULE), cache, "a") == 1
    assert call(wat(MODULE), cache, "b") == 2


@pytest.mark.parametrize("damage", [b"", b"x", None])
def test_a_damaged_entry_is_none(tmp_path: Path, wat: Wat, damage: bytes | None) -> None:
    cache = DirectoryCache(tmp_path)
    tmp_path.chmod(0o700)
    assert call(wat(MODULE), cache, "a") == 1
    (entry,) = tmp_path.iterdir()
    content = entry.read_bytes()
    entry.write_bytes(content[:-1] + b"?" if damage is None else damage)
    assert call(wat(MODULE), cache, "a") == 1
    assert entry.read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"N", b"i\0\0\0\0", marshal.dumps({0: 7})])
def test_an_entry_of_something_else(tmp_path: Path, wat: Wat, content: bytes) -> None:
    tmp_path.chmod(0o700)
    cache = DirectoryCache(tmp_path)
    for wrong in (content, marshal.dumps({0: content})):
        cache.put(code_key(wat(MODULE), caching.FORMAT, True, True, Translator.audited), wrong)
        assert call(wat(MODULE), cache, "a") == 1


#: `f` is an operand of its own call, in the first call of all.
NESTED = """(module
  (func $f (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func (export "a") (result i32) (call $f (call $f (call $f (i32.const 0)))))
  (func (export "b") unreachable))"""


def test_a_module_translates_a_function_once(wat: Wat, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is called in its first call, and however many instances there are."""
    translated: list[int] = []

    def compiled(module: Module, index: int, **options: Any) -> translation.Compiled:
        translated.append(index)
        return original(module, index, **options)

    original = source.compiled
    monkeypatch.setattr(source, "compiled", compiled)
    module = load(wat(NESTED))
    for _ in range(3):
        instance = instantiate(module)
        for _ in range(2):
            assert instance.exports.function("a")() == 3
            with pytest.raises(Trap) as raised:
                instance.exports.function("b")()
            assert raised.value.frames[0].instruction == "unreachable"
    assert sorted(translated) == [0, 1, 2]
    # Without a meter the code is another.
    free = instantiate(module, engine=Translator(metered=False))
    assert free.exports.function("a")() == 3
    assert sorted(translated) == [0, 0, 1, 1, 2]


def test_the_code_lives_as_long_as_its_module(wat: Wat) -> None:
    module = load(wat(NESTED))
    assert instantiate(module).exports.function("a")() == 3
    code = weakref.ref(caching.ModuleCode.of(module, True, True, Translator.audited, None))
    assert code() is not None
    del module
    gc.collect()
    assert code() is None


def test_what_a_module_has_is_given_to_a_cache(tmp_path: Path, wat: Wat) -> None:
    """Its first instance had none."""
    module = load(wat(MODULE))
    tmp_path.chmod(0o700)
    for engine in (Translator(), Translator(cache=DirectoryCache(tmp_path))):
        assert instantiate(module, engine=engine).exports.function("a")() == 1
    assert len(list(tmp_path.iterdir())) == 1
