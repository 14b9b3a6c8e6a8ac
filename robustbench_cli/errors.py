"""Every error a user can meet, and the exit code it ends with."""


class RobustmixError(Exception):
    """Something a user can mend. The message is one line: what is wrong, expected, and to type."""

    exit_code = 1


class RunError(RobustmixError):
    """A run, a checkpoint or a data set cannot be used, or a training came to nothing."""


class DeviceMemoryError(RunError):
    """The memory of a device was too small; where others share it, less of them may be enough."""


class UsageError(RobustmixError):
    """A name, a number or an option that makes no sense."""

    exit_code = 2


class CompositionError(UsageError):
    """Two methods in an order, or together, that has no meaning."""
