"""The words as they are read, kept as golden files, and what every message has beside them."""

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from jinja2 import UndefinedError

from services.notifier.message.context import Alert, Completeness, NextStep, Option, Reminder, Story, Value
from services.notifier.message.rendering import (
    TEMPLATES,
    alert_message,
    environment,
    reminder_message,
    sbar_text,
    values_of,
)
from shared.event.explanation import Basis
from shared.event.registry import adapter
from tests.support import golden
from tests.support.example import EPOCH
from tests.support.outward import ALERT, ESCALATION, LINK, MESSAGES

STORY = Story(
    patient_id="p-17",
    escalation_id=ESCALATION,
    severity="routine",
    reason="failed_conservative_care",
    raised_at=EPOCH,
    respond_by=EPOCH + timedelta(days=3),
    program_id="program-1",
    zone="Europe/Lisbon",
    situation="After 12 weeks, exercise care for gluteal tendinopathy has not helped by what matters to patients.",
    background="Working diagnosis: gluteal tendinopathy. 30 sessions were done of 36 due (83 %), in 12 weeks.",
    assessment="The dose was enough & the pain is <not> less.",
    recommendation="Please examine and decide on the next step; nothing follows by itself.",
    rules=(
        Basis(rule="P17", input="measures.NPRS", value=6, threshold=5, source=("P17", "T32"), turned_by=4, then="slow"),
        Basis(rule="P18", input="measures.GROC", value=None, turned_by=3, then="on_track", together=1),
        Basis(rule="P19", input="symptoms.fatigue", value=False, then="failed_conservative_care"),
    ),
    values=(
        Value("NPRS", "6", EPOCH - timedelta(days=1)),
        *values_of({"dose": {"adherence": 0.8333333, "sessions_done": 30}, "red_flags": [], "is_late": False}),
    ),
    completeness=Completeness(30, 36, EPOCH - timedelta(days=1), ("GROC", "VISA-G")),
    options=(Option("Shockwave therapy", "B", ("T41", "T42")), Option("Imaging", "C")),
    next_steps=(
        NextStep(EPOCH + timedelta(days=3), ("lead_clinician",), ("mail", "log")),
        NextStep(EPOCH + timedelta(days=6), (), note="nobody is on shift: skipped"),
    ),
)


@pytest.mark.parametrize("name", MESSAGES)
def test_golden_messages_read_as_they_were_found_right(name: str) -> None:
    """Nobody changes a word of an alert without seeing the whole of it."""
    message = MESSAGES[name]
    golden.check(f"notifier/{name}.txt", f"Subject: {message.subject}\nShort: {message.short}\n\n{message.text}")
    golden.check(f"notifier/{name}.json", json.dumps(message.data, indent=2) + "\n")
    if message.html is not None:
        golden.check(f"notifier/{name}.html", message.html)


def test_golden_story_reads_as_it_was_found_right() -> None:
    """Rule, values with dates, completeness, one action, until when, and who is next: all on one page."""
    golden.check("notifier/sbar.txt", sbar_text(STORY))


def test_golden_story_without_what_is_not_known_says_so() -> None:
    """What an event did not tell is named as missing, not left out."""
    bare = Story(
        patient_id="p-17",
        escalation_id=ESCALATION,
        severity="emergency",
        reason="red_flag",
        raised_at=EPOCH,
        situation="S.",
        background="B.",
        assessment="A.",
        recommendation="R.",
    )
    golden.check("notifier/sbar-bare.txt", sbar_text(bare))


def test_no_golden_file_is_left_over() -> None:
    """A message that is no longer sent needs no file."""
    pages = {f"notifier/{name}.html" for name, message in MESSAGES.items() if message.html is not None}
    texts = {f"notifier/{name}.{ending}" for name in MESSAGES for ending in ("txt", "json")}
    assert golden.names("notifier") == pages | texts | {"notifier/sbar.txt", "notifier/sbar-bare.txt"}


