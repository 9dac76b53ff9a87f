"""Callers in LiveKit rooms, with LiveKit's own client (livekit from PyPI, unmodified), for tests that say what they do.

    LIVEKIT_API_SECRET=... PYTHON Tests/python/livekit_caller.py --url ws://127.0.0.1:7880 --key devkey

Commands are lines of JSON on standard input, `do` says which; `name` is the caller, `caller` where it is left out:

    {"do": "join", "room": ROOM, "identity": "caller", "kind": "agent", "microphone": true, "agent": NAME}
    {"do": "say", "wav": PATH}                 speaks a recording after those that are still being said
    {"do": "chat", "text": TEXT}               on the topic lk.chat
    {"do": "dtmf", "digits": "12#"}
    {"do": "rpc", "method": M, "payload": P, "id": ID}     asks the agent
    {"do": "vanish"}                           loses its connection as by a full reconnect
    {"do": "leave"}

What happens is told by lines of JSON on standard output; `event` says what, `name` whom. Agent audio is told by `loud` and `quiet`, with `at`
in milliseconds of that audio. The end of standard input ends the program.
"""

import argparse
import asyncio
import json
import os
import sys
import wave

import livekit_tokens
import numpy as np
from livekit import rtc

RATE = 16_000
FRAME = 320
LOUD = 200
# Frames of 20 ms below that which make a silence.
PAUSE = 15


def tell(event: str, name: str, **what) -> None:
    print(json.dumps({"event": event, "name": name, **what}), flush=True)


def read(path: str) -> np.ndarray:
    with wave.open(path) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2), path
        return np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)


