"""A connection to Temporal, and its errors as planner's. Needs the extra `temporal`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode

from planner.errors import CredentialError, PlannerError, UnreachableError, UsageError

ADDRESS: Final = "localhost:7233"
"""Of Temporal's development server; the default of Temporal's own tools, too."""
_log = logging.getLogger("temporalio")
_log.addHandler(logging.NullHandler())  # otherwise each retry would be a line, and each cancelled activity a traceback


async def connect(environ: Mapping[str, str]) -> Client:
    """Connect as Temporal's own tools do, by TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_… or
    its configuration file. Raises `UsageError`, `UnreachableError`."""
    logs = LoggingConfig("warn", LogForwardingConfig(_log))
    try:
        config = ClientConfig.load_client_connect_config(override_env_vars=dict(environ))
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise UsageError(f"the settings of Temporal are invalid: {error}", "Check the variables TEMPORAL_….") from error
    options: dict[str, Any] = {"target_host": ADDRESS, **config}
    try:
        return await Client.connect(**options, runtime=Runtime(telemetry=TelemetryConfig(logging=logs)))
    except RPCError as error:
        raise UsageError(f"Temporal at {options['target_host']}: {error.message}") from error
    except ValueError as error:
        raise UsageError(f"Temporal's address {options['target_host']!r}: {error}", "Set TEMPORAL_ADDRESS.") from error
    except RuntimeError as error:
        raise UnreachableError(
            f"Temporal at {options['target_host']} cannot be reached",
            "Start it (`temporal server start-dev`), or correct TEMPORAL_ADDRESS. TEMPORAL_API_KEY turns on TLS.",
        ) from error


def planner_error(error: RPCError, client: Client) -> PlannerError:
    where = f"Temporal at {client.service_client.config.target_host}"
    match error.status:
        case RPCStatusCode.NOT_FOUND | RPCStatusCode.INVALID_ARGUMENT:
            return UsageError(f"{where}: {error.message}", "Set TEMPORAL_NAMESPACE.")
        case RPCStatusCode.PERMISSION_DENIED | RPCStatusCode.UNAUTHENTICATED:
            return CredentialError(f"{where} rejected the key: {error.message}", "Set TEMPORAL_API_KEY.")
        case _:
            return UnreachableError(f"{where} cannot be used: {error.message}", "Try again.")
