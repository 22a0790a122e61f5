"""What GTK calls must not raise: it would print it where nobody looks, and go on."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from .errors import Refused


class Fallible(Protocol):
    """Something that can show the user what went wrong."""

    def fail(self, text: str) -> None: ...


Owner = TypeVar("Owner", bound=Fallible)


def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method show what it would raise. It gives None then, which ends a timeout."""

    @functools.wraps(method)
    def call(self: Owner, *arguments: Any) -> Any:
        try:
            return method(self, *arguments)
        except (Refused, ValueError, ConnectionError) as error:  # RecipeError, LinkError: sentences
            self.fail(str(error))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self.fail(f"The preview failed by a mistake of its own ({type(error).__name__}).")
        return None

    return call
