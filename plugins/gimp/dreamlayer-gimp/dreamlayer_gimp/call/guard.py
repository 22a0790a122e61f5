"""Callbacks of GTK must not raise: GTK would print the error to stderr and go on."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from .errors import CallRefused


class Fallible(Protocol):
    """An object that can show the user what went wrong."""

    def fail(self, text: str) -> None: ...


Owner = TypeVar("Owner", bound=Fallible)


def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a callback: errors go to `fail`, and it returns None, which ends a timeout."""

    @functools.wraps(method)
    def call(self: Owner, *arguments: Any) -> Any:
        try:
            return method(self, *arguments)
        except (
            CallRefused,
            ValueError,
            ConnectionError,
        ) as error:  # RecipeError, LinkError: sentences
            self.fail(str(error))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self.fail(f"That failed because of a bug in Dreamlayer ({type(error).__name__}).")
        return None

    return call
