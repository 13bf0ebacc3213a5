"""What a plugin writes to its output streams, as lines of a log."""

from __future__ import annotations

from purewasm_plugins.errors import escape_controls
from purewasm_plugins.runtime.instance import Instance

__all__ = ["LOGGER", "log_output"]

#: The logger: a line of standard output is logged as information, of standard error as a warning.
LOGGER = "purewasm_plugins.plugin"

#: Lines of one call and stream that are logged, and characters of one line.
_MOST_LINES = 1000
_MOST_CHARACTERS = 2000


def log_output(instance: Instance, plugin: str) -> None:
    """Log what was captured of a plugin's output, with the plugin's name before each line.

    Records have the attributes `plugin` and `stream` ("stdout" or "stderr").
    """
    state = instance.wasi
    for stream, data in (("stdout", state.stdout), ("stderr", state.stderr)):
        if data:
            _log_lines(plugin, stream, data)


def _log_lines(plugin: str, stream: str, data: bytes) -> None:
    # Imported here: most plugins write nothing.
    import logging

    logger = logging.getLogger(LOGGER)
    level = logging.INFO if stream == "stdout" else logging.WARNING
    if not logger.isEnabledFor(level):
        return
    extra = {"plugin": plugin, "stream": stream}
    lines = data.split(b"\n", _MOST_LINES)
    rest = lines.pop() if len(lines) > _MOST_LINES or not lines[-1] else b""
    for line in lines:
        text = line[: 4 * _MOST_CHARACTERS].decode("utf-8", "replace").rstrip("\r")
        shown = text[:_MOST_CHARACTERS]
        more = "…" if len(text) > len(shown) else ""
        logger.log(
            level, "%s: %s%s", escape_controls(plugin), escape_controls(shown), more, extra=extra
        )
    if rest:
        logger.log(level, "%s: %d more bytes", escape_controls(plugin), len(rest), extra=extra)
