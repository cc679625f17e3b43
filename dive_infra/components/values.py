"""Typed helpers for Pulumi outputs."""

from typing import TypeVar

import pulumi

T = TypeVar("T")


def secret(value: pulumi.Output[T]) -> pulumi.Output[T]:
    """Return the value as a secret: encrypted in the state and hidden in every display."""
    hidden: pulumi.Output[T] = pulumi.Output.secret(value)
    return hidden
