"""One exception tree: whatever a person or a file did wrong is a `DeixisError`.

    DeixisError
    ├── InputError          what a person sent cannot be used
    │   ├── PictureError    ... the picture
    │   ├── RegionError     ... a point, box, scribble, mask or its name
    │   └── QuestionError   ... the text
    ├── CheckpointError     a checkpoint is missing, broken or not allowed
    ├── ConfigError         a configuration key or value is unknown or impossible
    ├── RecordError         a line of a data set or prediction file is invalid
    ├── CapabilityError     the chosen model cannot do what was asked
    └── BackendError        a remote or published model failed

Every message says what was wrong, its value, and the remedy; it is shown to people as it is.
"""


class DeixisError(Exception):
    """Base of every error that is shown to people."""


class InputError(DeixisError):
    """What a person sent cannot be used."""


class PictureError(InputError):
    """The picture cannot be used."""


class RegionError(InputError):
    """A point, box, scribble, mask or region name cannot be used."""


class QuestionError(InputError):
    """The text cannot be used."""


class CheckpointError(DeixisError):
    """A checkpoint is missing, broken or of a kind that is not allowed."""


class ConfigError(DeixisError):
    """A configuration key is unknown or its value impossible."""


class RecordError(DeixisError):
    """A line of a data set or prediction file is invalid."""


class CapabilityError(DeixisError):
    """The chosen model cannot do what was asked."""


class BackendError(DeixisError):
    """A remote or published model failed to answer."""
