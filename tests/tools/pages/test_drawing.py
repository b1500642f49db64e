from xml.dom import minidom

from zhuji.tools.pages.drawing import ACCENT, draw


def test_a_picture_is_sealed_themed_and_deterministic() -> None:
    def paint(ax) -> None:
        ax.plot([0, 1], [0, 1], color=ACCENT, label="类别 <&>$x_1$")
        ax.legend()

    first, second = (draw("p", "t", 'says "<&>"', (3, 2), paint) for _ in range(2))
    assert first == second and "http" not in first.svg and f"var(--accent, {ACCENT})" in first.svg
    svg = minidom.parseString(first.file).documentElement
    assert svg.getAttribute("aria-label") == 'says "<&>"'
    assert "类别 &lt;&amp;&gt;$x_1$" in first.svg, "text stays text, and dollars are no mathematics"
