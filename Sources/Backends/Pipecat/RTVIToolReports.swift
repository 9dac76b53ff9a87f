/// How much a client is told of calls of tools that it does not run itself: names and arguments may be nobody's business.
struct RTVIToolReports: Codable {
    enum Level: String, CaseIterable, Comparable, Codable {
        /// Nothing at all.
        case disabled
        /// That there is a call.
        case none
        case name
        case arguments
        /// The result as well.
        case full

        static func < (a: Level, b: Level) -> Bool {
            (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
        }
    }

    /// Of clients that are no harness.
    static let standard = RTVIToolReports()

    /// By name; `*` stands for all others.
    var levels: [String: Level] = ["*": .none]

    func level(of tool: String) -> Level { levels[tool] ?? levels["*"] ?? .none }
}
