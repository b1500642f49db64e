"""The documentation's links lead somewhere, its example works, and both README files say the same."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest
import torch

from zhuji.core.units import Features

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
GENERATED = "reference/"


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if GENERATED not in link]
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_page_is_in_the_navigation() -> None:
    listed = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert not [page for page in pages if not page.startswith(GENERATED) and f'"{page}"' not in listed]


def test_the_two_readmes_have_the_same_commands() -> None:
    english, chinese = (ROOT / "README.md", ROOT / "README.zh-CN.md")
    for language in ("console", "python"):
        assert code_blocks(english, language) == code_blocks(chinese, language)


def test_the_readme_names_the_test_command() -> None:
    assert "scripts/test" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "scripts/test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_example_of_a_new_backbone_works(monkeypatch: pytest.MonkeyPatch) -> None:
    source = code_blocks(ROOT / "docs" / "extending.md", "python")[0]
    module = types.ModuleType("zhuji.backbones.mixer")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(source, vars(module))
    part = module.Mixer.example()
    assert (part.name(), type(part).parse(part.plain())) == ("mixer", part)
    body, states = part.body(causal=False), torch.randn(2, 5, part.stem_width)
    short = body(Features(states, torch.ones(2, 5, dtype=torch.bool)))
    padded = torch.cat([states, torch.randn(2, 3, part.stem_width)], 1)
    longer = body(Features(padded, torch.arange(8).expand(2, 8) < 5))
    torch.testing.assert_close(longer.states[:, :5], short.states)
    assert not longer.states[:, 5:].any()
