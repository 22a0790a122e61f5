"""The networks that this user has added."""

from __future__ import annotations


def use_own_networks() -> None:
    """Let the registry find the networks that this user has added."""
    from dreamlayer.networks.registry import user_store
    from dreamlink.client import discovery

    user_store.keep_in(discovery.home() / "models")
