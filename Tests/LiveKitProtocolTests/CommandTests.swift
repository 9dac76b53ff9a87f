import ArgumentParser
import LiveKitProtocol
import LiveKitSimulator
import ParleyCommands
import Testing
import WireCoding

@Suite(.timeLimit(.minutes(2))) struct CommandTests {
    /// What is wrong with a command line, as it is told.
    private func complaint(_ arguments: [String]) -> String {
        do {
            _ = try Parley.parseAsRoot(arguments)
            return "nothing"
        } catch { return Parley.message(for: error) }
    }

    @Test(arguments: [
        (["token"], "--room"), (["token", "--room", "r"], "--identity"),
        (["token", "--room", "", "--identity", "i"], "--room must not be empty"),
        (["token", "--room", "r", "--identity", "i", "--ttl", "soon"], "--ttl"),
        (["token", "--room", "r", "--identity", "i", "--ttl", "0s"], "--ttl"),
        (["token", "--room", "r", "--identity", "i", "--agent-metadata", "m"], "--agent-metadata needs --agent"),
        (["rooms", "participants"], "room"), (["rooms", "remove", "r"], "identity"),
        (["rooms", "dispatch", "r"], "--agent-name"),
        (["rooms", "dial", "r", "--number", "1"], "--trunk"),
        (["rooms", "dial", "r", "--trunk", "ST_1", "--number", "sip:a@b"], "not a SIP address"),
        (["rooms", "transfer", "r", "i", "--to", "+49301"], "must begin with tel:"),
        (["rooms", "record", "r"], "--file"),
        (["rooms", "record", "r", "--file", "f", "--participant", "p", "--separate-agent"], "--separate-agent"),
        (["rooms", "stop-recording"], "id"), (["rooms", "paint"], "paint"),
    ])
    func aWrongCommandLineIsExplained(arguments: [String], words: String) {
        #expect(complaint(arguments).contains(words), "\(complaint(arguments))")
    }

    @Test func missingCredentialsAreNamedAllAtOnce() async throws {
        let own = try await ProgramRun.parley(
            ["rooms", "list"], makeCredentials(), without: ["LIVEKIT_URL", "LIVEKIT_API_SECRET"])
        #expect(
            own.status != 0 && own.output.contains("LIVEKIT_URL is not set")
                && own.output.contains("LIVEKIT_API_SECRET is not set"), "\(own.output)")
    }

    @Test func aTokenIsMade() async throws {
        let credentials = try makeCredentials()
        let plain = try await ProgramRun.parley(
            [
                "token", "--room", "kitchen", "--identity", "anna", "--name", "Anna", "--ttl", "10m", "--agent", "cook",
                "--agent-metadata", "soup", "--metadata", "m", "--hidden", "--no-publish", "--no-subscribe",
            ], credentials)
        var token = try LiveKitAccessToken.verify(
            plain.output.trimmingNewline, credentials: credentials, now: wallClock())
        #expect(abs((token.expiry ?? 0) - wallClock() - 600_000) < 60_000)
        #expect(
            token.identity == "anna" && token.name == "Anna" && token.metadata == "m" && token.video?.room == "kitchen")
        #expect(token.video?.hidden == true && token.video?.canPublish == false && token.video?.canSubscribe == false)
        #expect(token.agents == [LiveKitRoomAgentDispatch(agentName: "cook", metadata: "soup")])
        let run = try await ProgramRun.parley(
            ["token", "--room", "kitchen", "--identity", "anna", "--json"], credentials)
        let json = try JSONDocument(run.output).root
        token = try LiveKitAccessToken.verify(json["token"].string ?? "", credentials: credentials, now: wallClock())
        #expect(
            token.video == .join("kitchen") && token.agents.isEmpty && json["url"].equals("wss://example.com")
                && json["expires"].string?.hasSuffix("Z") == true)
    }

    @Test func roomsAreManaged() async throws {
        try await withSimulator { simulator, _ in
            func rooms(_ arguments: String...) async throws -> String {
                let run = try await ProgramRun.parley(["rooms"] + arguments, simulator.credentials)
                #expect(run.status == 0, "\(arguments): \(run.output)")
                return run.output
            }
            #expect(try await rooms("list") == "there are no rooms\n")
            #expect(
                try await rooms("dispatch", "kitchen", "--agent-name", "cook", "--metadata", "m").hasPrefix(
                    "asked 'cook' into 'kitchen': AD_"))
            #expect(try await rooms("dispatches", "kitchen").contains("cook  no agent has taken it"))
            try simulator.join("anna", room: "kitchen")
            try simulator.publish(.microphone, by: "anna", room: "kitchen")
            #expect(try await rooms("list").hasPrefix("kitchen  1 participants  since 2"))
            #expect(try await rooms("participants", "kitchen").contains("microphone"))
            let json = try JSONDocument(try await rooms("participants", "kitchen", "--json")).root
            #expect(json[0]["identity"].equals("anna") && json[0]["tracks"][0]["source"].equals("MICROPHONE"))
            #expect(
                try await rooms("send", "kitchen", "hello", "--topic", "t", "--to", "anna")
                    == "sent 5 bytes to 'kitchen'\n")
            #expect(simulator.packets.map(\.topic) == ["t"] && simulator.packets[0].destinationIdentities == ["anna"])
            #expect(
                try await rooms(
                    "dial", "kitchen", "--number", "+49301", "--trunk", "ST_simulated", "--identity", "otto",
                    "--ringing", "20s"
                ).contains("as 'otto'"))
            #expect(
                try await rooms("transfer", "kitchen", "otto", "--to", "tel:+49302")
                    == "transferred 'otto' to tel:+49302\n")
            let recording =
                try JSONDocument(try await rooms("record", "kitchen", "--file", "a.ogg", "--json")).root["egressId"]
                .string ?? ""
            #expect(try await rooms("stop-recording", recording) == "stopped \(recording): a.ogg\n")
            #expect(try await rooms("remove", "kitchen", "anna") == "removed 'anna' from 'kitchen'\n")
            #expect(try await rooms("delete", "kitchen", "--json") == "{}\n")
            let again = try await ProgramRun.parley(["rooms", "delete", "kitchen"], simulator.credentials)
            #expect(again.status == 1 && again.output.contains("requested room does not exist"), "\(again.output)")
        }
    }
}

extension String {
    fileprivate var trimmingNewline: String { hasSuffix("\n") ? String(dropLast()) : self }
}
