"""`WasiConfig`: what a program may touch through WASI, collected for a store."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from errno import EIO
from io import FileIO
from typing import TYPE_CHECKING, Any

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.managed import Managed

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi

__all__ = ["DirPerms", "FilePerms", "WasiConfig"]


class DirPerms(Enum):
    """What a program may do with the entries of a directory; see `WasiConfig.preopen_dir`."""

    READ_ONLY = 1
    WRITE_ONLY = 2
    READ_WRITE = 3


class FilePerms(Enum):
    """What a program may do with the files of a directory; see `WasiConfig.preopen_dir`."""

    READ_ONLY = 1
    WRITE_ONLY = 2
    READ_WRITE = 3


#: The largest error number: a C int.
_LARGEST_ERROR = 2**31 - 1


def _granted(fields: dict[str, Any]) -> Wasi:
    """Return grants with these fields; else they are wasmtime's defaults.

    Raises:
        InvalidOptionError: a field is wrong.
    """
    # Imported here: many programs use none of it.
    from purewasm_plugins.wasi.grants import Quotas, Wasi

    quotas = Quotas(
        output_bytes=None,
        file_bytes=None,
        total_bytes=None,
        files=None,
        directory_entries=None,
        # Each is one of this process, too.
        descriptors=1024,
    )
    defaults: dict[str, Any] = {
        "stdout": "discard",
        "stderr": "discard",
        "clock": "host",
        "random": "host",
        "quotas": quotas,
    }
    return Wasi(**(defaults | fields))


def _setter(method: Callable[[Any, Any], None]) -> property:
    """Return an attribute that a method sets, and that cannot be read."""
    return property(fset=method, doc=method.__doc__)


class WasiConfig(Managed):
    """What a program may touch through WASI; `Store.set_wasi` takes it, once.

        config = WasiConfig()
        config.argv = ["wc", "/texts/letter.txt"]
        config.stdout_custom = pieces.append
        config.preopen_dir("texts", "/texts", fs_mutable=False)
        store.set_wasi(config)

    By default there are no arguments and no variables, standard input is empty, the output streams
    are dropped, and no directory is there. The clocks and random numbers are those of the host.
    Attributes can be set, and not read.

    Hazards:
        Files are opened when they are set, and those for output are emptied then.

    Raises:
        ValueError: of each method and attribute, after `close`, or once a store has it.
        WasmtimeError: of each method and attribute, for what cannot be granted.
        TypeError: of each method and attribute, for what has a wrong type.
    """

    def __init__(self) -> None:
        #: The fields of `Wasi` that were set.
        self._fields: dict[str, Any] = {}

    def _change(self, what: str, **fields: Any) -> None:
        """Change fields of the grants.

        Args:
            what: what has failed where they are wrong, after "failed to".
            fields: the fields of `Wasi`.
        """
        self.check_open()
        fields = self._fields | fields
        try:
            _granted(fields)
        except InvalidOptionError as error:
            raise WasmtimeError(f"failed to {what}: {error.details}") from error
        self._fields = fields

    @_setter
    def argv(self, argv: Sequence[str]) -> None:
        """Add arguments; by convention the first of all is the program's name."""
        self._change("configure argv", args=(*self._fields.get("args", ()), *argv))

    def inherit_argv(self) -> None:
        """Add the arguments of this process, with the name of the interpreter first."""
        inherited = map(_as_unicode, sys.orig_argv)
        self._change("configure argv", args=(*self._fields.get("args", ()), *inherited))

    @_setter
    def env(self, pairs: Iterable[Iterable[str]]) -> None:
        """Add variables: pairs of a name and a value. A name that is there keeps its value."""
        self._add_variables(pairs)

    def inherit_env(self) -> None:
        """Add the variables of this process, as they are now; see `env`."""
        self._add_variables(
            (_as_unicode(name), _as_unicode(value)) for name, value in os.environ.items()
        )

    def _add_variables(self, pairs: Iterable[Iterable[str]]) -> None:
        variables = dict(self._fields.get("env", {}))
        for name, value in pairs:
            if not isinstance(name, str) or not isinstance(value, str):
                raise TypeError("expected pairs of strings")
            # C libraries take "name=value" apart, and find the first variable of a name.
            name, _, value = f"{name}={value}".partition("=")
            variables.setdefault(name, value)
        self._change("configure environment", env=variables)

    @_setter
    def stdin_file(self, path: str | bytes | os.PathLike[str]) -> None:
        """Read standard input from a file, which is opened now."""
        self._set_file("stdin", path, "r")

    def inherit_stdin(self) -> None:
        """Read the standard input of this process: `sys.stdin`."""
        self._set_stream("stdin", "inherit")

    @_setter
    def stdout_file(self, path: str | bytes | os.PathLike[str]) -> None:
        """Write standard output into a file, which is opened and emptied now."""
        self._set_file("stdout", path, "w")

    @_setter
    def stdout_custom(self, callback: Callable[[bytes], int | None]) -> None:
        """Call a function with the bytes that are written to standard output.

        It may return how many of them it has taken, or the negative of an error number of the
        system, which the program gets; None for all. Where it raises an exception, the program gets
        an error (EIO) and goes on, and the traceback goes to standard error.
        """
        self._set_stream("stdout", _CustomOutput(callback))

    def inherit_stdout(self) -> None:
        """Write to the standard output of this process: to `sys.stdout`."""
        self._set_stream("stdout", "inherit")

    @_setter
    def stderr_file(self, path: str | bytes | os.PathLike[str]) -> None:
        """Write standard error into a file, which is opened and emptied now."""
        self._set_file("stderr", path, "w")

    @_setter
    def stderr_custom(self, callback: Callable[[bytes], int | None]) -> None:
        """Call a function with what is written to standard error; see `stdout_custom`."""
        self._set_stream("stderr", _CustomOutput(callback))

    def inherit_stderr(self) -> None:
        """Write to the standard error of this process: to `sys.stderr`."""
        self._set_stream("stderr", "inherit")

    def _set_file(self, name: str, path: str | bytes | os.PathLike[str], mode: str) -> None:
        # Opening empties a file.
        self.check_open()
        self._set_stream(name, _HostFile(path, mode, name))

    def _set_stream(self, name: str, stream: object) -> None:
        self._change(f"set {name}", **{name: stream})

    def preopen_dir(
        self,
        path: str,
        guest_path: str,
        dir_perms: DirPerms | bool = DirPerms.READ_WRITE,
        file_perms: FilePerms = FilePerms.READ_WRITE,
        *,
        fs_mutable: bool = True,
    ) -> None:
        """Let the program use a directory of the host, and everything below it.

        All in it may be changed, or nothing: where a permission is to read only, nothing may be.

        Args:
            path: the directory.
            guest_path: the path that the program sees, "." for an empty one. It replaces an older
                directory of that path.
            dir_perms: what may be done with directories. A bool is `fs_mutable`, which newer
                versions of wasmtime-py have in this place.
            file_perms: what may be done with files.
            fs_mutable: whether anything may be changed.

        Raises:
            WasmtimeError: there is no such directory, or it may not be read; `guest_path` cannot be
                a path; a permission is to write only, which does not exist here.
        """
        from purewasm_plugins.wasi.host_files import HostDirectory

        what = "add preopen dir"
        if dir_perms is DirPerms.WRITE_ONLY or file_perms is FilePerms.WRITE_ONLY:
            raise WasmtimeError(f"failed to {what}: there is no permission to write only here")
        read_only = (
            not dir_perms
            or dir_perms is DirPerms.READ_ONLY
            or file_perms is FilePerms.READ_ONLY
            or not fs_mutable
        )
        try:
            grant = HostDirectory(path, read_only)
            os.scandir(path).close()
        except InvalidOptionError as error:
            raise WasmtimeError(f"failed to {what}: {error.details}") from error
        except OSError as error:
            raise WasmtimeError(f"failed to {what}: {path}: {error.strerror}") from error
        # For C libraries they are the same.
        place = "." if guest_path == "" else guest_path
        self._change(what, directories={**self._fields.get("directories", {}), place: grant})

    def release(self) -> None:
        """Let go of files."""
        self._fields = {}

    def _grants(self) -> Wasi:
        """Return the grants, and make the configuration unusable; for this package only."""
        self.consume()
        return _granted(self._fields)


