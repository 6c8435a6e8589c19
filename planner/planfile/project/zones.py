"""Names of time zones."""

from __future__ import annotations

from zoneinfo import available_timezones

from planner.planfile.text import shorten, unknown


def zone_fault(name: str) -> str:
    """What is wrong with the name of a zone; empty where it is one."""
    zones = available_timezones()
    if name in zones:
        return ""
    what = f"`{shorten(name, 40)}` is not a name of the time zone database"
    place = f"/{name.strip().replace(' ', '_')}".lower()
    ends = sorted(zone for zone in zones if zone.lower().endswith(place))
    if ends:
        return f"{what}; did you mean `{ends[0]}`?"
    area = name.partition("/")[0]
    return unknown(what, name, sorted(zone for zone in zones if zone.startswith(f"{area}/")) or sorted(zones))
