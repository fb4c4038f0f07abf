"""Pages that the command writes, and a browser that opens them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from browsed import DAY, PAGES, WORKLOADS, Opened
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browsed import Command, Many, Open
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Request

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # a root user, as in a container, has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def workloads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the workload files by name."""
    folder = tmp_path_factory.mktemp("workloads")
    found = {name: folder / f"{name}.yaml" for name in WORKLOADS}
    for name, path in found.items():
        fields = {"name": name, **WORKLOADS[name]}
        path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in fields.items()))
    return found


@pytest.fixture(scope="session")
def asked(workloads: dict[str, Path]) -> Command:
    """Return a function that puts files for names of workloads into a command, and the day."""

    def command(arguments: list[str]) -> list[str]:
        return [*(str(workloads.get(argument, argument)) for argument in arguments), f"--as-of={DAY}"]

    return command


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory, many: Many, asked: Command) -> dict[str, Path]:
    """Return every page, as the command writes it."""
    folder = tmp_path_factory.mktemp("pages")
    found = {name: folder / f"{name}.html" for name in PAGES}
    printed = many([*asked(PAGES[name]), "--file", str(path)] for name, path in found.items())
    assert printed == [""] * len(PAGES)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the one browser of a file of tests: the system's Chromium, with a profile of its own.

    Not of the session: as long as Playwright runs, nothing else in this thread can run an event loop.
    """
    path = shutil.which("chromium")
    if not path:
        pytest.skip("needs the program chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, pages: dict[str, Path]) -> Iterator[Open]:
    """Return a function that opens a page in a context of its own."""
    contexts: list[BrowserContext] = []

    def opened(
        page: str | Path,
        *,
        width: int = 1280,
        scheme: Literal["dark", "light"] = "light",
        **options: Any,  # noqa: ANN401  of a context
    ) -> Opened:
        contexts.append(browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, **options))
        found = Opened(contexts[-1].new_page(), [], [])

        def heard(message: ConsoleMessage) -> None:
            found.said.append(f"{message.type}: {message.text}")

        def asked_for(request: Request) -> None:
            found.requests.append(request.url)

        found.page.on("console", heard)
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("request", asked_for)
        found.page.goto((page if isinstance(page, Path) else pages[page]).as_uri())
        return found

    yield opened
    for context in contexts:
        context.close()
