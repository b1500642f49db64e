"""The layer contract, the independence of tools and parts, and what a room may import."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, ROOT

HEAVY = ("torch", "numpy", "scipy", "sklearn", "matplotlib", "pyarrow", "tokenizers", "tensorboardX", "pandas", "jinja2")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter with the contracts of `folder`/pyproject.toml, on the package in `folder`."""
    program = "import sys; sys.path.insert(0, sys.argv[1]); from importlinter.cli import lint_imports as f; sys.exit(f(config_filename=sys.argv[2], no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", program, str(folder), str(folder / "pyproject.toml")],
        capture_output=True, text=True, cwd=folder, timeout=120, check=False,
    )  # fmt: skip


def test_imports_keep_the_contracts() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and its contracts, free to be broken."""
    shutil.copytree(PACKAGE, tmp_path / "zhuji", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("core/spoiled.py", "import zhuji.data.settings", "Imports run downwards only"),
        ("nn/spoiled.py", "import zhuji.data.settings", "Imports run downwards only"),
        ("tasks/spoiled.py", "import zhuji.backbones", "Imports run downwards only"),
        ("data/spoiled.py", "import torch", "data knows no tensors"),
    ],
)
def test_a_forbidden_import_is_found(copy: Path, file: str, line: str, contract: str) -> None:
    (copy / "zhuji" / file).write_text(f'"""Spoiled."""\n\n{line}\n')
    done = lint_imports(copy)
    assert done.returncode != 0
    assert any(contract in row and "BROKEN" in row for row in done.stdout.splitlines()), done.stdout


def test_every_room_is_in_the_contract() -> None:
    import tomllib

    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    listed = {name.strip() for layer in layers for name in layer.split("|")}
    rooms = {f"zhuji.{p.name}" for p in PACKAGE.iterdir() if (p / "__init__.py").exists()}
    assert rooms <= listed


def loaded_by(module: str) -> set[str]:
    program = f"import sys; import {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["zhuji", "zhuji.cli.app"])
def test_nothing_heavy_is_imported_at_the_start(module: str) -> None:
    assert not loaded_by(module) & set(HEAVY)


def test_the_check_for_heavy_imports_can_fail() -> None:
    assert "numpy" in loaded_by("zhuji.core.seed") & set(HEAVY)


def test_data_needs_no_torch() -> None:
    names = [f"zhuji.data.{file.stem}" for file in sorted((PACKAGE / "data").glob("*.py")) if file.stem != "__init__"]
    assert "torch" not in loaded_by(", ".join(names))
