"""What `pip install zhuji` adds beside torch: megabytes and packages, in a fresh virtual environment."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import record

ROOT = Path(__file__).parents[1]


def megabytes(folder: Path) -> float:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extras", default="", help="for example: parquet")
    extras = parser.parse_args().extras
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([sys.executable, "-m", "venv", scratch], check=True)
        python, constraints = f"{scratch}/bin/python", str(ROOT / "scripts" / "constraints.txt")
        pip = [python, "-m", "pip", "--disable-pip-version-check", "-q"]

        def state() -> tuple[int, float]:
            return len(list(Path(scratch).glob("lib/python*/site-packages/*.dist-info"))), megabytes(Path(scratch))

        subprocess.run([*pip, "install", "torch", "numpy", "-c", constraints], check=True)
        packages_before, size_before = state()
        began = time.perf_counter()
        subprocess.run([*pip, "install", f"{ROOT}[{extras}]" if extras else str(ROOT), "-c", constraints], check=True)
        seconds = time.perf_counter() - began
        packages, size = state()
    name = f"zhuji[{extras}]" if extras else "zhuji"
    body = (
        f"`pip install {name}` beside torch and numpy adds **{size - size_before:.0f} MB** in **{packages - packages_before} packages** "
        f"(with byte code), in {seconds:.0f} s. torch, numpy and what they need: {size_before:.0f} MB, {packages_before} packages."
    )
    record(
        f"install_size{'_' + extras if extras else ''}", "Size of an installation", body, "python benchmarks/install_size.py"
    )


if __name__ == "__main__":
    main()
