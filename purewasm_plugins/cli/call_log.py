"""The log of calls as a file: a JSON object a line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.tools.call_log import FIELDS, LOGGER

__all__ = ["calls_logged"]


class _Lines(logging.Formatter):
    """A record as JSON: the time, and the fields of the call."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record; see `logging.Formatter`."""
        fields = {name: vars(record)[name] for name in FIELDS if name in vars(record)}
        return json.dumps({"time": record.created, **fields})


@contextmanager
def calls_logged(path: str | None) -> Iterator[None]:
    """Append a line for each call to a file, within this context.

    Args:
        path: the file; None for no log.

    Raises:
        Failure: it cannot be opened.
    """
    if path is None:
        yield
        return
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{path}: {error.strerror or error}", Exit.USAGE) from error
    handler.setFormatter(_Lines())
    logger = logging.getLogger(LOGGER)
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()
