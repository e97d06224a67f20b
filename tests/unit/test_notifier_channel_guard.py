"""Which machines a webhook may reach, by their number."""

import pytest

from services.notifier.channels.guard import ForbiddenAddressError, checked, parse_allowed

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",  # carrier-grade NAT
    "100.100.100.200",  # Alibaba's metadata
    "169.254.169.254",  # metadata of most clouds
    "168.63.129.16",  # Azure's
    "192.0.0.192",  # Oracle's
    "0.0.0.0",  # noqa: S104
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%1",
    "fc00::1",
    "fd00:ec2::254",  # Amazon's over IPv6
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::5db8:d70e",
    "fec0::1",
    "::10.0.0.1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "2002:0a00:0001::",  # 6to4 of 10.0.0.1
    "2001:db8::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused_over_tls_too(address: str) -> None:
    """Loopback, private, link-local, multicast, reserved and metadata addresses, however they are wrapped."""
    with pytest.raises(ForbiddenAddressError, match="private network"):
        checked("hook.example", [address], parse_allowed(""), is_encrypted=True)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_what_is_public_is_reached_over_tls_only(address: str) -> None:
    """A machine of the internet, by https."""
    (found,) = checked("hook.example", [address], parse_allowed(""), is_encrypted=True)
    assert str(found) == address
    with pytest.raises(ForbiddenAddressError, match="not https"):
        checked("hook.example", [address], parse_allowed(""), is_encrypted=False)


def test_an_operator_may_allow_a_host_or_a_network_and_nothing_beside_it() -> None:
    """The clinic's own receiver is reached; its neighbour is not."""
    allowed = parse_allowed("Hook.clinic.example., 10.1.0.0/16, 192.168.0.9,fd00::/64")
    for host, address in [
        ("hook.CLINIC.example", "192.168.7.7"),
        ("any.example", "10.1.255.255"),
        ("any.example", "192.168.0.9"),
        ("any.example", "fd00::7"),
    ]:
        assert checked(host, [address], allowed, is_encrypted=False)
    for host, address in [
        ("other.clinic.example", "192.168.7.7"),
        ("any.example", "10.2.0.0"),
        ("any.example", "192.168.0.10"),
    ]:
        with pytest.raises(ForbiddenAddressError):
            checked(host, [address], allowed, is_encrypted=True)


@pytest.mark.parametrize("text", ["10.1.0.0/33", "10.1.0.1/16", "300.1.1.1", "10.1", "fd00::/129", "http://a.example/"])
def test_a_network_with_a_typing_error_is_not_taken_for_a_host(text: str) -> None:
    """An operator learns at start that nothing is allowed by it."""
    with pytest.raises(ValueError, match="neither a host name nor a network"):
        parse_allowed(f"hook.example, {text}")
