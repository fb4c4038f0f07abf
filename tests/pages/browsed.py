"""What is asked about, the pages that are written, and what an open page shows as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from playwright.sync_api import Page

    Many = Callable[[Iterable[list[str]]], list[str]]
    Command = Callable[[list[str]], list[str]]

DAY = "2026-11-02"
"""The day on which the answers are given."""
LONGEST_NAME = "a-name-of-forty-characters-the-most-of-a"
WORKLOADS: dict[str, dict[str, Any]] = {
    "bare": {"serving": {"pattern": "request-response"}},
    "demo": {"serving": {"pattern": "request-response"}, "stage": "demo", "lifetime": "2h"},
    "pilot": {"serving": {"pattern": "request-response"}, "stage": "pilot", "team": {"knows": ["azure-ml"]}},
    "kubernetes": {
        "serving": {"pattern": "request-response"},
        "hardware": {"gpu": "required"},
        "team": {"knows": ["docker", "kubernetes"]},
    },
    "level": {
        "serving": {"pattern": "request-response"},
        "stage": "pilot",
        "priorities": {"ease_of_deployment": 0},
    },
    "elsewhere": {
        "serving": {"pattern": "request-response", "availability": 99.9},
        "hardware": {"gpu": "preferred"},
        "region": "germanywestcentral",
    },
    "stream": {"serving": {"pattern": "stream"}, "data": {"sensitivity": "regulated"}},
    "spark": {"serving": {"pattern": "scheduled-batch"}, "batch": {"needs": "spark"}},
    "batch": {"serving": {"pattern": "triggered-batch"}, "model": {"gflops": 23}},
    "nightly": {"serving": {"pattern": "scheduled-batch"}, "stage": "demo"},
    "database": {"serving": {"pattern": "in-database"}, "data": {"location": "sql-server", "may_move": False}},
    "device": {"serving": {"pattern": "on-device"}},
    "one": {"serving": {"pattern": "request-response"}, "constraints": {"only": ["aks-cpu"]}},
    "off-step": {
        "serving": {"pattern": "request-response"},
        "priorities": {"speed": 2.3333333, "scalability": 0.0000001, "data_proximity": 4.95, "debuggability": 0},
    },
    LONGEST_NAME: {"serving": {"pattern": "scheduled-batch"}},
    "nothing": {"serving": {"pattern": "request-response"}, "constraints": {"only": ["batch-ai"]}},
    "llm": {"serving": {"pattern": "request-response"}, "model": {"framework": "llm"}},
}
"""What is asked about, but for the name, which is the key."""
REFUSED = ("nothing", "llm")
"""The workloads that no platform takes."""
EDITIONS = ("2018", "2026")
ASKED = [(name, edition) for name in WORKLOADS for edition in EDITIONS]
RANKED = [(name, edition) for name, edition in ASKED if name not in REFUSED]

PAGES: dict[str, list[str]] = {
    **{f"recommend {name} {edition}": ["recommend", name, "--edition", edition] for name, edition in ASKED},
    **{f"heatmap {edition}": ["heatmap", "--edition", edition] for edition in EDITIONS},
    "heatmap of a workload": ["heatmap", "--workload", "demo"],
    "heatmap then and now": ["heatmap", "--then-now"],
    **{f"continuum {edition}": ["continuum", "--edition", edition] for edition in EDITIONS},
    **{f"continuum of {name}": ["continuum", "--workload", name] for name in ("demo", LONGEST_NAME)},
}
"""The command that writes each page; a workload's name stands for its file."""
KINDS = (
    "recommend demo 2026",
    "recommend elsewhere 2026",
    f"recommend {LONGEST_NAME} 2018",
    "recommend nothing 2026",
    "heatmap 2026",
    "heatmap of a workload",
    "heatmap then and now",
    f"continuum of {LONGEST_NAME}",
)
"""Pages that differ in what is on them."""

READ = """() => ({
    rows: [...document.querySelectorAll("#ranked tr")].map((row) => [
        row.dataset.platform,
        row.querySelector(".rank").textContent,
        row.querySelector(".score").textContent,
        Number(row.dataset.score),
        row.querySelector(".cost")?.textContent ?? null,
    ]),
    weights: Object.fromEntries(
        [...document.querySelectorAll("[data-weight]")].map((shown) => [shown.dataset.weight, shown.textContent])),
    sliders: [...document.querySelectorAll("input[data-criterion]")].map((slider) => slider.value),
    lead: document.getElementById("lead").textContent,
    keep: !document.getElementById("keep").hidden,
    priorities: document.getElementById("priorities").textContent,
})"""
MOVE = """([weights, step]) => {
    for (const [criterion, weight] of Object.entries(weights)) {
        const slider = document.querySelector(`input[data-criterion="${criterion}"]`);
        slider.step = step;
        slider.value = weight;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
    }
}"""


@dataclass(frozen=True)
class State:
    """What a page with sliders shows; a row is a platform, rank and score as shown, the score in full, and the cost."""

    rows: list[list[Any]]
    weights: dict[str, str]
    sliders: list[str]
    lead: str
    keep: bool
    priorities: str


@dataclass(frozen=True)
class Opened:
    """An open page, and what the browser said and asked for since."""

    page: Page
    said: list[str]
    requests: list[str]

    def move(self, weights: dict[str, float], step: str = "0.1") -> None:
        """Move sliders; a step of `any` lets them take every number."""
        self.page.evaluate(MOVE, [weights, step])

    def state(self) -> State:
        """Return what a page with sliders shows."""
        return State(**self.page.evaluate(READ))


class Open(Protocol):
    """Opens a page by its name or path in a context of its own."""

    def __call__(
        self,
        page: str | Path,
        *,
        width: int = 1280,
        scheme: Literal["dark", "light"] = "light",
        **options: Any,  # noqa: ANN401  of a context
    ) -> Opened:
        """Open it in a window so wide, in a colour scheme."""
