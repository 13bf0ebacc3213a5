"""The version of the package, which is also part of the key of whatever is cached."""

VERSION = "0.1.0"
