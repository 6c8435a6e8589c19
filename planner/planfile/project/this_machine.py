"""Which hosts are this machine, so that what is sent to them is on no way where others could read it."""

from __future__ import annotations

from ipaddress import ip_address


def is_this_machine(host: str) -> bool:
    """Its loopback addresses and their names, and no address in particular (0.0.0.0), which is reached over loopback. A private network is not: who else is in it cannot be told from here."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
