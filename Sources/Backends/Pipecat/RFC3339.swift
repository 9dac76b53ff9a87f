import Foundation

/// UTC timestamps as RTVI wants them.
enum RFC3339 {
    static func now() -> String { Date().formatted(.iso8601) }
}
