"""Proxies and certificates from the environment, with errors for invalid ones."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from planner.errors import UsageError


def read_certificates() -> ssl.SSLContext:
    """Slow: reads the certificates of all authorities.

    Raises:
        UsageError: the environment names no valid certificates.
    """
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(
            f"the certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read: {error.strerror or error}",
            "Correct or unset them.",
        ) from error


def proxy_fault(base_url: str, tls: ssl.SSLContext, error: Exception) -> UsageError | None:
    """The error of a client that could not be created; None if the environment's proxies are not the cause."""
    try:
        httpx.AsyncClient(base_url=base_url, verify=tls, trust_env=False)
    except httpx.InvalidURL:
        return None
    variables = ", ".join(sorted(f"{scheme.upper()}_PROXY" for scheme in getproxies()))
    if isinstance(error, ImportError):
        why, fix = "SOCKS needs the package socksio, which is not installed", "Install it, use"
    else:
        why, fix = str(error), "Use"
    return UsageError(
        f"the proxies in the environment ({variables}) cannot be used: {why}",
        f"{fix} an http:// proxy, or unset the variable.",
    )


def proxy_variable(base_url: str) -> str:
    """The variable that names the proxy for an address; "" if there is none."""
    return _proxy(base_url)[0]


def proxy_host(base_url: str) -> str:
    """The host of that proxy; "" if there is none or it is invalid."""
    address = _proxy(base_url)[1]
    try:
        return urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""


def _proxy(base_url: str) -> tuple[str, str]:
    """The variable and its value."""
    proxies, address = getproxies(), urlsplit(base_url)
    scheme = next((scheme for scheme in (address.scheme, "all") if scheme in proxies), None)
    if scheme is None or proxy_bypass(address.hostname or ""):
        return "", ""
    return f"{scheme.upper()}_PROXY", proxies[scheme]


def out_of_reach(base_url: str, reason: str, variable: str) -> tuple[str, str]:
    """Message and hint; `variable` names the proxy in use."""
    through = f" through the proxy of {variable}" if variable else ""
    also = f", {variable}" if variable else ""
    return (
        f"the service at {base_url} cannot be reached{through}: {reason}",
        f"Check the network{also} and THUNDERPHONE_API_BASE_URL, then run the same command again.",
    )
