"""Each rule of the house, on the whole source; and each rule on a sample that breaks it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.rules import FILE_LINES, long_functions, own_code, public_names, undocumented, unsafe
from tests.architecture.source import PACKAGE, ROOT, parse, python_files, shown

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")
WRITTEN = python_files("zhuji", "tests", "benchmarks", "scripts")
SOURCE = python_files("zhuji")
PROGRAMS = python_files("zhuji", "benchmarks", "scripts")
"""A test may hold a long table of cases in one function."""


def broken(files: list[Path], rule: object) -> dict[str, list[str]]:
    assert callable(rule)
    return {shown(file): found for file in files if (found := rule(parse(file)))}


def test_files_stay_short() -> None:
    lengths = {shown(file): len(file.read_text(encoding="utf-8").splitlines()) for file in WRITTEN}
    assert not {file: lines for file, lines in lengths.items() if lines >= FILE_LINES}


def test_functions_stay_short() -> None:
    assert not broken(PROGRAMS, long_functions)


def test_a_long_function_is_found() -> None:
    assert long_functions(ast.parse("def f():\n" + "    x = 1\n" * 59))
    assert not long_functions(ast.parse("def f():\n" + "    x = 1\n" * 58))


def test_nothing_executes_what_it_reads_or_speaks_to_the_network() -> None:
    found = broken(SOURCE, unsafe)
    # The one door to the network, which opens only for `--from hf:NAME`.
    assert [name for name in found.pop("zhuji/model/huggingface/fetching.py") if "huggingface_hub" not in name] == []
    # The one that listens, for `zhuji serve`; it asks nobody anything.
    assert [name for name in found.pop("zhuji/serving/run.py") if "import socket" not in name] == []
    assert not found


@pytest.mark.parametrize(
    "line",
    ["import pickle", "from pickle import loads", "import urllib.request", "from urllib import request", "eval('1')",
     "exec('1')", "torch.load(f)", "torch.save(x, f)", "yaml.load(f)", "os.system('ls')", "run('ls', shell=True)",
     "np.load(f, allow_pickle=True)"],
)  # fmt: skip
def test_what_is_unsafe_is_found(line: str) -> None:
    assert unsafe(ast.parse(line))


def test_what_is_safe_is_let_through() -> None:
    assert not unsafe(ast.parse("import urllib.parse\nyaml.safe_load(f)\nrun(['ls'], shell=False)\nmodel.eval()"))


def test_init_files_only_hand_names_on() -> None:
    assert not broken([file for file in SOURCE if file.name == "__init__.py"], own_code)


def test_code_in_an_init_file_is_found() -> None:
    assert own_code(ast.parse("import x\nx.start()"))
    assert own_code(ast.parse("def helper(): pass"))
    assert not own_code(ast.parse('"""Doc."""\nfrom x import y\n__all__ = ["y"]'))


def test_what_is_public_is_documented() -> None:
    assert not broken(SOURCE, undocumented)


def test_a_missing_docstring_is_found() -> None:
    assert undocumented(ast.parse('"""Doc."""\nclass A: pass')) == ["class A"]
    assert undocumented(ast.parse('"""Doc."""\ndef f(a):\n' + "    a += 1\n" * 5)) == ["function f"]
    assert undocumented(ast.parse("x = 1")) == ["the module"]


def test_nothing_is_left_unfinished() -> None:
    files = [*python_files("zhuji", "benchmarks"), *(ROOT / "scripts").iterdir()]
    assert not [shown(file) for file in files if file.is_file() and UNFINISHED.search(file.read_text(encoding="utf-8"))]


def test_there_is_no_attic() -> None:
    attic = re.compile(r"^_?(utils?|helpers?|misc|common|stuff)$")
    assert not [shown(path) for path in PACKAGE.rglob("*") if attic.match(path.stem)]


def test_every_module_has_its_test() -> None:
    modules = [file for file in SOURCE if not file.stem.startswith("_")]
    mirror = {file: ROOT / "tests" / file.relative_to(PACKAGE).parent / f"test_{file.stem}.py" for file in modules}
    assert not [f"{shown(file)} needs {shown(test)}" for file, test in mirror.items() if not test.exists()]


def test_public_names_carry_their_parameters() -> None:
    tree = ast.parse("X = 1\n_y = 2\ndef f(a, *, b): ...\nclass C:\n    def g(self, z): ...\n    def _h(self): ...")
    assert public_names(tree) == ["C", "C.g(z)", "X", "f(a, *, b)"]
