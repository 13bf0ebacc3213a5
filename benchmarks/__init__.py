"""Benchmarks of the package against its peers: `python -m benchmarks`.

The report names the peers that are not installed. Only ratios measured side by side in one run
mean anything, so every comparison interleaves its subjects.
"""
