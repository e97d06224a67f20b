"""The application as a process: boots in order, serves health and metrics, ends with an honest status."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import uvicorn
from faststream.asgi import AsgiFastStream, AsgiResponse, get
from faststream.asgi.response import JSONResponse
from faststream.redis import RedisBroker, StreamSub
from faststream.specification import AsyncAPI

from shared.door.app import PREFIX, Door
from shared.log import configure_log, logger
from shared.stream.consumer import ConsumerSlot
from shared.stream.discovery import port_of
from shared.stream.engine import Engine
from shared.stream.error import StreamError


class PortTakenError(StreamError):
    """Another process listens where the health routes should be."""


class _Server(uvicorn.Server):
    """Signals are ours: uvicorn would end by raising them again, with a status that is not 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class CareApplication(AsgiFastStream):
    """An AsgiFastStream that neither outlives its consumers nor loses the entries of an unfinished boot."""

    def __init__(
        self,
        broker: RedisBroker,
        *,
        engine: Engine,
        door: Door,
        subscriptions: Sequence[StreamSub[Any]],
        specification: AsyncAPI,
        asgi_routes: Sequence[tuple[str, Any]],
    ) -> None:
        self.engine = engine
        self.door = door
        self._subscriptions = subscriptions
        self._slot = ConsumerSlot(engine.settings.data_dir, [service.name for service in engine.services])
        super().__init__(
            broker,
            specification=specification,
            asgi_routes=[*asgi_routes, ("/asyncapi.json", self._asyncapi_route())],
            logger=None,
            on_startup=[self._prepare],
            after_startup=[self._start],
            on_shutdown=[engine.stop],
            after_shutdown=[engine.close, door.close, self._slot.release],
        )
        engine.consumers_alive = self._are_consumers_alive

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """FastStream knows exact paths only; what lies under `/v1/` is the door's."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self.door(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        """A start that fails ends the process: uvicorn would serve on, with some subscribers and no timers."""

        async def end_first(message: Any) -> None:
            has_failed = message["type"].endswith(".failed")
            if has_failed and not self.engine.started.is_set():
                await self._shutdown()  # FastStream's own was cancelled together with the start
            await send(message | {"message": ""} if has_failed else message)

        try:
            await super().lifespan(scope, receive, end_first)
        except Exception as error:
            if self.engine.started.is_set():
                logger().warning("stopped with an error", error=type(error).__name__)
            else:
                self.engine.fail(StreamError(f"could not start ({type(error).__name__})"))

    async def run(self, log_level: int = logging.INFO, run_extra_options: dict[str, Any] | None = None) -> None:
        """What `faststream run` calls. Ends with status 1 where it could not go on."""
        options = run_extra_options or {}
        settings = self.engine.settings
        configure_log(settings.log_format, settings.log_level)
        try:
            await self.serve(options.get("host"), int(options["port"]) if "port" in options else None)
        except StreamError as error:
            logger().error("cannot go on", reason=str(error))
            raise SystemExit(1) from None

    async def serve(self, host: str | None = None, port: int | None = None) -> None:
        """Runs until SIGTERM or SIGINT. Raises StreamError where it cannot go on."""
        settings = self.engine.settings
        names = [service.name for service in self.engine.services]
        host = host or settings.http_host
        listener = _listen(host, port or port_of(names, settings.http_port))
        with contextlib.closing(listener):
            await self._prepare()
            server = _Server(
                uvicorn.Config(
                    self,
                    lifespan="on",
                    log_config=None,
                    access_log=False,
                    timeout_graceful_shutdown=3,
                )
            )
            with _stop_on_signal(server):
                watcher = asyncio.create_task(self._exit_on_failure(server))
                logger().info("running", services=names, host=host, port=listener.getsockname()[1])
                try:
                    await server.serve([listener])
                finally:
                    watcher.cancel()
        if self.engine.failure is not None:
            raise self.engine.failure
        if not server.started:
            raise StreamError("the application could not start")
        logger().info("stopped", services=names)

    @contextlib.asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        """Without HTTP and signals, within another program. Raises the failure, if there was one."""
        async with self.start_lifespan_context():
            await self.engine.started.wait()
            yield
        if self.engine.failure is not None:
            raise self.engine.failure

    def exit(self) -> None:
        """FastStream calls this when a subscriber has lost its group."""
        self.engine.fail(StreamError("a subscriber has lost its stream or consumer group"))

    async def _prepare(self) -> None:
        name = self.engine.settings.consumer or self._slot.claim()
        for subscription in self._subscriptions:
            subscription.consumer = name
        try:
            await self.engine.prepare(name)
        except BaseException:
            await self.door.close()
            await self.engine.close()  # FastStream runs no shutdown hooks where the start failed
            self._slot.release()
            raise

    async def _start(self) -> None:
        self.engine.start()

    async def _exit_on_failure(self, server: uvicorn.Server) -> None:
        await self.engine.failed.wait()
        server.should_exit = True

    def _are_consumers_alive(self) -> bool:
        return all(
            subscriber.running and any(not task.done() for task in getattr(subscriber, "tasks", ()))
            for broker in self.brokers
            for subscriber in broker.subscribers
        )

    def _asyncapi_route(self) -> Any:
        @get(include_in_schema=False)
        async def asyncapi(scope: Any) -> AsgiResponse:
            return JSONResponse(self.schema.to_specification().to_jsonable())

        return asyncapi


def _listen(host: str, port: int) -> socket.socket:
    """Takes the port before anything else starts. Raises PortTakenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortTakenError(f"cannot listen on {host}:{port}: {error.strerror}; see CARE_HTTP_PORT") from None
    return listener


@contextlib.contextmanager
def _stop_on_signal(server: uvicorn.Server) -> Iterator[None]:
    """The first signal stops gracefully, a second SIGINT at once."""
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        if server.should_exit and number == signal.SIGINT:
            server.force_exit = True
        server.should_exit = True

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
