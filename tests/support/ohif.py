"""OHIF in a headless Chromium: what it lists, what it draws and where, read from the page itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

from tests.support.polling import eventually
from tests.support.real_data import ROOT
from tests.support.viewer_site import DICOM_WEB_PLUGIN

FOLDER = ROOT / "build" / "ohif" / "package" / "dist"
"""Where `.ci/install-viewer` puts it."""
PATIENCE_S = 150.0
"""A busy machine draws by software: most of this is waiting for its turn."""
SPINNERS = ("Loading", "Loaded ")
_FLAGS = (
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
)
_VIEWPORT = """(() => {
  const id = window.services.viewportGridService.getActiveViewportId();
  return window.services.cornerstoneViewportService.getCornerstoneViewport(id);
})()"""
_NEXT = '[data-cy="viewport-action-arrows-right"]'
_SERIES = '[data-cy^="study-browser-thumbnail"]'
Colours = npt.NDArray[np.float64]


def require(found: Path | None, *, what: str, remedy: str) -> Path:
    """The path; without it the test skips with the reason, and fails in continuous integration."""
    if found is not None:
        return found
    message = f"{what} is not installed: {remedy}"
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(message)
    pytest.skip(message)


def find_chromium() -> Path:
    """Debian's Chromium, or another one on the path."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    return require(Path(found) if found else None, what="Chromium", remedy="`apt-get install chromium`")


def find_ohif() -> Path:
    """OHIF as it is built."""
    is_there = (FOLDER / "index.html").is_file()
    return require(FOLDER if is_there else None, what="OHIF", remedy="`.ci/install-viewer`")


def find_dicom_web() -> Path:
    """Orthanc's plugin."""
    is_there = DICOM_WEB_PLUGIN.is_file()
    remedy = "`apt-get install orthanc-dicomweb`"
    return require(DICOM_WEB_PLUGIN if is_there else None, what="Orthanc's DICOMweb", remedy=remedy)


