"""The report of a simulation: tables, plots, page and JSON, of a small cohort made by hand."""

import json
import struct
import zlib
from html.parser import HTMLParser
from io import StringIO

import pytest
from rich.console import Console

from shared.simulation.course import Course
from shared.simulation.page import page_of
from shared.simulation.plot import CAPTIONS, plots_of
from shared.simulation.run import Report, Run, as_json, report_of
from shared.simulation.table import grids_of, rich_table
from shared.simulation.trial import Reproduced
from tests.support.virtual_course import alert, course, failing, under_each_plan

RUN = Run(
    patients=22,
    weeks=20,
    seed=7,
    model="tissue",
    archetypes=(),
    protocols={"gluteal_tendinopathy": "1.2.3"},
    digest="0123456789abcdef",
    fitted_to=("Z01",),
    fitted=("Z01 EDX success",),
    predicted=("Z03 isometric VISA-G",),
)
TRIALS = (
    Reproduced("Z01", "education and exercise", "mean pain at 8 weeks", 1.5, 1.7, 0.5, True),
    Reproduced("Z03", "isometric", "patients better by 2 points", 0.55, 0.9, 0.2, False),
)


def report(trials: tuple[Reproduced, ...] = TRIALS) -> Report:
    """Ten responders, ten non-responders, one red flag and one silent patient, under three plans."""
    adaptive: list[Course] = [course(patient) for patient in range(10)]
    adaptive += [failing(patient, 90) for patient in range(10, 20)]
    flag = alert("red_flag", 40, "emergency", is_same_event=True)
    adaptive.append(course(20, archetype="red_flag", adequate_day=None, red_flag_day=40.0, alerts=(flag,)))
    adaptive.append(course(21, archetype="silent", adequate_day=None, alerts=(alert("no_contact", 30),)))
    courses = [one for found in adaptive for one in under_each_plan(found, flare_days=5)]
    return report_of(RUN, courses, trials)


class Page(HTMLParser):
    """A page as a reader's browser takes it apart. Fails where a tag is closed that was not open."""

    VOID = ("meta", "img", "br", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tables = 0
        self.images: list[str] = []
        self.cells: list[str] = []
        self.references: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.references += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag == "img":
            self.images.append(found["src"] or "")
            assert found["alt"], "an image without words for who cannot see it"
        if tag not in self.VOID:
            self.open.append(tag)
        self.tables += tag == "table"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th", "h2", "p", "li"):
            self.cells.append(data)


def size_of(image: bytes) -> tuple[int, int, int]:
    """Width, height and how many different rows of pixels a PNG holds. Raises where it is none."""
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", image[16:24])
    at, packed = 8, b""
    while at < len(image):
        (length,) = struct.unpack(">I", image[at : at + 4])
        if image[at + 4 : at + 8] == b"IDAT":
            packed += image[at + 8 : at + 8 + length]
        at += 12 + length
    pixels = zlib.decompress(packed)
    per_row = len(pixels) // height
    return width, height, len({pixels[row * per_row : (row + 1) * per_row] for row in range(height)})


@pytest.fixture(scope="module")
def plots() -> dict[str, bytes]:
    """The plots of the cohort, drawn once."""
    return plots_of(report())


def test_every_plot_is_an_image_with_something_in_it(plots: dict[str, bytes]) -> None:
    """An empty canvas would have one kind of row; each plot has a caption of its own."""
    assert set(plots) == set(CAPTIONS)
    for name, image in plots.items():
        width, height, kinds = size_of(image)
        assert width >= 400, name
        assert height >= 250, name
        assert kinds > 50, name


def test_the_trials_are_drawn_only_where_they_were_simulated() -> None:
    """No empty plot, no empty table."""
    without = report(trials=())
    assert "trials" not in plots_of(without)
    assert "trials" not in [grid.key for grid in grids_of(without)]


def test_a_cohort_of_one_patient_can_be_drawn() -> None:
    """A look at a single patient ends in a report too, with what cannot be measured left open."""
    found = report_of(RUN, list(under_each_plan(course(1))))
    assert len(plots_of(found)) == 6
    assert any("not measured" in row for row in grids_of(found)[0].rows)


def test_the_page_holds_every_table_and_every_plot_and_needs_nothing_else(plots: dict[str, bytes]) -> None:
    """It can be mailed: nothing is loaded from anywhere, and every figure of every table stands in it."""
    found = report()
    page = Page(page_of(found, plots))
    grids = grids_of(found)
    assert page.open == []
    assert page.tables == len(grids) + 1
    assert len(page.images) == len(plots)
    assert all(reference.startswith("data:image/png;base64,") for reference in page.references)
    for grid in grids:
        assert grid.title in page.cells
        for row in grid.rows:
            for cell in filter(None, row):
                assert cell in page.cells


def test_the_page_says_what_was_asked_for_and_what_it_does_not_show(plots: dict[str, bytes]) -> None:
    """Seed, model and versions, so that it can be repeated; virtual patients only, so that nobody is misled."""
    text = page_of(report(), plots)
    for word in ("22 patients, 20 weeks, seed 7", "tissue", "1.2.3", "0123456789abcdef", "Every patient is virtual"):
        assert word in text
    assert "Z01" in text


def test_words_from_outside_are_shown_and_never_run(plots: dict[str, bytes]) -> None:
    """A protocol folder is somebody else's: what stands in it is text on the page."""
    bad = Run(**{field: getattr(RUN, field) for field in Run.__slots__} | {"protocols": {"<script>": "1.0.0"}})
    found = report()
    text = page_of(Report(bad, found.targets, found.figures, found.trials), plots)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_the_targets_come_first_on_a_terminal_and_nothing_is_cut(plots: dict[str, bytes]) -> None:
    """Whoever looks at a file or a pipe sees every figure, without lines or colours."""
    console = Console(file=StringIO(), width=180)
    grids = grids_of(report())
    for grid in grids:
        console.print(rich_table(grid, is_plain=True))
    text = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert grids[0].key == "targets"
    assert "10 of 10: 100.0% (69.2% to 100.0%)" in text
    assert "\x1b" not in text
    assert "…" not in text
    assert not set(text) & set("│─┃━╭╰")


def test_the_same_run_gives_the_same_bytes() -> None:
    """JSON of a run can be compared with JSON of another."""
    assert as_json(report()) == as_json(report())


def test_the_json_holds_the_targets_with_their_intervals() -> None:
    """Other programs read what people read."""
    found = json.loads(as_json(report()))
    sensitivity = found["targets"][0]
    assert sensitivity["is_met"] is True
    assert sensitivity["measured"]["count"] == sensitivity["measured"]["of"] == 10
    assert sensitivity["measured"]["low"] == pytest.approx(0.69150, abs=1e-5)
    assert found["run"]["seed"] == 7
    assert [one["is_within"] for one in found["trials"]] == [True, False]
    assert found["limits"]


def test_a_trial_outside_its_tolerance_is_a_miss() -> None:
    """A run is only as good as the arms that it repeats."""
    assert not report(trials=TRIALS[:1]).has_missed
    assert report().has_missed
