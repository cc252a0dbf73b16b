"""Hestia Fleet: sell and run hosting on many HestiaCP servers as one fleet."""

__version__ = "0.1.0"
