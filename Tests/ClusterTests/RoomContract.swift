import SessionLog
import Testing

extension RoomCallers {
    /// LiveKit's numbers: an agent among the participants, an audio track, from a microphone; an error of the application.
    static let (agentKind, audio, microphone, applicationError) = (4, 1, 2, 1_500)

    /// What LiveKit's frontends look at, after the conversation of `Testbed.lines` with an agent of this identity.
    func expectContract(of agent: String, _ log: [SessionLog.Event]) throws {
        let agents = events("participant")
        #expect(agents.map(\.identity) == [agent] && agents.first?.kind == Self.agentKind)
        let tracks = events("track")
        #expect(tracks.map(\.kind) == [Self.audio] && tracks.first?.source == Self.microphone && tracks.first?.identity == agent)
        let states = states()
        #expect(states.first == "initializing" && Set(states) == ["initializing", "listening", "thinking", "speaking"], "\(states)")
        // Every turn is thought about, and then spoken about; so is the greeting.
        #expect(states.count { $0 == "thinking" } >= Testbed.lines.count, "\(states)")
        #expect(states.count { $0 == "speaking" } == Testbed.lines.count + 1, "\(states)")

        let words = texts(of: agent)
        #expect(words.compactMap(\.text) == log.heard.map(\.text))
        #expect(Set(words.compactMap(\.segment)).count == words.count)
        #expect(words.allSatisfy { $0.track == tracks.first?.sid })
        // Text comes in step with the audio, piece by piece.
        let pieces = events("words").filter { $0.identity == agent }
        #expect(pieces.count > 3 * words.count && pieces.allSatisfy { $0.final == "false" })

        let said = texts(of: "caller")
        #expect(said.compactMap(\.text) == Testbed.lines)
        let published = try #require(events("published").first?.sid)
        for line in said {
            let interims = texts(of: "caller", final: false).filter { $0.segment == line.segment }
            #expect(!interims.isEmpty && interims.allSatisfy { line.text?.hasPrefix($0.text ?? "-") == true }, "\(interims)")
            #expect(line.track == published)
        }
        #expect(events("broken").isEmpty)
    }
}
