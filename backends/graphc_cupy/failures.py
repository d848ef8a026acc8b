"""What is raised when a device fails."""

from __future__ import annotations

from graphc.errors import StateLostError

from .device import Device


def state_lost(device: Device, error: Exception) -> StateLostError:
    """Variables hold neither the old values nor the new ones for sure."""
    return StateLostError(
        f"{device.name} failed, and with it went the variables",
        expected="a device that goes on working",
        got=f"{type(error).__name__}: {error}",
        fix="restore a snapshot; if the device goes on failing, do so in a new process",
    )


def require_alive(device: Device, error: Exception) -> None:
    """Holds a device for one that still answers, after an exception that need not be its own.

    Raises:
        StateLostError: it does not; its memory is gone.
    """
    try:
        device.synchronize()
    except Exception:
        raise state_lost(device, error) from error
