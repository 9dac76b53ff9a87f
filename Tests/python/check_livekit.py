"""Runs LiveKit's own Python SDK, unmodified, against Parley's tokens, webhooks and simulator of the server API.

    ./deploy/local test          # makes .local/python
    .local/python/bin/python Tests/python/check_livekit.py COMMAND ...

    fields PROTO                 compares the messages of a .proto file with LiveKit's
    read TOKEN                   verifies a token and prints what the SDK read in it as JSON
    mint                         prints a token with everything in it
    webhook TOKEN                reads a webhook's body from standard input and prints the event's name and room
    api URL                      makes every call that Parley makes; room 'peers' must have the participant 'anna' with a track
    join URL TOKEN               joins a room, prints the first packet that comes and why it had to leave

LIVEKIT_API_KEY and LIVEKIT_API_SECRET hold the key. The last line is OK, or the exit status says that it is not.
"""

import asyncio
import dataclasses
import json
import os
import re
import sys

from google.protobuf import descriptor_pool
from livekit import api
from livekit.protocol import agent, agent_dispatch, egress, models, room, sip, webhook

ROOM = "peers"


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def check_fields(path):
    """Every message, field and enumeration of ours is one of LiveKit's, with the same numbers and types."""
    text = re.sub(r"//.*", "", open(path).read())
    pool = descriptor_pool.Default()
    stack, count = [], 0
    for line in text.splitlines():
        line = line.strip()
        opening = re.match(r"(message|enum|oneof) (\w+) \{(\})?$", line)
        if opening:
            kind, name, closed = opening.groups()
            if kind == "oneof":
                stack.append(("oneof", stack[-1][1]))
            else:
                full = (stack[-1][1].full_name if stack else "livekit") + "." + name
                descriptor = pool.FindMessageTypeByName(full) if kind == "message" else pool.FindEnumTypeByName(full)
                stack.append((kind, descriptor))
            if closed:
                stack.pop()
        elif line == "}":
            stack.pop()
        elif stack and line and stack[-1][0] == "enum":
            name, number = re.match(r"(\w+) = (\d+);", line).groups()
            expect(stack[-1][1].values_by_name[name].number == int(number), f"{stack[-1][1].full_name}.{name}")
            count += 1
        elif stack and line:
            count += 1
            check_field(stack[-1][1], line)
    print(f"{count} fields and values agree")
    expect(count > 200, "too few fields were compared")


def check_field(message, line):
    label, kind, name, number = re.match(r"(optional |repeated )?(map<\w+, \w+>|[\w.]+) (\w+) = (\d+);", line).groups()
    theirs = message.fields_by_name[name]
    expect(theirs.number == int(number), f"{message.full_name}.{name} is {theirs.number}, not {number}")
    is_map = kind.startswith("map<")
    is_repeated = theirs.is_repeated if hasattr(theirs, "is_repeated") else theirs.label == theirs.LABEL_REPEATED
    expect(is_repeated == (label == "repeated " or is_map), f"{message.full_name}.{name} is repeated or is not")
    expect(theirs.has_presence or label != "optional ", f"{message.full_name}.{name} has no presence")
    if is_map:
        return
    if theirs.message_type:
        name_of_type = theirs.message_type.full_name
    elif theirs.enum_type:
        name_of_type = theirs.enum_type.full_name
    else:
        names = {v: k[5:].lower() for k, v in vars(type(theirs)).items() if k.startswith("TYPE_")}
        name_of_type = names.get(theirs.type, str(theirs.type))
    expect(name_of_type.endswith(kind.split(".")[-1]), f"{message.full_name}.{name} is {name_of_type}, not {kind}")


def read(token):
    claims = dataclasses.asdict(api.TokenVerifier().verify(token))
    config = claims.pop("room_config", None)
    claims["agents"] = [[a.agent_name, a.metadata, dict(a.attributes)] for a in config.agents] if config else []
    print(json.dumps(claims))


def mint():
    grants = api.VideoGrants(
        room_join=True, room="kitchen", can_publish=False, can_publish_sources=["microphone"], can_update_own_metadata=True, agent=True
    )
    config = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="cook", metadata="m", attributes={"k": "v"})])
    token = api.AccessToken().with_identity("anna").with_name("Anna").with_kind("agent").with_metadata("{}").with_attributes({"a": "b"})
    print(token.with_grants(grants).with_sip_grants(api.SIPGrants(call=True)).with_room_config(config).with_sha256("abc=").to_jwt())


