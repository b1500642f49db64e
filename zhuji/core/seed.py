"""Named random streams: every use of chance has a name, and the same seed, name and keys give the same numbers."""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *keys: str | int) -> int:
    """A 63-bit seed for the stream named by `keys`, e.g. `derive(seed, "shuffle", epoch)`."""
    text = "\x1f".join([str(seed), *(f"{type(k).__name__}:{k}" for k in keys)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def stream(seed: int, *keys: str | int) -> np.random.Generator:
    """A NumPy generator for the stream named by `keys`."""
    return np.random.Generator(np.random.PCG64(derive(seed, *keys)))
