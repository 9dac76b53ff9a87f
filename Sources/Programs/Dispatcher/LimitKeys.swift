import DispatcherService
import RateLimits
import ServiceSupport

/// The variables that say how much callers may do.
enum LimitKeys {
    static let address = rate(
        "ADDRESS_CONNECTIONS", "50:500",
        "Connection attempts and API requests of one address; of IPv6 the /64 counts as one.")
    static let key = rate("KEY_CONNECTIONS", "100:1000", "Connection attempts and API requests with one API key.")
    static let tenant = rate("TENANT_CONNECTIONS", "200:2000", "Connection attempts and API requests of one tenant.")
    static let keySessions = count("KEY_SESSIONS", "1000", "Sessions with a caller at the same time for one API key.")
    static let tenantSessions = count(
        "TENANT_SESSIONS", "2000", "Sessions with a caller at the same time for one tenant.")
    static let messages = rate(
        "MESSAGES", "200:2000",
        "Messages of one caller; audio in packets of 20 ms is 50 a second. Who sends more is cut off.")
    static let tenantMessages = rate("TENANT_MESSAGES", "100000:200000", "Messages of all callers of one tenant.")
    static let waiting = EnvironmentKey<Int>.integer(
        "PARLEY_WAITING_CALLERS", in: 0...10_000, default: "100",
        help: "Callers that may wait at this dispatcher while all workers are full; more are refused.")
    static let patience = EnvironmentKey<Duration>.duration(
        "PARLEY_WAITING_TIME", in: .seconds(1)...(.seconds(300)), default: "20s",
        help: "How long a caller waits for a worker at most.")
    static let proxies = EnvironmentKey<[AddressBlock]>(
        "PARLEY_TRUSTED_PROXIES", type: "addresses or blocks (10.0.0.0/8) separated by commas", default: "",
        help:
            "Proxies in front of this dispatcher: a caller's address is then the last one in X-Forwarded-For that is none of them."
    ) { text in
        let parts = text.split(separator: ",").map { $0.filter { !$0.isWhitespace } }
        let blocks = parts.compactMap { AddressBlock($0) }
        return blocks.count == parts.count ? blocks : nil
    }

    static let declarations = [
        address.declaration, key.declaration, tenant.declaration, keySessions.declaration, tenantSessions.declaration,
        messages.declaration, tenantMessages.declaration, waiting.declaration, patience.declaration,
        proxies.declaration,
    ]

    static func settings(_ environment: ServiceEnvironment) throws -> CallerLimitSettings {
        CallerLimitSettings(
            address: try environment.get(address), key: try environment.get(key), tenant: try environment.get(tenant),
            keySessions: try environment.get(keySessions), tenantSessions: try environment.get(tenantSessions),
            messages: try environment.get(messages), tenantMessages: try environment.get(tenantMessages))
    }

    private static func rate(_ name: String, _ standard: String, _ help: String) -> EnvironmentKey<RateLimit?> {
        EnvironmentKey(
            "PARLEY_LIMIT_\(name)", type: "per second:burst, or off", default: standard, help: help
        ) { text in
            text == "off" ? .some(nil) : RateLimit(parsing: text).map { .some($0) }
        }
    }

    private static func count(_ name: String, _ standard: String, _ help: String) -> EnvironmentKey<Int?> {
        EnvironmentKey("PARLEY_LIMIT_\(name)", type: "whole number from 1, or off", default: standard, help: help) {
            text in
            if text == "off" { return .some(nil) }
            return Int(text).flatMap { $0 > 0 ? .some($0) : nil }
        }
    }
}
