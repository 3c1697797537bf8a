"""Pictures of what happened against time, in docs/pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs/pictures"


@dataclass(frozen=True)
class Series:
    """A line: seconds and values."""

    label: str
    points: Sequence[tuple[float, float]]
    logarithmic: bool = False
    steps: bool = False


def plot(name: str, title: str, series: Sequence[Series]) -> Path:
    """Draw one panel for each series over the same time, as SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    mpl.rcParams["svg.hashsalt"] = name  # the same ids each time: differences are the data's
    figure, panels = pyplot.subplots(len(series), sharex=True, figsize=(8, 1.7 * len(series) + 0.6))
    for panel, one in zip(panels, series, strict=True):
        times, values = zip(*one.points, strict=True)
        style = {"drawstyle": "steps-post"} if one.steps else {}
        panel.plot(times, values, linewidth=1.2, **style)
        panel.set_ylabel(one.label, fontsize=8)
        panel.set_yscale("log" if one.logarithmic else "linear")
        if not one.logarithmic:
            panel.set_ylim(bottom=0)
        panel.grid(visible=True, alpha=0.3)
    panels[0].set_title(title, fontsize=10)
    panels[-1].set_xlabel("seconds", fontsize=8)
    figure.tight_layout()
    FOLDER.mkdir(parents=True, exist_ok=True)
    target = FOLDER / f"{name}.svg"
    figure.savefig(target, metadata={"Date": None})
    pyplot.close(figure)
    return target
