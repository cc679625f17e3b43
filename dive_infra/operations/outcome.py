"""With which exit code a verb ends."""

from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    FINDINGS = 1  # something is wrong, or was refused
    UNKNOWN = 2  # it could not be told, or the command was used wrongly
    LOCKED = 3  # somebody else works on the country
    PARTIAL = 4  # some of it is done
    INTERRUPTED = 130
