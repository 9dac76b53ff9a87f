import Resilience

/// A procedure of LiveKit's server API and what it takes to call it.
struct TwirpCall: Sendable {
    /// Such as `RoomService`.
    var service: String
    var method: String
    /// What the token of this call grants, and no more.
    var grant: LiveKitAccessToken
    /// Whether doing it twice is as good as once.
    var isIdempotent: Bool
    /// For all attempts together.
    var limit: Duration = .seconds(10)

    /// Below the server's URL.
    var path: String { "/twirp/livekit.\(service)/\(method)" }
}
