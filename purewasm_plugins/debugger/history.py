"""What a session remembers of the way it came: checkpoints, and the answers of the world outside.

The state before a step is the nearest checkpoint before it, run forward. Checkpoints are dense
around the step one stands at and get sparser with the distance, as far as the memory bound asks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from purewasm_plugins.debugger.snapshot import PAGE, Snapshot

#: Steps between checkpoints, where memory allows: replaying them takes well under 0.1 s.
SPACING = 5_000

#: Memory whose image takes as long as a tenth of that; checkpoints of more are farther apart.
_COMFORTABLE = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What an instruction that is not determined by the module did: a call outside, or a growth.

    Attributes:
        results: what it left on the stack.
        error: what it raised instead.
        pages: what changed in memory, by memory and number of the 4 KiB page.
        sizes: bytes and pages of each memory afterwards.
        globals, tables: what they held afterwards; None where nothing outside can reach them.
        fuel_used: by the call so far.
    """

    results: tuple[Any, ...] = ()
    error: BaseException | None = None
    pages: tuple[tuple[int, int, bytes], ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    globals: tuple[Any, ...] | None = None
    tables: tuple[tuple[Any, ...], ...] | None = None
    fuel_used: int = 0

    @property
    def cost(self) -> int:
        """Bytes that it takes, roughly."""
        total = 400 + 400 * len(self.results) + sum(len(page) + 100 for _, _, page in self.pages)
        total += 8 * len(self.globals or ()) + sum(8 * len(table) for table in self.tables or ())
        return total


class History:
    """Checkpoints in order of their step, and answers by step.

    Attributes:
        limit: bytes that it may take. The first and the newest checkpoint are kept whatever they
            take.
        size: bytes that it takes, as it reckons them.
    """

    def __init__(self, first: Snapshot, limit: int) -> None:
        self.limit = limit
        self.answers: dict[int, Answer] = {}
        self._checkpoints = [first]
        self._steps = [first.step]
        self._costs = [first.cost(None)]
        self._answers_cost = 0

    @property
    def size(self) -> int:
        """Bytes that the history takes, as it reckons them."""
        return sum(self._costs) + self._answers_cost

    @property
    def start(self) -> int:
        """The earliest step that can be gone back to."""
        return self._steps[0]

    def __len__(self) -> int:
        return len(self._checkpoints)

    def before(self, step: int) -> Snapshot:
        """The last checkpoint at or before a step; the first one for a step before all."""
        return self._checkpoints[max(0, bisect_right(self._steps, step) - 1)]

    def due(self, step: int, memory: int) -> int:
        """The next step after this one at which a checkpoint is wanted."""
        spacing = SPACING * max(1, memory // _COMFORTABLE)
        wanted = (step // spacing + 1) * spacing
        position = bisect_right(self._steps, step)
        while position < len(self._steps) and self._steps[position] <= wanted:
            if self._steps[position] == wanted:
                wanted += spacing
            position += 1
        return wanted

    def add(self, snapshot: Snapshot) -> None:
        """Keep a checkpoint, and let go of others where the bound asks for it."""
        position = bisect_right(self._steps, snapshot.step)
        if position and self._steps[position - 1] == snapshot.step:
            return
        self._checkpoints.insert(position, snapshot)
        self._steps.insert(position, snapshot.step)
        self._costs.insert(position, 0)
        self._reckon(position)
        self._reckon(position + 1)
        while self.size > self.limit and len(self._steps) > 2:
            self._drop(self._least_wanted(snapshot.step))

    def record(self, step: int, answer: Answer) -> None:
        """Keep what the instruction of a step was answered."""
        self.answers[step] = answer
        self._answers_cost += answer.cost
        if self._answers_cost > self.limit // 2 and len(self._steps) > 1:
            self._forget(self._steps[len(self._steps) // 2])

    def _forget(self, start: int) -> None:
        """Answers cannot be thinned: the earliest part of the history goes."""
        while self._steps[0] < start:
            self._drop(0)
        self.answers = {step: kept for step, kept in self.answers.items() if step >= start}
        self._answers_cost = sum(answer.cost for answer in self.answers.values())

    def _least_wanted(self, here: int) -> int:
        """Which checkpoint, without the first and `here`, leaves the gap that matters least.

        A gap matters by its length, and the less the farther it is: that keeps the number of
        checkpoints logarithmic when memory is short.
        """
        steps = self._steps

        def wanted(index: int) -> float:
            gap = (steps[index + 1] if index + 1 < len(steps) else here) - steps[index - 1]
            return abs(gap) / (abs(here - steps[index]) + 1)

        return min((i for i in range(1, len(steps)) if steps[i] != here), key=wanted)

    def _drop(self, position: int) -> None:
        del self._checkpoints[position], self._steps[position], self._costs[position]
        self._reckon(position)

    def _reckon(self, position: int) -> None:
        if position < len(self._checkpoints):
            earlier = self._checkpoints[position - 1] if position else None
            self._costs[position] = self._checkpoints[position].cost(earlier)


def changed_pages(before: bytes, after: bytearray, page: Callable[[int, bytes], None]) -> None:
    """Call `page` with the number and content of every 4 KiB page that has changed."""
    if before == after:
        return
    for number, start in enumerate(range(0, len(after), PAGE)):
        content = after[start : start + PAGE]
        if content != before[start : start + PAGE]:
            page(number, bytes(content))
