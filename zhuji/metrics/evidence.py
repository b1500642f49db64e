"""Per-row evidence gathered batch by batch and rank by rank: metrics are computed from all rows at once, never averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.generic]]
Block = tuple[NDArray[np.int64], Arrays]


@dataclass
class Evidence:
    """A mergeable state. Every row has a number; `columns` hands the rows out by ascending number and a row that came twice
    (shards padded to equal length) once. So any cut into batches and any order of merging give the same bits."""

    blocks: list[Block] = field(default_factory=list[Block])
    next_row: int = 0

    @classmethod
    def empty(cls) -> Evidence:
        return cls()

    def add(self, columns: Mapping[str, NDArray[np.generic]], rows: Sequence[int] | NDArray[np.int64] | None = None) -> None:
        """Columns of one batch; `rows` are its row numbers, by default those that follow the largest so far."""
        arrays = {name: np.asarray(column) for name, column in columns.items()}
        sizes = {len(column) for column in arrays.values()}
        assert len(sizes) == 1, f"columns of one batch must be equally long, but are {sizes}"
        size = sizes.pop()
        numbers = np.arange(self.next_row, self.next_row + size) if rows is None else np.asarray(rows, dtype=np.int64)
        assert len(numbers) == size, f"{size} rows need as many numbers, but got {len(numbers)}"
        if size:
            self.blocks.append((numbers.astype(np.int64), arrays))
            self.next_row = max(self.next_row, int(numbers.max()) + 1)

    def merge(self, other: Evidence) -> Evidence:
        """Both together, as a new state. The row numbers of the two belong to one numbering."""
        return Evidence([*self.blocks, *other.blocks], max(self.next_row, other.next_row))

    def __len__(self) -> int:
        return len(np.unique(np.concatenate([rows for rows, _ in self.blocks]))) if self.blocks else 0

    def rows(self) -> NDArray[np.int64]:
        """Row numbers in the order of `columns`."""
        if not self.blocks:
            return np.zeros(0, np.int64)
        return np.unique(np.concatenate([rows for rows, _ in self.blocks]))

    def columns(self) -> Arrays:
        if not self.blocks:
            return {}
        _, first = np.unique(np.concatenate([rows for rows, _ in self.blocks]), return_index=True)
        names = self.blocks[0][1]
        return {name: np.concatenate([arrays[name] for _, arrays in self.blocks])[first] for name in names}
