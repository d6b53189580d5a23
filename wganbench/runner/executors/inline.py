"""Works on jobs one after the other in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wganbench.records.store import Store
from wganbench.runner.jobs.job import Planned
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.worker import work


class Inline:
    def __init__(self, store: Store):
        self.store = store

    def run(self, jobs: Sequence[Planned], stop: Stop, *, one_at_a_time: bool = False) -> Iterator[Planned]:
        for planned in jobs:
            if stop.reason is not None:
                return
            work(planned.folder.path, self.store.root, stop)
            yield planned
