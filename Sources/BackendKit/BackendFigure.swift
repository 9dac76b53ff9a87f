/// A number among the metrics of a worker or dispatcher: `parley_<name>`.
public struct BackendFigure: Sendable, Hashable {
    public var name: String
    public var help: String
    public var value: Int
    public var labels: [String: String]

    public init(_ name: String, _ help: String, _ value: Int, labels: [String: String] = [:]) {
        self.name = name
        self.help = help
        self.value = value
        self.labels = labels
    }
}
