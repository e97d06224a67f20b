"""`adaptive-care webhooks` as an operator types it, while a notifier works."""

import asyncio
import json
import re
import sys

import pytest
from standardwebhooks import Webhook
from typer.testing import CliRunner

from services.notifier.webhook.cli import app
from shared.cli.main import main
from tests.support.running import free_port
from tests.support.webhook_case import HERE, OK, Platform, answer, http_server, output, until, webhook_case

RAISED = "care.escalation.raised.v1"


async def webhooks(*arguments: str) -> str:
    """What the command prints; its error is raised."""
    told = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    if told.exception is not None and not isinstance(told.exception, SystemExit):
        raise told.exception
    assert told.exit_code == 0, told.output
    return told.output


@pytest.fixture
def operator(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The operator's environment; gives the URL of Redis."""
    monkeypatch.setenv("CARE_REDIS_URL", redis_url)
    monkeypatch.setenv("CARE_WEBHOOK_ALLOW", HERE)
    return redis_url


async def test_from_the_first_subscription_to_the_last_resend(operator: str) -> None:
    """The key is shown once; one event, and a range of them, is sent again under the same ids."""
    platform = Platform()
    async with webhook_case(operator) as case, http_server(platform) as port, case.working():
        printed = await webhooks("add", f"http://{HERE}:{port}/hook/secret", "--type", "care.escalation.*")
        webhook, key = re.findall(r"wh_[0-9a-f]{8}|whsec_\S+", printed)
        assert f"webhook {webhook}: care.escalation.* of all patients, from now on" in printed
        platform.keys = [key]
        assert await webhooks("test", webhook) == "the endpoint took the test event: 204\n"
        assert platform.taken.pop()["type"] == "care.webhook.tested.v1"
        await case.publish(*(output(n, f"patient-{n % 3}", RAISED) for n in range(9)), output(9))
        await until(lambda: len(platform.taken) == 9)

        listed = json.loads(await webhooks("list", "--json"))
        assert listed[0] | {"waiting_since": None} == {
            "id": webhook,
            "endpoint": f"http://{HERE}:{port}",
            "types": ["care.escalation.*"],
            "patients": "",
            "keys": 1,
            "status": "active",
            "since": "",
            "cause": "",
            "waiting_since": None,
            "missing": [],
        }
        for shown in (await webhooks("list"), await webhooks("deliveries", webhook)):
            assert "secret" not in shown
            assert "whsec_" not in shown
            assert "active" in shown or "delivered" in shown
        async with asyncio.timeout(60):
            while len(rows := json.loads(await webhooks("deliveries", webhook, "--json"))) < 9:  # noqa: ASYNC110  # Redis tells nobody
                await asyncio.sleep(0.1)
        assert {(row["outcome"], row["cause"], row["tries"]) for row in rows} == {("delivered", "204", 1)}
        assert "patient" not in json.dumps([{k: v for k, v in row.items() if k != "event_id"} for row in rows])

        assert "1 event is sent again" in await webhooks("resend", webhook, "--id", "patient-1-4")
        await until(lambda: len(platform.taken) == 10)
        assert platform.ids()[-1] == "patient-1-4"
        assert "9 events are sent again" in await webhooks(
            "resend", webhook, "--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00+01:00"
        )
        await until(lambda: len(platform.taken) == 19)
        for patient in range(3):
            again = [event for event in platform.taken[10:] if event["subject"] == f"patient-{patient}"]
            assert [event["data"]["number"] for event in again] == [patient, patient + 3, patient + 6]
        await case.publish(output(10, "patient-1", RAISED))
        await until(lambda: platform.ids()[-1] == "patient-1-10")
        assert len(json.loads(await webhooks("deliveries", webhook, "--id", "patient-1-4", "--json"))) == 3

        assert f"webhook {webhook} is removed" in await webhooks("remove", webhook)
        await case.publish(output(11, "patient-1", RAISED))
        assert "there are no webhooks" in await webhooks("list")
        keys = await case.client.keys(f"care:*webhook:{webhook}:*")
        async with asyncio.timeout(60):
            while keys:
                keys = await case.client.keys(f"care:*webhook:{webhook}:*")
                await asyncio.sleep(0.05)
        assert len(platform.taken) == 20


async def test_keys_are_rotated_without_a_pause(operator: str) -> None:
    """The new key is shown once; then two sign, until the old one is retired."""
    platform = Platform()
    async with webhook_case(operator) as case, http_server(platform) as port:
        added = json.loads(await webhooks("add", f"http://{HERE}:{port}/", "--json"))
        rotated = json.loads(await webhooks("rotate-key", added["id"], "--json"))
        assert rotated["keys"] == 2
        platform.keys = [added["key"], rotated["key"]]
        await webhooks("test", added["id"])
        platform.keys = [rotated["key"]]
        assert json.loads(await webhooks("rotate-key", added["id"], "--retire-old", "--json")) == {
            "id": added["id"],
            "keys": 1,
        }
        await webhooks("test", added["id"])
        request = platform.requests[-1]
        assert len(request.headers["webhook-signature"].split()) == 1
        assert Webhook(rotated["key"]).verify(request.body, request.headers)
        assert await case.client.exists("care:{0}:webhooks")


async def test_an_incident_is_seen_and_ended(operator: str) -> None:
    """What stands, since when and why; and `resume` tries at once instead of at the next probe."""
    platform = Platform(judge=lambda event: answer("500 Oops"))
    async with webhook_case(operator) as case, http_server(platform) as port, case.working():
        webhook = json.loads(await webhooks("add", f"http://{HERE}:{port}/", "--json"))["id"]
        await case.publish(output(1))
        async with asyncio.timeout(60):
            while "paused since" not in (shown := await webhooks("list")):  # noqa: ASYNC110  # Redis tells nobody
                await asyncio.sleep(0.1)
        assert "the receiver answered 500" in shown
        platform.judge = lambda event: OK
        assert await webhooks("resume", webhook) == f"webhook {webhook} is active\n"
        await until(lambda: platform.taken)
        assert "paused until" in await webhooks("pause", webhook)
        assert "an operator has paused it" in await webhooks("list")


async def test_what_was_published_before_can_be_asked_for(operator: str) -> None:
    """A platform that comes late gets what is still kept, in order."""
    platform = Platform()
    async with webhook_case(operator) as case, http_server(platform) as port, case.working():
        await case.publish(*(output(n) for n in range(5)))
        await webhooks("add", f"http://{HERE}:{port}/", "--from", "2026-01-01T00:00:00Z")
        await until(lambda: len(platform.taken) == 5)
        assert platform.numbers("patient-1") == [0, 1, 2, 3, 4]


async def test_in_a_replay_the_events_own_time_counts(operator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There a year is published within a minute: a range of instants means those of the story."""
    platform = Platform()
    async with webhook_case(operator) as case, http_server(platform) as port, case.working():
        monkeypatch.setenv("CARE_CLOCK", "replay")
        webhook = json.loads(await webhooks("add", f"http://{HERE}:{port}/", "--json"))["id"]
        later = output(2)
        later[1]["time"] = "2026-04-01T09:00:00+02:00"
        await case.publish(output(1), later, output(3))
        await until(lambda: len(platform.taken) == 3)
        await case.publish(output(4, "patient-2"))
        await until(lambda: len(platform.taken) == 4)
        told = await webhooks("resend", webhook, "--from", "2026-04-01T06:00:00Z", "--to", "2026-04-01T08:00:00Z")
        assert "1 event is sent again" in told
        await until(lambda: len(platform.taken) == 5)
        assert platform.ids()[-1] == "patient-1-2"


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["add", "ftp://a.example/"], 2, "the address is no https:// URL of a host"),
        (["add", "http://10.0.0.1/"], 2, "the address is not https; see CARE_WEBHOOK_ALLOW"),
        (["add", "https://169.254.169.254/"], 2, "leads into a private network; see CARE_WEBHOOK_ALLOW"),
        (
            ["add", f"http://{HERE}/", "--type", "care.lod.*"],
            2,
            "no output event is of type 'care.lod.*'; there",
        ),
        (["add", f"http://{HERE}/", "--patients", "a b"], 2, "--patients must be the beginning of patient ids"),
        (["add", f"http://{HERE}/", "--from", "yesterday"], 2, "--from must be an instant such as"),
        (["add", f"http://{HERE}/", "--from", "2026-01-01T00:00:00"], 2, "--from needs an offset"),
        (["remove", "wh_none"], 1, "there is no webhook 'wh_none'; `adaptive-care webhooks list` shows"),
        (["resend", "wh_none", "--id", "x"], 1, "there is no webhook 'wh_none'"),
        (["resend", "wh_none"], 2, "give either --id, or --from and --to"),
        (["resend", "wh_none", "--id", "x", "--from", "2026-01-01T00:00:00Z"], 2, "give either --id, or"),
        (["deliveries", "wh_none", "--outcome", "lost"], 2, "--outcome must be one of delivered,"),
        (["test", "{there}"], 1, "the test event was not taken: the receiver cannot be reached"),
        (
            ["resend", "{there}", "--id", "e1"],
            1,
            "knows no event 'e1': it was not sent yet, or longer ago than is kept",
        ),
        (
            ["resend", "{there}", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z"],
            1,
            "nothing that was sent to this webhook, and is still kept, was published within that time",
        ),
    ],
)
async def test_a_mistake_gets_one_line_that_says_what_to_do(
    operator: str,
    arguments: list[str],
    status: int,
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Never a traceback, and never a secret."""
    async with webhook_case(operator) as case:
        one = await case.subscribe(free_port())
        typed = [one.id if part == "{there}" else part for part in arguments]
        monkeypatch.setattr(sys, "argv", ["adaptive-care", "webhooks", *typed])
        with pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(main)
    told = capsys.readouterr()
    assert ended.value.code == status
    assert complaint in told.err
    assert len(told.err.splitlines()) == 1
    assert "whsec_" not in told.out + told.err
