"""A queue in which everybody takes turns, so that nobody waits for all that another one asked."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

Who = TypeVar("Who", bound=Hashable)
Item = TypeVar("Item")


class Turns(Generic[Who, Item]):
    """Items by whose they are. Iterating yields them in the order in which they are taken."""

    def __init__(self) -> None:
        self._items: dict[Who, deque[Item]] = {}  # in the order of their next turns
        self._last: Who | None = None  # who had the last turn, and so goes behind the others

    def __len__(self) -> int:
        return sum(len(items) for items in self._items.values())

    def __iter__(self) -> Iterator[Item]:
        lanes = [iter(tuple(items)) for items in self._items.values()]
        while lanes:
            following = []
            for lane in lanes:
                for item in lane:
                    yield item
                    following.append(lane)
                    break
            lanes = following

    def counts(self) -> Counter[Who]:
        """How many items everybody has."""
        return Counter({who: len(items) for who, items in self._items.items()})

    def add(self, who: Who, item: Item) -> None:
        self._items.setdefault(who, deque()).append(item)
        if self._last in self._items:
            self._items[self._last] = self._items.pop(self._last)

    def remove(self, who: Who, item: Item) -> None:
        """Remove an item that is in the queue."""
        self._items[who].remove(item)
        if not self._items[who]:
            del self._items[who]

    def has(self, chosen: Callable[[Who], bool]) -> bool:
        """Whether anything waits of those who are chosen."""
        return any(chosen(who) for who in self._items)

    def take(self, chosen: Callable[[Who], bool] = lambda who: True) -> Item:
        """Remove and return the item whose turn it is, of those who are chosen."""
        who = next(who for who in self._items if chosen(who))
        items = self._items.pop(who)
        item = items.popleft()
        if items:
            self._items[who] = items
        self._last = who
        return item
