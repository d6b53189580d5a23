"""Has several processes work on the same leases at once; a script of its own, which can fork since it has no threads.

``hammer.py take-over FOLDER N`` has them all take N prepared leases, one after the other and each at one moment, and
prints whose was which. ``hammer.py count FOLDER N`` has each count N times in a file while it holds a lease that the
others want as well, and prints how often two were at it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

from wganbench.runner.jobs.lease import Leases

N_PROCESSES = 8


def take_over(index: int, folder: Path, n: int, barrier: Barrier, send: Connection) -> None:
    leases, won = Leases(folder), []
    for name in map(str, range(n)):
        barrier.wait(60)
        if leases.take([name]) is not None:
            won.append(name)
    barrier.wait(60)  # whoever ended now would be dead, and lose what it has won to a late one
    send.send(won)


def count(index: int, folder: Path, n: int, barrier: Barrier, send: Connection) -> None:
    leases, counter, inside = Leases(folder / "leases"), folder / "counter", folder / "inside"
    overlaps = done = 0
    barrier.wait(60)
    while done < n:
        held = leases.take(["a", "b"] if (index + done) % 2 else ["b"])
        if held is None:
            time.sleep(0.0005 * (index % 4))
            continue
        try:
            os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            overlaps += 1
        value = int(counter.read_text())
        time.sleep(0.0005)
        counter.write_text(str(value + 1))
        inside.unlink(missing_ok=True)
        done += 1
        if (index + done) % 3:
            held.forget()
        held.release()
    send.send(overlaps)


def main(task: str, folder: str, n: str) -> None:
    context = multiprocessing.get_context("fork")
    barrier, pipes = context.Barrier(N_PROCESSES), [context.Pipe(duplex=False) for _ in range(N_PROCESSES)]
    target = {"take-over": take_over, "count": count}[task]
    for index, (_, send) in enumerate(pipes):
        context.Process(target=target, args=(index, Path(folder), int(n), barrier, send), daemon=True).start()
        send.close()
    sys.stdout.write(json.dumps([receive.recv() for receive, _ in pipes]))


if __name__ == "__main__":
    main(*sys.argv[1:])
