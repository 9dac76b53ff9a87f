import Cryptography
import Foundation
import HTTPClient
import LiveKitSimulator
import NIOCore
import Resilience
import Testing

@testable import LiveKitProtocol

func wallClock() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

/// Tokens, grants, errors and retries.
@Suite(.timeLimit(.minutes(1))) struct ServerAPIRefusalTests {
    @Test func eachCallGrantsWhatItNeedsAndNoMoreForAMinute() async throws {
        try await withSimulator { simulator, api in
            try simulator.join("anna", room: "kitchen")
            _ = try await api.listRooms()
            _ = try await api.createRoom("kitchen")
            _ = try await api.participant("anna", room: "kitchen")
            _ = try await api.createDispatch(LiveKitRoomAgentDispatch(agentName: "cook"), room: "kitchen")
            _ = try await api.dial(LiveKitCall(trunk: "ST_simulated", number: "1", room: "kitchen"))
            _ = try await api.transfer("sip_1", room: "kitchen", to: "tel:1")
            _ = try await api.listRecordings()
            func grant(_ change: (inout LiveKitVideoGrant) -> Void) -> LiveKitVideoGrant {
                var grant = LiveKitVideoGrant()
                change(&grant)
                return grant
            }
            let tokens = simulator.calls.compactMap(\.token)
            #expect(
                tokens.map(\.video) == [
                    grant { $0.roomList = true }, grant { $0.roomCreate = true }, .admin(of: "kitchen"),
                    .admin(of: "kitchen"), nil,
                    .admin(of: "kitchen"), grant { $0.roomRecord = true },
                ])
            #expect(tokens.map { $0.sip?.call } == [nil, nil, nil, nil, true, true, nil])
            #expect(tokens.allSatisfy { $0.identity.isEmpty && ($0.expiry ?? .max) <= wallClock() + 60_000 })
        }
    }

    @Test(arguments: [
        "RoomService/CreateRoom", "RoomService/ListRooms", "RoomService/DeleteRoom", "RoomService/ListParticipants",
        "RoomService/GetParticipant",
        "RoomService/RemoveParticipant", "RoomService/MutePublishedTrack", "RoomService/UpdateParticipant",
        "RoomService/UpdateRoomMetadata",
        "RoomService/SendData", "AgentDispatchService/CreateDispatch", "AgentDispatchService/ListDispatch",
        "AgentDispatchService/DeleteDispatch",
        "SIP/CreateSIPParticipant", "SIP/TransferSIPParticipant", "Egress/StartRoomCompositeEgress",
        "Egress/StartParticipantEgress",
        "Egress/ListEgress", "Egress/StopEgress",
    ])
    func aCallWithTheWrongGrantIsRefused(procedure: String) async throws {
        try await withSimulator { simulator, api in
            let parts = procedure.split(separator: "/").map(String.init)
            for grant in [
                LiveKitAccessToken(),
                LiveKitAccessToken(video: .admin(of: "another room"), sip: LiveKitSIPGrant(admin: true)),
            ] {
                let call = TwirpCall(service: parts[0], method: parts[1], grant: grant, isIdempotent: true)
                let error = await #expect(throws: LiveKitError.self) {
                    let _: LiveKitRoom = try await api.call(call, LiveKitDeleteRoomResponse())
                }
                #expect(error?.code == .unauthenticated && error?.message.contains("LIVEKIT_API_KEY") == true)
            }
        }
    }

    @Test func aWrongKeyOrSecretIsRefusedAndTheTokenNotRepeated() async throws {
        try await withSimulator { simulator, _ in
            for (key, secret) in [
                ("other", "a secret of simulated LiveKit servers"), ("devkey", "another secret of simulated servers"),
            ] {
                let credentials = try LiveKitCredentials(
                    url: simulator.credentials.url.http, apiKey: key, secret: .init(secret))
                let text = await message { _ = try await makeAPI(credentials).listRooms() }
                #expect(
                    text.contains("unauthenticated") && text.contains("LIVEKIT_API_SECRET") && !text.contains("eyJ"),
                    "\(text)")
            }
        }
    }

    @Test func aClockThatIsWrongIsNamed() async throws {
        let simulator = try await LiveKitSimulator.start(now: { wallClock() + 600_000 })
        let text = await message { _ = try await makeAPI(simulator.credentials).listRooms() }
        #expect(text.contains("unauthenticated") && text.contains("clock"), "\(text)")
        await simulator.stop()
    }

    @Test func aProcedureThatTheServerLacksIsNamed() async throws {
        try await withSimulator { _, api in
            let call = TwirpCall(
                service: "RoomService", method: "PaintRoom", grant: LiveKitAccessToken(), isIdempotent: true)
            let error = await #expect(throws: LiveKitError.self) {
                let _: LiveKitRoom = try await api.call(call, LiveKitDeleteRoomResponse())
            }
            #expect(error?.code == .badRoute && error?.message.contains("too old") == true)
        }
    }

    @Test func whatMayBeDoneTwiceIsTriedAgain() async throws {
        try await withSimulator { simulator, api in
            simulator.play([.unavailable, .reset])
            let room = try await api.createRoom("kitchen")
            #expect(room.name == "kitchen")
            simulator.play([.unavailable, .unavailable, .unavailable])
            #expect(await code { _ = try await api.listRooms() } == .unavailable)
            let rooms = try await api.listRooms()
            #expect(rooms == [room])
        }
    }

    @Test func whatMustNotBeDoneTwiceIsNot() async throws {
        try await withSimulator { simulator, api in
            for fault in [LiveKitSimulator.Fault.unavailable, .reset] {
                simulator.play([fault])
                let outcome = await code {
                    _ = try await api.createDispatch(LiveKitRoomAgentDispatch(agentName: "cook"), room: "kitchen")
                }
                #expect(outcome == .unavailable || outcome == .unreachable)
            }
            #expect(simulator.calls.isEmpty)
            simulator.play([.unavailable])
            #expect(
                await code { _ = try await api.dial(LiveKitCall(trunk: "ST_simulated", number: "1", room: "kitchen")) }
                    == .unavailable)
            #expect(simulator.calls.isEmpty)
        }
    }

    @Test func retriesHaveABudget() async throws {
        try await withSimulator { simulator, _ in
            let api = makeAPI(simulator.credentials, budget: RetryBudget(retriesPerCall: 0, reserve: 1))
            simulator.play([.unavailable, .unavailable])
            #expect(await code { _ = try await api.listRooms() } == .unavailable)
            let rooms = try await api.listRooms()
            #expect(rooms.isEmpty)
        }
    }

    @Test func aServerThatIsAwayIsNamed() async throws {
        let simulator = try await LiveKitSimulator.start()
        await simulator.stop()
        let api = makeAPI(simulator.credentials)
        #expect(
            await code { _ = try await api.dial(LiveKitCall(trunk: "ST_1", number: "1", room: "kitchen")) }
                == .unreachable)
        let text = await message { _ = try await api.listRooms() }
        #expect(text.contains("LIVEKIT_URL") && text.contains(simulator.credentials.url.http), "\(text)")
    }

    @Test func aServerThatIsSilentIsGivenUp() async throws {
        try await withSimulator { simulator, api in
            simulator.play([.silence])
            let call = TwirpCall(
                service: "RoomService", method: "ListRooms", grant: LiveKitAccessToken(), isIdempotent: true,
                limit: .milliseconds(100))
            let outcome = await code {
                let _: LiveKitListRoomsResponse = try await api.call(call, LiveKitListRoomsRequest())
            }
            #expect(outcome == .unreachable)
        }
    }

    @Test func whatIsNoLiveKitServerIsToldFromOne() async throws {
        try await withSimulator { simulator, api in
            for fault in [LiveKitSimulator.Fault.page(200), .page(404), .page(302), .garbage] {
                simulator.play([fault])
                let error = await #expect(throws: LiveKitError.self) { _ = try await api.listRooms() }
                #expect(
                    error?.code == .badAnswer && error?.message.contains("LIVEKIT_URL") == true,
                    "\(fault): \(error?.message ?? "")")
            }
            simulator.play([.page(502), .page(429)])
            let rooms = try await api.listRooms()
            #expect(rooms.isEmpty)
            simulator.play([.page(403)])
            #expect(await code { _ = try await api.listRooms() } == .permissionDenied)
        }
    }

    @Test func cancellationEndsACall() async throws {
        try await withSimulator { simulator, api in
            simulator.play([.silence])
            let task = Task { try await api.listRooms() }
            task.cancel()
            await #expect(throws: (any Error).self) { try await task.value }
        }
    }
}
