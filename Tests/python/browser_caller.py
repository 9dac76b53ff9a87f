"""Callers in LiveKit rooms, in a real browser: LiveKit's own JavaScript client (unmodified) in Chromium without a window.

    LIVEKIT_API_SECRET=... PARLEY_LIVEKIT_CLIENT_JS=livekit-client.umd.js PYTHON Tests/python/browser_caller.py --url ws://127.0.0.1:7880 --key devkey

Commands and events are those of livekit_caller.py, and these:

    {"do": "join", ..., "before": [WAV]}     says recordings before it connects, into the client's buffer for that
    {"do": "show", "id": ID}                 tells by `shown` what LiveKit's React components would show: a JSON object with `state`, `agents`, `lines`

`frontend` tells the agent's state as those components compute it, `caption` a text of the packets that older ones show. The page is
browser_caller.html; a WebSocket brings commands there and events back. The end of standard input, or of this process, ends the browser.
"""

import argparse
import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import livekit_tokens
from aiohttp import WSMsgType, web

PAGE = Path(__file__).with_suffix(".html")
# The browser's process group and its folder, when the standard input ends: also if this process is killed.
REAPING = 'read -r _; kill -s KILL -- "-$0"; until rm -rf -- "$1"; do sleep 0.1; done'
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
    # Nobody looks at the page, and it goes on all the same.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    # It asks its vendor for nothing.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def tell(line: str) -> None:
    print(line, flush=True)


class Browser:
    """Chromium, which ends with this object or with this process."""

    def __init__(self, url: str) -> None:
        folder = tempfile.mkdtemp(prefix="parley-browser-")
        executable = shutil.which("chromium")
        if executable is None:
            raise SystemExit("chromium is not on the PATH")
        self.process = subprocess.Popen(
            [executable, *FLAGS, f"--user-data-dir={folder}", url],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            stderr=sys.stderr,
            start_new_session=True,
            # It keeps files at home whatever its folder is, and needs no secrets.
            env={"PATH": os.environ["PATH"], "HOME": folder},
        )
        self.reaper = subprocess.Popen(
            ["/bin/sh", "-c", REAPING, str(self.process.pid), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self) -> None:
        self.reaper.stdin.close()
        self.process.wait()
        self.reaper.wait()


class Page:
    """What the browser shows, and the connection to it."""

    def __init__(self, client: Path) -> None:
        self.client = client
        self.link: asyncio.Future = asyncio.get_running_loop().create_future()

    async def serve(self) -> str:
        served = web.Application()
        served.add_routes(
            [
                web.get("/", lambda request: self.file(PAGE)),
                web.get("/livekit-client.js", lambda request: self.file(self.client)),
                web.get("/link", self.connected),
            ]
        )
        runner = web.AppRunner(served)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/"

    async def file(self, path: Path) -> web.StreamResponse:
        return web.FileResponse(path)

    async def connected(self, request) -> web.WebSocketResponse:
        link = web.WebSocketResponse(max_msg_size=1 << 24)
        await link.prepare(request)
        async for message in link:
            if message.type is not WSMsgType.TEXT:
                break
            if not self.link.done() and json.loads(message.data)["event"] == "ready":
                self.link.set_result(link)
            else:
                tell(message.data)
        return link

    async def do(self, command: dict) -> None:
        await (await self.link).send_json(command)


def recording(path: str) -> str:
    return base64.b64encode(Path(path).read_bytes()).decode()


def completed(command: dict, arguments) -> dict:
    """The command with what the page cannot make: tokens and recordings."""
    match command["do"]:
        case "join":
            token = livekit_tokens.join(command, arguments.key, arguments.secret)
            before = [recording(path) for path in command.get("before", [])]
            return command | {"url": arguments.url, "token": token, "before": before}
        case "say":
            return command | {"recording": recording(command["wav"])}
        case _:
            return command


async def main(arguments) -> None:
    page = Page(Path(arguments.client))
    browser = Browser(await page.serve())
    try:
        loop = asyncio.get_running_loop()
        lines = asyncio.StreamReader(limit=1 << 20)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        # Long, since a machine that is busy needs it.
        await asyncio.wait_for(asyncio.shield(page.link), 60)
        while line := await lines.readline():
            command = {"name": "caller"} | json.loads(line)
            await page.do(completed(command, arguments))
    finally:
        browser.stop()


parser = argparse.ArgumentParser()
parser.add_argument("--url", required=True)
parser.add_argument("--key", required=True)
arguments = parser.parse_args()
# Not an argument, because arguments can be read by everybody on the machine.
arguments.secret = os.environ["LIVEKIT_API_SECRET"]
arguments.client = os.environ["PARLEY_LIVEKIT_CLIENT_JS"]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
asyncio.run(main(arguments))
