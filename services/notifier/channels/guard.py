"""Which machines a webhook may reach: public ones, and of the private ones only those that an operator named.

An address of a webhook is data that others wrote. Without this guard it could make the notifier knock at
the clinic's own doors: its database, its router, its cloud's metadata service.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
NOT_PUBLIC = tuple(
    ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's own, public by number
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata
        "64:ff9b:1::/48",  # NAT64 of the local network
        "fec0::/10",  # site-local, of old
    )
)
"""What `ipaddress` takes for global, or did in some versions of Python."""
NAT64 = ip_network("64:ff9b::/96")
"""Carries an IPv4 address in its last 32 bits."""


class ForbiddenAddressError(Exception):
    """The message says why, without the address."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an operator allows beyond public machines over TLS."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def covers(self, host: str, address: Address) -> bool:
        """Whether private addresses, and plain HTTP, are all right."""
        return host in self.hosts or any(address in network for network in self.networks)


def parse_allowed(text: str) -> Allowed:
    """Of `hook.clinic.example, 10.1.0.0/16`. Raises ValueError with one line."""
    hosts, networks = set[str](), []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            networks.append(ip_network(part))
        except ValueError as error:
            if "/" in part or ":" in part or not part.strip("0123456789."):
                raise ValueError(f"{part!r} is neither a host name nor a network such as 10.1.0.0/16") from error
            hosts.add(part.lower().rstrip("."))
    return Allowed(frozenset(hosts), tuple(networks))


def checked(host: str, found: Sequence[str], allowed: Allowed, *, is_encrypted: bool) -> tuple[Address, ...]:
    """The addresses to connect to, none but these. Raises ForbiddenAddressError where one of them is not fit."""
    addresses = tuple(ip_address(text) for text in found)
    for address in addresses:
        if allowed.covers(host.lower().rstrip("."), address):
            continue
        if not is_encrypted:
            raise ForbiddenAddressError("the address is not https")
        if not all(_is_public(part) for part in _within(address)):
            raise ForbiddenAddressError("the address leads into a private network")
    return addresses


def _is_public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in NOT_PUBLIC)
    )


def _within(address: Address) -> tuple[Address, ...]:
    """The address, or the IPv4 address that it stands for, or both."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address, address.sixtofour)
    if address in NAT64:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return (address,)
