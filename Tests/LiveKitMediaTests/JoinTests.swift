import BackendKit
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import LiveKitMedia

extension ClientLibraryTests {
    @Suite struct JoinTests {
        // MARK: The link

        private final class Told: @unchecked Sendable {
            var errors: [LiveKitError] = []
        }

        private func failure(at url: String, token: String) async throws -> LiveKitError {
            let library = try Client.library()
            let (handles, routes) = (LiveKitHandle.count, library.openRoutes)
            let loop = NIOAsyncTestingEventLoop()
            let told = Told()
            try await loop.executeInContext {
                let link = RoomLink(library: library, on: loop, logger: Client.logger) { event in
                    if case .failed(let error) = event { told.errors.append(error) }
                }
                link.join(url: url, token: token)
            }
            // The library forgets the request a moment before its answer is on the loop.
            while try await loop.executeInContext({ told.errors.isEmpty }) { await Task.yield() }
            await Client.settle(library, handles: handles, routes: routes)
            return try #require(try await loop.executeInContext { told.errors.first })
        }

        @Test func whereNobodyListensTheJoinFails() async throws {
            let error = try await failure(at: try await deafURL(), token: "not a token")
            #expect(error.code == .connect && error.message.hasPrefix("the room cannot be joined: "), "\(error)")
        }

        @Test func aTokenThatTheServerRefusesFails() async throws {
            let server = try await RefusingServer()
            let error = try await failure(at: server.url, token: "not a token")
            #expect(error.code == .connect && error.message.contains("401"), "\(error)")
            try await server.close()
        }

        @Test(arguments: ["", "not a URL", "http://[", "ws://"])
        func aURLThatIsNoneFails(url: String) async throws {
            #expect(try await failure(at: url, token: "not a token").code == .connect)
        }

        // MARK: The room

        private func room(
            _ url: String, _ session: FakeSession, on loop: NIOAsyncTestingEventLoop, record: RoomGrantRecord = .init(room: "r", identity: "a"),
            token: @escaping @Sendable () throws -> String = { "not a token" }
        ) throws -> LiveKitRoom {
            let request = RoomRequest(
                session: "s", tenant: "t", agent: "a", handshake: record.handshake, settings: try settings(), isTakeover: false, logger: Client.logger)
            let connection = LiveKitRoom.Connection(
                library: try Client.library(), url: url, token: { _, _ in try token() }, follow: .first, figures: LiveKitFigures())
            return LiveKitRoom(request, record, connection, on: loop, session: session)
        }

        private func settings() throws -> BackendSettings { try BackendSettings(of: NoBackend()) { _ in nil } }

        private struct NoBackend: VoiceBackend {
            let name = "none"
            let capabilities: BackendCapabilities = []
            let fields: [BackendField] = []
            func makeAdmission(_ settings: BackendSettings, logger: Logger) throws -> any BackendAdmission { throw BackendError(name, "none") }
            func makeMedia(_ settings: BackendSettings, logger: Logger) throws -> BackendMedia { throw BackendError(name, "none") }
        }

        @Test func aRoomThatCannotBeJoinedIsGivenUpAfterFiveAttempts() async throws {
            let library = try Client.library()
            let (handles, routes) = (LiveKitHandle.count, library.openRoutes)
            let loop = NIOAsyncTestingEventLoop()
            let session = FakeSession()
            let room = try room(try await deafURL(), session, on: loop)
            try await loop.executeInContext { room.join() }
            // Time stands still while the library tries. The agent's track has a route all the time.
            while session.events.isEmpty {
                if library.openRoutes > routes + 1 { await Task.yield() } else { await loop.advanceTime(by: .milliseconds(100)) }
            }
            #expect(session.events.count == 1 && session.events[0].hasPrefix("failed: the room cannot be joined"), "\(session.events)")
            await Client.settle(library, handles: handles, routes: routes)
        }

        @Test func withoutATokenTheRoomIsGivenUpToo() async throws {
            let library = try Client.library()
            let (handles, routes) = (LiveKitHandle.count, library.openRoutes)
            let loop = NIOAsyncTestingEventLoop()
            let session = FakeSession()
            let room = try room("ws://127.0.0.1:1", session, on: loop) { throw LiveKitError(.connect, "the clock is broken") }
            try await loop.executeInContext { room.join() }
            #expect(session.events.isEmpty)
            await loop.advanceTime(by: .seconds(10))
            #expect(session.events == ["failed: livekit: the clock is broken"])
            await Client.settle(library, handles: handles, routes: routes)
        }

        @Test func aRecordWithoutARoomIsFinal() async throws {
            let library = try Client.library()
            let (handles, routes) = (LiveKitHandle.count, library.openRoutes)
            let loop = NIOAsyncTestingEventLoop()
            let session = FakeSession()
            let room = try room("ws://127.0.0.1:1", session, on: loop, record: .init(room: "", identity: ""))
            try await loop.executeInContext {
                room.join()
                #expect(session.events.isEmpty)
            }
            await loop.run()
            #expect(session.events == ["failed for good: the session's record names no room"])
            #expect(LiveKitHandle.count == handles && library.openRoutes == routes)
        }

        @Test func joiningAndLeavingAtOnceLeavesNothing() async throws {
            let library = try Client.library()
            let (handles, routes) = (LiveKitHandle.count, library.openRoutes)
            let loop = NIOAsyncTestingEventLoop()
            let session = FakeSession()
            let server = try await RefusingServer()
            for url in [try await deafURL(), server.url, server.url] {
                let room = try room(url, session, on: loop)
                try await loop.executeInContext {
                    room.join()
                    room.end(.completed)
                }
            }
            await Client.settle(library, handles: handles, routes: routes)
            await loop.advanceTime(by: .seconds(60))
            #expect(session.events.isEmpty && session.inputs.isEmpty)
            try await server.close()
        }

        // MARK: Calls

        @Test func aToolThatNobodyCanRunHasAnErrorAsItsResult() async throws {
            let loop = NIOAsyncTestingEventLoop()
            let session = FakeSession()
            let room = try room("ws://127.0.0.1:1", session, on: loop)
            try await loop.executeInContext {
                room.notify(.toolRequested(name: "open_page", call: "c1", arguments: "{}"))
                room.notify(.toolRequested(name: "open_page", call: "c1", arguments: "{}"))
                #expect(session.inputs.isEmpty)
            }
            await loop.run()
            #expect(session.inputs == [.toolResult(call: "c1", content: "error: nobody is in the room whose program could run 'open_page'")])
        }

        @Test func aToolThatTheLibraryCannotCallHasAnErrorAsItsResult() async throws {
            let library = try Client.library()
            let routes = library.openRoutes
            let loop = NIOAsyncTestingEventLoop()
            let session = FakeSession()
            try await loop.executeInContext {
                let calls = RoomCalls(library: library, on: loop) { session.receive($0) }
                calls.run("open_page", call: "c1", arguments: "{}", of: "somebody", by: 1 << 60)
            }
            await loop.run()
            guard case .toolResult("c1", let content)? = session.inputs.first else { return #expect(Bool(false), "\(session.inputs)") }
            #expect(content.hasPrefix("error: 'open_page' cannot be called: "), "\(content)")
            #expect(library.openRoutes == routes)
        }
    }
}
