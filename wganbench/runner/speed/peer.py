"""Another project's step, which ``speed --peer`` times beside the runner's.

A peer is a function ``(setting, device) → step`` of the user's, where each call of ``step()`` takes one generator step
with its critic steps. Its module names the installed distribution to which the step belongs as ``DISTRIBUTION``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

import torch

from wganbench.errors import ExtensionError, first_line
from wganbench.runner import resolve
from wganbench.spec import Setting


def peer_step(peer: str, setting: Setting, device: torch.device) -> Callable[[], None]:
    """Makes a peer's step for a setting.

    Args:
        peer: The user's function, as ``package.module:function``.

    Returns:
        The step, which raises ExtensionError if the peer fails.

    Raises:
        ExtensionError: If the function cannot be imported, or fails.
    """
    make = resolve.import_dotted("peer", peer)
    with _errors_of(peer):
        step = make(setting, device)

    def taken() -> None:
        with _errors_of(peer):
            step()

    return taken


@contextmanager
def _errors_of(peer: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the user's and the other project's code may raise anything
        raise ExtensionError(f"peer {peer!r}: fails ({first_line(error, with_type=True)})") from None


def peer_distribution(peer: str) -> tuple[str, str]:
    """Returns the name and the version of the distribution that a peer measures.

    Raises:
        ExtensionError: If its module cannot be imported, names no distribution, or names one that is not installed.
    """
    resolve.import_dotted("peer", peer)
    module = peer.partition(":")[0]
    name = getattr(importlib.import_module(module), "DISTRIBUTION", None)
    if not isinstance(name, str):
        raise ExtensionError(f"peer {peer!r}: {module} must name the distribution that it measures, DISTRIBUTION = …")
    try:
        return name, version(name)
    except PackageNotFoundError:
        raise ExtensionError(f"peer {peer!r}: its distribution {name!r} is not installed") from None
