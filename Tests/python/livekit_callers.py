"""Callers in LiveKit rooms with LiveKit's own client (livekit from PyPI, unmodified), told what to do line by line.

    PYTHON Tests/python/livekit_callers.py --url ws://127.0.0.1:7880 --frame 10

Commands are lines of JSON on standard input; the end of the input ends all callers:

    {"do": "join", "caller": 0, "token": "..."}     join a room and publish a microphone
    {"do": "say", "caller": 0, "wav": "hello.wav"}  speak a file of 16-bit mono audio in real time
    {"do": "leave", "caller": 0}                    leave the room

What happens is a line of JSON each, with `at`, the seconds of the system's monotonic clock:

    ready                      the client is loaded
    joined, left               the caller is in the room with a microphone; has left it
    agent-joined, agent-left   a participant of kind agent is in the room; is gone
    stream-begins              the first frame of an agent's track
    stream-ends                the last frame of an agent's track
    audible                    the first frame of the agent's audio after silence
    silent                     the last frame of it; known, and said, only after a while of silence
    spoke-from, spoke-to       the first and the last sample of a file were captured
    failed                     with `detail`
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import threading
import time
import wave

import numpy as np
from livekit import rtc

RATE = 16000
# Samples below this are no speech; the codec leaves a little noise.
LOUDNESS = 300
# Silence that ends a stretch of audio; there are shorter pauses between words.
PAUSE = 0.3


def say(event: str, caller: int = -1, at: float | None = None, **more) -> None:
    print(json.dumps({"event": event, "caller": caller, "at": time.monotonic() if at is None else at, **more}), flush=True)


class Caller:
    def __init__(self, number: int, url: str, frame: int):
        self.number = number
        self.url = url
        self.frame = frame
        self.room = rtc.Room()
        self.lines: list[np.ndarray] = []
        self.tasks: set[asyncio.Task] = set()
        self.hearing: dict[str, asyncio.Task] = {}

    def start(self, coroutine) -> asyncio.Task:
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.ended)
        return task

    def ended(self, task: asyncio.Task) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            say("failed", self.number, detail=repr(error))

    async def join(self, token: str) -> None:
        self.room.on("participant_connected", lambda who: self.seen("agent-joined", who))
        self.room.on("participant_disconnected", lambda who: self.seen("agent-left", who))
        self.room.on("track_subscribed", self.subscribed)
        self.room.on("track_unsubscribed", self.unsubscribed)
        await self.room.connect(self.url, token)
        # Exact 10 ms frames go out at once; longer ones need a queue, which is never fuller than two because they are captured in real time.
        source = rtc.AudioSource(RATE, 1, queue_size_ms=0 if self.frame == 10 else 2 * self.frame)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        await self.room.local_participant.publish_track(
            track, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        )
        self.start(self.speak(source))
        say("joined", self.number)
        for who in self.room.remote_participants.values():
            self.seen("agent-joined", who)

    def seen(self, event: str, who: rtc.RemoteParticipant) -> None:
        if who.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT:
            say(event, self.number)

    def subscribed(self, track, _publication, _who) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self.hearing[track.sid] = self.start(self.hear(track))

    def unsubscribed(self, track, _publication, _who) -> None:
        # The stream of a track that is gone delivers silence or nothing, and does not end.
        if task := self.hearing.pop(track.sid, None):
            task.cancel()

    async def hear(self, track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=self.frame)
        last, heard, audible = 0.0, 0.0, False
        try:
            async for event in stream:
                now = time.monotonic()
                if last == 0:
                    say("stream-begins", self.number, now)
                last = now
                if np.abs(np.frombuffer(event.frame.data, dtype=np.int16)).max(initial=0) > LOUDNESS:
                    if not audible:
                        say("audible", self.number, now)
                    audible, heard = True, now
                elif audible and now - heard > PAUSE:
                    audible = False
                    say("silent", self.number, heard)
        finally:
            if audible:
                say("silent", self.number, heard)
            if last > 0:
                say("stream-ends", self.number, last)
            await stream.aclose()

    async def speak(self, source: rtc.AudioSource) -> None:
        size = RATE * self.frame // 1000
        silence = np.zeros(size, dtype=np.int16)
        due, begun = time.monotonic(), False
        while True:
            samples = silence
            if self.lines:
                samples, self.lines[0] = self.lines[0][:size], self.lines[0][size:]
                if not begun:
                    say("spoke-from", self.number)
                    begun = True
                # A longer frame is not spoken to its end when it is captured.
                end = (len(samples) * 1000 // RATE - 10) / 1000
                samples = np.pad(samples, (0, size - len(samples)))
            await source.capture_frame(rtc.AudioFrame(samples.tobytes(), RATE, 1, size))
            if self.lines and len(self.lines[0]) == 0:
                self.lines.pop(0)
                begun = False
                say("spoke-to", self.number, time.monotonic() + max(0, end))
            due += self.frame / 1000
            await asyncio.sleep(max(0, due - time.monotonic()))

    def line(self, path: str) -> None:
        with wave.open(path) as file:
            if file.getframerate() != RATE or file.getnchannels() != 1 or file.getsampwidth() != 2:
                raise ValueError(f"{path} is not 16-bit mono audio of {RATE} Hz")
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
        if len(samples):
            self.lines.append(samples)

    async def leave(self) -> None:
        tasks = list(self.tasks)
        for task in tasks:
            if task is not asyncio.current_task():
                task.cancel()
        await self.room.disconnect()
        say("left", self.number)


class Callers:
    def __init__(self, url: str, frame: int):
        self.url = url
        self.frame = frame
        self.callers: dict[int, Caller] = {}

    async def do(self, command: dict) -> None:
        number = command["caller"]
        try:
            if command["do"] == "join":
                self.callers[number] = Caller(number, self.url, self.frame)
                await self.callers[number].join(command["token"])
            elif command["do"] == "say":
                self.callers[number].line(command["wav"])
            elif command["do"] == "leave":
                await self.callers.pop(number).leave()
            else:
                raise ValueError(f"there is no command '{command['do']}'")
        except Exception as error:
            say("failed", number, detail=f"{command['do']}: {error!r}")

    async def serve(self) -> None:
        lines: asyncio.Queue = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def read() -> None:
            for text in sys.stdin:
                loop.call_soon_threadsafe(lines.put_nowait, text)
            loop.call_soon_threadsafe(lines.put_nowait, None)

        threading.Thread(target=read, daemon=True).start()
        say("ready")
        running: set[asyncio.Task] = set()
        while (text := await lines.get()) is not None:
            task = asyncio.create_task(self.do(json.loads(text)))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*(caller.leave() for caller in self.callers.values()), return_exceptions=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--frame", type=int, default=10, help="milliseconds of the frames that are captured and heard")
    arguments = parser.parse_args()
    # The stream of a track that is gone has no handle any more, of which the library warns.
    logging.getLogger("livekit").setLevel(logging.ERROR)
    asyncio.run(Callers(arguments.url, arguments.frame).serve())
    # Threads of the library may still call into an interpreter that is being taken down, which ends in a panic.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