def test_repeats_of_an_escalation_share_thread_and_subject() -> None:
    """A mailbox shows them as one conversation; that of another escalation is another."""
    first, repeat = MESSAGES["alert"], MESSAGES["alert-repeated"]
    assert (first.thread_id, first.subject) == (repeat.thread_id, repeat.subject)
    other = alert_message(Alert(**{**{n: getattr(ALERT, n) for n in Alert.__dataclass_fields__}, "escalation_id": "x"}))
    assert other.thread_id != first.thread_id


def test_the_event_in_a_message_without_a_link_acknowledges() -> None:
    """Three places filled in, it is a decision that the stream accepts."""
    text = MESSAGES["alert-without-page"].text
    event = json.loads(text[text.index("{") : text.rindex("}") + 1])
    event["subject"] = "p-17"
    event["time"], event["data"]["clinician_id"] = "2026-03-02T09:00:00Z", "clinician-1"
    decided = adapter("care.clinician.decided.v1").validate_json(json.dumps(event))
    assert (decided.data.decision, decided.data.escalation_id) == ("acknowledge", ESCALATION)


def test_only_an_escalation_s_html_names_its_chart_and_only_where_there_is_one() -> None:
    """No broken picture, and no picture without words for it."""
    with_chart, without = MESSAGES["alert-with-chart"], MESSAGES["alert"]
    assert with_chart.html is not None
    assert without.html is not None
    assert with_chart.chart_png
    assert "cid:" in with_chart.html
    assert "week 1: not reported" in with_chart.html
    assert without.chart_png is None
    assert "<img" not in without.html


def test_a_time_is_told_by_the_reader_s_clock_also_in_the_hour_that_comes_twice() -> None:
    """On 25 October 2026 Berlin's clock shows 02:30 twice, an hour apart."""
    local = environment().filters["local"]
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert local(first, "Europe/Berlin") == "2026-10-25 02:30 CEST (Europe/Berlin)"
    assert local(first.replace(fold=1), "Europe/Berlin") == "2026-10-25 02:30 CET (Europe/Berlin)"
    assert local(first, "UTC") == "2026-10-25 00:30 UTC"


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(minutes=-5), "0 minutes"),
        (timedelta(minutes=119), "119 minutes"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(days=2), "2 days"),
    ],
)
def test_an_age_is_told_in_the_largest_unit_of_which_there_are_two(age: timedelta, words: str) -> None:
    """How long something waits is seen at a glance."""
    assert environment().filters["age"](EPOCH - age, EPOCH) == words


@pytest.mark.parametrize("language", [None, "", "en", "EN-gb", "pt-PT", "xx", "../en", "e n"])
def test_a_language_without_texts_falls_back_to_english(language: str | None) -> None:
    """A reminder in English is better than none."""
    reminder = Reminder(
        notification_id="n", about="a", reminder_id="r", kind="session", due_at=EPOCH, language=language
    )
    assert reminder_message(reminder).subject == "Time for your exercises"


def test_every_language_has_every_reminder() -> None:
    """Who adds a language adds all of it."""
    folders = [folder for folder in (TEMPLATES / "reminder").iterdir() if folder.is_dir()]
    assert {frozenset(file.name for file in folder.iterdir()) for folder in folders} == {
        frozenset({"session.txt", "checkin.txt", "measure.txt", "re_engage.txt", "closing.txt"})
    }


def test_a_template_that_asks_for_what_is_not_there_fails() -> None:
    """Never a message with a hole in it."""
    with pytest.raises(UndefinedError):
        environment().from_string("{{ alert.nothing }}").render(alert=ALERT)


def test_what_stands_in_a_link_cannot_break_out_of_the_page() -> None:
    """HTML is escaped, whatever a setting or an id holds."""
    fields = {name: getattr(ALERT, name) for name in Alert.__dataclass_fields__}
    message = alert_message(Alert(**{**fields, "link": LINK + '"><script>x</script>'}))
    assert message.html is not None
    assert "<script" not in message.html
