"""A slow link: two interfaces between which frames pass late, and some never.

`tc netem` does this in the kernel, if that has it; these are plain TAP interfaces and a thread.
"""

import fcntl
import os
import random
import select
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

_TUN = "/dev/net/tun"
_TUNSETIFF = 0x400454CA
_TAP, _WITHOUT_HEADER = 0x0002, 0x1000
_FRAME = 65536  # bytes at most

Frame = bytes


@contextmanager
def slow_link(ends: tuple[str, str], delay: float, loss: float, passes: Callable[[Frame], bool]) -> Iterator[None]:
    """Join two new interfaces of these names until the block ends.

    A frame takes `delay` seconds each way, and is lost with the probability `loss`; one that `passes` is neither late
    nor lost. The interfaces are in this process's network namespace, from which they may be moved.
    """
    one, other = map(_tap, ends)
    ours, wakes = os.pipe()
    carrying = Thread(target=_carry, args=(one, other, ours, delay, loss, passes), daemon=True, name="slow link")
    carrying.start()
    try:
        yield
    finally:
        os.write(wakes, b"x")
        carrying.join()
        for file in (one, other, ours, wakes):
            os.close(file)  # an interface ends with its file


def _tap(name: str) -> int:
    file = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _TAP | _WITHOUT_HEADER))
    return file


def _carry(one: int, other: int, ends: int, delay: float, loss: float, passes: Callable[[Frame], bool]) -> None:
    chance, late = random.Random(1), deque[tuple[float, int, Frame]]()
    leads = {one: other, other: one}
    while True:
        wait = max(0.0, late[0][0] - time.monotonic()) if late else None
        ready, _, _ = select.select([one, other, ends], [], [], wait)
        if ends in ready:
            return
        for file in ready:
            frame = os.read(file, _FRAME)
            if passes(frame):
                _send(leads[file], frame)
            elif chance.random() >= loss:
                late.append((time.monotonic() + delay, leads[file], frame))
        while late and late[0][0] <= time.monotonic():
            _send(*late.popleft()[1:])


def _send(file: int, frame: Frame) -> None:
    with suppress(OSError):  # as a cable: an interface that is down, or a full queue, takes nothing
        os.write(file, frame)
