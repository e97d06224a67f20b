"""dramatiq: one message for each session, one process with eight threads, as its command line would start."""

import signal
import sys
import threading

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from bench.worker.plain import URL, handle_blocking, sessions

broker = RedisBroker(url=URL, middleware=[])
dramatiq.set_broker(broker)
client = redis.Redis.from_url(URL)


@dramatiq.actor
def on_session(raw: str) -> None:
    handle_blocking(client, raw.encode())


if __name__ == "__main__":
    if sys.argv[1] == "feed":
        for raw in sessions():
            on_session.send(raw.decode())
    else:
        worker = dramatiq.Worker(broker, worker_threads=8)
        worker.start()
        stopped = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        stopped.wait()
        worker.stop()
