package import BackendKit
import LiveKitBackend
import PipecatBackend
package import ServiceSupport
package import Telemetry

/// The backends that a program has: those of this package and what it was started with, as the operator has switched them on.
package struct InstalledBackends: Sendable {
    package static let switchedOn = EnvironmentKey<[String]>.list(
        "PARLEY_BACKENDS", default: "pipecat,rtvi", help: "The backends that callers may use, the same for dispatchers and media workers.")

    package private(set) var registry = BackendRegistry()
    /// What is wrong with the names of the backends; said when they are switched on.
    private var problems: [ConfigurationError.Problem] = []

    /// - Parameter others: backends from elsewhere
    package init(adding others: [any VoiceBackend] = []) {
        for backend in [PipecatBackend(), RTVIBackend(), LiveKitBackend()] + others {
            do { try registry.register(backend) } catch { problems.append(Self.problem(error)) }
        }
    }

    /// The variables of all backends, for a service's list.
    package var declarations: [EnvironmentDeclaration] {
        var seen: Set<String> = []
        let fields = registry.all.flatMap(\.fields).compactMap(Self.key).filter { seen.insert($0.name).inserted }
        return [Self.switchedOn.declaration] + fields.map(\.declaration)
    }

    /// The backends that are switched on, each with its settings.
    ///
    /// - Throws: `ConfigurationError` with everything that is wrong
    package func enabled(_ environment: ServiceEnvironment) throws -> [(backend: any VoiceBackend, settings: BackendSettings)] {
        var problems = problems
        var enabled: [(backend: any VoiceBackend, settings: BackendSettings)] = []
        for name in try environment.get(Self.switchedOn) {
            do {
                let backend = try registry.backend(named: name)
                enabled.append((backend, try settings(of: backend, environment)))
            } catch let error as BackendError {
                problems.append(Self.problem(error))
            }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        return enabled
    }

    /// Shows the figures of a backend among the metrics of its program.
    package static func show(_ figures: @escaping @Sendable () -> [BackendFigure], in metrics: MetricsRegistry) {
        metrics.onCollect {
            for figure in figures() {
                metrics.gauge("parley_\(figure.name)", help: figure.help, labels: figure.labels).set(figure.value)
            }
        }
    }

    /// A backend's complaint as one about a variable.
    package static func problem(_ error: BackendError) -> ConfigurationError.Problem {
        .init(.invalid, variable: error.field.isEmpty ? switchedOn.name : error.field, message: "(backend '\(error.backend)') \(error.reason)")
    }

    private func settings(of backend: any VoiceBackend, _ environment: ServiceEnvironment) throws -> BackendSettings {
        try BackendSettings(of: backend) { variable in
            guard let key = backend.fields.compactMap(Self.key).first(where: { $0.name == variable }) else { return nil }
            return try environment.get(key)
        }
    }

    /// Whether a value is allowed is for the backend to say, and only when it is switched on.
    private static func key(_ field: BackendField) -> EnvironmentKey<String>? {
        guard case .operator(let variable) = field.source else { return nil }
        return EnvironmentKey(
            variable, type: field.allowed, default: field.defaultText ?? "", help: field.help, isSecret: field.kind == .secret
        ) { $0 }
    }
}
