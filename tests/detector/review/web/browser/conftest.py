"""A real browser: Chromium, by Playwright, with nothing that it would ask of the network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desk_office import PASSWORD
from desk_server import PATIENCE_MS, running
from playwright.sync_api import Browser, Page, expect, sync_playwright

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
SignIn = Callable[[str], Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Return a Chromium that is installed on this machine."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium on this machine: `apt-get install chromium`")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def address(office) -> Iterator[str]:
    """Serve the desk, and return its address."""
    with running(office.app) as address:
        yield address


@pytest.fixture
def sign_in(chromium: Browser, address: str) -> Iterator[SignIn]:
    """Return a function that signs somebody in, in a window of their own."""
    contexts = []

    def signed_in(name: str, **options: object) -> Page:
        context = chromium.new_context(base_url=address, **options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.goto("/")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector(".queue-head")
        page.wait_for_load_state()  # keys are heard from when the page's scripts are there
        return page

    yield signed_in
    for context in contexts:
        context.close()


@pytest.fixture
def keep_picture() -> Callable[[Page, str], None]:
    """Return a function that keeps a picture of a page in the folder MATCHCUT_TEST_PICTURES."""
    folder = os.environ.get("MATCHCUT_TEST_PICTURES")

    def keep(page: Page, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png")

    return keep
