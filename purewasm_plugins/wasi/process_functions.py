"""Arguments, the environment, clocks, random numbers, waiting, the end, and sockets."""

from __future__ import annotations

from purewasm_plugins.errors import Exited
from purewasm_plugins.wasi.clocks import MONOTONIC, REALTIME
from purewasm_plugins.wasi.errno import Errno, ErrnoError
from purewasm_plugins.wasi.functions import Functions
from purewasm_plugins.wasi.layout import Layout
from purewasm_plugins.wasi.polling import poll
from purewasm_plugins.wasi.state import WasiState

__all__ = ["ProcessFunctions"]


class ProcessFunctions(Functions):
    """The functions that need no descriptor, and those of sockets, of which none can be open."""

    def __init__(self, state: WasiState, layout: Layout) -> None:
        super().__init__(state, layout)
        wasi = state.wasi
        self._args = [text.encode() + b"\0" for text in wasi.args]
        self._env = [f"{name}={text}".encode() + b"\0" for name, text in wasi.env.items()]

    def args_get(self, array: int, buffer: int) -> None:
        self._write_texts(self._args, array, buffer)

    def args_sizes_get(self, count: int, size: int) -> None:
        self.memory.write_u32(count, len(self._args))
        self.memory.write_u32(size, sum(map(len, self._args)))

    def environ_get(self, array: int, buffer: int) -> None:
        self._write_texts(self._env, array, buffer)

    def environ_sizes_get(self, count: int, size: int) -> None:
        self.memory.write_u32(count, len(self._env))
        self.memory.write_u32(size, sum(map(len, self._env)))

    def _write_texts(self, texts: list[bytes], array: int, buffer: int) -> None:
        """Write texts into a buffer, and their addresses into an array."""
        for index, text in enumerate(texts):
            self.memory.write_u32(array + 4 * index, buffer)
            self.memory.write(buffer, text)
            buffer += len(text)

    def clock_res_get(self, clock: int, result: int) -> None:
        self._check_clock(clock)
        self.memory.write_u64(result, self.state.clock.resolution())

    def clock_time_get(self, clock: int, precision: int, result: int) -> None:
        if clock == REALTIME:
            now = self.state.clock.realtime()
        else:
            self._check_clock(clock)
            now = self.state.clock.monotonic()
        self.memory.write_u64(result, now & 0xFFFFFFFFFFFFFFFF)

    def _check_clock(self, clock: int) -> None:
        """Refuse clocks of a processor's time: they would tell of the host."""
        if clock not in (REALTIME, MONOTONIC):
            raise ErrnoError(Errno.INVAL if clock > 3 else Errno.BADF)

    def random_get(self, buffer: int, size: int) -> None:
        self.memory.view(buffer, size)
        for start, end in self.pieces(size):
            self.memory.write(buffer + start, self.state.random(end - start))

    def proc_exit(self, code: int) -> None:
        raise Exited(code)

    def proc_raise(self, signal: int) -> None:
        raise ErrnoError(Errno.NOTSUP)

    def sched_yield(self) -> None:
        """Do nothing: there is one thread."""

    def poll_oneoff(self, subscriptions: int, events: int, count: int, result: int) -> None:
        self.memory.view(result, 4)
        found = poll(self.state, self.memory, self.layout, subscriptions, events, count)
        self.memory.write_u32(result, found)

    def sock_accept(self, fd: int, flags: int, result: int) -> None:
        self._refuse_socket(fd)

    def sock_recv(
        self, fd: int, buffers: int, count: int, flags: int, size: int, result: int
    ) -> None:
        self._refuse_socket(fd)

    def sock_send(self, fd: int, buffers: int, count: int, flags: int, result: int) -> None:
        self._refuse_socket(fd)

    def sock_shutdown(self, fd: int, how: int) -> None:
        self._refuse_socket(fd)

    def _refuse_socket(self, fd: int) -> None:
        self.descriptors.get(fd)
        raise ErrnoError(Errno.NOTSOCK)
