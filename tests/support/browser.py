"""Headless Chromium, driven as a person would."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

MISSING = "no Chromium with its driver (Debian: apt-get install chromium chromium-driver)"

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def find() -> tuple[Path, Path] | None:
    """The browser and its driver on PATH."""
    browser = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    return (Path(browser), Path(driver)) if browser and driver else None


def start(
    programs: tuple[Path, Path],
    *,
    width: int,
    height: int,
    dark: bool = False,
    language: str = "en",
) -> webdriver.Chrome:
    """A window of this size in CSS pixels; downloads nothing and asks no proxy."""
    browser, driver = programs
    options = webdriver.ChromeOptions()
    options.binary_location = str(browser)
    for argument in (
        "headless=new",
        "no-sandbox",  # there is none to be had in a container
        "disable-dev-shm-usage",
        "no-proxy-server",
        f"lang={language}",
        f"accept-lang={language}",
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(str(driver)))
    command: dict[str, Any] = {"width": width, "height": height, "deviceScaleFactor": 1}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", command | {"mobile": width < 600})
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    return chrome
