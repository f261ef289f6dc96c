"""Hosts with networks of their own, joined by a bridge whose plugs can be pulled: Linux network namespaces.

A namespace belongs to the thread that made it: what that thread starts is a process of that host. When the threads and
their processes have ended, the kernel takes namespaces, cables and bridge away; nothing is left on the machine.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TypeVar

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
NETWORK = "10.213.0"
HUB_ADDRESS = f"{NETWORK}.1"
BRIDGE, CARD = "bridge0", "eth0"


class Host:
    """One namespace and the thread that lives in it; use within `with`."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"host-{name}", initializer=_leave_the_network)

    def run(self, action: Callable[..., T], *args: object) -> T:
        """Do something on this host: sockets and processes that it opens are this host's."""
        return self._thread.submit(action, *args).result()

    def ip(self, *words: str) -> None:
        """Run `ip` on this host."""
        self.run(_ip, *words)

    def thread_id(self) -> int:
        """Return what the kernel knows the namespace by."""
        return self.run(threading.get_native_id)

    def close(self) -> None:
        """Leave: the namespace ends with its last process."""
        self._thread.shutdown()


class Network:
    """A hub with a bridge, and hosts on it."""

    def __init__(self, hub: Host, hosts: list[Host]) -> None:
        self.hub = hub
        self.hosts = hosts
        self._join()

    def cut(self, host: Host) -> None:
        """Pull the host's plug: what it sends is lost, and nobody is told."""
        self.hub.ip("link", "set", f"to-{host.name}", "down")

    def heal(self, host: Host) -> None:
        """Put the plug back."""
        self.hub.ip("link", "set", f"to-{host.name}", "up")

    def _join(self) -> None:
        self.hub.ip("link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
        self.hub.ip("address", "add", f"{HUB_ADDRESS}/24", "dev", BRIDGE)
        self.hub.ip("link", "set", BRIDGE, "up")
        for host in self.hosts:
            plug = f"to-{host.name}"
            self.hub.ip("link", "add", plug, "type", "veth", "peer", "name", CARD, "netns", str(host.thread_id()))
            self.hub.ip("link", "set", plug, "master", BRIDGE, "up")
            host.ip("address", "add", f"{host.address}/24", "dev", CARD)
            host.ip("link", "set", CARD, "up")


@contextmanager
def network(*names: str) -> Iterator[Network]:
    """Yield a hub and a host for each name, joined; all of it ends with the block, whatever happens."""
    with ExitStack() as ends:
        hub = Host("hub", HUB_ADDRESS)
        ends.callback(hub.close)
        hosts = []
        for number, name in enumerate(names, start=11):
            hosts.append(Host(name, f"{NETWORK}.{number}"))
            ends.callback(hosts[-1].close)
        for host in (hub, *hosts):
            host.ip("link", "set", "lo", "up")
        yield Network(hub, hosts)


def why_not() -> str:
    """Return why this machine has no such hosts, or nothing when it has."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if missing := [program for program in ("unshare", "ip") if shutil.which(program) is None]:
        return f"network namespaces need the program {missing[0]}"
    cable = ["unshare", "--net", "ip", "link", "add", "cable0", "type", "veth"]
    tried = subprocess.run(cable, capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"network namespaces are not allowed here: {tried.stderr.strip()}"


def _leave_the_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "unshare")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
