"""Recognize hosts that are this machine: requests to them never cross a network."""

from __future__ import annotations

from ipaddress import ip_address


def is_this_machine(host: str) -> bool:
    """Whether a host is a loopback address, a name of one, or 0.0.0.0. Private networks do not count: others may be in them."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
