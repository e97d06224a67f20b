"""The linter of outward messages: silent on what is sent, and loud on each thing that must not be."""

from dataclasses import replace

import pytest

from services.notifier.message.lint import Problem, clinical_words, lint_message, lint_template, lint_templates
from shared.event.vocabulary import vocabulary
from tests.support.outward import CHART, LINK, MESSAGES

ALERT = MESSAGES["alert"]
PRIVATE = ("Maria Lopes", "maria@mail.example", "p-17", "1961-05-04")


@pytest.mark.parametrize("name", MESSAGES)
def test_no_message_that_is_sent_says_too_much(name: str) -> None:
    """Every kind of message, as it leaves the house."""
    assert lint_message(MESSAGES[name], PRIVATE) == ()


def test_no_template_says_too_much() -> None:
    """Also in branches that no test has rendered."""
    assert lint_templates() == ()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Patient Maria Lopes", "private"),
        ("write to MARIA@mail.example", "private"),
        ("about p-17", "private"),
        ("born in May", "birth"),
        ("DOB 4.5.61", "birth"),
        ("1961-05-04", "birth"),
        ("04/05/1961", "birth"),
        ("4 May 1961", "birth"),
        ("aged 65", "birth"),
        ("gluteal_tendinopathy", "diagnosis"),
        ("a case of Gluteal Tendinopathy", "diagnosis"),
        ("the sacroiliac joint", "diagnosis"),
        ("saddle_anaesthesia", "diagnosis"),
        ("New bowel incontinence", "diagnosis"),
        ("failed conservative care", "diagnosis"),
        ("a red flag", "diagnosis"),
        ("suspected cancer", "diagnosis"),
        ("her pain is worse", "diagnosis"),
        ("Osteoporosis", "diagnosis"),
        ("other@clinic.example", "contact"),
        ("call +351 21 123 4567", "contact"),
        ("https://tracker.example/x", "elsewhere"),
        ("www.tracker.example", "elsewhere"),
        ("//tracker.example/x", "elsewhere"),
    ],
)
@pytest.mark.parametrize("place", ["subject", "text", "short", "html", "data"])
def test_what_must_not_be_said_is_found_wherever_it_stands(place: str, text: str, rule: str) -> None:
    """In the subject as in the body, in HTML and in what machines read."""
    changes = {
        "subject": {"subject": f"{ALERT.subject} {text}"},
        "text": {"text": f"{ALERT.text}\n{text}\n"},
        "short": {"short": text},
        "html": {"html": f"{ALERT.html}<p>{text}</p>"},
        "data": {"data": {**ALERT.data, "more": [{"text": text}]}},
    }
    found = lint_message(replace(ALERT, **changes[place]), PRIVATE)  # type: ignore[arg-type]
    assert (place, rule) in {(problem.place, problem.rule) for problem in found}


@pytest.mark.parametrize("name", [*vocabulary().conditions, *vocabulary().red_flags])
def test_every_condition_and_red_flag_is_known_by_id_and_by_name(name: str) -> None:
    """A new one in the vocabulary is looked for from then on."""
    assert clinical_words().search(f"It is {name}.")
    assert clinical_words().search(f"It is {name.replace('_', ' ').upper()}.")


def test_a_name_that_is_found_is_not_repeated() -> None:
    """The linter's own output may be logged."""
    (problem, *_) = lint_message(replace(ALERT, text="Maria Lopes"), PRIVATE)
    assert problem == Problem("text", "private", "")
    assert str(problem) == "text: private"


@pytest.mark.parametrize(
    "html",
    [
        '<img src="https://tracker.example/x.png" alt="">',
        '<img src="//tracker.example/x.png" alt="">',
        '<img src="cid:other@care" alt="">',
        '<img src="data:image/png;base64,AAAA" alt="">',
        f'<img src="cid:trend.{"a" * 32}@adaptive-care" width="1" height="1">',
        '<img srcset="https://tracker.example/x 2x">',
        '<a href="https://elsewhere.example/">x</a>',
        '<a href="javascript:alert(1)">x</a>',
        f'<a href="{LINK}" onclick="x()">x</a>',
        f'<a href="{LINK}" ping="https://tracker.example/">x</a>',
        '<link rel="stylesheet" href="https://cdn.example/x.css">',
        "<style>@import 'x.css'</style>",
        '<p style="background:url(https://tracker.example/x)">x</p>',
        '<td background="https://tracker.example/x">',
        "<script>x()</script>",
        '<iframe src="x"></iframe>',
        '<form action="x"><input></form>',
        "<svg></svg>",
        '<meta http-equiv="refresh" content="0;url=x">',
        '<base href="x">',
        '<video poster="x"></video>',
    ],
)
def test_what_a_mail_program_would_load_or_run_is_found(html: str) -> None:
    """A mail that loads something tells its sender who has opened it, when and where."""
    found = lint_message(replace(ALERT, html=f"{ALERT.html}{html}"))
    assert "remote" in {problem.rule for problem in found}


def test_a_chart_says_pain_and_nothing_more() -> None:
    """The one exception has a form of its own."""
    message = MESSAGES["alert-with-chart"]
    assert message.html is not None
    assert CHART.alt in message.html
    told = replace(message, html=message.html.replace("Pain by week", "Pain of gluteal tendinopathy by week"))
    assert [problem.rule for problem in lint_message(told)] == ["diagnosis"]


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("{{ alert.situation }}", "field"),
        ("{{ alert.notes }}", "field"),
        ("{{ alert['assessment'] }}", "field"),
        ("{% for option in alert.options %}{{ option.label }}{% endfor %}", "field"),
        ("{{ patient_id }}", "field"),
        ("{{ story.background }}", "field"),
        ("{{ subject | safe }}", "unescaped"),
        ("{% if alert.link %}a torn tendon{% endif %}", "diagnosis"),
        ("<p title='hip'>x</p>", "diagnosis"),
        ("<!-- hip -->", "diagnosis"),
        ("<img src='https://tracker.example/{{ alert.escalation_id }}'>", "remote"),
        ("<a href='https://elsewhere.example/{{ alert.link }}'>x</a>", "remote"),
        ("<a href='{{ alert.recipient }}'>x</a>", "remote"),
        ("<img src='{{ cid }}'>", "remote"),
    ],
)
def test_a_template_that_would_say_too_much_is_found_before_it_is_rendered(source: str, rule: str) -> None:
    """Who adds a template hears of it at once."""
    assert rule in {problem.rule for problem in lint_template("new.html", source)}
