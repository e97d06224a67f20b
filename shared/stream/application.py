"""Builds the FastStream application of one or more services: one broker, one subscriber for each stream."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from faststream import AckPolicy
from faststream.asgi import AsgiResponse, get
from faststream.asgi.response import JSONResponse
from faststream.redis import RedisBroker, RedisClusterBroker, StreamSub
from faststream.redis.message import FAKE_CONSUMER, RedisBatchStreamMessage
from faststream.specification import AsyncAPI

from shared.door.app import REQUESTS_AT_ONCE, Door
from shared.event.envelope import Event
from shared.event.registry import PAYLOADS
from shared.event.wire import Stream
from shared.protocol.library import load_protocols, shipped_protocols
from shared.service import Service
from shared.settings import SettingError, Settings, read_settings
from shared.stream.connection import connect, is_cluster, plain
from shared.stream.engine import Engine
from shared.stream.key import DATA_FIELD, Lane, stream_key
from shared.stream.pump import Pump, key_of
from shared.stream.server import CareApplication
from shared.stream.subscription import begin_at_the_beginning, pause_when_refused, read_once_started

BLOCK_MS = 1000
"""How long a read waits for entries. Below redis-py's socket timeout of 5 s; it costs no latency."""
SPARE_CONNECTIONS = 16
ENTRY_FORM = f"One entry holds one event as JSON in its field `{DATA_FIELD.decode()}`."
EFFECTS_AT_ONCE = 20
"""Timers read in one go by a service that talks to the world: it does so for all of them at the same time."""
GRACE_S = 10.0
"""For batches in flight when the process is told to stop."""


def build_application(services: Sequence[Service[Any]], settings: Settings | None = None) -> CareApplication:
    """The application of these services. Nothing is connected yet."""
    settings = settings or read_settings(Settings)
    if settings.redis_url is None:
        raise SettingError("CARE_REDIS_URL is missing; `adaptive-care run` starts an embedded server instead")
    protocols = load_protocols(settings.protocols) if settings.protocols else shipped_protocols()
    readers = settings.partitions * sum(len(_sources(service)) for service in services)
    client = connect(settings.redis_url)
    engine = Engine(services, settings, client, protocols)
    broker = _make_broker(settings.redis_url, readers + SPARE_CONNECTIONS)
    subscriptions: list[StreamSub[Any]] = []
    for service in services:
        for partition in range(settings.partitions):
            subscriptions += [_subscribe(broker, engine, service, partition, stream) for stream in _sources(service)]
    _document_outputs(broker, services, settings.partitions)
    client_of_door = connect(settings.redis_url, max_connections=REQUESTS_AT_ONCE)
    return CareApplication(
        broker,
        engine=engine,
        door=Door(services, settings, client_of_door, engine.clock, protocols, engine.metrics),
        subscriptions=subscriptions,
        specification=AsyncAPI(
            title="adaptive-care",
            version="1",
            description="\n\n".join(f"**{service.name}**: {service.summary}" for service in services),
        ),
        asgi_routes=[*_routes(engine), *engine.routes()],
    )


def _make_broker(url: str, max_connections: int) -> RedisBroker:
    kind = RedisClusterBroker if is_cluster(url) else RedisBroker
    return kind(
        plain(url),
        apply_types=False,  # entries are validated by our own decoder, with JSONPaths for the dead letters
        graceful_timeout=GRACE_S,
        max_connections=max_connections,
        logger=None,  # type: ignore[arg-type]  # None silences it; its type does not say so
    )


def _subscribe(
    broker: RedisBroker, engine: Engine, service: Service[Any], partition: int, stream: Stream | Lane
) -> StreamSub[Any]:
    pump = engine.add_pump(service, partition, stream)
    has_effects = isinstance(stream, Lane) and service.perform is not None
    subscription = StreamSub(
        key_of(partition, service.name, stream),
        group=service.name,
        consumer=engine.settings.consumer or "to-be-named",
        batch=True,
        max_records=min(engine.settings.batch_size, EFFECTS_AT_ONCE) if has_effects else engine.settings.batch_size,
        polling_interval=BLOCK_MS,
    )
    title = f"{service.name}:{stream.value}"
    subscribe = broker.subscriber(
        stream=subscription,
        ack_policy=AckPolicy.MANUAL,
        parser=_parse,
        decoder=_decode,
        title=title if partition == 0 else f"{title}:{partition}",
        description=f"{service.summary} {ENTRY_FORM}",
        include_in_schema=isinstance(stream, Stream),
    )
    subscribe(_handler(engine, pump, _payloads(stream) if isinstance(stream, Stream) else bytes))
    begin_at_the_beginning(subscribe)
    pause_when_refused(subscribe)
    read_once_started(subscribe, engine.started)
    return subscription


def _sources(service: Service[Any]) -> tuple[Stream | Lane, ...]:
    lanes = (Lane.DUE,) if service.perform is None else (Lane.DUE, Lane.URGENT)
    return (*service.reads, *lanes)


def _handler(engine: Engine, pump: Pump, payload: Any) -> Any:
    async def handle(batch: Any) -> None:
        raw = batch.raw_message
        await engine.process(pump, raw["message_ids"], raw["data"])

    handle.__annotations__["batch"] = payload  # shown in the AsyncAPI document: what one entry holds
    return handle


async def _parse(raw: Any) -> RedisBatchStreamMessage:
    """Passes a batch through as it was read: FastStream's own parser guesses at envelopes."""
    return RedisBatchStreamMessage(
        raw_message=raw,
        body=b"",
        correlation_id="",
        message_id=raw["message_ids"][0].decode(),
        consumer=FAKE_CONSUMER,
        group=None,
    )


async def _decode(message: Any) -> Any:
    return message


def _payloads(stream: Stream) -> Any:
    """The type of a stream's events: a union where it carries several."""
    envelope: Any = Event
    return reduce(or_, (envelope[payload] for payload in PAYLOADS if payload.stream is stream))


def _document_outputs(broker: RedisBroker, services: Sequence[Service[Any]], partitions: int) -> None:
    """Publishers for the AsyncAPI document only: real events leave within the commit."""
    writers = {stream: [s.name for s in services if stream in s.writes] for stream in Stream}
    writers[Stream.DEAD_LETTERS] = [service.name for service in services]
    for stream, names in writers.items():
        for partition in range(partitions if names else 0):
            broker.publisher(
                stream=stream_key(partition, stream),
                title=f"{stream.value}:{partition}",
                description=f"Written by {', '.join(names)}.",
                schema=_payloads(stream),
            )


def _routes(engine: Engine) -> list[tuple[str, Any]]:
    @get(include_in_schema=False)
    async def live(scope: Any) -> AsgiResponse:
        alive = engine.failure is None and engine.consumers_alive()
        return JSONResponse({"live": alive}, 200 if alive else 503)

    @get(include_in_schema=False)
    async def ready(scope: Any) -> AsgiResponse:
        is_ready = await engine.is_ready()
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    @get(include_in_schema=False)
    async def metrics(scope: Any) -> AsgiResponse:
        await engine.measure()
        return AsgiResponse(engine.metrics.text(), 200, {"content-type": "text/plain; version=0.0.4; charset=utf-8"})

    return [("/live", live), ("/ready", ready), ("/metrics", metrics)]
