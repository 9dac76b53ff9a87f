"""Holds a spoken conversation with an agent through Pipecat's own, unmodified transports: WebsocketClientTransport with its protobuf serializer, or
RTVIClientTransport, which speaks JSON.

    .local/python/bin/python Tests/python/check_pipecat_client.py --url ws://127.0.0.1:8080/v1/ws?token=... --wav-headers on \\
        --say name.wav --heard "anna schmidt" --answered company
    .local/python/bin/python Tests/python/check_pipecat_client.py --transport json --url ws://127.0.0.1:8080/v1/rtvi?token=... ...

Every --say is a line of the caller (WAV, 16 kHz mono PCM16), sent in real time when the agent has finished speaking; --heard and --answered
name texts that must be part of what the agent understood and of what it then says. --interrupt is one more line that is spoken into
a story that is asked for. Then the client's program asks about the conversation, and types something that is answered in writing. Prints the transcript; exits with 0, or with 1 and a line that begins with FAILED.
"""

import argparse
import asyncio
import base64
import json
import struct
import sys
import time
import wave

from loguru import logger

logger.remove()
logger.add(sys.stderr, level="WARNING")

import pipecat.processors.frameworks.rtvi.models as RTVI  # noqa: E402
from pipecat.frames.frames import (  # noqa: E402
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    EndFrame,
    InputAudioRawFrame,
    InputTransportMessageFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
    TranscriptionFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline  # noqa: E402
from pipecat.pipeline.worker import PipelineParams, PipelineWorker  # noqa: E402
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor  # noqa: E402
from pipecat.serializers.rtvi_client import RTVIClientSerializer  # noqa: E402
from pipecat.transports.websocket.client import WebsocketClientParams, WebsocketClientTransport  # noqa: E402
from pipecat.transports.websocket.rtvi_client import RTVIClientTransport  # noqa: E402
from pipecat.workers.runner import WorkerRunner  # noqa: E402

RATE = 16000
# How long one thing may take. Generous: a busy machine is no error of the agent.
PATIENCE = 45
# Samples louder than this are speech and no silence.
AUDIBLE = 300


class Failure(Exception):
    pass


class Tap(RTVIClientSerializer):
    """Pipecat's serializer, which is also overheard: it makes no frames of some messages, the agent's audio among them."""

    def __init__(self, phone):
        super().__init__()
        self.phone = phone

    async def deserialize(self, data):
        message = json.loads(data)
        if message.get("type") == "bot-tts-audio":
            audio = RTVI.BotTTSAudioMessage.model_validate(message).data
            heard = InputAudioRawFrame(audio=base64.b64decode(audio.audio), sample_rate=audio.sample_rate, num_channels=audio.num_channels)
            await self.phone.note(lambda: self.phone.hear(heard))
        else:
            await self.phone.note(lambda: self.phone.read(message))
        return await super().deserialize(data)


class Phone(FrameProcessor):
    """Between the transport's two ends: keeps what the agent sends, and lets the caller wait for it."""

    def __init__(self):
        super().__init__()
        self.messages = []
        self.samples = 0
        self.audible = 0
        self.interruptions = 0
        # Names of the kinds of frames that came.
        self.kinds = set()
        # Ids of messages that must be refused.
        self.refusable = set()
        self.problem = None
        self.changed = asyncio.Condition()

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        self.kinds.add(type(frame))
        if isinstance(frame, InputAudioRawFrame):
            await self.note(lambda: self.hear(frame))
        elif isinstance(frame, InputTransportMessageFrame) and direction is FrameDirection.DOWNSTREAM:
            await self.note(lambda: self.read(frame.message))
        elif isinstance(frame, InterruptionFrame):
            await self.note(self.interrupt)
            await self.push_frame(frame, direction)
        elif not isinstance(frame, InputTransportMessageFrame):
            await self.push_frame(frame, direction)

    async def note(self, change):
        async with self.changed:
            change()
            self.changed.notify_all()

    def hear(self, frame):
        if frame.sample_rate != RATE or frame.num_channels != 1:
            self.problem = f"agent audio has {frame.sample_rate} Hz and {frame.num_channels} channels"
        samples = struct.unpack(f"<{len(frame.audio) // 2}h", frame.audio)
        self.samples += len(samples)
        self.audible += sum(abs(sample) > AUDIBLE for sample in samples)

    def read(self, message):
        if message.get("label") != "rtvi-ai":
            self.problem = f"not an RTVI message: {message}"
        self.messages.append(message)
        kind, data = message.get("type"), message.get("data") or {}
        if kind == "error-response" and message.get("id") in self.refusable:
            return
        if kind in ("error", "error-response"):
            self.problem = f"the agent reports an error: {data.get('error')}"
        elif kind == "user-llm-text":
            print(f"caller: {data.get('text')}", flush=True)
        elif kind == "bot-transcription":
            print(f" agent: {data.get('text')}", flush=True)

    def interrupt(self):
        self.interruptions += 1

    def disconnected(self):
        self.problem = self.problem or "the connection is gone"

    async def wait(self, what, condition):
        """Waits until `condition()` is true; fails where the agent or the connection does."""

        async def ready():
            async with self.changed:
                await self.changed.wait_for(lambda: self.problem or condition())

        try:
            await asyncio.wait_for(ready(), PATIENCE)
        except asyncio.TimeoutError:
            raise Failure(f"waited {PATIENCE} s for {what}; got {[m.get('type') for m in self.messages]}") from None
        if self.problem:
            raise Failure(f"while waiting for {what}: {self.problem}")

    def find(self, kind, since):
        return [message for message in self.messages[since:] if message.get("type") == kind]

    def text(self, kind, since):
        return " ".join((message.get("data") or {}).get("text", "") for message in self.find(kind, since))

    async def send(self, kind, data, id):
        message = {"label": "rtvi-ai", "type": kind, "id": id, "data": data}
        await self.push_frame(OutputTransportMessageUrgentFrame(message=message), FrameDirection.DOWNSTREAM)

    async def say(self, samples):
        """Pushes 40 ms at a time in real time: what is pushed ahead would be flushed by an interruption. A microphone does not end with the speech."""
        samples += bytes(RATE // 2 * 2)
        step = RATE * 40 // 1000 * 2
        begin = time.monotonic()
        for index, offset in enumerate(range(0, len(samples), step)):
            await asyncio.sleep(max(0, begin + index * 0.04 - time.monotonic()))
            frame = OutputAudioRawFrame(audio=samples[offset : offset + step], sample_rate=RATE, num_channels=1)
            await self.push_frame(frame, FrameDirection.DOWNSTREAM)


def read_line(path):
    with wave.open(path) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise Failure(f"{path} is not 16 kHz mono PCM16")
        return file.readframes(file.getnframes())


def expect(condition, what):
    if not condition:
        raise Failure(what)


async def converse(phone, arguments):
    id = "ready-1"
    if arguments.transport == "json":
        id = "client-ready"  # The transport has sent it.
    else:
        await phone.send("client-ready", {"version": "2.2.0", "about": {"library": "pipecat-python"}}, id)
    await phone.wait("bot-ready", lambda: phone.find("bot-ready", 0))
    ready = phone.find("bot-ready", 0)[0]
    expect(ready.get("id") == id, f"bot-ready has not the id of client-ready: {ready}")
    expect(ready["data"]["version"].startswith("2."), f"bot-ready names version {ready['data'].get('version')}")
    await phone.wait("the end of the greeting", lambda: phone.find("bot-stopped-speaking", 0))
    expect(phone.audible > RATE // 4, f"the greeting has {phone.audible} audible samples of {phone.samples}")
    if arguments.greeted:
        check(phone, "greeted with", arguments.greeted, "bot-transcription", 0)
    for path, heard, answered in zip(arguments.say, arguments.heard, arguments.answered):
        await exchange(phone, read_line(path), heard, answered)
    if arguments.interrupt:
        await interrupt(phone, read_line(arguments.interrupt))
    await ask(phone)
    await write(phone)
    if arguments.transport == "json":
        expect(FRAMES <= phone.kinds, f"Pipecat made no frames of the kinds {[kind.__name__ for kind in FRAMES - phone.kinds]}")


# What Pipecat's serializer makes of an agent's messages.
FRAMES = {
    BotStartedSpeakingFrame, BotStoppedSpeakingFrame, InterruptionFrame, LLMFullResponseEndFrame, LLMFullResponseStartFrame, LLMTextFrame,
    TranscriptionFrame, TTSTextFrame,
}


async def ask(phone):
    """The client's program asks the agent's, and asks what it may not."""
    start = len(phone.messages)
    phone.refusable = {"q-weather", "q-file", "q-old"}
    await phone.send("client-message", {"t": "state"}, "q-state")
    await phone.send("client-message", {"t": "transcript", "d": None}, "q-transcript")
    await phone.send("client-message", {"t": "weather", "d": {"city": "Berlin"}}, "q-weather")
    file = {"format": "text/plain", "source": {"type": "bytes", "bytes": "aGk="}}
    await phone.send("send-file", RTVI.SendFileData(content="look", file=file).model_dump(), "q-file")
    await phone.send("append-to-context", {"role": "user", "content": "x"}, "q-old")
    await phone.wait("answers", lambda: len(phone.find("server-response", start)) == 2 and len(phone.find("error-response", start)) == 3)
    answers = {message["id"]: RTVI.ServerResponse.model_validate(message).data for message in phone.find("server-response", start)}
    expect(answers["q-state"].d["agent"] == "lead-qualification", f"the state is {answers['q-state']}")
    said = [line["text"] for line in answers["q-transcript"].d]
    expect(len(said) > 2 and "Acme Analytics" in said[0], f"the transcript is {said}")


async def write(phone):
    """What is typed may be answered in writing."""
    await phone.wait("silence", lambda: len(phone.find("bot-started-speaking", 0)) == len(phone.find("bot-stopped-speaking", 0)))
    start, samples = len(phone.messages), phone.samples
    await phone.send("send-text", {"content": "What is the weather like?", "options": {"run_immediately": True, "audio_response": False}}, "typed")
    await phone.wait("a written answer", lambda: phone.find("bot-output", start) and phone.find("bot-llm-stopped", start))
    chat = [message["data"] for message in phone.find("user-input", start) if message["data"]["input_type"] == "chat"]
    expect(chat and chat[0].get("msg_id") == "typed", f"what was typed was told as {chat}")
    outputs = [message["data"] for message in phone.find("bot-output", start)]
    expect(all(not output["will_be_spoken"] for output in outputs), f"the written answer is {outputs}")
    expect(phone.samples == samples and not phone.find("bot-started-speaking", start), "the written answer was spoken")


def check_progress(phone, since):
    """Every sentence is new, is spoken word by word, and is completed."""
    segments = {}
    for message in phone.find("bot-output", since):
        data = RTVI.BotOutputMessage.model_validate(message).data
        progress = data.spoken_progress
        expect(progress is not None, f"without progress: {message}")
        expect(progress.accumulated_text + progress.remaining_text == data.text, f"progress is not the text: {message}")
        segments.setdefault(data.segment_id, []).append((data.spoken_status, len(progress.accumulated_text)))
    expect(segments, "no bot-output came")
    for states in segments.values():
        kinds, lengths = [kind for kind, _ in states], [length for _, length in states]
        expect(kinds[0] == "new" and kinds[-1] == "completed" and lengths == sorted(lengths), f"a sentence went through {states}")
    expect(any(kind == "in-progress" and length > 0 for states in segments.values() for kind, length in states), f"no words: {segments}")


def check(phone, what, wanted, kind, since):
    text = phone.text(kind, since)
    expect(wanted.lower() in text.lower(), f"{what} '{text}', expected '{wanted}'")


async def exchange(phone, line, heard, answered):
    start, audible = len(phone.messages), phone.audible
    await phone.say(line)
    await phone.wait("the end of the answer", lambda: phone.find("bot-stopped-speaking", start))
    for kind in ("user-started-speaking", "user-stopped-speaking", "user-transcription", "bot-started-speaking", "bot-output"):
        expect(phone.find(kind, start), f"no {kind} came with the answer")
    check(phone, "understood", heard, "user-llm-text", start)
    check(phone, "answered", answered, "bot-transcription", start)
    check_progress(phone, start)
    expect(phone.audible - audible > RATE // 4, f"the answer has {phone.audible - audible} audible samples")


async def interrupt(phone, interruption):
    start = len(phone.messages)
    # A long answer: this program may be slow to hear that it has begun.
    await phone.send("send-text", {"content": "Tell me a story.", "options": {"run_immediately": True}}, "story")
    await phone.wait("the beginning of an answer", lambda: phone.find("bot-started-speaking", start))
    spoken = len(phone.messages)
    await phone.say(interruption)
    await phone.wait("bot-interrupted", lambda: phone.find("bot-interrupted", start))
    expect(phone.interruptions > 0, "no InterruptionFrame came: the client would have gone on playing")
    await phone.wait("the answer to the interruption", lambda: phone.find("user-llm-text", spoken))


async def run(arguments):
    phone = Phone()
    params = WebsocketClientParams(audio_in_enabled=True, audio_out_enabled=True, add_wav_header=arguments.wav_headers == "on")
    if arguments.transport == "json":
        params.serializer = Tap(phone)
        transport = RTVIClientTransport(uri=arguments.url, params=params)
    else:
        transport = WebsocketClientTransport(uri=arguments.url, params=params)
    connected = asyncio.Event()

    @transport.event_handler("on_connected")
    async def on_connected(transport, socket):
        connected.set()

    @transport.event_handler("on_disconnected")
    async def on_disconnected(transport, socket):
        code, reason = getattr(socket, "close_code", None), getattr(socket, "close_reason", None)
        await phone.note(lambda: setattr(phone, "problem", phone.problem or f"the connection was closed: {code} {reason}"))

    worker = PipelineWorker(
        Pipeline([transport.input(), phone, transport.output()]),
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE), enable_rtvi=False, enable_turn_tracking=False,
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def on_pipeline_started(worker, frame):
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        await asyncio.wait_for(asyncio.gather(connected.wait(), started.wait()), PATIENCE)
        await converse(phone, arguments)
        # Ends as Pipecat's client does: two seconds of silence in one packet, then a close frame.
        await worker.queue_frame(EndFrame())
        await asyncio.wait_for(running, PATIENCE)
        ours = phone.problem is None or phone.problem.startswith("the connection was closed: 1000")
        expect(ours, f"at the end: {phone.problem}")
    except asyncio.TimeoutError:
        raise Failure(phone.problem or f"the client did not connect to, or let go of, {arguments.url} within {PATIENCE} s") from None
    finally:
        if not running.done():
            await runner.cancel("the conversation failed")
            await asyncio.wait([running], timeout=10)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--url", required=True, help="the agent's, token included")
    parser.add_argument("--transport", choices=["protobuf", "json"], default="protobuf", help="how RTVI and audio travel")
    parser.add_argument("--wav-headers", choices=["on", "off"], default="on", help="WebsocketClientParams.add_wav_header")
    parser.add_argument("--greeted", help="text that the greeting must contain")
    parser.add_argument("--say", action="append", default=[], help="WAV file of a line of the caller")
    parser.add_argument("--heard", action="append", default=[], help="what the agent must have understood of it")
    parser.add_argument("--answered", action="append", default=[], help="what its answer must contain")
    parser.add_argument("--interrupt", help="WAV file of a line that is spoken into an answer")
    arguments = parser.parse_args()
    if not len(arguments.say) == len(arguments.heard) == len(arguments.answered):
        parser.error("every --say needs a --heard and an --answered")
    try:
        asyncio.run(run(arguments))
    except Failure as failure:
        print(f"FAILED: {failure}", flush=True)
        sys.exit(1)
    print("the conversation went well", flush=True)


if __name__ == "__main__":
    main()
