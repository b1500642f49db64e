"""What a benchmark says about the machine that it ran on, and how it writes its result down."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def processor() -> str:
    """The processor's name, from Linux or as Python knows it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def accelerator() -> str:
    """The name of the GPU that is used where there is one."""
    import torch

    return f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""


def machine() -> str:
    """One line: date, cores, processor and GPU, system, versions, and how busy the machine was."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    software = f"Python {platform.python_version()}, torch {version('torch')}, zhuji {version('zhuji')}"
    return f"{today}; {cores} cores, {processor()}{accelerator()}; {platform.system()} {platform.machine()}; {software}; {load}"


def record(name: str, title: str, body: str, command: str) -> None:
    """Prints the result and keeps it as `results/<name>.md`."""
    text = f"# {title}\n\n`{command}`\n\n{machine()}\n\n{body}\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)


def table(header: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
