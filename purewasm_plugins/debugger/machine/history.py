"""The checkpoints of a session, and the recorded results of what the module does not determine.

The state before a step is the nearest checkpoint before it, run forward. Checkpoints are dense
around the current step and sparser with the distance from it, as the memory bound requires.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from purewasm_plugins.debugger.machine.snapshot import Snapshot

#: Steps between checkpoints, where memory allows: replaying them takes well under 0.1 s.
SPACING = 5_000

#: Bytes of memory whose image takes a tenth of that time; checkpoints of more are farther apart.
_COMFORTABLE = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RecordedResult:
    """The result and effects of a call out of the module, or of a `memory.grow`.

    Attributes:
        result: what it returned: None, a raw value, or a tuple of them.
        error: what it raised instead.
        pages: what changed in memory: memory, number and content of each 4 KiB page.
        sizes: bytes and pages of each memory afterwards.
        globals, tables: what they held afterwards; None where nothing outside can change them.
        fuel_used: by the call so far.
    """

    result: Any = None
    error: BaseException | None = None
    pages: tuple[tuple[int, int, bytes], ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    globals: tuple[Any, ...] | None = None
    tables: tuple[tuple[Any, ...], ...] | None = None
    fuel_used: int = 0

    @property
    def cost(self) -> int:
        """Estimated bytes that it takes."""
        count = len(self.result) if isinstance(self.result, tuple) else 1
        total = 400 + 400 * count + sum(len(page) + 100 for _, _, page in self.pages)
        total += 8 * len(self.globals or ()) + sum(8 * len(table) for table in self.tables or ())
        return total


class History:
    """Checkpoints in the order of their steps, and recorded results by step.

    Attributes:
        limit: bytes that it may take. The first and the newest checkpoint are kept in any case.
        results: the recorded results.
    """

    def __init__(self, first: Snapshot, limit: int) -> None:
        self.limit = limit
        self.results: dict[int, RecordedResult] = {}
        self._checkpoints = [first]
        self._steps = [first.step]
        self._costs = [first.cost(None)]
        self._results_cost = 0

    @property
    def size(self) -> int:
        """Estimated bytes that the history takes."""
        return sum(self._costs) + self._results_cost

    @property
    def start(self) -> int:
        """The earliest step that can be reached."""
        return self._steps[0]

    def __len__(self) -> int:
        return len(self._checkpoints)

    def before(self, step: int) -> Snapshot:
        """Return the last checkpoint at or before a step; the first one for an earlier step."""
        return self._checkpoints[max(0, bisect_right(self._steps, step) - 1)]

    def due(self, step: int, memory: int) -> int:
        """Return the next step after this one at which to add a checkpoint.

        Args:
            step: the current step.
            memory: bytes of memory that a checkpoint has to compare.
        """
        spacing = SPACING * max(1, memory // _COMFORTABLE)
        wanted = (step // spacing + 1) * spacing
        position = bisect_right(self._steps, step)
        while position < len(self._steps) and self._steps[position] <= wanted:
            if self._steps[position] == wanted:
                wanted += spacing
            position += 1
        return wanted

    def add(self, snapshot: Snapshot) -> None:
        """Keep a checkpoint, and remove others where the bound requires it."""
        position = bisect_right(self._steps, snapshot.step)
        if position and self._steps[position - 1] == snapshot.step:
            return
        self._checkpoints.insert(position, snapshot)
        self._steps.insert(position, snapshot.step)
        self._costs.insert(position, 0)
        self._update_cost(position)
        self._update_cost(position + 1)
        while self.size > self.limit and len(self._steps) > 2:
            self._drop(self._least_wanted(snapshot.step))

    def record(self, step: int, result: RecordedResult) -> None:
        """Keep the result of the instruction of a step."""
        self.results[step] = result
        self._results_cost += result.cost
        if self._results_cost > self.limit // 2 and len(self._steps) > 1:
            self._drop_before(self._steps[len(self._steps) // 2])

    def _drop_before(self, start: int) -> None:
        """Remove the earliest part of the history: every result after it is needed to replay."""
        while self._steps[0] < start:
            self._drop(0)
        self.results = {step: kept for step, kept in self.results.items() if step >= start}
        self._results_cost = sum(result.cost for result in self.results.values())

    def _least_wanted(self, here: int) -> int:
        """Choose the checkpoint, but for the first and `here`, whose gap would matter least.

        A long gap matters more, and a far one less: that keeps the number of checkpoints
        logarithmic when memory is short.
        """
        steps = self._steps

        def weight(index: int) -> float:
            gap = (steps[index + 1] if index + 1 < len(steps) else here) - steps[index - 1]
            return abs(gap) / (abs(here - steps[index]) + 1)

        return min((i for i in range(1, len(steps)) if steps[i] != here), key=weight)

    def _drop(self, position: int) -> None:
        del self._checkpoints[position], self._steps[position], self._costs[position]
        self._update_cost(position)

    def _update_cost(self, position: int) -> None:
        """Estimate the cost of a checkpoint again, beside the one before it."""
        if position < len(self._checkpoints):
            earlier = self._checkpoints[position - 1] if position else None
            self._costs[position] = self._checkpoints[position].cost(earlier)
