"""Host functions that end their process, where workers can import them."""

from __future__ import annotations

import os
import threading

#: The environment variable that names a file.
MARK = "PUREWASM_TEST_MARK"


def die() -> None:
    """End the process, as a kill does."""
    os._exit(9)


def die_once() -> None:
    """End the process where the file does not exist, and make it."""
    try:
        os.close(os.open(os.environ[MARK], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os._exit(9)


class Odd(Exception):
    """An error that cannot be pickled."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.held = threading.Lock()


class Odder(Exception):
    """An error that cannot be unpickled, which would break a pool of processes.

    Dask makes it so that it can be.
    """

    def __init__(self, what: str, more: str) -> None:
        super().__init__(what)


def raise_odd() -> None:
    raise Odd("an odd error")


def raise_odder() -> None:
    raise Odder("an odder error", "")


def raise_plain() -> None:
    raise LookupError("a plain error")
