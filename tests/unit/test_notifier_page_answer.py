"""A decision on the page becomes one event, once, or says at the field what is missing."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.notifier.page.guard import LONGEST_BODY
from services.notifier.page.wording import DECISIONS
from tests.support.notifier_case import acknowledge, escalation, program
from tests.support.page_case import PLACE, PageCase

RAISED = "care.escalation.raised.v1"
RESOLVED = {"escalation_id": "escalation-1", "reason": "flare", "resolution": "superseded"}
PARAMS = {"patient": PLACE[0], "id": PLACE[1]}
EXTRA: dict[str, dict[str, Any]] = {
    "modify": {"sessions_per_week": "2", "load_percent": "80", "remove_exercises": ["arabesque"]},
    "reclassify": {"conditions": ["sacroiliac_joint_pain", "deep_gluteal_syndrome"]},
}


def word_in(page: httpx.Response) -> str:
    """Of the decision forms on it."""
    found = re.search(r'name="word" value="([^"]+)">\s*<input type="hidden" name="decision"', page.text)
    assert found, page.text[:2000]
    return found[1]


async def sent(browser: httpx.AsyncClient, word: str, decision: str, **fields: Any) -> httpx.Response:
    return await browser.post("/escalation/decision", data={"word": word, "decision": decision, **fields})


async def test_acknowledging_is_one_click_and_one_event() -> None:
    """From the mail's link to the event in the stream, which names the recipient and what it answers."""
    case = PageCase()
    async with case.browser() as browser:
        page = await browser.get(case.link())
        assert "Waits for an answer" in page.text
        answer = await sent(browser, word_in(page), "acknowledge")
    (event,) = case.decisions()
    assert (event.source, event.subject, event.time) == ("//adaptive-care/notifier/page", "patient-1", case.now)
    assert (event.causationid, event.correlationid) == ("raised-1", "raised-1")
    data = event.data
    assert (data.decision, data.clinician_id, data.escalation_id) == ("acknowledge", "on_call", "escalation-1")
    assert [step.status_code for step in answer.history] == [303]
    assert "Recorded: Acknowledge." in answer.text
    assert "<dd>Acknowledged</dd>" in answer.text


@pytest.mark.parametrize("decision", [words.kind for words in DECISIONS])
async def test_each_of_the_nine_decisions_can_be_made(decision: str) -> None:
    """With the fields that it needs, and no others."""
    case = PageCase(raised=False)
    case.tell("care.program.planned.v1", program(), event_id="planned-1")
    case.tell(RAISED, escalation(program_id="program-1"), event_id="raised-1")
    async with case.browser() as browser:
        page = await browser.get(case.link())
        form = re.search(rf'<details id="{decision}".*?</details>', page.text, re.DOTALL)
        assert form is not None
        names = set(re.findall(r'name="(\w+)"', form[0])) - {"word", "decision"}
        expected = {"rationale", "useful"} | set(EXTRA.get(decision, {}))
        assert names == expected
        answer = await sent(
            browser, word_in(page), decision, rationale="Because of this.", useful="no", **EXTRA.get(decision, {})
        )
        assert answer.status_code == 200, answer.text
    (event,) = case.decisions()
    assert (event.data.decision, event.data.program_id, event.data.useful) == (decision, "program-1", False)
    assert event.data.rationale == "Because of this."
    if decision == "modify":
        assert event.data.changes.model_dump() == {
            "remove_exercises": ("arabesque",),
            "sessions_per_week": 2,
            "load_factor": 0.8,
        }
    assert event.data.conditions == tuple(EXTRA.get(decision, {}).get("conditions", ()))
    assert event.data.intake_id == ("intake-1" if decision in ("approve", "reclassify") else None)


