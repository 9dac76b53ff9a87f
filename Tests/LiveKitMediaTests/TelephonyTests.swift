import BackendKit
import Cryptography
import Foundation
import LiveKitMedia
import LiveKitProtocol
import LiveKitSimulator
import Logging
import NIOPosix
import Testing

@testable import LiveKitBackend

/// Telephone callers, by the server's API.
@Suite struct TelephonyTests {
    private func run(_ body: (LiveKitSimulator, Telephony) async throws -> Void) async throws {
        let simulator = try await LiveKitSimulator.start()
        do {
            for (identity, kind) in [("phone", LiveKitAccessToken.Kind.sip), ("web", .standard)] {
                var token = LiveKitAccessToken(identity: identity, video: .join("r"))
                token.kind = kind
                if kind == .sip { token.attributes = ["sip.callID": "SCL_1"] }
                try simulator.join(
                    try token.signed(by: simulator.credentials, lifetime: .seconds(60), now: Int64(Date().timeIntervalSince1970 * 1_000)))
            }
            try await body(simulator, .by(simulator.credentials))
        } catch {
            await simulator.stop()
            throw error
        }
        await simulator.stop()
    }

    private func failure(_ body: () async throws(Telephony.Failure) -> Void) async throws -> Telephony.Failure {
        do throws(Telephony.Failure) { try await body() } catch { return error }
        throw LiveKitProtocol.LiveKitError(.unknown, "nothing was thrown")
    }

    @Test func oneIsHungUpAndNobodyElse() async throws {
        try await run { simulator, telephony in
            try await telephony.hangUp("phone", "r")
            #expect(throws: (any Error).self) { try simulator.publish(.microphone, by: "phone", room: "r") }
            _ = try simulator.publish(.microphone, by: "web", room: "r")
            #expect(simulator.calls.map(\.procedure) == ["RoomService/RemoveParticipant"])
            let grant = try #require(simulator.calls.first?.token?.video)
            #expect(grant.roomAdmin && grant.room == "r")
            // Who has hung up is fine.
            try await telephony.hangUp("phone", "r")
        }
    }

    @Test func oneWhomNoAgentHasIsHungUpUnlessSomebodyElseIsThere() async throws {
        try await run { simulator, _ in
            let backend = LiveKitBackend()
            let variables = [
                "LIVEKIT_URL": "\(simulator.credentials.url.webSocket)", "LIVEKIT_API_KEY": simulator.credentials.apiKey,
                "LIVEKIT_API_SECRET": simulator.credentials.secret.revealed,
            ]
            let admission = try backend.makeAdmission(try BackendSettings(of: backend) { variables[$0] }, logger: Logger(label: "test"))
            let api = LiveKitServerAPI(simulator.credentials, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
            let room = RoomGrantRecord(room: "r", identity: "agent-1").handshake
            await admission.abandoned(room)
            // An agent under the same name is one that works.
            var agent = LiveKitAccessToken(identity: "agent-1", video: .join("r"))
            agent.kind = .agent
            try simulator.join(agent.signed(by: simulator.credentials, lifetime: .seconds(60), now: Int64(Date().timeIntervalSince1970 * 1_000)))
            try await api.removeParticipant("web", room: "r")
            await admission.abandoned(room)
            try await api.removeParticipant("agent-1", room: "r")
            // The agent was there for somebody else.
            await admission.abandoned(RoomGrantRecord(room: "r", identity: "agent-1", participant: "anna").handshake)
            _ = try simulator.publish(.microphone, by: "phone", room: "r")
            await admission.abandoned(room)
            #expect(throws: (any Error).self) { try simulator.publish(.microphone, by: "phone", room: "r") }
            await admission.abandoned(room)
            await admission.abandoned(Array("no grant".utf8))
        }
    }

    @Test func oneIsTransferred() async throws {
        try await run { simulator, telephony in
            try await telephony.transfer("phone", "r", "tel:+4930123456")
            #expect(simulator.transfers == ["phone": "tel:+4930123456"])
        }
    }

    @Test func theAgentIsToldWhyInWordsForCallers() async throws {
        try await run { simulator, telephony in
            let noPhone = try await failure { () throws(Telephony.Failure) in try await telephony.transfer("web", "r", "tel:+4930123456") }
            #expect(noPhone.told == "the telephone service refused" && noPhone.description.contains("no SIP session"))
            let gone = try await failure { () throws(Telephony.Failure) in try await telephony.transfer("nobody", "r", "tel:+4930123456") }
            #expect(gone.told == "the caller has left")
            simulator.play([.reset])
            let silent = try await failure { () throws(Telephony.Failure) in try await telephony.transfer("phone", "r", "tel:+4930123456") }
            #expect(silent.told == "the telephone service did not answer in time" && silent.description.contains("127.0.0.1"))
            for failure in [noPhone, gone, silent] { #expect(!failure.told.contains("127.0.0.1") && !failure.told.contains("LIVEKIT")) }
        }
    }
}