class Caller:
    def __init__(self, name: str, arguments) -> None:
        self.name = name
        self.arguments = arguments
        self.room = rtc.Room()
        self.lines: list[np.ndarray] = []
        self.tasks: set[asyncio.Task] = set()

    def tell(self, event: str, **what) -> None:
        tell(event, self.name, **what)

    def start(self, work) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def join(self, command: dict) -> None:
        token = livekit_tokens.join(command, self.arguments.key, self.arguments.secret)
        self.listen()
        await self.room.connect(self.arguments.url, token, options=rtc.RoomOptions(auto_subscribe=True))
        self.tell("joined", room=command["room"])
        for person in self.room.remote_participants.values():
            self.person("participant", person)
        if command.get("microphone", True):
            await self.publish()

    def listen(self) -> None:
        room = self.room
        room.on("participant_connected", lambda person: self.person("participant", person))
        room.on("participant_disconnected", lambda person: self.tell("left", identity=person.identity))
        room.on("participant_attributes_changed", self.attributes_changed)
        room.on("track_subscribed", self.subscribed)
        room.on("track_unsubscribed", lambda track, publication, person: self.tell("untrack", identity=person.identity))
        room.on("disconnected", lambda reason: self.tell("disconnected", reason=int(reason or 0)))
        room.on("reconnected", lambda: self.tell("reconnected"))
        room.register_text_stream_handler("lk.transcription", lambda reader, identity: self.start(self.transcription(reader, identity)))

    def person(self, event: str, person) -> None:
        self.tell(event, identity=person.identity, kind=int(person.kind), display=person.name)
        if person.attributes:
            self.attributes_changed(dict(person.attributes), person)

    def attributes_changed(self, changed, person) -> None:
        if "lk.agent.state" in changed:
            self.tell("state", identity=person.identity, state=changed["lk.agent.state"])

    def subscribed(self, track, publication, person) -> None:
        self.tell("track", identity=person.identity, sid=publication.sid, source=int(publication.source), kind=int(track.kind))
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self.start(self.hear(track, person.identity))

    async def hear(self, track, identity: str) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=20)
        is_loud, silence, frames = False, 0, 0
        try:
            async for event in stream:
                frames += 1
                samples = np.frombuffer(event.frame.data, dtype=np.int16).astype(np.float64)
                if len(samples) and np.sqrt((samples * samples).mean()) > LOUD:
                    silence = 0
                    if not is_loud:
                        is_loud = True
                        self.tell("loud", identity=identity, at=frames * 20)
                elif is_loud:
                    silence += 1
                    if silence >= PAUSE:
                        is_loud = False
                        self.tell("quiet", identity=identity, at=(frames - silence) * 20)
        finally:
            if is_loud:
                self.tell("quiet", identity=identity, at=frames * 20)
            await stream.aclose()

    async def transcription(self, reader, identity: str) -> None:
        """One event for what there is after every piece, and one at the end of the stream."""
        text = ""
        first = dict(reader.info.attributes or {})
        try:
            async for piece in reader:
                text += piece
                self.words("words", reader, identity, text, first)
            self.words("text", reader, identity, text, dict(reader.info.attributes or {}))
        except Exception as error:
            self.tell("broken", identity=identity, segment=first.get("lk.segment_id", ""), text=text, problem=str(error))

    def words(self, event: str, reader, identity: str, text: str, attributes: dict) -> None:
        self.tell(
            event,
            identity=identity,
            text=text,
            segment=attributes.get("lk.segment_id", ""),
            track=attributes.get("lk.transcribed_track_id", ""),
            final=attributes.get("lk.transcription_final", ""),
        )

    async def publish(self) -> None:
        # The library takes frames as fast as they are due, and keeps no more than this.
        source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        publication = await self.room.local_participant.publish_track(track, options)
        self.tell("published", sid=publication.sid)
        self.start(self.speak(source))

    async def speak(self, source) -> None:
        silence = np.zeros(FRAME, dtype=np.int16)
        while True:
            frame = silence
            if self.lines:
                frame, self.lines[0] = self.lines[0][:FRAME], self.lines[0][FRAME:]
                frame = np.pad(frame, (0, FRAME - len(frame)))
                if not len(self.lines[0]):
                    self.lines.pop(0)
                    self.tell("said")
            await source.capture_frame(rtc.AudioFrame(frame.tobytes(), RATE, 1, FRAME))

    async def ask(self, command: dict) -> None:
        agents = [p.identity for p in self.room.remote_participants.values() if p.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT]
        to = command.get("to") or (agents[0] if agents else "")
        try:
            answer = await self.room.local_participant.perform_rpc(
                destination_identity=to, method=command["method"], payload=command.get("payload", "")
            )
            self.tell("answer", id=command["id"], text=answer)
        except rtc.RpcError as error:
            self.tell("refusal", id=command["id"], code=error.code, text=error.message)

    async def do(self, command: dict) -> None:
        match command["do"]:
            case "join":
                await self.join(command)
            case "say":
                self.lines.append(read(command["wav"]).copy())
            case "chat":
                await self.room.local_participant.send_text(command["text"], topic="lk.chat")
            case "dtmf":
                for digit in command["digits"]:
                    code = "0123456789*#".index(digit)
                    await self.room.local_participant.publish_dtmf(code=code, digit=digit)
            case "rpc":
                self.start(self.ask(command))
            case "vanish":
                await self.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT)
            case "leave":
                await self.leave()
            case other:
                raise ValueError(f"there is no command {other!r}")

    async def leave(self) -> None:
        await self.room.disconnect()
        for task in list(self.tasks):
            task.cancel()


async def main(arguments) -> None:
    callers: dict[str, Caller] = {}
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        command = json.loads(line)
        name = command.get("name", "caller")
        if command["do"] == "join":
            callers[name] = Caller(name, arguments)
        try:
            await callers[name].do(command)
        except Exception as error:
            tell("failed", name, text=f"{command['do']}: {error!r}")
    for caller in callers.values():
        await caller.leave()


parser = argparse.ArgumentParser()
parser.add_argument("--url", required=True)
parser.add_argument("--key", required=True)
arguments = parser.parse_args()
# Not an argument, because arguments can be read by everybody on the machine.
arguments.secret = os.environ["LIVEKIT_API_SECRET"]
asyncio.run(main(arguments))
