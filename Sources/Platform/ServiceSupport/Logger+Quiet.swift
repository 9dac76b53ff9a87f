import Logging

extension Logger {
    /// The same logger without messages below `level`, for libraries that log what we say ourselves.
    func atLeast(_ level: Logger.Level) -> Logger {
        var quiet = self
        quiet.logLevel = max(logLevel, level)
        return quiet
    }
}
