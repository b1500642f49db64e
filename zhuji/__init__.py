"""Zhuji (筑基): one toolkit for the whole life of a foundation model on one's own data."""

from zhuji.version import __version__

__all__ = ["__version__"]
