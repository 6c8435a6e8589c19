"""Names of time zones, and what is written in their place."""

from __future__ import annotations

from zoneinfo import available_timezones

from planner.planfile.text import shorten, unknown

_PLACES = {
    "CEST": "Europe/Berlin",
    "BST": "Europe/London",
    "WEST": "Europe/Lisbon",
    "EEST": "Europe/Athens",
    "EDT": "America/New_York",
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "MDT": "America/Denver",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "AEST": "Australia/Sydney",
    "AEDT": "Australia/Sydney",
}
"""A place of each that many people live in. Several of these letters mean other zones, too."""


def zone_fault(name: str) -> str:
    """What is wrong with the name of a zone; empty where it is one."""
    zones = available_timezones()
    if name in zones:
        return ""
    what = f"`{shorten(name, 40)}` is not a name of the time zone database"
    if name.upper() in _PLACES:
        return f"{what}; write a place that has this time, such as {_PLACES[name.upper()]}"
    place = f"/{name.strip().replace(' ', '_')}".lower()
    ends = sorted(zone for zone in zones if zone.lower().endswith(place))
    if ends:
        return f"{what}; did you mean `{ends[0]}`?"
    area = name.partition("/")[0]
    return unknown(what, name, sorted(zone for zone in zones if zone.startswith(f"{area}/")) or sorted(zones))
