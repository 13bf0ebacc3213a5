"""What a module may have of each thing (core specification, appendix "Implementation Limitations").

The numbers are those of the WebAssembly JavaScript API, which browsers agree on, so a module that
we refuse for its size is one that nobody loads. They bound what a module can make its reader spend;
what it can make an instance spend is `ResourceLimits`. A million of each thing is too much for
Python objects, so some numbers are smaller, and there are limits on sums.
"""

from __future__ import annotations

MAX_MODULE_SIZE = 1 << 30
"""Bytes in a module."""

MAX_TYPES = 1_000_000
MAX_FUNCTIONS = 50_000
"""The API has a million; a function takes an instance more than a kilobyte."""

MAX_IMPORTS = 1_000_000
MAX_EXPORTS = 1_000_000
MAX_GLOBALS = 100_000
"""The API has a million; a global takes an instance half a kilobyte."""

MAX_TABLES = 1_000
"""The API has a hundred thousand; a table that grows looks at how large the others are."""

MAX_MEMORIES = 100_000
MAX_DATA_SEGMENTS = 100_000
MAX_ELEMENT_SEGMENTS = 10_000_000

MAX_TABLE_ELEMENTS = 10_000_000
"""Entries in a table when it is created."""

MAX_PARAMETERS = 1_000
MAX_RESULTS = 1_000
MAX_LOCALS = 50_000
"""Of a function, its parameters included."""

MAX_FUNCTION_SIZE = 7_654_321
"""Bytes in a function body, its declarations of locals included."""

MAX_BRANCH_TABLE_SIZE = 65_520
"""Labels of a `br_table`, the default aside."""

# The API has no numbers for the rest. Compilers stay below them by a factor of hundreds; they are
# there to bound what validation takes.

MAX_DEFINITIONS = 250_000
"""Types, imports, functions, tables, memories, globals, exports, segments, element segments' items
that are expressions, groups of locals of all functions, and custom sections, together. Three bytes
of a module make each of them an object here, of a hundred bytes or more."""

MAX_ITEMS = 2_000_000
"""Items in all element segments together."""

MAX_TYPE_VALUES = 2_000_000
"""Parameters and results of all types together."""

MAX_NAMES = 250_000
"""Names in the name section together; what comes after them is left out."""

MAX_NESTED_BLOCKS = 200_000
"""Blocks of a function that are open at a time."""

MAX_OPERANDS = 100_000
"""Operands of a function that are on the stack at a time."""

MAX_OPERAND_CHECKS = 300_000
BYTES_PER_OPERAND_CHECK = 4
"""Operands that the validator looks at one by one: so many, and one more for each so many bytes of
the module. An instruction of two bytes can call for two thousand, a thousand parameters and as many
results, and would do so for ever new combinations of them if there were no limit. Modules of six
megabytes from compilers need a thousand in all."""
