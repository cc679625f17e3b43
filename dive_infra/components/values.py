"""Outputs that need a word more than Pulumi's own types say."""

from typing import TypeVar

import pulumi

T = TypeVar("T")


def secret(value: pulumi.Output[T]) -> pulumi.Output[T]:
    """The same value, encrypted in the state and hidden in every display."""
    hidden: pulumi.Output[T] = pulumi.Output.secret(value)
    return hidden
