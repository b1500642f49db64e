"""Which texts of a stream were seen before, in memory that does not grow: their hashes are kept on disk."""

from __future__ import annotations

import sqlite3

from zhuji.core.errors import ScratchFull
from zhuji.core.log import in_language

CACHE_KIB = 2 << 10
"""Of the table that is held in memory."""


class Seen:
    """A set of 64-bit numbers in a temporary table of SQLite, about 16 bytes each on disk (where SQLite keeps its temporary files:
    SQLITE_TMPDIR, else TMPDIR, else /var/tmp). Of a billion texts, two different ones share a number with a chance of 3 %; one of
    them then counts as a copy.

    `add` raises ScratchFull where SQLite's file cannot be made or has no room."""

    def __init__(self) -> None:
        # An empty name is a private file that is gone when it is closed, so it needs no journal.
        self._table = sqlite3.connect("", isolation_level=None)
        for line in (f"PRAGMA cache_size = -{CACHE_KIB}", "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "BEGIN"):
            self._table.execute(line)
        self._table.execute("CREATE TABLE seen (key INTEGER PRIMARY KEY)")

    def add(self, key: bytes) -> bool:
        """Whether a key, of which the first eight bytes count, is new; from now on it is not."""
        number = int.from_bytes(key[:8], "big", signed=True)
        try:
            return self._table.execute("INSERT OR IGNORE INTO seen VALUES (?)", (number,)).rowcount > 0
        except sqlite3.OperationalError as error:
            raise ScratchFull(why=in_language(f"SQLite: {error}", f"SQLite：「{error}」")) from error

    def close(self) -> None:
        """Forgets everything."""
        self._table.close()
