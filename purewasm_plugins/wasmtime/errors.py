"""The errors of the interface that are no traps: `WasmtimeError` and `ExitTrap`."""

from __future__ import annotations

from purewasm_plugins.wasmtime.managed import Managed

__all__ = ["ExitTrap", "WasmtimeError", "exit_words"]


class WasmtimeError(Exception, Managed):
    """Something went wrong that is no trap: a module, an import, an option, a limit.

    `__cause__` is the error of this package that says it in fields, where there is one.
    """

    def __init__(self, message: str) -> None:
        """Take the text of the error.

        Raises:
            AttributeError: `message` is no text.
        """
        message.encode()
        super().__init__(message)


class ExitTrap(WasmtimeError):
    """The program ended by calling `proc_exit` of WASI.

    The instance can still be called.

    Attributes:
        code: the exit status that the program gave.
    """

    code: int

    def __init__(self, code: int, message: str | None = None) -> None:
        """Take the exit status, and the text if it is another than the usual one."""
        self._text = exit_words(code) if message is None else message
        super().__init__(self._text)
        # The constructor's arguments, for `pickle`.
        self.args = (code, message)
        self.code = code

    def __str__(self) -> str:
        return self._text


def exit_words(code: int) -> str:
    """Return the text for an exit status."""
    return f"Exited with i32 exit status {code}"
