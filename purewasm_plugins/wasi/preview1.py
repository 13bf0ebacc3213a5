"""WASI preview 1 (`wasi_snapshot_preview1`, and `wasi_unstable` before it): all its functions.

They lie in three files; this one has their types, and makes host functions of them.
"""

from __future__ import annotations

from purewasm_plugins.runtime.instance import Caller, Function
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.support.typed import Any, Callable
from purewasm_plugins.wasi.descriptor_functions import DescriptorFunctions
from purewasm_plugins.wasi.errno import Errno, ErrnoError, errno_of
from purewasm_plugins.wasi.layout import PREVIEW1, UNSTABLE
from purewasm_plugins.wasi.path_functions import PathFunctions
from purewasm_plugins.wasi.process_functions import ProcessFunctions
from purewasm_plugins.wasm.types import FuncType, Limits, MemoryType, ValType

__all__ = ["MODULES", "SIGNATURES", "Preview1", "type_of"]

#: The modules of imports, with the layout of each.
MODULES = {"wasi_snapshot_preview1": PREVIEW1, "wasi_unstable": UNSTABLE}

#: The parameters of each function: "i" is an i32, "I" an i64. Each returns an error number, an i32,
#: but for `proc_exit`.
SIGNATURES = {
    "args_get": "ii",
    "args_sizes_get": "ii",
    "environ_get": "ii",
    "environ_sizes_get": "ii",
    "clock_res_get": "ii",
    "clock_time_get": "iIi",
    "fd_advise": "iIIi",
    "fd_allocate": "iII",
    "fd_close": "i",
    "fd_datasync": "i",
    "fd_fdstat_get": "ii",
    "fd_fdstat_set_flags": "ii",
    "fd_fdstat_set_rights": "iII",
    "fd_filestat_get": "ii",
    "fd_filestat_set_size": "iI",
    "fd_filestat_set_times": "iIIi",
    "fd_pread": "iiiIi",
    "fd_prestat_get": "ii",
    "fd_prestat_dir_name": "iii",
    "fd_pwrite": "iiiIi",
    "fd_read": "iiii",
    "fd_readdir": "iiiIi",
    "fd_renumber": "ii",
    "fd_seek": "iIii",
    "fd_sync": "i",
    "fd_tell": "ii",
    "fd_write": "iiii",
    "path_create_directory": "iii",
    "path_filestat_get": "iiiii",
    "path_filestat_set_times": "iiiiIIi",
    "path_link": "iiiiiii",
    "path_open": "iiiiiIIii",
    "path_readlink": "iiiiii",
    "path_remove_directory": "iii",
    "path_rename": "iiiiii",
    "path_symlink": "iiiii",
    "path_unlink_file": "iii",
    "poll_oneoff": "iiii",
    "proc_exit": "i",
    "proc_raise": "i",
    "random_get": "ii",
    "sched_yield": "",
    "sock_accept": "iii",
    "sock_recv": "iiiiii",
    "sock_send": "iiiii",
    "sock_shutdown": "ii",
}

_TYPES = {"i": ValType.I32, "I": ValType.I64}


def type_of(name: str) -> FuncType:
    """Return the type of a function; its name is one of `SIGNATURES`."""
    results = () if name == "proc_exit" else (ValType.I32,)
    return FuncType(tuple(_TYPES[letter] for letter in SIGNATURES[name]), results)


_NO_PAGES = MemoryType(Limits(0, 0))


class Preview1(ProcessFunctions, DescriptorFunctions, PathFunctions):
    """All functions, for one instance and one module of imports."""

    #: The memories of the instance that calls, to tell it: the instance itself would be in a cycle
    #: of references, and freed later.
    _memories: list[Memory] | None = None

    def function(self, name: str) -> Function:
        """Return a function as an instance imports it; its name is one of `SIGNATURES`."""
        return Function(type_of(name), self.host(name), name=name, raw=True)

    def host(self, name: str) -> Callable[..., int]:
        """Return a function as a raw host function that takes a `Caller`."""
        return self._guarded(getattr(self, name))

    def _attach(self, caller: Caller) -> None:
        """Take the memory and the limits of the instance that calls."""
        memories = caller.instance.memories
        # Without a memory each address is outside, and `proc_exit` needs none.
        self.memory = memories[0] if memories else Memory(_NO_PAGES)
        self.state.caller = caller
        self._memories = caller.instance.memories

    def _guarded(self, function: Callable[..., None]) -> Callable[..., int]:
        """Return a host function that answers with an error number."""

        def call(caller: Caller, *arguments: Any) -> int:
            if caller.instance.memories is not self._memories:
                self._attach(caller)
            try:
                function(*arguments)
            except ErrnoError as error:
                return error.errno
            except OSError as error:
                return errno_of(error)
            except MemoryError:
                return Errno.NOMEM
            return 0

        return call
