"""Why a process cannot go on.

StreamError
├── UnreachableError      Redis does not answer: the process ends with status 1
├── UnsuitableError       the server is too old, or holds another number of partitions
├── LostGroupError        a stream or group was deleted under the process
└── ClockError
    ├── ClockBackwardError    the replay clock went backward
    └── ClockStoppedError     the process stops while it waits for the clock; its entries stay pending
"""


class StreamError(Exception):
    """The runtime cannot go on. The message is one line for an operator."""


class UnreachableError(StreamError):
    """Redis cannot be reached for longer than CARE_REDIS_PATIENCE_S."""


class UnsuitableError(StreamError):
    """This Redis cannot be used as it is."""


class LostGroupError(StreamError):
    """A stream or consumer group is gone; what was pending in it is gone with it."""


class ClockError(StreamError):
    """The clock cannot be used."""


class ClockBackwardError(ClockError):
    """The replay clock moved backward: decisions made since would be wrong."""


class ClockStoppedError(ClockError):
    """Waiting for the replay clock was given up because the process stops."""
