"""A recogniser for `pipecat eval` that needs no model: it says only that there was something to hear."""

import struct

from pipecat.frames.frames import TranscriptionFrame
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.utils.time import time_now_iso8601

# Samples louder than this are speech and no silence.
AUDIBLE = 300


class Ears(SegmentedSTTService):
    async def run_stt(self, audio):
        # The segment comes as a WAV file; its header is a few samples of noise to this count.
        samples = struct.unpack(f"<{len(audio) // 2}h", audio[: len(audio) // 2 * 2])
        audible = sum(abs(sample) > AUDIBLE for sample in samples)
        if audible > 1000:
            yield TranscriptionFrame(text=f"{audible} audible samples.", user_id="", timestamp=time_now_iso8601())


def ears(config):
    return Ears(sample_rate=16000)
