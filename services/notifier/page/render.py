"""Templates to HTML: everything escaped, and an error rather than a gap where a value is missing."""

from datetime import datetime, timedelta
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from services.notifier.page import wording
from services.notifier.page.access import ESCALATION, INBOX
from services.notifier.page.config import PageConfig
from services.notifier.page.dossier import exercise_name
from shared.protocol.library import Protocols

FOLDER = Path(str(files("services.notifier.page") / "template"))


class Renderer:
    """Knows the words of the page and where its paths lie."""

    def __init__(self, config: PageConfig, protocols: Protocols) -> None:
        environment = Environment(
            loader=FileSystemLoader(FOLDER),
            undefined=StrictUndefined,
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {
            "plain": wording.plain,
            "field": wording.field,
            "sentence": wording.sentence,
            "number": wording.number,
            "percent": wording.percent,
            "age": wording.age,
            "instrument": wording.instrument,
            "exercise": partial(exercise_name, protocols),
            "instant": _time,
        }
        environment.globals |= {
            "base": config.base,
            "inbox_path": config.base + INBOX,
            "escalation_path": config.base + ESCALATION,
            "by_login": config.access == "login",
            "words": wording,
            "link_days": config.link_life // timedelta(days=1),
        }
        self._environment = environment

    def page(self, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        text = self._environment.get_template(template).render(**({"recipient": "", "out_word": ""} | context))
        return HTMLResponse(text, status)


def _time(at: datetime, zone: ZoneInfo) -> Markup:
    """An instant for people and for machines."""
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), wording.instant(at, zone))