@contextmanager
def open_browser(program: Path) -> Iterator[Browser]:
    """A headless Chromium that draws without a graphics card."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Ohif:
    """One study in one page.

    Args:
        browser: what opens the page.
        url: the viewer's address.
        study_uid: the study.
        mode: OHIF's mode: `viewer`, or `segmentation`, which lists the segments.
    """

    def __init__(self, browser: Browser, *, url: str, study_uid: str, mode: str = "viewer") -> None:
        self.errors: list[str] = []
        self.page: Page = browser.new_page(viewport={"width": 1200, "height": 800})
        self.page.set_default_timeout(PATIENCE_S * 1000.0)
        self.page.on("pageerror", self._page_failed)
        self.page.on("console", self._console_said)
        # The tour of the first visit lies over the images.
        self.page.add_init_script("localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))")
        self.page.goto(f"{url}/{mode}?StudyInstanceUIDs={study_uid}")
        self.page.wait_for_selector(_SERIES)
        self.page.wait_for_function(f"() => {_VIEWPORT}?.getCurrentImageId?.()")

    def close(self) -> None:
        """Leave the page."""
        self.page.close()

    def open_series(self, number: int) -> None:
        """Open a series by its number, as a reader does: by a double click on it."""
        skip = self.page.get_by_text("Skip all")
        if skip.count():
            skip.first.click()
        self.page.locator(_SERIES, has_text=f"S:{number}").first.dblclick()

    def await_rest(self) -> None:
        """Wait until nothing is said to be loading."""
        self.until(lambda: not any(self.page.get_by_text(word).count() for word in SPINNERS))

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until the page has come so far. Raises AssertionError with the page's own errors."""
        try:
            eventually(lambda: bool(condition()), timeout_s=PATIENCE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; the page said: {self.errors}") from error

    def text(self) -> str:
        """All text that the page shows."""
        return str(self.page.inner_text("body"))

    def measurements(self, number: int) -> list[dict[str, Any]]:
        """The measurements of an SR series: its tracking, texts, image, and whether each was loaded."""
        script = """number => window.services.displaySetService.getActiveDisplaySets()
          .filter(set => set.Modality === 'SR' && set.SeriesNumber == number)
          .flatMap(set => set.measurements || [])
          .map(item => ({tracking: item.TrackingIdentifier, loaded: Boolean(item.loaded), image: item.imageId || '',
            texts: (item.labels || []).map(label => `${label.label}: ${label.value}`)}))"""
        return list(self._evaluate(script, number) or [])

    def next_measurement(self) -> None:
        """Go to the next measurement, by the arrow above the image."""
        self.page.locator(_NEXT).first.click()

    def image(self) -> str:
        """What the active viewport shows: an address that ends in the instance and the frame."""
        return str(self._evaluate(f"() => {_VIEWPORT}?.getCurrentImageId?.() || ''"))

    def segments(self) -> dict[int, str]:
        """The segments' names by number."""
        script = """() => window.services.segmentationService.getSegmentations().flatMap(
          item => Object.values(item.segments).map(part => [part.segmentIndex, part.label]))"""
        return {int(number): str(name) for number, name in self._evaluate(script) or []}

    def colours(self) -> dict[int, tuple[int, int, int]]:
        """The segments' colours by number, 0 to 255."""
        script = """() => { const service = window.services.segmentationService;
          const view = window.services.viewportGridService.getActiveViewportId();
          return service.getSegmentations().flatMap(item => Object.keys(item.segments).map(
            number => [Number(number), service.getSegmentColor(view, item.segmentationId, Number(number))])) }"""
        return {int(number): tuple(colour[:3]) for number, colour in self._evaluate(script) or []}

    def show_segment(self, number: int) -> None:
        """Show one segment and hide the others."""
        script = """number => { const service = window.services.segmentationService;
          const view = window.services.viewportGridService.getActiveViewportId();
          for (const item of service.getSegmentations())
            for (const part of Object.values(item.segments))
              service.setSegmentVisibility(view, item.segmentationId, part.segmentIndex,
                part.segmentIndex === number) }"""
        self._evaluate(script, number)

    def show_image(self, instance_uid: str, *, frame: int = 1) -> None:
        """Show an image of the series in the active viewport."""
        script = f"""ending => {{ const view = {_VIEWPORT};
          const index = view.getImageIds().findIndex(name => name.endsWith(ending));
          view.setImageIdIndex(index); }}"""
        self._evaluate(script, f"/{instance_uid}/frames/{frame}")

    def paint(self, *, shape: tuple[int, int]) -> Colours:
        """The colour (row, column, RGB) on the screen at the centre of each pixel of the image that is shown."""
        script = f"""([rows, columns]) => {{
          const view = {_VIEWPORT}, image = view.getImageData().imageData;
          const context = view.canvas.getContext('2d'), ratio = window.devicePixelRatio, out = [];
          const data = context.getImageData(0, 0, view.canvas.width, view.canvas.height).data;
          const slice = view.getSliceIndex && view.type !== 'stack' ? view.getSliceIndex() : 0;
          for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {{
            const [x, y] = view.worldToCanvas(image.indexToWorld([column, row, slice]));
            const at = 4 * (Math.floor(y * ratio) * view.canvas.width + Math.floor(x * ratio));
            out.push(data[at], data[at + 1], data[at + 2]); }}
          return out; }}"""
        values = self._evaluate(script, list(shape))
        return np.asarray(values, dtype=np.float64).reshape(*shape, 3)

    def _evaluate(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)

    def _page_failed(self, error: Error) -> None:
        self.errors.append(str(error))

    def _console_said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)


def tint(colours: Colours | Sequence[int]) -> Colours:
    """What makes a colour no grey: red less green, green less blue. Of a blend with grey it keeps the direction."""
    values = np.asarray(colours, dtype=np.float64)
    return np.stack([values[..., 0] - values[..., 1], values[..., 1] - values[..., 2]], axis=-1)
