"""The version of the package, which is also a part of every cache key."""

VERSION = "0.1.0"
