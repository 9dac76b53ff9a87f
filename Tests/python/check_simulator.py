"""Runs the vendors' own Python SDKs, unmodified, against a running provider simulator; their parsers judge it.

    ./deploy/local test          # makes .local/python
    .local/python/bin/python Tests/python/check_simulator.py --url http://127.0.0.1:8090

Prints one line per vendor, OK or what is wrong; the exit status is the number of vendors that failed.
"""

import argparse
import asyncio
import json
import math
import struct
import sys
import urllib.request


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def raises(kind, call):
    """The exception of `kind` that `call` raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=5))


def tone(milliseconds, peak):
    count = 16 * milliseconds
    return struct.pack(f"<{count}h", *(int(peak * math.sin(i / 5)) for i in range(count)))


def check_openai(url, key):
    import openai

    client = openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0)
    tools = [{"type": "function", "function": {"name": "record_lead", "parameters": {"type": "object", "properties": {}}}}]
    messages = [{"role": "user", "content": "Hello"}]
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    text, usage, reason = "", None, None
    for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
        usage = chunk.usage or usage
    expect(len(text.split()) == 9 and reason == "stop", f"answer {text!r}, {reason}")
    expect(usage and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, f"usage {usage}")
    whole = client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    expect(whole.choices[0].message.content == text, "the whole answer differs from the streamed one")
    called = [{"role": "user", "content": "please check tools"}]
    with client.chat.completions.stream(model="gpt-4o-mini", messages=called, tools=tools) as stream:
        final = stream.get_final_completion()
    call = final.choices[0].message.tool_calls[0]
    expect(call.function.name == "record_lead" and json.loads(call.function.arguments) == {"name": "Anna"}, f"call {call}")
    called += [
        {"role": "assistant", "content": None, "tool_calls": [call.model_dump(include={"id", "type", "function"})]},
        {"role": "tool", "tool_call_id": call.id, "content": "ok"},
    ]
    after = client.chat.completions.create(model="gpt-4o-mini", messages=called, tools=tools)
    expect(after.choices[0].message.content == "Noted.", f"after the call: {after.choices[0].message}")
    raises(openai.BadRequestError, lambda: client.chat.completions.create(model="gpt-4o-mini", messages=called[2:]))
    raises(openai.NotFoundError, lambda: client.chat.completions.create(model="missing", messages=messages))
    wrong = openai.OpenAI(base_url=url + "/v1", api_key="wrong", max_retries=0)
    error = raises(openai.AuthenticationError, lambda: wrong.chat.completions.create(model="m", messages=messages))
    expect(error.code == "invalid_api_key", f"code {error.code}")
    post(url + "/control/faults", {"vendor": "openai", "faults": [{"kind": "status", "status": 429, "retry_after": 1}]})
    limited = raises(openai.RateLimitError, lambda: client.chat.completions.create(model="m", messages=messages))
    expect(limited.response.headers["retry-after"] == "1", "no retry-after")
    post(url + "/control/faults", {"vendor": "openai", "faults": [{"kind": "status", "status": 503}]})
    patient = openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=2)
    expect(patient.chat.completions.create(model="m", messages=messages).choices, "the SDK's own retry failed")


def check_anthropic(url, key):
    import anthropic

    client = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)
    tools = [{"name": "record_lead", "input_schema": {"type": "object", "properties": {}}}]
    messages = [{"role": "user", "content": "Hello"}]
    with client.messages.stream(model="claude-haiku", max_tokens=100, messages=messages) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    expect(len(text.split()) == 9 and final.stop_reason == "end_turn", f"answer {text!r}, {final.stop_reason}")
    expect(final.usage.output_tokens == 9 and final.usage.input_tokens > 0, f"usage {final.usage}")
    called = [{"role": "user", "content": "please check tools"}]
    with client.messages.stream(model="claude-haiku", max_tokens=100, messages=called, tools=tools) as stream:
        final = stream.get_final_message()
    use = final.content[-1]
    expect(final.stop_reason == "tool_use" and use.name == "record_lead" and use.input == {"name": "Anna"}, f"{final.content}")
    called += [
        {"role": "assistant", "content": [block.model_dump(include={"type", "id", "name", "input", "text"}) for block in final.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "ok"}]},
    ]
    after = client.messages.create(model="claude-haiku", max_tokens=100, messages=called, tools=tools)
    expect(after.content[0].text == "Noted.", f"after the call: {after.content}")
    bad = lambda messages: lambda: client.messages.create(model="m", max_tokens=9, messages=messages)
    raises(anthropic.BadRequestError, bad(called[:2] + [{"role": "user", "content": "and?"}]))
    raises(anthropic.BadRequestError, bad([{"role": "assistant", "content": "Hello"}]))
    wrong = anthropic.Anthropic(base_url=url, api_key="wrong", max_retries=0)
    raises(anthropic.AuthenticationError, lambda: wrong.messages.create(model="m", max_tokens=9, messages=messages))
    post(url + "/control/faults", {"vendor": "anthropic", "faults": [{"kind": "status", "status": 529}, {"kind": "error", "after_ms": 1}]})
    overloaded = raises(anthropic.APIStatusError, bad(messages))
    expect(overloaded.status_code == 529, f"status {overloaded.status_code}")

    def broken():
        with client.messages.stream(model="m", max_tokens=9, messages=messages) as stream:
            stream.get_final_message()

    raises(anthropic.APIStatusError, broken)


def check_deepgram(url, key):
    from deepgram import DeepgramClient
    import websockets.exceptions
    from deepgram.environment import DeepgramClientEnvironment

    socket_url = url.replace("http", "ws", 1)
    environment = DeepgramClientEnvironment(base=url, production=socket_url, agent=socket_url, agent_rest=url)
    client = DeepgramClient(api_key=key, environment=environment)
    options = dict(
        model="nova-3", encoding="linear16", sample_rate=16000, interim_results="true", vad_events="true", tag="sdk-check"
    )
    post(url + "/control/script", {"tag": "sdk-check", "utterances": ["Hello from the SDK"]})
    types, finals, interims = [], [], 0
    with client.listen.v1.connect(**options) as socket:
        for _ in range(40):
            socket.send_media(tone(20, 8000))
        for _ in range(20):
            socket.send_media(tone(20, 0))
        socket.send_keep_alive()
        socket.send_finalize()
        socket.send_close_stream()
        for message in socket:
            types.append(type(message).__name__)
            if message.type == "Results" and message.is_final:
                finals.append(message.channel.alternatives[0].transcript)
                words = message.channel.alternatives[0].words
            elif message.type == "Results":
                interims += 1
    expect(finals[0] == "Hello from the SDK" and interims >= 5, f"finals {finals}, {interims} interims")
    expect("ListenV1SpeechStarted" in types and types[-1] == "ListenV1Metadata", f"messages {types}")

    def connect(client, **changes):
        def run():
            with client.listen.v1.connect(**{**options, **changes}):
                pass

        return run

    wrong = DeepgramClient(api_key="wrong", environment=environment)
    refused = websockets.exceptions.InvalidStatus
    expect(raises(refused, connect(wrong)).response.status_code == 401, "a bad key")
    expect(raises(refused, connect(client, model="nonsense")).response.status_code == 400, "a bad model")


def check_elevenlabs(url, key):
    from elevenlabs import ElevenLabs, VoiceSettings
    import websockets
    import websockets.sync.client

    socket_url = url.replace("http", "ws", 1)
    client = ElevenLabs(api_key=key, base_url=url)
    # The SDK insists on wss:// whatever the base URL says; the simulator has no certificate.
    client.text_to_speech._ws_base_url = socket_url
    audio = b"".join(
        client.text_to_speech.convert_realtime(
            "voice", text=iter(["Hello there, ", "how are you? "]), model_id="eleven_flash_v2_5", output_format="pcm_16000",
            voice_settings=VoiceSettings(stability=0.5),
        )
    )
    expect(len(audio) > 16000, f"{len(audio)} bytes of audio")
    wrong = ElevenLabs(api_key="wrong", base_url=url)
    wrong.text_to_speech._ws_base_url = socket_url
    raises(
        websockets.exceptions.InvalidStatus,
        lambda: b"".join(wrong.text_to_speech.convert_realtime("voice", text=iter(["Hi "]), output_format="pcm_16000")),
    )
    # The SDK has no multi-context socket: checked as the documents describe it.
    multi = socket_url + "/v1/text-to-speech/voice/multi-stream-input?output_format=pcm_16000"
    with websockets.sync.client.connect(multi, additional_headers={"xi-api-key": key}) as socket:
        for number in range(6):
            socket.send(json.dumps({"text": " ", "context_id": str(number)}))
        try:
            expect("max_active_conversations" in socket.recv(), "no error for the sixth context")
            socket.recv()
            raise AssertionError("the socket is still open")
        except websockets.exceptions.ConnectionClosed as closed:
            expect(closed.rcvd.code == 1008 and closed.rcvd.reason == "max_active_conversations", f"closed {closed.rcvd}")


def check_cartesia(url, key):
    import cartesia

    socket_url = url.replace("http", "ws", 1)
    client = cartesia.Cartesia(api_key=key, base_url=url, websocket_base_url=socket_url)
    format = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16000}
    request = dict(model_id="sonic-3", voice={"mode": "id", "id": "v"}, output_format=format, language="en")
    with client.tts.websocket_connect() as socket:
        context = socket.context(add_timestamps=True, **request)
        context.push("Hello there, ")
        context.push("how are you?")
        context.no_more_inputs()
        audio, words, last = b"", [], None
        for event in context.receive():
            last = event.type
            if event.type == "chunk":
                audio += event.audio if getattr(event, "audio", None) else __import__("base64").b64decode(event.data)
            elif event.type == "timestamps":
                words += event.word_timestamps.words
    expect(words == ["Hello", "there,", "how", "are", "you?"], f"words {words}")
    expect(len(audio) > 16000 and last == "done", f"{len(audio)} bytes, {last}")

    def connect():
        with cartesia.Cartesia(api_key="wrong", base_url=url, websocket_base_url=socket_url).tts.websocket_connect():
            pass

    expect("401" in str(raises(Exception, connect)), "a bad key is not answered with 401")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--url", required=True, help="the simulator's, e.g. http://127.0.0.1:8090")
    parser.add_argument("--key", default="simulator")
    parser.add_argument("--only", help="one vendor")
    arguments = parser.parse_args()
    failed = 0
    for vendor in ["deepgram", "openai", "anthropic", "elevenlabs", "cartesia"]:
        if arguments.only and arguments.only != vendor:
            continue
        try:
            globals()[f"check_{vendor}"](arguments.url, arguments.key)
            print(f"{vendor}: OK", flush=True)
        except Exception as error:
            failed += 1
            print(f"{vendor}: FAILED: {type(error).__name__}: {error}", flush=True)
            if arguments.only:
                raise
    sys.exit(failed)


if __name__ == "__main__":
    main()
