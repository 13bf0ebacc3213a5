"""The digests of the cache: of its keys and its entries."""

from __future__ import annotations

try:
    # `hashlib` hands out the same, and takes as long as to load a cached plugin: it loads OpenSSL.
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

__all__ = ["digest"]


def digest(*parts: bytes) -> bytes:
    """Return the 32 bytes of the BLAKE2b digest of some bytes, one after the other."""
    state = blake2b(digest_size=32)
    for part in parts:
        state.update(part)
    return state.digest()
