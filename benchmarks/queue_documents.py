"""A vendor that costs next to nothing: `python -m benchmarks.queue_documents PORT` answers every GET with one document.

It reads no more of a request than where it ends, and answers with bytes that were made before: on a machine with few cores
whatever the vendor takes is missing to the caller that is measured.
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks.servers import DOCUMENT

BODY = DOCUMENT % 1
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
END = b"\r\n\r\n"


class Documents(asyncio.Protocol):
    """One connection that stays open: requests without a body, one after the other."""

    def __init__(self) -> None:
        self._half = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer as many requests as came to their end."""
        *whole, self._half = (self._half + data).split(END)
        assert self._transport is not None
        self._transport.write(ANSWER * len(whole))


async def serve(port: int) -> None:
    """Serve until told to stop."""
    server = await asyncio.get_running_loop().create_server(Documents, "127.0.0.1", port, backlog=1_024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
