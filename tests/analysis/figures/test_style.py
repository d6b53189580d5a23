"""The layout of panels: labels beside them stay inside the figure."""

import pytest

from wganbench.analysis.figures import style


@pytest.mark.parametrize(("label", "is_moved"), [("0.1", False), ("-0.000000001", True)])
def test_panels_make_room_for_the_labels_beside_them(label, is_moved):
    with style.theme():
        figure = style.panels(2, "a title", "about it")
        for axes, shown in zip(figure.axes, [label, "0.1"], strict=True):
            axes.set(ylabel="distance", yticks=[0.5], yticklabels=[shown])
        left = figure.axes[0].get_position().x0
        style.png(figure)
        boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert boxes[0].x0 >= 0
    assert bool(figure.axes[0].get_position().x0 > left) is is_moved
    assert boxes[0].x1 < boxes[1].x0, "panels stay apart"
    assert boxes[1].x1 <= figure.bbox.width