@pytest.mark.parametrize(
    ("decision", "fields", "at", "message"),
    [
        ("hold", {}, "hold-rationale", "Give a reason"),
        ("hold", {"rationale": "  \r\n "}, "hold-rationale", "Give a reason"),
        ("hold", {"rationale": "x" * 4001}, "hold-rationale", "4001 characters"),
        ("hold", {"rationale": "a\x00b"}, "hold-rationale", "no text"),
        ("modify", {"rationale": "Because."}, "modify-changes", "Change at least one thing"),
        ("modify", {"rationale": "B.", "sessions_per_week": "8"}, "modify-sessions_per_week", "from 1 to 7"),
        ("modify", {"rationale": "B.", "load_percent": "200"}, "modify-load_percent", "from 10 to 150"),
        ("modify", {"rationale": "B.", "load_percent": "٣٠"}, "modify-load_percent", "from 10 to 150"),
        ("modify", {"rationale": "B.", "remove_exercises": ["no_such"]}, "modify-remove_exercises", "no_such"),
        ("reclassify", {"rationale": "B."}, "reclassify-conditions", "at least one condition"),
        ("reclassify", {"rationale": "B.", "conditions": ["<b>"]}, "reclassify-conditions", "String should match"),
        ("hold", {"rationale": "B.", "useful": "maybe"}, "hold-useful", "Choose yes, no"),
        ("explode", {"rationale": "B."}, "decide", "Choose one of the decisions"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(
    decision: str, fields: dict[str, Any], at: str, message: str
) -> None:
    """The summary leads to the field, the field names the error, and the form is as it was sent."""
    case = PageCase()
    async with case.browser() as browser:
        answer = await sent(browser, word_in(await browser.get(case.link())), decision, **fields)
        assert answer.status_code == 422
        assert "<title>Error: Urgent: Flare" in answer.text
        summary = re.search(r'<div class="summary".*?</div>', answer.text, re.DOTALL)
        assert summary is not None
        assert message in summary[0]
        assert f'href="#{at}"' in summary[0]
        assert f'id="{at}"' in answer.text
        if at != "decide":
            assert f'id="{at}-error"' in answer.text
            assert f'<details id="{decision}" class="decision" open' in answer.text
        if fields.get("rationale", "").strip() and "\x00" not in fields["rationale"]:
            assert fields["rationale"] in answer.text
        assert case.desk.submitted == []
        mended = await sent(browser, word_in(answer), "hold", rationale="Now it is right.")
        assert mended.status_code == 200
    assert len(case.decisions()) == 1


async def test_a_form_sent_twice_is_one_decision() -> None:
    """A double click, or a phone that sends again on a poor line."""
    case = PageCase()
    async with case.browser() as browser:
        word = word_in(await browser.get(case.link()))
        for _ in range(3):
            answer = await sent(browser, word, "continue", rationale="Expected.")
            assert "Recorded: Continue as it was." in answer.text
    assert len(case.desk.submitted) == 1


async def test_two_copies_that_arrive_at_the_same_moment_have_one_id() -> None:
    """Neither sees the other's effect; the services take the second for the duplicate that it is."""
    case = PageCase()
    async with case.browser() as browser:
        word = word_in(await browser.get(case.link()))
        await sent(browser, word, "hold", rationale="Rest.")
        case.desk.pipeline = PageCase().desk.pipeline  # a notifier that has not read the decision yet
        await sent(browser, word, "hold", rationale="Rest.")
    first, second = case.desk.submitted
    assert (first.id, first.data.decision_id) == (second.id, second.data.decision_id)


async def test_another_answer_on_the_same_form_is_another_decision() -> None:
    """Who goes back and holds the program after acknowledging is heard."""
    case = PageCase()
    async with case.browser() as browser:
        word = word_in(await browser.get(case.link()))
        await sent(browser, word, "acknowledge")
        await sent(browser, word, "hold", rationale="Rest.")
    assert [event.data.decision for event in case.decisions()] == ["acknowledge", "hold"]


async def test_a_decision_on_what_was_resolved_meanwhile_is_not_recorded_and_says_so() -> None:
    """Nobody believes to have decided what had been closed already; the words are given back."""
    case = PageCase()
    async with case.browser() as browser:
        word = word_in(await browser.get(case.link()))
        case.advance(timedelta(minutes=1))
        case.tell("care.escalation.resolved.v1", RESOLVED, event_id="resolved-1")
        answer = await sent(browser, word, "hold", rationale="My long reason.")
    assert answer.status_code == 409
    assert "was resolved in the meantime" in answer.text
    assert "later data took its ground away" in answer.text
    assert "My long reason." in answer.text
    assert "<textarea" not in answer.text
    assert case.decisions() == []


async def test_the_second_copy_of_a_decision_that_resolved_is_confirmed() -> None:
    """The escalation is closed by the first copy: the second must not read as a failure."""
    case = PageCase()
    async with case.browser() as browser:
        word = word_in(await browser.get(case.link()))
        await sent(browser, word, "continue", rationale="Expected.")
        decision_id = case.decisions()[0].data.decision_id
        case.advance(timedelta(minutes=1))
        resolved = RESOLVED | {"resolution": "continue", "decision_id": decision_id}
        case.tell("care.escalation.resolved.v1", resolved, event_id="resolved-1")
        answer = await sent(browser, word, "continue", rationale="Expected.")
    assert answer.status_code == 200
    assert "Recorded: Continue as it was." in answer.text
    assert "Resolved" in answer.text
    assert len(case.desk.submitted) == 1


@pytest.mark.parametrize(
    ("severity", "message"), [("emergency", "it is emergency now"), ("urgent", "More has become known")]
)
async def test_a_decision_on_what_has_become_worse_asks_to_look_again(severity: str, message: str) -> None:
    """What a clinician decides is decided on what stands before their eyes."""
    case = PageCase()
    async with case.browser() as browser:
        word = word_in(await browser.get(case.link()))
        case.advance(timedelta(minutes=1))
        case.tell(RAISED, escalation(severity=severity), event_id="raised-2")
        answer = await sent(browser, word, "hold", rationale="My long reason.")
        assert answer.status_code == 409
        assert message in answer.text
        assert ">My long reason.</textarea>" in answer.text
        assert case.decisions() == []
        again = await sent(browser, word_in(answer), "hold", rationale="My long reason.")
        assert again.status_code == 200
    (event,) = case.decisions()
    assert event.causationid == "raised-2"


async def test_a_form_without_its_word_or_with_a_forged_one_does_nothing() -> None:
    """The cookie alone decides nothing."""
    case = PageCase()
    async with case.browser() as browser:
        word = word_in(await browser.get(case.link()))
        for forged in ("", "x", word[:-1], word + "x", case.link().partition("access=")[2]):
            answer = await sent(browser, forged, "hold", rationale="Kept <words>.")
            assert answer.status_code == 403
            assert "Your decision was not recorded" in answer.text
            assert "Kept &lt;words&gt;." in answer.text
        browser.cookies.clear()
        assert (await sent(browser, word, "acknowledge")).status_code == 403
    assert case.desk.submitted == []


async def test_a_form_made_for_another_recipient_or_browser_does_nothing() -> None:
    """Nobody decides under another's name with a form that was sent on."""
    case = PageCase()
    async with case.browser() as one, case.browser() as other, case.browser() as same:
        word = word_in(await one.get(case.link("on_call")))
        await other.get(case.link("lead_clinician"))
        await same.get(case.link("on_call"))
        assert (await sent(other, word, "acknowledge")).status_code == 403
        assert (await sent(same, word, "acknowledge")).status_code == 403
    assert case.desk.submitted == []


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "https://other.care.example"},
    ],
)
async def test_a_form_sent_by_another_site_does_nothing(headers: dict[str, str]) -> None:
    """Even with the right word and cookie."""
    case = PageCase()
    async with case.browser() as browser:
        word = word_in(await browser.get(case.link()))
        form = {"word": word, "decision": "acknowledge"}
        answer = await browser.post("/escalation/decision", data=form, headers=headers)
        assert answer.status_code == 403
        assert "sent from another page" in answer.text
    assert case.desk.submitted == []


