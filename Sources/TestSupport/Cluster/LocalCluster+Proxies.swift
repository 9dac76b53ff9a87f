import Synchronization

/// The proxy that lies between a service and what it uses.
struct ProxyName: Hashable {
    /// `redis`, `postgres`, `session-store-1`, ...
    var of: String
    var service: String
}

/// Proxies in front of the servers, one for each service, so that each can be cut off alone.
extension LocalCluster {
    /// What a service reaches through proxies.
    private func uses(of service: String) -> [String] {
        let stores = (0..<options.stores).map { "session-store-\($0 + 1)" }
        let postgres = options.postgres ? ["postgres"] : []
        if service.hasPrefix("session-store") { return ["redis"] }
        if service.hasPrefix("archiver") { return ["redis"] + postgres }
        return ["redis"] + stores + (service.hasPrefix("dispatcher") ? postgres : [])
    }

    func startProxies() async throws {
        for service in serviceNames {
            for target in uses(of: service) {
                let proxy = try await FaultProxy.start(target: port(target))
                proxies.withLock { $0[ProxyName(of: target, service: service)] = proxy }
            }
        }
    }

    /// The port at which a service finds a server: its proxy's, or the server's own.
    func port(_ server: String, for service: String) -> Int {
        proxies.withLock { $0[ProxyName(of: server, service: service)]?.port } ?? port(server)
    }

    /// The proxies in front of a server, or of a kind of server (`session-store`).
    package func proxies(of server: String) -> [FaultProxy] {
        proxies.withLock { all in all.filter { $0.key.of == server || $0.key.of.hasPrefix(server + "-") }.map(\.value) }
    }

    /// The proxies that a service uses.
    package func proxies(for service: String) -> [FaultProxy] {
        proxies.withLock { all in all.filter { $0.key.service == service }.map(\.value) }
    }
}
