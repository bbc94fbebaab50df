"""Errors that a user can act on.  Each carries the exit status that the command line returns."""

from typing import ClassVar


class BasketLensError(Exception):
    """One clear message for the user; anything else that escapes is our bug (status 1)."""

    exit_status: ClassVar[int] = 1


class SettingsError(BasketLensError):
    """A wrong key, type, range or command line."""

    exit_status = 2


class InputError(BasketLensError):
    """An input that is missing, unreadable or lacks a column; a model folder that cannot be used."""

    exit_status = 2


class TableContractError(BasketLensError):
    """A table does not have the columns and types that its readers rely on."""

    exit_status = 2


class LimitError(BasketLensError):
    """A result larger than the bound that the plan was made for; the settings must change."""

    exit_status = 2


class GateError(BasketLensError):
    """The data is not good enough to publish."""

    exit_status = 3


class FaultError(BasketLensError):
    """Disk, network or cluster trouble: the same run may succeed later."""

    exit_status = 4
