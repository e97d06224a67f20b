"""The health check of the container: `python -m shared.probe`. It runs often, so it imports next to nothing.

A container runs one process, which listens on `CARE_HTTP_PORT` or on one of the four ports after it. The check passes
where somebody listens there and whoever does says that it is ready.
"""

import http.client
import os
import sys

PATH = "/ready"
PORTS = 5
"""All services in one process, or one of the four by itself."""
TIMEOUT_S = 4.0
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # an address to ask, not to listen on


def main() -> int:
    """0: ready; 1: not, with the reason in a line."""
    host = os.environ.get("CARE_HTTP_HOST", "127.0.0.1")
    first = int(os.environ.get("CARE_HTTP_PORT") or 8080)
    answers = {port: ask(ANYWHERE.get(host, host), port) for port in range(first, first + PORTS)}
    found = {port: status for port, status in answers.items() if status is not None}
    if found and all(status == http.client.OK for status in found.values()):
        return 0
    print(f"not ready: {found or 'nobody listens'}", file=sys.stderr)  # noqa: T201  # for `docker inspect`
    return 1


def ask(host: str, port: int) -> int | None:
    """The status of /ready; None where nobody listens, 0 where no answer comes."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", PATH)
        return connection.getresponse().status
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
