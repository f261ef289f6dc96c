"""The program of faults at run time: `GET`, `PUT` and `DELETE /_world/faults`, from this machine only."""

from __future__ import annotations

from ipaddress import ip_address

from aiohttp import web

from apps.sources.world.answers import Refusal, as_json
from apps.sources.world.errors import WorldRefused
from apps.sources.world.fault_plan import Program, read_faults
from apps.sources.world.status import VENDORS
from apps.sources.world.world import World

PATH = "/_world/faults"
STRANGER = Refusal(403, {"error": "faults are set from this machine only"})
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class FaultDesk:
    """Shows, sets and clears the program."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get(PATH, self.show), web.put(PATH, self.set), web.delete(PATH, self.clear)]

    async def show(self, request: web.Request) -> web.Response:
        """Answer the program with how often each fault was met and struck."""
        _let_in(request)
        return self._told()

    async def set(self, request: web.Request) -> web.Response:
        """Set the program from a fault file; its time begins now. A wrong one is a 400 and changes nothing."""
        _let_in(request)
        try:
            faults = read_faults(await request.read(), vendors=VENDORS)
        except WorldRefused as refusal:
            raise Refusal(400, {"error": str(refusal)}) from None
        self.world.program = Program.starting(faults, now_s=self.world.now_s())
        return self._told()

    async def clear(self, request: web.Request) -> web.Response:
        """Let nothing befall anybody any more."""
        _let_in(request)
        self.world.program = Program()
        return self._told()

    def _told(self) -> web.Response:
        return as_json(self.world.program.told(now_s=self.world.now_s()))


def _let_in(request: web.Request) -> None:
    """Refuse callers from elsewhere, and pages that call themselves a name that leads here. Raises Refusal."""
    is_local = request.remote is not None and ip_address(request.remote).is_loopback
    if not is_local or (request.url.host or "") not in LOCAL_NAMES:
        raise STRANGER
