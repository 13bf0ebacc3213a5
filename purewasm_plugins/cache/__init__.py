"""Keeps translated code between processes: the protocol of a cache, a directory, and the keys."""
