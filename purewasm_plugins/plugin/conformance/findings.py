"""Findings of a check, as plain values."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Status(enum.Enum):
    """The result of a check. A warning does not break the ABI, but causes trouble on some hosts."""

    PASS = "pass"
    WARNING = "warning"
    FAIL = "fail"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: the subject of the check.
        status: the result.
        details: what was found. It contains texts of the plugin unescaped.
        fix: the change of the module that it proposes, in one or more lines; empty if none.
    """

    name: str
    status: Status
    details: str = ""
    fix: str = ""

    @property
    def passed(self) -> bool:
        """Whether the module follows the ABI here; a warning passes."""
        return self.status is not Status.FAIL
