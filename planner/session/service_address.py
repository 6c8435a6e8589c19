"""The address of the service, from the environment, and whether an API key may be sent there."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from planner.errors import UsageError
from planner.planfile.project.addresses import is_this_machine

DEFAULT_BASE_URL = "https://api.thunderphone.com"
ADDRESS = "THUNDERPHONE_API_BASE_URL"
IN_CLEAR = "THUNDERPHONE_ALLOW_HTTP_TO"
_PORTS = {"http": 80, "https": 443}


def base_url_of(environ: Mapping[str, str]) -> str:
    """Raises `UsageError` if the environment names an invalid address."""
    base_url = environ.get(ADDRESS, "").strip() or DEFAULT_BASE_URL
    if _parts(base_url) is None:
        raise UsageError(
            f"{ADDRESS} is {base_url!r}, not a web address",
            f"Unset it for {DEFAULT_BASE_URL}, or write http(s)://host, with no ? and no #.",
        )
    return base_url.rstrip("/").removesuffix("/v1")


def service_of(environ: Mapping[str, str]) -> str:
    """Names the service in stored documents: another service may use the same ids."""
    return shown_address(base_url_of(environ))


def check_transport_security(base_url: str, environ: Mapping[str, str]) -> None:
    """Raises `UsageError` if the key would travel unencrypted without permission."""
    parts = _parts(base_url)
    if parts is None or parts.scheme == "https":
        return
    from planner.network.settings import proxy_host, proxy_variable  # imported late: reads certificates

    host = parts.hostname or ""
    allowed = environ.get(IN_CLEAR, "").strip().lower()
    also = f" {IN_CLEAR} names another host: {allowed!r}." if allowed else ""
    shown, safe = shown_address(base_url), "If the key is worthless (as in a sandbox) or the network is safe, allow it:"
    if not is_this_machine(host) and allowed != host:
        raise UsageError(
            f"{ADDRESS} is {shown}: over http, the key could be read on its way to {host}",
            f"Use https.{also} {safe} {IN_CLEAR}={host}",
        )
    if is_this_machine(host) and (proxy := proxy_host(base_url)) and not is_this_machine(proxy) and allowed != proxy:
        raise UsageError(
            f"{ADDRESS} is {shown}, through the proxy {proxy} of {proxy_variable(base_url)}: the key could be read on its way to"
            " the proxy",
            f"Set NO_PROXY={host}.{also} {safe} {IN_CLEAR}={proxy}",
        )


def shown_address(base_url: str) -> str:
    """The address in a canonical form, without user names and passwords."""
    parts = _parts(base_url)
    if parts is None:
        return base_url
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/').removesuffix('/v1')}"


def _parts(text: str) -> SplitResult | None:
    """The parts of an address that paths can be appended to; None for an invalid one."""
    try:
        parts = urlsplit(text)
        can_be_asked = parts.scheme in _PORTS and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return parts if can_be_asked and not parts.query and not parts.fragment else None
