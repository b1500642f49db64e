"""What this machine has for training, and what stands in the way."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zhuji.core.config import assignments
from zhuji.core.log import in_language
from zhuji.core.quantity import bytes_text
from zhuji.core.seed import derive
from zhuji.training.run import TrainSettings
from zhuji.version import __version__

OLDEST_TORCH = (2, 11)
EXTRAS = {
    "parquet": "pyarrow", "translation": "sacrebleu", "search": "usearch", "constrained": "llguidance",
    "huggingface": "huggingface_hub", "cluster": "datatrove",
}  # fmt: skip
"""Optional extras a person may want, with the package that each brings."""
FREE = ("cluster",)
"""Extras for others than most: their absence is worth no advice."""

LOW_DISK, LOW_MEMORY = 2 << 30, 1 << 30


def doctor(*, seed: int = 0, sets: Sequence[str] = ()) -> dict[str, Any]:
    """Versions, processors, memory, disk, precision and extras. `problems` stop a run, `advice` does not.

    `--set train.threads=…` or `train.device=…` shows what a run with these settings would get."""
    asked = TrainSettings.parse(assignments(sets).get("train", {}), prefix="train")
    facts: dict[str, Any] = {
        "zhuji": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "executable": sys.executable,
        "torch": _torch(asked, seed),
        "memory": _memory(),
        "disk": _disk(),
        "extras": {extra: _version(package) for extra, package in EXTRAS.items()},
        "environment": {
            k: os.environ.get(k) for k in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "ZHUJI_LANG")
        },
    }
    problems, advice = _judged(facts)
    return {**facts, "problems": problems, "advice": advice, "healthy": not problems}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _torch(asked: TrainSettings, seed: int) -> dict[str, Any]:
    import torch

    from zhuji.training.threads import cpus

    cuda = torch.cuda.is_available()
    return {
        "version": torch.__version__,
        "cpus": cpus(),
        "threads": asked.threads or cpus(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "gpu": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else [],
        **_precision(seed),
    }


def _precision(seed: int) -> dict[str, Any]:
    """How many times faster bf16 multiplies two matrices than fp32, best of five in turn: above 1 `auto` may choose it."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    pair = torch.randn(2, 512, 512, generator=torch.Generator().manual_seed(derive(seed, "doctor"))).to(device)
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    for _ in range(6):
        for kind in (torch.float32, torch.bfloat16):
            first, second = pair.to(kind)
            begun = time.perf_counter()
            float((first @ second)[0, 0])  # reading a number waits for the device
            best[kind] = min(best[kind], time.perf_counter() - begun)
    return {"bf16_speedup": round(best[torch.float32] / best[torch.bfloat16], 2)}


def _memory() -> dict[str, int]:
    import psutil

    now = psutil.virtual_memory()
    return {"total_bytes": now.total, "free_bytes": now.available}


def _disk() -> dict[str, Any]:
    here = Path.cwd()
    usage = shutil.disk_usage(here)
    return {"folder": str(here), "total_bytes": usage.total, "free_bytes": usage.free, "writable": os.access(here, os.W_OK)}


def _judged(facts: dict[str, Any]) -> tuple[list[str], list[str]]:
    problems: list[str] = []
    advice: list[str] = []
    major, minor = facts["torch"]["version"].split(".")[:2]
    if (int(major), int(minor)) < OLDEST_TORCH:
        problems.append(
            in_language("torch must be at least 2.11: pip install -U torch", "torch 版本至少为 2.11：pip install -U torch")
        )
    if not facts["disk"]["writable"]:
        problems.append(
            in_language(
                "this folder is not writable: use another, or --run-dir", "当前文件夹不可写：请换一个，或使用 --run-dir"
            )
        )
    if facts["disk"]["free_bytes"] < LOW_DISK:
        free = bytes_text(facts["disk"]["free_bytes"])
        advice.append(in_language(f"only {free} of disk are free here", f"此处磁盘仅剩 {free}"))
    if facts["memory"]["free_bytes"] < LOW_MEMORY:
        free = bytes_text(facts["memory"]["free_bytes"])
        advice.append(in_language(f"only {free} of memory are free", f"内存仅剩 {free}"))
    if facts["environment"]["OMP_WAIT_POLICY"] not in ("PASSIVE", "passive"):
        advice.append(
            in_language("set OMP_WAIT_POLICY=PASSIVE to share this machine", "设置 OMP_WAIT_POLICY=PASSIVE 以便共享本机")
        )
    for extra, found in facts["extras"].items():
        if found is None and extra not in FREE:
            advice.append(f'{extra}: pip install "zhuji[{extra}]"')
    return problems, advice
