"""Registers LiveKit's own agent worker (livekit-agents from PyPI, unmodified) at a server and takes jobs with it.

    PYTHON Tests/python/check_livekit_worker.py --url ws://127.0.0.1:7880 --key devkey --secret SECRET --agent lead --jobs 1

It says `registered` when the server knows it, `assigned JOB ROOM IDENTITY` for each job that it was given, and `OK` when that were enough. The job's
process then tries to join the room, which is none of this check's business. Exits with 0, or with 1 and a line that begins with FAILED.
"""

import argparse
import asyncio
import logging
import sys

from livekit.agents import AgentServer, JobExecutorType, JobRequest

# How long everything may take together.
PATIENCE = 60


async def entrypoint(ctx):
    await asyncio.sleep(PATIENCE)


async def check(arguments) -> str | None:
    server = AgentServer(
        ws_url=arguments.url,
        api_key=arguments.key,
        api_secret=arguments.secret,
        job_executor_type=JobExecutorType.THREAD,
        num_idle_processes=0,
        load_threshold=float("inf"),
        host="127.0.0.1",
        port=0,
    )
    assigned: asyncio.Queue = asyncio.Queue()

    async def request(job: JobRequest) -> None:
        await job.accept(identity=f"vendor-{job.id}", name="Vendor", metadata="m", attributes={"a": "b"})
        # `accept` returns when the assignment has come and its job is launched.
        assigned.put_nowait(job)

    server.rtc_session(entrypoint, agent_name=arguments.agent, on_request=request)
    server.on("worker_registered", lambda *_: print("registered", flush=True))
    running = asyncio.create_task(server.run(devmode=True, unregistered=False))
    try:
        for _ in range(arguments.jobs):
            waiting = asyncio.create_task(assigned.get())
            done, _pending = await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
            if running in done:
                return f"the worker has ended: {running.exception()}"
            job = waiting.result()
            print("assigned", job.id, job.room.name, f"vendor-{job.id}", flush=True)
    finally:
        running.cancel()
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--agent", default="lead")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    try:
        problem = asyncio.run(asyncio.wait_for(check(arguments), PATIENCE))
    except TimeoutError:
        problem = "it took too long"
    print(f"FAILED: {problem}" if problem else "OK", flush=True)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
