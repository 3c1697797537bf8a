"""Pictures of what happened against time, in docs/pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.ticker import Formatter

_SCALED = {"s": "s", "bytes": "B"}
_PLAIN = {"reqps": "req/s", "ops": "/s"}

FOLDER = Path(__file__).parents[2] / "docs/pictures"


@dataclass(frozen=True)
class Line:
    """Seconds and values."""

    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Series(Line):
    """A line in a panel of its own."""

    logarithmic: bool = False
    steps: bool = False


@dataclass(frozen=True)
class Graph:
    """A panel of a dashboard.

    Attributes:
        unit: As Grafana calls it.
    """

    title: str
    unit: str
    lines: Sequence[Line]


def plot(name: str, title: str, series: Sequence[Series]) -> Path:
    """Draw one panel for each series over the same time, as SVG."""
    pyplot = _pyplot(name)
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
    return _save(figure, name)


def plot_grid(name: str, graphs: Sequence[Graph], *, columns: int) -> Path:
    """Draw graphs beside and below each other, as SVG."""
    pyplot = _pyplot(name)
    rows = -(-len(graphs) // columns)
    figure, panels = pyplot.subplots(rows, columns, sharex=True, figsize=(13, 2.1 * rows))
    for panel, graph in zip(panels.flat, graphs, strict=False):
        for line in graph.lines:
            times, values = zip(*line.points, strict=True)
            panel.plot(times, values, linewidth=1.1, label=line.label)
        panel.set_title(graph.title, fontsize=9, loc="left")
        panel.yaxis.set_major_formatter(_in_unit(graph.unit))
        panel.tick_params(labelsize=7)
        panel.set_ylim(bottom=0)
        panel.grid(visible=True, alpha=0.3)
        if graph.lines:
            panel.legend(fontsize=6, framealpha=0.6)
    for panel in panels[-1]:
        panel.set_xlabel("seconds", fontsize=7)
    return _save(figure, name)


def _in_unit(unit: str) -> Formatter:
    """Numbers as Grafana writes those of a unit."""
    from matplotlib.ticker import EngFormatter, PercentFormatter, StrMethodFormatter

    if unit == "percentunit":
        return PercentFormatter(xmax=1)
    if unit in _SCALED:
        return EngFormatter(unit=_SCALED[unit])
    return StrMethodFormatter(f"{{x:g}} {_PLAIN.get(unit, '')}".rstrip())


def _pyplot(name: str) -> ModuleType:
    """matplotlib for a picture; it is imported only where one is drawn."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    mpl.rcParams["svg.fonttype"] = "none"  # letters, not their outlines
    mpl.rcParams["svg.hashsalt"] = name  # the same ids each time: differences are the data's
    return pyplot


def _save(figure: Figure, name: str) -> Path:
    from matplotlib import pyplot

    figure.tight_layout()
    FOLDER.mkdir(parents=True, exist_ok=True)
    target = FOLDER / f"{name}.svg"
    figure.savefig(target, metadata={"Date": None})
    pyplot.close(figure)
    return target
