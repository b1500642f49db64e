"""What one does next with a finished run, as commands that can be pasted."""

from __future__ import annotations

import shlex
from pathlib import Path

from zhuji.core.log import in_language


def next_commands(run: Path) -> list[str]:
    """Predict, evaluate, compare: with the true path of this run."""
    folder = shlex.quote(str(run))
    text = shlex.quote(in_language("a text of yours", "你的一段文本"))
    return [
        f"zhuji predict {folder} {text}",
        f"zhuji evaluate {folder} FILE.csv",
        f"zhuji compare {folder} OTHER_RUN",
    ]
