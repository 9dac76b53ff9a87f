import ClusterSupport
import Foundation

extension LocalCluster {
    /// What `body` returns. The cluster is stopped whatever becomes of it.
    ///
    /// - Parameter logs: the folder in which the services' logs are kept; without it they are lost
    func whileUp<Value>(logs: String? = nil, _ body: () async throws -> Value) async throws -> Value {
        do {
            let value = try await body()
            await stop(logs: logs)
            return value
        } catch {
            await stop(logs: logs)
            throw error
        }
    }

    /// Stops the cluster, and keeps the logs in a folder where one is named.
    func stop(logs: String?) async {
        if let logs {
            do { try keepLogs(in: URL(filePath: logs)) } catch {
                print("the logs cannot be kept in '\(logs)': \(error)")
            }
        }
        await stop()
    }
}
