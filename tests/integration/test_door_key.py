"""Who may come in: keys, scopes, expiry, revocation and rate limits, on a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from shared.door.app import REQUESTS_AT_ONCE
from shared.door.credential import ScopeError, check_scopes, issue
from shared.door.keyring import Keyring
from shared.event.wire import Stream
from shared.stream.key import HTTP_KEYS
from tests.integration.test_door_events import EVENTS, URL, lengths, opened, problem, send
from tests.support.door_case import BATCH, event, new_key
from tests.support.running import client_for, read, running
from tests.support.toy import session, toy

VIEW = "/v1/patients/patient-1/timeline"
TOLD = event("session.reported", session(1))


async def test_without_any_key_the_door_refuses_everything_and_says_how_to_make_one(redis_url: str) -> None:
    """No default secret: a fresh installation is closed."""
    async with client_for(redis_url) as client, running([toy()], redis_url) as application:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url=URL) as platform:
            for answer in (await send(platform, TOLD), await platform.get(VIEW)):
                assert problem(answer) == (401, "no_keys", None)
                assert "adaptive-care keys create" in answer.json()["detail"]
                assert answer.headers["www-authenticate"] == "Bearer"
            assert (await platform.get("/v1/openapi.json")).status_code == 200
        assert await lengths(client) == 0


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "no_key"),
        ("", "no_key"),
        ("Bearer", "no_key"),
        ("Bearer care_x", "no_key"),
        ("Basic dXNlcjpwYXNz", "no_key"),
        ("Bearer " + "a" * 5000, "no_key"),
        ("Bearer care_0123456789ab_" + "A" * 43, "unknown_key"),
    ],
)
async def test_no_key_or_a_wrong_one_is_401(redis_url: str, header: str | None, code: str) -> None:
    """Nothing is read of a request whose sender is not known."""
    async with opened(redis_url) as (client, platform):
        del platform.headers["authorization"]
        platform.headers.update({"Authorization": header} if header is not None else {})
        assert problem(await send(platform, TOLD)) == (401, code, None)
        assert problem(await platform.get(VIEW)) == (401, code, None)
        assert await lengths(client) == 0


async def test_the_id_of_a_key_without_its_secret_opens_nothing_and_uses_nothing_up(redis_url: str) -> None:
    """Ids are in logs: whoever reads one there can neither come in nor lock the owner out."""
    async with client_for(redis_url) as client, running([toy()], redis_url) as application:
        key = (await new_key(client, "read", per_minute=1))["Authorization"]
        forged = key[:-43] + "A" * 43
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url=URL) as platform:
            for _ in range(3):
                answer = await platform.get(VIEW, headers={"Authorization": forged})
                assert problem(answer) == (401, "unknown_key", None)
            assert (await platform.get(VIEW, headers={"Authorization": key})).status_code == 404


async def test_only_a_hash_of_the_key_is_kept(redis_url: str) -> None:
    """Whoever reads Redis cannot come in by what he finds there."""
    async with opened(redis_url) as (client, platform):
        assert (await send(platform, TOLD)).status_code == 202
        secret = platform.headers["authorization"].split("_", 2)[2].encode()
        assert len(secret) == 43
        kept: Any = await client.hgetall(HTTP_KEYS)
        assert kept
        assert all(secret not in value for value in kept.values())
        for key in await client.keys("*"):
            assert secret not in (await client.dump(key) or b""), key


async def test_a_scope_lets_through_what_it_names_and_nothing_else(redis_url: str) -> None:
    """A key for check-ins can neither report sessions nor erase a patient, nor read."""
    async with opened(redis_url, scopes=("care.checkin.*", "care.patient.updated.v1")) as (client, platform):
        data = {"checkin_id": "c1", "reported_at": datetime.now(UTC).isoformat()}
        assert (await send(platform, event("checkin.reported", data))).status_code == 202
        assert (await send(platform, event("patient.updated", {}, "event-2"))).status_code == 202
        for kind, payload in (("session.reported", session(1)), ("patient.erased", {})):
            answer = await send(platform, event(kind, payload))
            assert problem(answer) == (403, "wrong_scope", "$.type")
            assert "care.checkin.*" in answer.json()["detail"]
        assert problem(await platform.get(VIEW)) == (403, "wrong_scope", None)
        answer = await send(platform, [event("patient.erased", {}), event("checkin.reported", data)], BATCH)
        assert [one["status"] for one in answer.json()["results"]] == ["refused", "accepted"]
        found = [*await read(client, Stream.PATIENTS), *await read(client, Stream.SESSIONS)]
        assert {one["type"] for one in found} == {"care.checkin.reported.v1", "care.patient.updated.v1"}


async def test_a_key_that_reads_cannot_send(redis_url: str) -> None:
    """`read` is no pattern of events."""
    async with opened(redis_url, scopes=("read",)) as (_, platform):
        assert problem(await send(platform, TOLD)) == (403, "wrong_scope", "$.type")
        assert problem(await platform.get(VIEW)) == (404, "nothing_held", None)


@pytest.mark.parametrize("scope", ["", "reads", "care.load.*", "care.session.reported.v2", "care.[a-z]*", "*\n"])
def test_a_scope_that_lets_nothing_through_is_no_scope(scope: str) -> None:
    """A typing error is found when the key is made, and not when the first event is refused."""
    with pytest.raises(ScopeError):
        check_scopes([scope])


def test_no_two_keys_are_alike() -> None:
    """Each has 256 bits of its own."""
    keys = {issue("x", ["read"], 1, datetime.now(UTC))[0] for _ in range(100)}
    assert len(keys) == 100
    assert {len(key.split("_", 2)[2]) for key in keys} == {43}


async def test_an_expired_key_and_a_revoked_one_are_401_at_once_on_every_replica(redis_url: str) -> None:
    """A key that got out is closed everywhere with one command, without a restart."""
    async with client_for(redis_url) as client, running([toy()], redis_url) as one:
        over = await new_key(client, "read", expires_in=timedelta(seconds=-1))
        header = await new_key(client, "read", expires_in=timedelta(days=1))
        key_id = header["Authorization"].split("_")[1]
        async with running([toy()], redis_url, consumer="test-1") as other:
            for application in (one, other):
                async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url=URL) as platform:
                    assert problem(await platform.get(VIEW, headers=over)) == (401, "expired_key", None)
                    assert problem(await platform.get(VIEW, headers=header)) == (404, "nothing_held", None)
            assert await Keyring(client).revoke(key_id, datetime.now(UTC)) is not None
            for application in (one, other):
                async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url=URL) as platform:
                    assert problem(await platform.get(VIEW, headers=header)) == (401, "revoked_key", None)
            assert await Keyring(client).revoke("0" * 12, datetime.now(UTC)) is None


async def test_more_than_the_limit_is_429_and_says_when_to_go_on(redis_url: str) -> None:
    """The count is one for all replicas; another key is not concerned; refused requests count as well."""
    async with client_for(redis_url) as client, running([toy()], redis_url) as one:
        header = await new_key(client, per_minute=3)
        async with running([toy()], redis_url, consumer="test-1") as two:
            answers = []
            for application in (one, two, one, two):
                async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url=URL) as platform:
                    answers.append(await platform.post(EVENTS, content=b"{", headers=header))
                    other = await platform.get(VIEW, headers=await new_key(client))
                    assert other.status_code == 404
        assert [answer.status_code for answer in answers] == [415, 415, 415, 429]
        assert [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers] == [
            '"key";r=2',
            '"key";r=1',
            '"key";r=0',
            '"key";r=0',
        ]
        last = answers[-1]
        assert problem(last) == (429, "rate_limited", None)
        assert last.headers["ratelimit-policy"] == '"key";q=3;w=60'
        assert 1 <= int(last.headers["retry-after"]) <= 60


async def test_a_minute_later_the_key_may_go_on(redis_url: str) -> None:
    """A counter that is over is forgotten by Redis; it never stands without an end."""
    async with opened(redis_url) as (client, _):
        _, kept = issue("slow", ["read"], 1, datetime.now(UTC))
        ring = Keyring(client)
        first, second = await ring.count(kept), await ring.count(kept)
        assert (first.is_exceeded, second.is_exceeded) == (False, True)
        (counter,) = await client.keys(f"*{kept.key_id}*")
        assert 0 < await client.pttl(counter) <= 60_000
        await client.pexpire(counter, 0)
        assert not (await ring.count(kept)).is_exceeded


async def test_so_many_requests_at_once_and_no_more(redis_url: str) -> None:
    """A flood of slow senders gets a problem and does not heap up beside the subscribers."""
    async with opened(redis_url) as (_client, platform):
        release = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"{"
            await release.wait()
            yield b"}"

        headers = {"Content-Type": "application/json"}
        sent = [
            asyncio.create_task(platform.post(EVENTS, content=slow(), headers=headers))
            for _ in range(REQUESTS_AT_ONCE + 3)
        ]
        first, _ = await asyncio.wait(sent, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        answer = await platform.get(VIEW)
        assert {problem(one.result()) for one in first} == {problem(answer)} == {(503, "busy", None)}
        assert answer.headers["retry-after"] == "1"
        release.set()
        statuses = [one.status_code for one in await asyncio.gather(*sent)]
        assert (statuses.count(503), statuses.count(422)) == (3, REQUESTS_AT_ONCE)
        assert (await platform.get(VIEW)).status_code == 404


async def test_a_body_that_does_not_come_is_given_up(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that falls silent holds its place for a while and no longer."""
    monkeypatch.setattr("shared.door.body.PATIENCE_S", 0.2)

    async def silent() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(3600)

    async with opened(redis_url) as (client, platform):
        answer = await platform.post(EVENTS, content=silent(), headers={"Content-Type": "application/json"})
        assert problem(answer) == (408, "body_timeout", None)
        assert await lengths(client) == 0