async def test_a_form_that_is_over_gives_the_words_back() -> None:
    """Who wrote for half a day is not sent away with nothing."""
    case = PageCase()
    async with case.browser() as browser:
        word = word_in(await browser.get(case.link()))
        case.advance(timedelta(hours=13))
        answer = await sent(browser, word, "hold", rationale="My long reason.")
        assert answer.status_code == 403
        assert "My long reason." in answer.text
        assert "patient-1" not in answer.text


async def test_more_than_a_form_can_hold_is_not_read() -> None:
    """Neither where the length is told nor where it is not."""
    case = PageCase()

    async def endless() -> Any:
        for _ in range(LONGEST_BODY // 1000 + 2):
            yield b"rationale=" + b"x" * 1000

    async with case.browser() as browser:
        word = word_in(await browser.get(case.link()))
        answer = await sent(browser, word, "hold", rationale="x" * LONGEST_BODY)
        assert answer.status_code == 413
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await browser.post("/escalation/decision", content=endless(), headers=headers)
        assert answer.status_code == 413
        assert "Nothing was recorded" in answer.text


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"decision": "hold"}', "application/json"),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
        (b"", "text/plain"),
        (b"rationale=%ff%fe&decision=hold", "application/x-www-form-urlencoded"),
    ],
)
async def test_what_is_no_form_of_the_page_is_refused(content: bytes, kind: str) -> None:
    """Nothing that a page could not have sent gets any further."""
    case = PageCase()
    async with case.browser() as browser:
        await browser.get(case.link())
        answer = await browser.post("/escalation/decision", content=content, headers={"content-type": kind})
        assert answer.status_code in (400, 403)
    assert case.desk.submitted == []


