#!/usr/bin/env python3
"""Makes Tests/SpeechDetectionTests/Resources: spoken clips, and what the published Python code says of them.

    apt-get install flite espeak-ng
    python3 -m venv venv && venv/bin/pip install numpy onnxruntime==1.31.1
    venv/bin/pip install --no-deps silero-vad==6.2.3 pipecat-ai==1.14.0
    venv/bin/python Tests/SpeechDetectionTests/reference/make_reference.py

Per clip NAME: NAME.wav (16 kHz mono) and NAME.turn. `track` stands for all clips in a row and has no WAV: half a second of
zeros, then each clip followed by a second of zeros.
NAME.turn: float32 probability, int32 stride, int32 frames, then float32 [80][frames]: every stride-th of the 800 frames.
track.vad: float32 per window of 512 samples, the probability of silero_vad.onnx, with no gate.
All little-endian.
"""
import importlib.util
import pathlib
import subprocess
import tempfile
import wave
from importlib.metadata import distribution

import numpy as np
import onnxruntime

RATE = 16_000
OUT = pathlib.Path(__file__).resolve().parent.parent / "Resources"
CLIPS = {
    "slt": (["flite", "-voice", "slt"], "I need forty seats by March."),
    "rms": (["flite", "-voice", "rms"], "My name is Robert Hill, and"),
    "awb": (["flite", "-voice", "awb"], "What does it cost?"),
    "espeak": (["espeak-ng", "-v", "en-us"], "Yes, that is right."),
}


def file_of(package, path):
    return str(distribution(package).locate_file(path))


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def resample(samples, rate):
    """Ideal low-pass by FFT; good enough to make a clip."""
    count = len(samples) * RATE // rate
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]
    return np.fft.irfft(spectrum, count) * count / len(samples)


def speak(command, text):
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        option = ["-w", file.name, text] if command[0] == "espeak-ng" else ["-t", text, "-o", file.name]
        subprocess.run(command + option, check=True)
        with wave.open(file.name) as audio:
            rate = audio.getframerate()
            samples = np.frombuffer(audio.readframes(audio.getnframes()), np.int16).astype(np.float64)
    if rate != RATE:
        samples = resample(samples, rate)
    loud = np.flatnonzero(np.abs(samples) > 300)
    margin = RATE // 20
    samples = samples[max(0, loud[0] - margin) : loud[-1] + margin]
    return np.clip(np.round(samples), -32768, 32767).astype(np.int16)


def turn(samples, extract, model):
    audio = samples.astype(np.float32) / 32768
    audio = audio[-8 * RATE :]
    audio = np.pad(audio, (8 * RATE - len(audio), 0))
    features = extract(audio, do_normalize=True)
    return features, float(model.run(None, {"input_features": features[None]})[0][0, 0])


def write_turn(name, features, probability, stride):
    chosen = np.ascontiguousarray(features[:, ::stride])
    header = np.float32(probability).tobytes() + np.array([stride, chosen.shape[1]], "<i4").tobytes()
    (OUT / f"{name}.turn").write_bytes(header + chosen.astype("<f4").tobytes())
    print(f"{name}: probability {probability:.4f}")


def voice_activity(samples, model):
    audio = samples.astype(np.float32) / 32768
    state, context, result = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), []
    for start in range(0, len(audio) - 511, 512):
        window = audio[start : start + 512]
        feed = {"input": np.concatenate([context, window])[None], "state": state, "sr": np.array(RATE, np.int64)}
        probability, state = model.run(None, feed)
        context = window[-64:]
        result.append(probability[0, 0])
    return np.array(result, "<f4")


def main():
    path = file_of("pipecat-ai", "pipecat/audio/turn/smart_turn/_whisper_features.py")
    spec = importlib.util.spec_from_file_location("whisper_features", path)
    whisper = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(whisper)
    extract = whisper.compute_whisper_log_mel_features
    model = session(file_of("pipecat-ai", "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"))

    OUT.mkdir(exist_ok=True)
    track = [np.zeros(RATE // 2, np.int16)]
    for name, (command, text) in CLIPS.items():
        samples = speak(command, text)
        with wave.open(str(OUT / f"{name}.wav"), "wb") as audio:
            audio.setparams((1, 2, RATE, 0, "NONE", ""))
            audio.writeframes(samples.tobytes())
        write_turn(name, *turn(samples, extract, model), stride=7)
        track += [samples, np.zeros(RATE, np.int16)]
    track = np.concatenate(track)
    write_turn("track", *turn(track, extract, model), stride=7)
    write_turn("nothing", *turn(np.zeros(0, np.int16), extract, model), stride=100)
    vad = voice_activity(track, session(file_of("silero-vad", "silero_vad/data/silero_vad.onnx")))
    (OUT / "track.vad").write_bytes(vad.tobytes())
    print(f"track: {len(track) / RATE:.1f} s")


main()
