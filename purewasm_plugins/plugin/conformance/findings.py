"""What a check leaves: a finding, as plain values."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Status(enum.Enum):
    """What came of a check. A warning is no breach of the ABI, but trouble with some hosts."""

    PASS = "pass"
    WARNING = "warning"
    FAIL = "fail"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        status: what came of it.
        details: what was found. Texts of the plugin's are in it as they are.
        fix: what to do about it, a line or more; empty where nothing is to be done.
    """

    name: str
    status: Status
    details: str = ""
    fix: str = ""

    @property
    def passed(self) -> bool:
        """Whether the ABI is kept here; a warning passes."""
        return self.status is not Status.FAIL