async def test_a_decision_cannot_be_made_by_get() -> None:
    """A scanner that follows every address decides nothing."""
    case = PageCase()
    async with case.browser() as browser:
        word = word_in(await browser.get(case.link()))
        answer = await browser.get("/escalation/decision", params={"word": word, "decision": "acknowledge"})
        assert answer.status_code == 405
        await browser.get("/escalation", params={**PARAMS, "word": word, "decision": "acknowledge"})
    assert case.desk.submitted == []


async def test_nobody_can_make_the_page_say_that_something_was_recorded() -> None:
    """A link with made-up words in it shows no confirmation."""
    case = PageCase()
    async with case.browser() as browser:
        await browser.get(case.link())
        for done in ("acknowledge", "x.y", case.link().partition("access=")[2]):
            page = await browser.get("/escalation", params={**PARAMS, "done": done})
            assert "Recorded" not in page.text


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{7*7}}{% x %}"


async def test_hostile_text_is_shown_and_does_nothing() -> None:
    """Whatever comes in by an event or a form is text on the page, never markup."""
    case = PageCase(raised=False)
    sbar = dict.fromkeys(("situation", "background", "assessment", "recommendation"), HOSTILE)
    option = {"option_id": "x", "label": HOSTILE, "evidence_grade": HOSTILE, "references": [HOSTILE]}
    ground = {"rule": "P02", "input": "exercises", "value": HOSTILE, "then": HOSTILE, "source": []}
    told = escalation(
        sbar=sbar, options=[option], evidence={HOSTILE: HOSTILE, "list": [{"a": HOSTILE}]}, basis=[ground]
    )
    case.tell("care.program.planned.v1", program(rationale=HOSTILE), event_id="planned-1")
    case.tell("care.program.changed.v1", program(version=2, previous_version=1, reason=HOSTILE), event_id="changed-1")
    case.tell(RAISED, told, event_id="raised-1")
    decided = acknowledge(decision="hold", rationale=HOSTILE, clinician_id="<b>me</b>")
    case.tell("care.clinician.decided.v1", decided, event_id="decided-1")
    async with case.browser() as browser:
        page = await browser.get(case.link())
        wrong = await sent(browser, word_in(page), "reclassify", rationale=HOSTILE)
        over = await sent(browser, "x", "hold", rationale=HOSTILE)
    for answer in (page, wrong, over):
        assert "<script" not in answer.text
        assert "<img" not in answer.text
        assert "onerror=alert(1)&gt;" in answer.text
        assert "49" not in re.sub(r"\d{2,}", "", answer.text)
        assert "<b>me" not in answer.text


async def test_a_page_that_fails_says_what_to_do_and_not_why() -> None:
    """With Redis away the clinician is told to act, and no inner words come out."""
    case = PageCase()

    async def broken(subject: str) -> None:
        raise RuntimeError("secret inner words")

    case.desk.state = broken  # type: ignore[method-assign]  # a desk whose Redis is away
    async with case.browser() as browser:
        answer = await browser.get(case.link())
        assert answer.status_code == 503
        assert "act as your clinic" in answer.text
        assert "secret inner words" not in answer.text
