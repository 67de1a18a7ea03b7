"""Errors that the operator can repair; what hostile media causes is a result instead.

ProtechError            exit code
    ConfigError             2      a setting, an option, a port, a missing package
    SourceError             3      a path or device that cannot be read at all
    ListFormatError         4      a known list that is not in its format
    TrustError              5      a signature, version, expiry or peer that does not hold
    ModelError              6      a model or its card that cannot be used
    AuthorityError          7      an authorisation that is missing or does not cover the act
    SandboxError            8      the kernel does not let a worker be locked
"""


class ProtechError(Exception):
    """What happened, where, and what to do, in one message for a person."""

    exit_code = 2


class ConfigError(ProtechError):
    """A setting, an option, a port or a missing package stands in the way."""

    exit_code = 2


class SourceError(ProtechError):
    """A path or device that was named cannot be read at all."""

    exit_code = 3


class ListFormatError(ProtechError):
    """A known list or its index is not in its format."""

    exit_code = 4


class TrustError(ProtechError):
    """A signature, version, expiry or peer credential does not hold."""

    exit_code = 5


class ModelError(ProtechError):
    """A model or its card cannot be used."""

    exit_code = 6


class AuthorityError(ProtechError):
    """An authorisation is missing or does not cover the act."""

    exit_code = 7


class SandboxError(ProtechError):
    """The kernel does not let a worker be locked down."""

    exit_code = 8
