"""A toy service as a process of its own: to be killed, starved and stopped."""

import asyncio
import sys

from shared.log import configure_log
from shared.settings import Settings, read_settings
from shared.stream.application import build_application
from shared.stream.error import StreamError
from tests.support.toy import toy


def main() -> None:
    """Runs the toy of the name given until a signal."""
    settings = read_settings(Settings)
    configure_log("json")
    try:
        asyncio.run(build_application([toy(sys.argv[1])], settings).serve())
    except StreamError as error:
        print(error, file=sys.stderr)  # noqa: T201  # read by the test
        sys.exit(1)


if __name__ == "__main__":
    main()
