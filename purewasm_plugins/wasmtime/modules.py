"""`Module`: a module that was decoded and validated."""

from __future__ import annotations

import hashlib
import os

from purewasm_plugins import errors
from purewasm_plugins.module import CACHE_VARIABLE, directory_cache
from purewasm_plugins.module import Module as Compiled
from purewasm_plugins.support.user_folders import cache_folder
from purewasm_plugins.support.version import VERSION
from purewasm_plugins.wasmtime.engine import Engine
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.managed import Managed
from purewasm_plugins.wasmtime.text import to_wasm, worded
from purewasm_plugins.wasmtime.types import ExportType, ImportType

__all__ = ["Module"]

#: What serialized modules begin with: only the same version of this package takes them back.
_MAGIC = f"purewasm-plugins {VERSION} module\n".encode()

_DIGEST = 32


class Module(Managed):
    """A valid module, which any number of stores can instantiate.

    A function of it is translated when it is first called. The environment variable PUREWASM_CACHE
    names a directory that keeps the translations.

    Attributes:
        inner: for this package only: the module as the runtime has it.
        engine: for this package only: the engine whose stores can instantiate it.
    """

    inner: Compiled
    engine: Engine

    def __init__(self, engine: Engine, wasm: str | bytes | bytearray) -> None:
        """Decode and validate a module.

        Args:
            engine: an engine.
            wasm: the bytes of the module, or its text.

        Raises:
            TypeError: `engine` is no engine, or `wasm` neither text nor bytes.
            WasmtimeError: it is no valid module, or it needs what this package does not have.
        """
        if not isinstance(engine, Engine):
            raise TypeError("expected an Engine")
        engine.check_open()
        data, text = to_wasm(wasm)
        self.inner = _compiled(engine, data, text)
        self.engine = engine

    @classmethod
    def from_file(cls, engine: Engine, path: str | bytes | os.PathLike[str]) -> Module:
        """Read a module from a file, which has its bytes or its text.

        Raises:
            OSError: the file cannot be read.
            TypeError, WasmtimeError: as the construction.
        """
        with open(path, "rb") as file:
            content = file.read()
        return cls(engine, content)

    @classmethod
    def deserialize(cls, engine: Engine, encoded: bytes | bytearray) -> Module:
        """Return the module that `serialize` has made bytes of. It is validated anew.

        Raises:
            TypeError: `encoded` is no bytes.
            WasmtimeError: another version, or something else, has made them, or they are damaged.
        """
        if not isinstance(encoded, (bytes, bytearray)):
            raise TypeError("expected bytes")
        engine.check_open()
        encoded = bytes(encoded)
        start = len(_MAGIC) + _DIGEST
        if not encoded.startswith(_MAGIC):
            raise WasmtimeError(
                "the serialized module was made by something else than this version of"
                " purewasm_plugins"
            )
        if hashlib.sha256(encoded[start:]).digest() != encoded[len(_MAGIC) : start]:
            raise WasmtimeError("the serialized module is damaged")
        module = cls.__new__(cls)
        module.inner = _compiled(engine, encoded[start:], None)
        module.engine = engine
        return module

    @classmethod
    def deserialize_file(cls, engine: Engine, path: str) -> Module:
        """Return the module of a file of bytes that `serialize` has made.

        Raises:
            WasmtimeError: the file cannot be read, or as `deserialize`.
        """
        try:
            with open(path, "rb") as file:
                encoded = file.read()
        except (OSError, ValueError) as error:
            raise WasmtimeError(f"failed to open file\n\nCaused by:\n    {error}") from error
        return cls.deserialize(engine, encoded)

    @classmethod
    def validate(cls, engine: Engine, wasm: bytes | bytearray) -> None:
        """Check that bytes are a valid module.

        Raises:
            TypeError: `wasm` is no bytes.
            WasmtimeError: they are no valid module.
        """
        if not isinstance(wasm, (bytes, bytearray)):
            raise TypeError("expected wasm bytes")
        engine.check_open()
        _compiled(engine, bytes(wasm), None)

    @property
    def imports(self) -> list[ImportType]:
        """The imports that it declares."""
        self.check_open()
        return [ImportType(one.module, one.name, one.type) for one in self.inner.imports]

    @property
    def exports(self) -> list[ExportType]:
        """The exports that it declares."""
        self.check_open()
        return [ExportType(name, type) for name, type in self.inner.exports.items()]

    def serialize(self) -> bytearray:
        """Return bytes of which `deserialize` of the same version makes the module again."""
        self.check_open()
        data = self.inner.data
        return bytearray(_MAGIC + hashlib.sha256(data).digest() + data)


def _compiled(engine: Engine, data: bytes, text: str | bytes | None) -> Compiled:
    """Decode and validate a module.

    Args:
        engine: whether code is kept.
        data: its bytes.
        text: what they were assembled from, or None.

    Raises:
        WasmtimeError: it is no valid module.
    """
    try:
        return Compiled.compile(data, cache_dir=_cache_directory() if engine.keeps_code else None)
    except errors.ValidationError as error:
        raise WasmtimeError(worded(error, text)) from error
    except errors.PureWasmError as error:
        raise WasmtimeError(str(error)) from error


def _cache_directory() -> str | None:
    """Return the user's own cache directory; None if it cannot be used, or another one is named."""
    directory = None if CACHE_VARIABLE in os.environ else cache_folder()
    try:
        directory_cache(directory)
    except errors.PluginError:
        return None
    return directory
