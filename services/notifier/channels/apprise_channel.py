"""Everything that Apprise reaches: chat, push, text message. Needs the extra `apprise`.

The address is an Apprise URL, which holds secrets: it is never logged, and Apprise itself is kept silent.
Apprise says only whether a service took the message, not why not, and not whether it may have: every failure is
tried again, which is right for a clinician's alert and wrong for a patient's reminder. And no guard stands
between an Apprise URL and the clinic's own machines. So it is for recipients of the policy only.
"""

import asyncio
import logging

from services.notifier.channels.channel import Message, PassingError, Receipt, RefusedError, UncertainError
from services.notifier.channels.lane import Threads


class AppriseChannel:
    """Apprise blocks, so each message has a thread for as long as it takes."""

    name = "apprise"

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._threads = Threads("apprise")
        for loud in ("apprise", "urllib3"):  # they would log the address
            logging.getLogger(loud).setLevel(logging.CRITICAL + 1)

    async def send(self, message: Message, address: str) -> Receipt:
        if not message.recipient:
            raise RefusedError("Apprise is for recipients of the policy only", address_is_dead=False)
        sending = self._threads.of(message).submit(_notify, message, address)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.shield(asyncio.wrap_future(sending))
        except TimeoutError:
            if sending.cancel():
                raise PassingError("no thread was free in time") from None
            raise UncertainError("Apprise did not say whether the service took the message") from None


def _notify(message: Message, address: str) -> Receipt:
    """In a thread, since it waits; also the first look at an address, which loads all that Apprise knows."""
    import apprise  # here, since it loads as much as all the rest of the service together

    kinds = {"emergency": apprise.NotifyType.FAILURE, "urgent": apprise.NotifyType.WARNING}
    service = apprise.Apprise()
    if not service.add(address) or len(service) != 1:
        raise RefusedError("the address is no Apprise URL", address_is_dead=True)
    taken = service.notify(
        title=message.subject,
        body=message.short or message.subject,
        notify_type=kinds.get(message.severity, apprise.NotifyType.INFO),
        body_format=apprise.NotifyFormat.TEXT,
    )
    if not taken:
        raise PassingError("Apprise could not hand the message over")
    return Receipt("taken")
