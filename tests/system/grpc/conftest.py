"""Fixtures of gateways whose segments workers compute."""
from ..workers import gateway, nats, worker  # noqa: F401  (fixtures)
