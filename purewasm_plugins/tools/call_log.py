"""The log of calls: who called what, how large it was, how long it took, and what came of it.

A record has sizes and names alone: arguments, outputs and the texts of errors may hold secrets.
"""

from __future__ import annotations

import sys
import time

from purewasm_plugins.errors import (
    InvalidArgumentsError,
    ToolNotFoundError,
    escape_controls,
)
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Mapping
from purewasm_plugins.tools.errors import ToolRefusedError
from purewasm_plugins.tools.model import Cancellation, ToolCall, ToolImpl, ToolResult

if TYPE_CHECKING:
    from logging import Logger

__all__ = ["FIELDS", "LOGGER", "CallRecord", "call_logger"]

#: The logger: one record of the level INFO for each call.
LOGGER = "purewasm_plugins.calls"

#: The attributes of a record; the last three are of tools of plugins.
FIELDS = (
    *("tool", "origin", "caller", "call_id", "argument_bytes", "output_bytes", "duration_ms"),
    *("fuel", "outcome", "error_type", "plugin", "plugin_version", "plugin_sha256"),
)

#: Characters of a text that a model or a client chooses.
_MOST_SHOWN = 200

_OUTCOMES = (
    (ToolRefusedError, "refused"),
    (InvalidArgumentsError, "invalid"),
    (ToolNotFoundError, "unknown"),
)


def call_logger() -> Logger | None:
    """Return the logger of calls, or None where nothing wants its records."""
    # A program that has not imported it has nothing that reads the log.
    logging = sys.modules.get("logging")
    if logging is None:
        return None
    logger: Logger = logging.getLogger(LOGGER)
    return logger if logger.isEnabledFor(logging.INFO) else None


class CallRecord:
    """One record of the log, from the start of a call on.

    Attributes:
        cancellation: that of the call, which knows the fuel that was used.
    """

    def __init__(
        self,
        logger: Logger,
        call: ToolCall,
        name: str,
        tool: ToolImpl | None,
        cancellation: Cancellation | None,
    ) -> None:
        self.cancellation = Cancellation() if cancellation is None else cancellation
        self._logger = logger
        self._call = call
        self._name = name
        self._tool = tool
        self._started = time.perf_counter()

    def end(self, result: ToolResult | None, error: BaseException | None = None) -> None:
        """Log the call.

        Args:
            result: the result, or None.
            error: what was raised in place of it.
        """
        duration = (time.perf_counter() - self._started) * 1000
        failure = error if result is None else result.exception
        call, outcome = self._call, self._outcome(result, failure)
        fields: dict[str, Any] = {
            "tool": _shown(self._name),
            "origin": getattr(self._tool, "origin", None),
            "caller": None if call.caller is None else _shown(call.caller),
            "call_id": None if call.id is None else _shown(call.id),
            "argument_bytes": _size(call.arguments),
            "output_bytes": 0 if result is None else len(result.output.encode("utf-8", "replace")),
            "duration_ms": duration,
            "fuel": self.cancellation.progress,
            "outcome": outcome,
            "error_type": None if failure is None else type(failure).__name__,
            **getattr(self._tool, "log_fields", {}),
        }
        words = "%s: %s by %s, %s bytes of arguments, %.1f ms"
        arguments = (fields["tool"], outcome, fields["caller"], fields["argument_bytes"], duration)
        self._logger.info(words, *arguments, extra=fields)

    def _outcome(self, result: ToolResult | None, failure: BaseException | None) -> str:
        if result is not None and result.success:
            return "success"
        for kind, word in _OUTCOMES:
            if isinstance(failure, kind):
                return word
        # A task that is cancelled raises no Exception.
        stopped = failure is not None and not isinstance(failure, Exception)
        return "cancelled" if stopped or self.cancellation.requested else "failed"


def _shown(text: str) -> str:
    return escape_controls(text[:_MOST_SHOWN])


def _size(arguments: Mapping[str, Any]) -> int | None:
    """Return the bytes of arguments as JSON; None where they are none."""
    # Imported here: it is slow, and most programs have no log.
    from purewasm_plugins.support.json_text import write_json

    try:
        return len(write_json(dict(arguments)).encode("utf-8", "replace"))
    except (ValueError, TypeError, RecursionError):
        return None
