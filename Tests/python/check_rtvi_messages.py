"""Holds RTVI server messages against Pipecat's own models of them.

    .local/python/bin/python Tests/python/check_rtvi_messages.py FILE

FILE has one message (JSON) a line. Every message must be what its model writes with None left out: no member missing, none too many, none null.
Prints how many messages of each type there were; exits with 0, or with 1 and a line that begins with FAILED for every message that is not.
"""

import json
import sys
from collections import Counter

import pipecat.processors.frameworks.rtvi.models as RTVI
from pipecat.metrics.metrics import (
    LLMTokenUsage,
    ProcessingMetricsData,
    STTUsageMetricsData,
    TTFBMetricsData,
    TTSUsageMetricsData,
)

MODELS = {
    "bot-ready": RTVI.BotReady,
    "error": RTVI.Error,
    "error-response": RTVI.ErrorResponse,
    "server-message": RTVI.ServerMessage,
    "server-response": RTVI.ServerResponse,
    "user-started-speaking": RTVI.UserStartedSpeakingMessage,
    "user-stopped-speaking": RTVI.UserStoppedSpeakingMessage,
    "vad-user-started-speaking": RTVI.VADUserStartedSpeakingMessage,
    "vad-user-stopped-speaking": RTVI.VADUserStoppedSpeakingMessage,
    "user-input": RTVI.UserInputMessage,
    "user-transcription": RTVI.UserTranscriptionMessage,
    "user-llm-text": RTVI.UserLLMTextMessage,
    "bot-llm-started": RTVI.BotLLMStartedMessage,
    "bot-llm-text": RTVI.BotLLMTextMessage,
    "bot-llm-stopped": RTVI.BotLLMStoppedMessage,
    "bot-tts-started": RTVI.BotTTSStartedMessage,
    "bot-tts-text": RTVI.BotTTSTextMessage,
    "bot-tts-stopped": RTVI.BotTTSStoppedMessage,
    "bot-tts-audio": RTVI.BotTTSAudioMessage,
    "bot-started-speaking": RTVI.BotStartedSpeakingMessage,
    "bot-stopped-speaking": RTVI.BotStoppedSpeakingMessage,
    "bot-interrupted": RTVI.BotInterruptedMessage,
    "bot-output": RTVI.BotOutputMessage,
    "bot-transcription": RTVI.BotTranscriptionMessage,
    "llm-function-call": RTVI.LLMFunctionCallMessage,
    "llm-function-call-started": RTVI.LLMFunctionCallStartMessage,
    "llm-function-call-in-progress": RTVI.LLMFunctionCallInProgressMessage,
    "llm-function-call-stopped": RTVI.LLMFunctionCallStoppedMessage,
    "metrics": RTVI.MetricsMessage,
}

METRICS = {
    "ttfb": TTFBMetricsData,
    "processing": ProcessingMetricsData,
    "tokens": LLMTokenUsage,
    "stt_usage": STTUsageMetricsData,
    "characters": TTSUsageMetricsData,
}

# The three names of one thing: a model fills in those that a 1.x message has not.
SYNONYMS = ("output_type", "text_type", "aggregated_by")


def written(model, message):
    """What the model makes of the message, as Pipecat would send it."""
    return model.model_validate(message).model_dump(exclude_none=True)


def problem(message):
    """What is wrong with a message; None where nothing is."""
    model = MODELS.get(message.get("type"))
    if model is None:
        return f"there is no server message of the type {message.get('type')!r}"
    expected = written(model, message)
    if message["type"] == "bot-output":
        for name in SYNONYMS:
            if name not in message["data"]:
                expected["data"].pop(name, None)
        if "will_be_spoken" not in message["data"] and "spoken" not in message["data"]:
            return "it is of neither version"
    if expected != message:
        return f"the model has {json.dumps(expected, sort_keys=True)}"
    if message["type"] == "metrics":
        for name, entries in message["data"].items():
            if name not in METRICS:
                return f"there are no metrics {name!r}"
            for entry in entries:
                if written(METRICS[name], entry) != entry:
                    return f"the model of {name} has {written(METRICS[name], entry)}"
    return None


def main():
    counts, failed = Counter(), False
    with open(sys.argv[1], encoding="utf-8") as file:
        for line in file:
            message = json.loads(line)
            counts[message.get("type")] += 1
            try:
                wrong = problem(message)
            except Exception as error:  # pydantic's, which says what
                wrong = str(error)
            if wrong:
                failed = True
                print(f"FAILED: {line.strip()}\n  {wrong}", flush=True)
    missing = sorted(set(MODELS) - set(counts))
    if missing:
        failed = True
        print(f"FAILED: not checked: {', '.join(missing)}")
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
