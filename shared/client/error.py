"""What a caller of the client has to handle, and what to do then.

ClientError
├── RefusedError            events are not as the contract says: mend them; sending them again changes nothing
├── UnauthorisedError       the key or login is missing, wrong, or not good for this
├── RateLimitedError        too much at once: send the same events again after `retry_after_s`
├── UnavailableError        no answer within the patience: send the same events again, with the same ids
├── UnexpectedAnswerError   something answered that does not speak this interface, such as a proxy
├── NotFoundError           the system knows nothing of this patient
├── GapError                entries were trimmed before they were read; go on from `cursor`
├── CursorError             this is no resume token, or not one of this system
├── UnsupportedError        the other transport can do this
└── WebhookError            a request is not a webhook of this system: answer 400 and drop it

No message repeats a key, a password, or what a patient wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class ClientError(Exception):
    """The root. The message is one line that says what happened and what to do."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one event was refused."""

    index: int
    """Its place in what was submitted, from 0."""
    event_id: str | None
    code: str
    """Stable, for programs: as in the dead letters, such as `out_of_range`."""
    path: str
    """JSONPath into the event, `$` where it concerns the whole."""
    message: str


class RefusedError(ClientError):
    """Some events were refused. What is neither among `refusals` nor in `accepted` is to be sent again."""

    def __init__(self, refusals: Sequence[Refusal], accepted: Sequence[str] = ()) -> None:
        self.refusals = tuple(refusals)
        self.accepted = tuple(accepted)
        """Ids of the events that the system has taken all the same, of this call."""
        first = self.refusals[0]
        rest = f" (and {len(self.refusals) - 1} more)" if len(self.refusals) > 1 else ""
        super().__init__(f"event {first.index} refused: {first.code} at {first.path}: {first.message}{rest}")


class UnauthorisedError(ClientError):
    """The key or login is missing, wrong, or not good for this."""


class RateLimitedError(ClientError):
    """Too much at once. Ids make it safe to send the same events again."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnavailableError(ClientError):
    """No answer within the patience. Whether the events arrived is unknown; their ids make another try safe."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """What the system asked for, where it did."""


class UnexpectedAnswerError(ClientError):
    """Something answered that does not speak this interface. The message has the status."""


class NotFoundError(ClientError):
    """The system knows nothing of this patient, or not this of them."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What of one partition of a stream can no longer be read."""

    key: str
    """The stream's Redis key."""
    after: str
    """The id of the last entry that was read."""
    lost: int | None
    """How many entries; None where the stream was begun anew."""


class GapError(ClientError):
    """Entries were trimmed before they were read: what follows from them must be fetched anew.

    Go on from `cursor`, or with the same iterator, after taking the patients' present state from the views.
    """

    def __init__(self, gaps: Sequence[Gap], cursor: str) -> None:
        self.gaps = tuple(gaps)
        self.cursor = cursor
        told = ", ".join(
            f"{gap.key} was begun anew" if gap.lost is None else f"{gap.lost} entries of {gap.key} after {gap.after}"
            for gap in self.gaps
        )
        super().__init__(f"no longer there: {told}; raise CARE_RETENTION_DAYS, or read more often")


class CursorError(ClientError):
    """This is no resume token, or not one of this system."""


class UnsupportedError(ClientError):
    """This transport cannot do it; the message names the one that can."""


class WebhookError(ClientError):
    """The request is not a webhook of this system, or one whose time is over."""
