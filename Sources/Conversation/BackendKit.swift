// The seam to backends is a module of its own, which third parties import; for whoever imports `Conversation` it belongs to it.
@_exported public import BackendKit
