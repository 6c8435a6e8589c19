"""What httpx takes from the environment: proxies and certificates. Where those cannot be used, they are told, and not a bug."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from planner.errors import UsageError


def read_certificates() -> ssl.SSLContext:
    """Takes long: of all authorities there are.

    Raises:
        UsageError: what the environment names holds none.
    """
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {error.strerror or error}",
            "Correct or unset them.",
        ) from error


def proxy_fault(base_url: str, tls: ssl.SSLContext, error: Exception) -> UsageError | None:
    """Of a client that could not be made: None where it could not be without the environment's proxies either."""
    try:
        httpx.AsyncClient(base_url=base_url, verify=tls, trust_env=False)
    except httpx.InvalidURL:
        return None
    variables = ", ".join(sorted(f"{scheme.upper()}_PROXY" for scheme in getproxies()))
    if isinstance(error, ImportError):
        why, cure = "SOCKS takes the package socksio, which is not installed", "Install it beside planner, name"
    else:
        why, cure = str(error), "Name"
    return UsageError(
        f"the proxies that the environment names ({variables}) cannot be used: {why}",
        f"{cure} an http:// proxy, or unset it.",
    )


def proxy_variable(base_url: str) -> str:
    """The one that names the proxy by which an address is reached; empty where there is none."""
    return _proxy(base_url)[0]


def proxy_host(base_url: str) -> str:
    """Where that proxy is; empty where there is none, or its address is none."""
    address = _proxy(base_url)[1]
    try:
        return urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""


def _proxy(base_url: str) -> tuple[str, str]:
    """The variable and what it says."""
    proxies, address = getproxies(), urlsplit(base_url)
    scheme = next((scheme for scheme in (address.scheme, "all") if scheme in proxies), None)
    if scheme is None or proxy_bypass(address.hostname or ""):
        return "", ""
    return f"{scheme.upper()}_PROXY", proxies[scheme]


def out_of_reach(base_url: str, reason: str, variable: str) -> tuple[str, str]:
    """What is wrong and what may help; `variable` names the proxy in between."""
    through = f" through the proxy of {variable}" if variable else ""
    also = f", {variable}" if variable else ""
    return (
        f"the service at {base_url} cannot be reached{through}: {reason}",
        f"Check the network{also} and THUNDERPHONE_API_BASE_URL, then run the same command again.",
    )