def check_webhook(token):
    event = api.WebhookReceiver(api.TokenVerifier()).receive(sys.stdin.read(), token)
    print(event.event, event.room.name, event.participant.identity)


async def refused(code, call):
    try:
        await call
    except api.TwirpError as error:
        expect(error.code == code, f"{error} instead of {code}")
        return error
    raise AssertionError(f"nothing was refused with {code}")


async def check_rooms(lk):
    created = await lk.room.create_room(
        api.CreateRoomRequest(name="new", metadata="m", empty_timeout=7, departure_timeout=8, max_participants=3,
                              agents=[api.RoomAgentDispatch(agent_name="cook", metadata="soup")])
    )
    expect((created.name, created.metadata, created.empty_timeout, created.departure_timeout, created.max_participants)
           == ("new", "m", 7, 8, 3), f"created {created}")
    listed = await lk.room.list_rooms(api.ListRoomsRequest(names=["new"]))
    expect([r.sid for r in listed.rooms] == [created.sid], f"listed {listed}")
    updated = await lk.room.update_room_metadata(api.UpdateRoomMetadataRequest(room="new", metadata="n"))
    expect(updated.metadata == "n", f"updated {updated}")
    await lk.room.send_data(api.SendDataRequest(room="new", data=b"\x00\xff", topic="t", destination_identities=["x"], kind=1))
    dispatches = await lk.agent_dispatch.list_dispatch("new")
    expect([(d.agent_name, d.metadata) for d in dispatches] == [("cook", "soup")], f"dispatches {dispatches}")
    await lk.room.delete_room(api.DeleteRoomRequest(room="new"))
    await refused("not_found", lk.room.delete_room(api.DeleteRoomRequest(room="new")))
    await refused("unavailable", lk.room.send_data(api.SendDataRequest(room="new", data=b"")))
    await refused("invalid_argument", lk.room.create_room(api.CreateRoomRequest(name="x" * 300)))


async def check_participants(lk):
    listed = await lk.room.list_participants(api.ListParticipantsRequest(room=ROOM))
    anna = next(p for p in listed.participants if p.identity == "anna")
    expect(anna.state == models.ParticipantInfo.ACTIVE and len(anna.tracks) == 1 and anna.permission.can_publish, f"listed {anna}")
    one = await lk.room.get_participant(api.RoomParticipantIdentity(room=ROOM, identity="anna"))
    expect(one == anna, f"{one} instead of {anna}")
    permission = api.ParticipantPermission(can_subscribe=True, can_publish=True, can_publish_sources=[models.MICROPHONE])
    updated = await lk.room.update_participant(
        api.UpdateParticipantRequest(room=ROOM, identity="anna", name="Anna", metadata="m", attributes={"a": "b"}, permission=permission)
    )
    expect((updated.name, updated.metadata, dict(updated.attributes)) == ("Anna", "m", {"a": "b"}), f"updated {updated}")
    expect(list(updated.permission.can_publish_sources) == [models.MICROPHONE], f"permission {updated.permission}")
    muted = await lk.room.mute_published_track(
        api.MuteRoomTrackRequest(room=ROOM, identity="anna", track_sid=anna.tracks[0].sid, muted=True)
    )
    expect(muted.track.sid == anna.tracks[0].sid and muted.track.muted, f"muted {muted}")
    await lk.room.remove_participant(api.RoomParticipantIdentity(room=ROOM, identity="anna"))
    await refused("not_found", lk.room.get_participant(api.RoomParticipantIdentity(room=ROOM, identity="anna")))


async def check_dispatch(lk):
    made = await lk.agent_dispatch.create_dispatch(
        api.CreateAgentDispatchRequest(agent_name="cook", room=ROOM, metadata="m", attributes={"a": "b"})
    )
    expect((made.agent_name, made.room, made.metadata, dict(made.attributes)) == ("cook", ROOM, "m", {"a": "b"}), f"made {made}")
    got = await lk.agent_dispatch.get_dispatch(made.id, ROOM)
    expect(got is not None and got.state.created_at > 1e18, f"got {got}")
    deleted = await lk.agent_dispatch.delete_dispatch(made.id, ROOM)
    expect(deleted.id == made.id, f"deleted {deleted}")
    await refused("not_found", lk.agent_dispatch.delete_dispatch(made.id, ROOM))


