import BackendKit

/// Why a caller is not let in. What is said goes to the caller and to the log; it never contains a secret.
package struct AdmissionError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        case missingCredentials = "missing_credentials"
        case badToken = "bad_token"
        case usedToken = "used_token"
        case badKey = "bad_key"
        case unknownAgent = "unknown_agent"
        case badRequest = "bad_request"
        case rateLimited = "rate_limited"
        case full
        case draining
        case unavailable
        case workerLost = "worker_lost"
        case sessionOver = "session_over"
        case superseded
    }

    package var code: Code
    package var message: String
    /// When to try again, in whole seconds, where that is known.
    package var retryAfterSeconds: Int?

    package init(_ code: Code, _ message: String, retryAfterSeconds: Int? = nil) {
        self.code = code
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// What a backend says.
    init(_ refusal: BackendRefusal) {
        let code: Code =
            switch refusal.code {
            case .missingCredentials: .missingCredentials
            case .badCredentials, .forbidden: .badToken
            case .unknownAgent: .unknownAgent
            case .badRequest: .badRequest
            case .rateLimited: .rateLimited
            case .full: .full
            case .unavailable: .unavailable
            }
        self.init(code, refusal.message)
    }

    package var description: String { "\(code.rawValue): \(message)" }

    /// Redis, the store or a worker does not answer; the cause is for the log.
    static let unavailable = AdmissionError(.unavailable, "the service cannot take calls now; try again in a few seconds")
    /// What an HTTP client is told to wait before it tries again, where nothing else is known.
    static let retrySeconds = 2

    /// WebSocket close code: 4xxx for what the caller can mend, 1013 for "try again later", 1012 for a restart.
    package var closeCode: UInt16 {
        switch code {
        case .missingCredentials, .badToken, .usedToken, .badKey: 4003
        case .unknownAgent: 4004
        case .badRequest: 4000
        case .rateLimited: 4029
        case .full, .unavailable: 1013
        case .draining: 1012
        case .workerLost: 1011
        case .sessionOver: 4410
        case .superseded: 4409
        }
    }

    /// HTTP status of the API.
    package var status: Int {
        switch code {
        case .missingCredentials, .badToken, .usedToken, .badKey: 401
        case .unknownAgent: 404
        case .badRequest: 400
        case .rateLimited: 429
        case .full, .draining, .unavailable, .workerLost: 503
        case .sessionOver: 410
        case .superseded: 409
        }
    }
}

extension BackendRefusal {
    /// What the dispatcher says, for a backend.
    init(_ error: any Error) {
        guard let error = error as? AdmissionError else {
            self = error as? BackendRefusal ?? BackendRefusal(.unavailable, AdmissionError.unavailable.message)
            return
        }
        let code: Code =
            switch error.code {
            case .missingCredentials: .missingCredentials
            case .badToken, .usedToken, .badKey: .badCredentials
            case .unknownAgent: .unknownAgent
            case .badRequest: .badRequest
            case .rateLimited: .rateLimited
            case .full: .full
            case .draining, .unavailable, .workerLost, .sessionOver, .superseded: .unavailable
            }
        self.init(code, error.message)
    }
}
