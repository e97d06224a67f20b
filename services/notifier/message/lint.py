"""What must not leave the house, looked for in messages as they are sent and in the templates themselves.

rule         finds
private      a name, a contact or a pseudonym that the caller knows of
birth        a date without a time of day, or one of long ago; words that announce one
diagnosis    a condition, a red flag, a symptom, a finding, the reason of an escalation
contact      a mail address, a telephone number
elsewhere    an address of the web other than the message's own links
remote       what a mail program would load, run or send: images, styles, scripts, forms, tracking pixels
field        a template that asks for what an outward context does not hold, so for free text
unescaped    a template that switches escaping off
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from html import unescape
from html.parser import HTMLParser
from typing import Any, get_args

from jinja2 import meta, nodes

from services.notifier.channels.channel import Message, chart_cid
from services.notifier.message.chart import LABELS
from services.notifier.message.context import Alert, Chart, Digest, DigestItem, NextStep, Notice, Reminder
from services.notifier.message.rendering import TEMPLATES, environment
from shared.event.escalation import EscalationReason
from shared.event.vocabulary import vocabulary

INWARD = ("sbar.txt",)
"""Templates whose text stands behind the link."""
CLINICAL_WORDS = (
    "pain", "buttock", "hip", "groin", "pelvis", "tendon", "nerve", "spine", "red flag", "diagnosis", "disease",
    "cancer", "tumour", "tumor", "metastasis", "fracture", "infection", "sepsis", "cauda equina", "thrombosis",
    "embolism", "aneurysm", "arthritis", "sciatica", "pregnant", "pregnancy", "suicide", "self-harm", "surgery",
    "injection",
)  # fmt: skip
"""Beside the vocabulary's own."""
SMALL_WORDS = ("joint", "deep", "pain")
"""Of the names of conditions, those that are no diagnosis."""
OUTWARD = (Alert, Digest, DigestItem, Notice, Reminder, NextStep, Chart)
NAMES = frozenset({"alert", "digest", "notice", "subject", "cid", "acknowledgement"})
"""What the templates of outward messages are given."""

