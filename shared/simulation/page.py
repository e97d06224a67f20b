"""The report as one page that needs nothing beside it: plots within. Needs the extra `plots`."""

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.simulation.plot import CAPTIONS
from shared.simulation.run import LIMITS, Report
from shared.simulation.table import NAMES, grids_of, words

TEMPLATE = "page.html"


def page_of(report: Report, plots: Mapping[str, bytes]) -> str:
    """The page with every table and these PNG images."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, autoescape=True
    )
    environment.filters["words"] = words
    return environment.get_template(TEMPLATE).render(
        run=report.run,
        archetypes=[NAMES[archetype] for archetype in report.run.archetypes],
        limits=LIMITS,
        grids=grids_of(report),
        plots=[
            {"base64": b64encode(image).decode("ascii"), "caption": CAPTIONS[name]} for name, image in plots.items()
        ],
    )