async def check_calls(lk):
    request = api.CreateSIPParticipantRequest(
        sip_trunk_id="ST_simulated", sip_call_to="+49301", room_name=ROOM, participant_identity="otto", participant_name="Otto",
        participant_attributes={"a": "b"}, participant_metadata="m", wait_until_answered=True, sip_number="+49302", dtmf="1w2",
    )
    request.ringing_timeout.FromSeconds(20)
    called = await lk.sip.create_sip_participant(request)
    expect(called.participant_identity == "otto" and called.sip_call_id and called.room_name == ROOM, f"called {called}")
    otto = await lk.room.get_participant(api.RoomParticipantIdentity(room=ROOM, identity="otto"))
    expect(otto.kind == models.ParticipantInfo.SIP and otto.attributes["sip.callID"] == called.sip_call_id, f"otto is {otto}")
    await lk.sip.transfer_sip_participant(
        api.TransferSIPParticipantRequest(room_name=ROOM, participant_identity="otto", transfer_to="tel:+49303")
    )
    request.sip_trunk_id = "ST_other"
    await refused("not_found", lk.sip.create_sip_participant(request))


async def check_recordings(lk):
    output = api.EncodedFileOutput(filepath="a.ogg", file_type=egress.OGG, s3=api.S3Upload(bucket="calls", access_key="k", secret="s"))
    started = await lk.egress.start_room_composite_egress(
        api.RoomCompositeEgressRequest(room_name=ROOM, audio_only=True, file_outputs=[output])
    )
    expect(started.egress_id.startswith("EG_") and started.room_name == ROOM, f"started {started}")
    listed = await lk.egress.list_egress(api.ListEgressRequest(room_name=ROOM, active=True))
    expect([i.egress_id for i in listed.items] == [started.egress_id], f"listed {listed}")
    stopped = await lk.egress.stop_egress(api.StopEgressRequest(egress_id=started.egress_id))
    expect(stopped.status == egress.EGRESS_ENDING and stopped.ended_at > 1e18, f"stopped {stopped}")
    await refused("failed_precondition", lk.egress.stop_egress(api.StopEgressRequest(egress_id=started.egress_id)))
    await lk.egress.start_participant_egress(api.ParticipantEgressRequest(room_name=ROOM, identity="anna", file_outputs=[output]))


async def check_api(url):
    async with api.LiveKitAPI(url, failover=False) as lk:
        await check_rooms(lk)
        await check_dispatch(lk)
        await check_recordings(lk)
        await check_calls(lk)
        await check_participants(lk)
    key, secret = os.environ["LIVEKIT_API_KEY"], "the wrong secret, as long as it has to be"
    async with api.LiveKitAPI(url, key, secret, failover=False) as stranger:
        error = await refused("unknown", stranger.room.list_rooms(api.ListRoomsRequest()))
        expect(error.status == 401, f"a stranger got {error}")


async def join(url, token):
    from livekit import rtc

    joined, packets, left = rtc.Room(), asyncio.Queue(), asyncio.Queue()
    joined.on("data_received", packets.put_nowait)
    joined.on("disconnected", left.put_nowait)
    await joined.connect(url, token)
    packet = await asyncio.wait_for(packets.get(), 20)
    print("packet", packet.topic, packet.data.decode())
    print("left", rtc.DisconnectReason.Name(await asyncio.wait_for(left.get(), 20)))


def main():
    command, *arguments = sys.argv[1:]
    if command in ("api", "join"):
        asyncio.run({"api": check_api, "join": join}[command](*arguments))
    else:
        {"fields": check_fields, "read": read, "mint": mint, "webhook": check_webhook}[command](*arguments)
    if command in ("fields", "api"):
        print("OK")
    if command == "join":
        # Threads of the client library may still call into an interpreter that is being taken down, which ends in a panic.
        sys.stdout.flush()
        os._exit(0)


main()
