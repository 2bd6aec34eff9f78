"""Colours of the widget: each is documented, visible, and told apart by people who do not tell red from green."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from fuse_widgets.engine.states import NodeState

ROOT = Path(__file__).parents[2]
STYLES = {path.name: path.read_text() for path in (ROOT / "js" / "src" / "view").glob("*.css")}
#: JupyterLab's backgrounds.
BACK = {"light": "#ffffff", "dark": "#111111"}
#: What a person has to tell apart at a glance.
APART = ("done", "running", "failed", "match")
#: Deuteranopia and protanopia (Machado, Oliveira and Fernandes, 2009), on linear RGB.
BLIND = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}  # fmt: skip


def colours(theme: str) -> dict[str, str]:
    """The plain colours of a theme by name, without `--fuse-`."""
    light, dark = re.split(r'\.fuse-widget\[data-fuse-theme="dark"\]', STYLES["style.css"], maxsplit=1)
    block = light if theme == "light" else dark[: dark.index("}")]
    return dict(re.findall(r"--fuse-([a-z-]+): (#[0-9a-f]{6});", block))


def linear(colour: str) -> np.ndarray:
    """Linear RGB of `#rrggbb`."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def luminance(rgb: np.ndarray) -> float:
    return float(rgb @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    """The contrast of WCAG, 1 to 21."""
    low, high = sorted([luminance(linear(a)), luminance(linear(b))])
    return (high + 0.05) / (low + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB."""
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.clip(matrix @ rgb, 0, None) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_every_colour_is_documented() -> None:
    own = {"of", "of-state"}  # what a rule tells the rules inside of it
    made = set(re.findall(r"^ +--fuse-([a-z-]+):", "\n".join(STYLES.values()), re.M)) - own
    told = set(re.findall(r"`--fuse-([a-z-]+)`", (ROOT / "docs" / "looks.md").read_text()))
    assert made == told


@pytest.mark.parametrize("theme", BACK)
@pytest.mark.parametrize("state", NodeState)
def test_the_colour_of_a_state_is_visible(theme: str, state: NodeState) -> None:
    assert contrast(colours(theme)[str(state)], BACK[theme]) >= 3


@pytest.mark.parametrize("theme", BACK)
@pytest.mark.parametrize("state", ["running", "paused", "done", "cached", "failed", "cancelled"])
def test_names_on_the_colour_of_a_state_can_be_read(theme: str, state: str) -> None:
    assert contrast(colours(theme)["on-state"], colours(theme)[state]) >= 4.5


@pytest.mark.parametrize("theme", BACK)
@pytest.mark.parametrize("blindness", BLIND)
def test_what_matters_is_told_apart_without_red_and_green(theme: str, blindness: str) -> None:
    seen = {name: lab(np.array(BLIND[blindness]) @ linear(colours(theme)[name])) for name in APART}
    near = {(a, b): np.linalg.norm(seen[a] - seen[b]) for a, b in combinations(APART, 2)}
    assert {pair: round(float(d), 1) for pair, d in near.items() if d < 15} == {}