def _as_unicode(text: str) -> str:
    """Return a text of the system with U+FFFD for what is not UTF-8."""
    return os.fsencode(text).decode("utf-8", "replace")


class _HostFile(FileIO):
    """A file for a standard stream, which is closed when nothing uses it any more."""

    def __init__(self, path: str | bytes | os.PathLike[str], mode: str, stream: str) -> None:
        """Open it.

        Args:
            path: the file.
            mode: "r", or "w" which empties it.
            stream: the name of the stream.

        Raises:
            WasmtimeError: it cannot be opened.
        """
        try:
            # A number would be an open descriptor.
            super().__init__(os.fspath(path), mode)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise WasmtimeError(f"failed to set {stream} file: {path!r}: {reason}") from error

    def __del__(self) -> None:
        # Without it, Python warns.
        self.close()


class _CustomOutput:
    """An output stream that is a function; see `WasiConfig.stdout_custom`."""

    def __init__(self, callback: Callable[[bytes], int | None]) -> None:
        if not callable(callback):
            raise TypeError("expected a function of bytes")
        self._callback = callback

    def write(self, data: bytes) -> int | None:
        """Pass on bytes, and return how many were taken; None for all."""
        try:
            taken = self._callback(data)
        except Exception as error:
            import traceback

            traceback.print_exception(error)
            raise OSError(EIO, os.strerror(EIO)) from error
        if isinstance(taken, int) and taken < 0:
            number = min(-taken, _LARGEST_ERROR)
            raise OSError(number, os.strerror(number))
        return taken
