"""Tokens for callers in LiveKit rooms, made with LiveKit's own server SDK."""

from livekit import api


def join(command: dict, key: str, secret: str) -> str:
    """For the command `join` of livekit_caller.py."""
    token = api.AccessToken(key, secret).with_identity(command.get("identity", "caller"))
    token = token.with_grants(api.VideoGrants(room_join=True, room=command["room"]))
    if "kind" in command:
        token = token.with_kind(command["kind"])
    if "agent" in command:
        agent = api.RoomAgentDispatch(agent_name=command["agent"], metadata=command.get("metadata", ""))
        token = token.with_room_config(api.RoomConfiguration(agents=[agent]))
    return token.to_jwt()
