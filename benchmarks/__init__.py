"""Benchmarks of the package against its peers: `python -m benchmarks`.

Peers that are not installed are left out and said so. Only ratios measured side by side in one run
mean anything, so every comparison interleaves its subjects.
"""
