"""Addresses are data that others wrote: whatever they hold, a channel answers in its own words and stays outside."""

import socket
from collections.abc import Sequence
from concurrent.futures import Executor
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from services.notifier.channels.channel import DeliveryError
from services.notifier.channels.guard import ForbiddenAddressError, checked, parse_allowed
from services.notifier.channels.mail import MailChannel
from services.notifier.channels.webhook import WebhookChannel
from services.notifier.settings import parse_smtp_url
from tests.support.outward import MESSAGES

KEY = "whsec_" + "a" * 44
NOWHERE = parse_smtp_url(SecretStr("smtp://127.0.0.1:9"))
PRIVATE = [
    ip_network(text)
    for text in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
                 "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3")
]  # fmt: skip


async def nobody(host: str, port: int, threads: Executor) -> Sequence[str]:
    raise socket.gaierror(socket.EAI_NONAME, "unknown")


WEBHOOKS = WebhookChannel((KEY,), parse_allowed(""), 5, nobody)
MAIL = MailChannel(NOWHERE, "care@clinic.example", 5)
urls = st.one_of(
    st.text(max_size=60),
    st.builds("{}://{}".format, st.sampled_from(["http", "https", "HTTPS"]), st.text(max_size=60)),
    st.builds("https://{}:{}/".format, st.text(max_size=20), st.integers(-1, 70000)),
)
mail_addresses = st.one_of(
    st.text(max_size=60),
    st.builds("{}@{}".format, st.text(max_size=30), st.text(max_size=30)),
    st.builds(
        "{}@{}".format,
        st.text(alphabet="ab.()[]\\'!#é\x00\r\n =?_", max_size=20),
        st.text(alphabet="ab.()[]\\-:é= ?", max_size=20),
    ),
)


@given(urls)
@example("https://xn--a/")
@example("https://a..b/")
@example("https://" + "a" * 300 + "/")
@example("https://[::1%25eth0]/")
@settings(max_examples=600, deadline=None)
async def test_no_webhook_address_surprises_the_channel(address: str) -> None:
    """Anything but an answer of the port would be taken for a bug and stop the patient's stream."""
    with pytest.raises(DeliveryError):
        await WEBHOOKS.send(MESSAGES["alert"], address)


@given(mail_addresses)
@example("a@[")
@example("a(@b.example")
@example("=?utf-8?q?a?=@b.example")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_no_mail_address_surprises_the_channel(address: str) -> None:
    """The same for mail: here nobody listens, so every address fails in the port's words."""
    with pytest.raises(DeliveryError):
        await MAIL.send(MESSAGES["alert"], address)


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
@settings(max_examples=500)
def test_an_ipv4_address_is_judged_the_same_however_it_is_wrapped(address: IPv4Address) -> None:
    """As itself, mapped into IPv6 and behind a NAT64: no wrapping opens a door."""
    number = int(address)
    wrapped: list[IPv4Address | IPv6Address] = [
        address,
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x64FF9B << 96 | number),
    ]

    def is_refused(one: IPv4Address | IPv6Address) -> bool:
        try:
            checked("hook.example", [str(one)], parse_allowed(""), is_encrypted=True)
        except ForbiddenAddressError:
            return True
        return False

    judged = {is_refused(one) for one in wrapped}
    assert len(judged) == 1
    if any(address in network for network in PRIVATE):
        assert judged == {True}