_INSTANT = re.compile(r"\b20[2-9]\d-\d\d-\d\d[ T]\d\d:\d\d")
"""Our own way to write one: it is no birthday."""
_BIRTH = re.compile(
    r"\b(?:born|birth ?day|birth|dob|aged?)\b"
    r"|\b(?:19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}\b"
    r"|\b\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d\d\b"
    r"|\b\d{1,2}(?:st|nd|rd|th|\.)? (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* (?:19|20)\d\d\b",
    re.IGNORECASE,
)
_CONTACT = re.compile(r"[^\s<>\"']+@[\w-]+\.[\w.-]+|(?<![\w.])\+\d[\d ()/-]{6,}\d")
_WEB = re.compile(r"(?:https?:)?//[^\s<>\"']+|\bwww\.[^\s<>\"']+", re.IGNORECASE)
_OWN = re.compile(r"//clinic\.example/mail\b")
"""The source of an event in the text: a name, which nobody opens."""
_CHART = re.compile(
    r"Pain by week, 0 none to 10 worst: week \d+: (?:\d+(?:\.\d+)?|not reported)"
    r"(?:; week \d+: (?:\d+(?:\.\d+)?|not reported))*\."
    rf"(?: Marked: (?:(?:{'|'.join(LABELS.values())}) in week \d+(?:; )?)+\.)?"
    r"|\{\{ *alert\.chart\.alt *\}\}"
)
"""All that the words of a chart may say."""
_STYLE = re.compile(r"@import|url\s*\(|expression\s*\(", re.IGNORECASE)
_EXPRESSION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_STATEMENT = re.compile(r"\{[%#].*?[%#]\}", re.DOTALL)
_LOADING = frozenset(
    {"src", "srcset", "background", "poster", "data", "action", "formaction", "ping", "xlink:href", "cite", "longdesc"}
)
_ACTIVE = frozenset(
    {"script", "link", "iframe", "frame", "object", "embed", "applet", "form", "input", "button", "base", "video",
     "audio", "source", "svg", "style", "picture", "portal"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that must not leave the house."""

    place: str
    """`subject`, `text`, `html`, `short` or `data`; of a template its name."""
    rule: str
    found: str
    """Empty where saying it would be the same mistake."""

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}" + (f": {self.found}" if self.found else "")


def lint_message(message: Message, private: Iterable[str] = ()) -> tuple[Problem, ...]:
    """A message as it would be sent. `private`: what is known of the patient and must not be in it."""
    links = tuple(_links(message.data))
    secrets = [secret for secret in (*private, message.patient_id) if len(secret) > 1]
    bodies = {
        "subject": message.subject,
        "text": message.text,
        "short": message.short,
        "data": "\n".join(_strings(message.data)),
        "html": _visible(message.html) if message.html else "",
    }
    problems = [p for place, body in bodies.items() for p in _words(place, _without(body, links), secrets)]
    if message.html:
        cid = f"cid:{chart_cid(message.notification_id)}"
        problems += _loaded("html", message.html, is_link=links.__contains__, is_image=cid.__eq__)
    return tuple(dict.fromkeys(problems))


def lint_template(name: str, source: str) -> tuple[Problem, ...]:
    """The source of an outward template: its own words, and what it asks for."""
    tree = environment().parse(source)
    known = {field.name for context in OUTWARD for field in fields(context)}
    asked = sorted(meta.find_undeclared_variables(tree) - NAMES)
    asked += sorted({node.attr for node in tree.find_all(nodes.Getattr)} - known)
    asked += sorted(
        {str(node.arg.as_const()) for node in tree.find_all(nodes.Getitem) if isinstance(node.arg, nodes.Const)}
    )
    problems = [Problem(name, "field", field) for field in asked]
    problems += [Problem(name, "unescaped", "safe") for node in tree.find_all(nodes.Filter) if node.name == "safe"]
    plain = _STATEMENT.sub(" ", source)
    problems += _words(name, _EXPRESSION.sub(" ", _visible(plain) if name.endswith(".html") else plain), ())
    if name.endswith(".html"):
        is_link, is_image = _is_link_field, re.compile(r"cid:\{\{ *cid *\}\}").fullmatch
        problems += _loaded(name, plain, is_link=is_link, is_image=lambda value: bool(is_image(value)))
    return tuple(dict.fromkeys(problems))


def lint_templates() -> tuple[Problem, ...]:
    """Every outward template that is shipped."""
    names = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.*"))
    return tuple(
        problem
        for name in names
        if name not in INWARD
        for problem in lint_template(name, (TEMPLATES / name).read_text(encoding="utf-8"))
    )


@cache
def clinical_words() -> re.Pattern[str]:
    """The vocabulary's ids and labels, and what else would tell a bystander."""
    known = vocabulary()
    phrases = {*CLINICAL_WORDS, *known.conditions, *get_args(EscalationReason), *known.symptoms.values()}
    phrases |= {*known.symptoms, *known.modifiers, *known.modifiers.values(), *known.findings, *known.red_flags}
    phrases |= {finding.label for finding in known.findings.values()}
    phrases |= {flag.label for flag in known.red_flags.values()}
    phrases |= {word for condition in known.conditions for word in condition.split("_") if word not in SMALL_WORDS}
    # `clinician_review` and its like are ids; as plain words they tell nothing.
    spoken = {phrase.replace("_", " ") for phrase in phrases if phrase not in ("clinician_review", "no_contact")}
    longest_first = sorted(phrases | spoken, key=len, reverse=True)
    return re.compile(r"(?<![\w])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![\w])", re.IGNORECASE)


def _words(place: str, body: str, secrets: Iterable[str]) -> Iterator[Problem]:
    for secret in secrets:
        if re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", body, re.IGNORECASE):
            yield Problem(place, "private", "")
    body = _INSTANT.sub(" ", body)
    for rule, pattern in (("birth", _BIRTH), ("diagnosis", clinical_words()), ("contact", _CONTACT)):
        for match in pattern.finditer(body):
            yield Problem(place, rule, match[0])
    for match in _WEB.finditer(_OWN.sub(" ", body)):
        yield Problem(place, "elsewhere", match[0])


def _loaded(
    place: str, html: str, *, is_link: Callable[[str], bool], is_image: Callable[[str], bool]
) -> Iterator[Problem]:
    page = _Page()
    page.feed(html)
    page.close()
    for tag, attributes in page.tags:
        if tag in _ACTIVE:
            yield Problem(place, "remote", f"<{tag}>")
        for name, value in attributes:
            if name.startswith("on") or (tag == "meta" and name == "http-equiv"):
                yield Problem(place, "remote", f"<{tag} {name}>")
            elif name == "href":
                if tag != "a" or not is_link(value):
                    yield Problem(place, "remote", f'<{tag} href="{value}">')
            elif name in _LOADING and not (tag == "img" and name == "src" and is_image(value)):
                yield Problem(place, "remote", f'<{tag} {name}="{value}">')
            elif tag == "img" and name == "alt" and not _CHART.fullmatch(value):
                yield Problem(place, "diagnosis", value)
            elif tag == "img" and name in ("width", "height") and value in ("0", "1", "0px", "1px"):
                yield Problem(place, "remote", f'<img {name}="{value}">')
    for match in _STYLE.finditer(html):
        yield Problem(place, "remote", match[0])


class _Page(HTMLParser):
    """Its tags with their attributes, and its words."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str]]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, [(name, value or "") for name, value in attrs]))
        if tag != "img":  # the chart's words are the one exception
            self.words += [value for name, value in attrs if name in ("alt", "title", "aria-label") and value]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.words.append(data)


def _visible(html: str) -> str:
    page = _Page()
    page.feed(html)
    page.close()
    return " ".join(page.words)


def _is_link_field(value: str) -> bool:
    found = _EXPRESSION.fullmatch(value)
    return bool(found and re.fullmatch(r"\w+\.link", found[1]))


def _without(body: str, links: Iterable[str]) -> str:
    for link in sorted(links, key=len, reverse=True):
        body = body.replace(link, " ")
    return unescape(body)


def _links(data: Any) -> Iterator[str]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key == "link" and isinstance(value, str):
                yield value
            else:
                yield from _links(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _links(value)


def _strings(data: Any) -> Iterator[str]:
    if isinstance(data, Mapping):
        for value in data.values():
            yield from _strings(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _strings(value)
    elif isinstance(data, str):
        yield data
