// swift-tools-version: 6.2
import PackageDescription

/// One settings array for every target: warnings are errors, and the upcoming features that keep imports and existentials explicit.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// For the one module that touches a C library: every unsafe use is written as such.
let unsafeSettings = settings + [.strictMemorySafety()]

func dependency(_ owner: String, _ name: String, _ version: Version) -> Package.Dependency {
    .package(url: "https://github.com/\(owner)/\(name).git", from: version)
}

func module(_ name: String, _ path: String, _ dependencies: [Target.Dependency], exclude: [String] = [],
            resources: [Resource]? = nil, settings: [SwiftSetting] = settings) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(path)", exclude: exclude, resources: resources,
            swiftSettings: settings)
}

func executable(_ name: String, _ path: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: "Sources/Executables/\(path)", swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource]? = nil) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, resources: resources,
                swiftSettings: settings)
}

func library(_ name: String, pkgConfig: String? = nil, apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/CLibraries/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let grpcCore = Target.Dependency.product(name: "GRPCCore", package: "grpc-swift-2")
let grpcTransport = Target.Dependency.product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
let grpcProtobuf = Target.Dependency.product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")

let cLibraries: [Target] = [
    library("CHiredis", pkgConfig: "hiredis", apt: "libhiredis-dev"),
    library("CLibPQ", pkgConfig: "libpq", apt: "libpq-dev"),
    library("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
    library("COpus", pkgConfig: "opus", apt: "libopus-dev"),
    library("CSpeexDSP", pkgConfig: "speexdsp", apt: "libspeexdsp-dev"),
    library("COpenSSL", pkgConfig: "libcrypto", apt: "libssl-dev"),
    library("CFlite", apt: "flite1-dev"),
    library("CEspeakNG", pkgConfig: "espeak-ng", apt: "libespeak-ng-dev"),
    library("CPocketSphinx", pkgConfig: "pocketsphinx", apt: "libpocketsphinx-dev"),
    .target(name: "CLiveKit", path: "Sources/CLibraries/CLiveKit", linkerSettings: [.linkedLibrary("dl")]),
    .target(name: "COnnxRuntime", path: "Sources/CLibraries/COnnxRuntime", linkerSettings: [.linkedLibrary("dl")]),
]

let platform: [Target] = [
    module("Telemetry", "Platform/Telemetry", [logging]),
    module("Resilience", "Platform/Resilience", []),
    module("Cryptography", "Platform/Cryptography", ["COpenSSL"], settings: unsafeSettings),
    module("ServiceSupport", "Platform/ServiceSupport",
           ["Telemetry", "Resilience", "Cryptography", hummingbird, lifecycle, signals, logging, nioCore, nioPosix]),
    module("RedisClient", "Platform/RedisClient",
           ["CHiredis", "Resilience", "Telemetry", nioCore, nioPosix, nioSSL, logging], settings: unsafeSettings),
    module("RateLimits", "Platform/RateLimits", ["RedisClient", "Resilience", "Telemetry"]),
    module("PostgresClient", "Platform/PostgresClient", ["CLibPQ", "Resilience", "Telemetry", logging], settings: unsafeSettings),
    module("HTTPClient", "Platform/HTTPClient", ["CCurl", "Resilience", "Telemetry", nioCore, logging], settings: unsafeSettings),
    module("WireCoding", "Platform/WireCoding", [nioCore]),
    module("WebSocket", "Platform/WebSocket",
           ["WireCoding", "Resilience", nioCore, nioPosix, nioHTTP1, nioWebSocket, nioSSL, logging]),
    module("Migrations", "Platform/Migrations", ["PostgresClient", "Cryptography", logging]),
    module("TenantDirectory", "Platform/TenantDirectory", ["PostgresClient", "Cryptography", "Resilience", "Telemetry", logging]),
]

let foundation: [Target] = [
    module("Audio", "Audio", ["COpus", "CSpeexDSP"], settings: unsafeSettings),
    module("SpeechDetection", "SpeechDetection", ["COnnxRuntime", "Audio", "Telemetry"], settings: unsafeSettings),
    module("SessionLog", "SessionLog",
           ["Audio", "Resilience", "Telemetry", "Cryptography", "ServiceSupport", protobuf, grpcCore, grpcTransport, grpcProtobuf, logging, nioCore],
           exclude: ["Protos"]),
    module("BackendKit", "BackendKit", ["Audio", nioCore, logging]),
    module("Conversation", "Conversation",
           ["BackendKit", "Audio", "SpeechDetection", "SessionLog", "Resilience", "Telemetry", "Cryptography", yams, logging, nioCore, protobuf]),
]

let plugins: [Target] = [
    module("PipecatBackend", "Backends/Pipecat", ["BackendKit",  "WireCoding", "Audio", "SessionLog", "WebSocket", "Telemetry", nioCore, logging]),
    module("LiveKitMedia", "Backends/LiveKit/Media", ["CLiveKit", "BackendKit", "Audio", nioCore, protobuf, logging], exclude: ["Protos"],
           settings: unsafeSettings),
    module("LiveKitProtocol", "Backends/LiveKit/Protocol",
           ["WireCoding", "HTTPClient", "ServiceSupport", "Cryptography", "Resilience", "Telemetry", nioCore, protobuf], exclude: ["Protos"]),
    module("LiveKitBackend", "Backends/LiveKit/Backend",
           ["LiveKitMedia", "LiveKitProtocol", "LiveKitDispatch", "BackendKit", "WebSocket", "Cryptography", "Resilience", "Telemetry", lifecycle, nioCore, nioPosix, logging]),
    module("LiveKitDispatch", "Backends/LiveKit/Dispatch",
           ["WebSocket", "Cryptography", "Resilience", "Telemetry", protobuf, nioCore, lifecycle, logging], exclude: ["Protos"]),
    module("ProviderSupport", "Providers/Support",
           ["Conversation", "RateLimits", "WireCoding", "HTTPClient", "WebSocket", "Resilience", "Telemetry", nioCore, logging]),
    module("DeepgramProvider", "Providers/Deepgram",
           ["ProviderSupport", "Conversation", "Audio", "WireCoding", "WebSocket", "HTTPClient", "Resilience", "Telemetry", nioCore, logging]),
    module("OpenAIProvider", "Providers/OpenAI",
           ["ProviderSupport", "Conversation", "Audio", "WireCoding", "HTTPClient", "Resilience", "Telemetry", nioCore, logging]),
    module("AnthropicProvider", "Providers/Anthropic",
           ["ProviderSupport", "Conversation", "Audio", "WireCoding", "HTTPClient", "Resilience", "Telemetry", nioCore, logging]),
    module("ElevenLabsProvider", "Providers/ElevenLabs",
           ["ProviderSupport", "Conversation", "Audio", "WireCoding", "WebSocket", "Resilience", "Telemetry", nioCore, logging]),
    module("CartesiaProvider", "Providers/Cartesia",
           ["ProviderSupport", "Conversation", "Audio", "WireCoding", "WebSocket", "Resilience", "Telemetry", nioCore, logging]),
    module("LocalProviders", "Providers/Local",
           ["Conversation", "Audio", "Resilience", "Telemetry", "CFlite", "CEspeakNG", "CPocketSphinx", nioCore, nioPosix, logging],
           settings: unsafeSettings),
]

let services: [Target] = [
    module("InstalledBackends", "Services/Backends", ["BackendKit", "PipecatBackend", "LiveKitBackend", "ServiceSupport", "Telemetry"]),
    module("RelayLink", "Services/RelayLink",
           ["Audio", "SessionLog", "Cryptography", "Telemetry", "Resilience", nioCore, nioPosix, nioSSL, logging]),
    module("Placement", "Services/Placement", ["RedisClient", "Cryptography"]),
    module("DispatcherService", "Services/Dispatcher",
           ["RelayLink", "Placement", "RateLimits", "BackendKit", "Conversation", "SessionLog", "Audio", "RedisClient", "TenantDirectory", "WebSocket", "ServiceSupport",
            "Cryptography", "Telemetry", "Resilience", hummingbird, hummingbirdCore, nioCore, nioPosix, nioHTTP1, nioWebSocket, lifecycle, protobuf, logging]),
    module("MediaWorkerService", "Services/MediaWorker",
           ["RelayLink", "Placement", "HTTPClient", "BackendKit", "Conversation", "SessionLog", "SpeechDetection", "Audio", "RedisClient", "ServiceSupport", "Cryptography",
            "Telemetry", "Resilience", nioCore, nioPosix, lifecycle, protobuf, logging]),
    module("SessionStoreService", "Services/SessionStore",
           ["SessionLog", "RedisClient", "ServiceSupport", "Cryptography", "Telemetry", "Resilience", protobuf, grpcCore, grpcTransport,
            grpcProtobuf, logging, nioCore, nioPosix]),
    module("ArchiverService", "Services/Archiver",
           ["SessionLog", "RedisClient", "PostgresClient", "ServiceSupport", "Telemetry", "Resilience", lifecycle, protobuf, logging]),
    module("TestDatabases", "TestSupport/TestDatabases", ["PostgresClient", "RedisClient", "Migrations", nioPosix, logging]),
    module("TestAudio", "TestSupport/TestAudio", []),
    module("SimulatedHTTP", "TestSupport/SimulatedHTTP", ["WebSocket", "WireCoding", nioCore, nioPosix, nioHTTP1]),
    module("ProviderSimulator", "TestSupport/ProviderSimulator",
           ["SimulatedHTTP", "TestAudio", "Audio", "WireCoding", "WebSocket", nioCore, nioPosix, nioHTTP1, yams, logging]),
    module("LiveKitSimulator", "TestSupport/LiveKitSimulator",
           ["LiveKitProtocol", "LiveKitDispatch", "SimulatedHTTP", "WebSocket", "WireCoding", "HTTPClient", "Cryptography", "Telemetry", nioCore, nioPosix, nioHTTP1, protobuf]),
    module("CallerSimulator", "TestSupport/CallerSimulator",
           ["TestAudio", "Audio", "WebSocket", "LocalProviders", "Conversation", "PipecatBackend", "Resilience", nioCore, nioPosix, yams, logging]),
    module("ClusterSupport", "TestSupport/Cluster", ["HTTPClient", nioCore, nioPosix]),
    module("PlacementSimulation", "TestSupport/Placement", ["Placement", "Resilience"]),
    module("ParleyCommands", "Commands",
           ["LiveKitProtocol", "LiveKitSimulator", "WireCoding", "CallerSimulator", "ClusterSupport", "Placement", "PlacementSimulation", "ProviderSimulator", "TestAudio", "Migrations", "TenantDirectory", "PostgresClient", "RedisClient", "HTTPClient",
            "SessionLog", "Conversation", "LocalProviders", "SpeechDetection", "Audio", "ServiceSupport", "Cryptography", "Telemetry",
            "Resilience", arguments, logging, yams, nioCore, nioPosix, protobuf]),
]

/// The two programs that backends from elsewhere are linked into, as libraries.
let programs: [Target] = [
    module("ParleyDispatcher", "Programs/Dispatcher",
           ["Placement", "RateLimits", "Resilience", "SessionLog", "RedisClient", "PostgresClient", "TenantDirectory", "Cryptography", lifecycle, nioCore, nioPosix, hummingbird,
            hummingbirdCore, "DispatcherService", "BackendKit", "InstalledBackends", "ServiceSupport", "Telemetry", logging]),
    module("ParleyMediaWorker", "Programs/MediaWorker",
           ["Placement", "RateLimits", "ProviderSupport", "SessionLog", "SpeechDetection", "Conversation", "RedisClient", "Cryptography", "HTTPClient", "WebSocket", lifecycle, nioCore, nioPosix, "MediaWorkerService", "BackendKit", "InstalledBackends", "DeepgramProvider", "OpenAIProvider", "AnthropicProvider", "ElevenLabsProvider",
                "CartesiaProvider", "LocalProviders", "ServiceSupport", "Telemetry", logging]),
]

let executables: [Target] = [
    executable("dispatcher", "Dispatcher", ["ParleyDispatcher"]),
    executable("media-worker", "MediaWorker", ["ParleyMediaWorker"]),
    executable("session-store", "SessionStore",
               ["SessionStoreService", "SessionLog", "RedisClient", "Cryptography", "ServiceSupport", "Telemetry", lifecycle, logging,
                nioCore, nioPosix]),
    executable("archiver", "Archiver",
               ["ArchiverService", "RedisClient", "PostgresClient", "ServiceSupport", "Cryptography", "Telemetry", nioPosix, logging]),
    executable("parley", "Parley", ["ParleyCommands", arguments]),
    executable("provider-simulator", "ProviderSimulator", ["ProviderSimulator", arguments, logging]),
]

let testTargets: [Target] = [
    tests("AudioTests", ["Audio"]),
    tests("SpeechDetectionTests", ["SpeechDetection", "Audio"], exclude: ["reference"], resources: [.copy("Resources")]),
    tests("SessionLogTests", ["SessionLog", "Audio", "Resilience", protobuf, nioCore, nioPosix]),
    tests("ConversationTests",
          ["Conversation", "LocalProviders", "SpeechDetection", "Audio", "SessionLog", "Telemetry", logging, nioCore, nioEmbedded]),
    tests("PlatformTests",
          ["Telemetry", "ServiceSupport", "Resilience", "Cryptography", "RedisClient", "PostgresClient", "HTTPClient", "WireCoding", "WebSocket",
           "Migrations", "TenantDirectory", "TestDatabases", lifecycle, nioCore, nioPosix, nioHTTP1, nioWebSocket, logging]),
    tests("RateLimitTests", ["RateLimits", "RedisClient", "TestDatabases", "Resilience", "Telemetry", logging, nioCore, nioPosix]),
    tests("ArchiverTests",
          ["ArchiverService", "SessionLog", "RedisClient", "PostgresClient", "Migrations", "TestDatabases", "Telemetry", "ServiceSupport",
           protobuf, logging, nioCore, nioPosix]),
    tests("StoreTests",
          ["SessionStoreService", "DispatcherService", "ClusterSupport", "SessionLog", "RedisClient", "Audio", "Resilience", "Telemetry", "ServiceSupport",
           protobuf, logging, nioCore, nioPosix]),
    tests("MediaWorkerTests", ["MediaWorkerService", "Resilience"]),
    tests("BackendTests", ["BackendKit", nioCore]),
    tests("PipecatTests", ["PipecatBackend", "BackendKit", "Audio", nioCore, logging]),
    tests("LiveKitMediaTests",
          ["LiveKitMedia", "LiveKitBackend", "LiveKitProtocol", "LiveKitSimulator", "BackendKit", "Cryptography", "Audio", protobuf, logging, nioCore, nioPosix, nioEmbedded], resources: [.copy("Resources")]),
    tests("LiveKitDispatchTests",
          ["LiveKitDispatch", "LiveKitProtocol", "LiveKitSimulator", "ClusterSupport", "HTTPClient", "WebSocket", "WireCoding", "Cryptography", "Resilience", "Telemetry", lifecycle, protobuf, logging, nioCore, nioPosix]),
    tests("ProviderTests",
          ["DeepgramProvider", "OpenAIProvider", "AnthropicProvider", "ElevenLabsProvider", "CartesiaProvider", "ProviderSupport",
           "ProviderSimulator", "TestAudio", "RateLimits", "RedisClient", "Telemetry",
           "Conversation", "Audio", "WireCoding", "WebSocket", "HTTPClient", nioCore, nioPosix, logging]),
    tests("LocalProviderTests", ["LocalProviders", "Conversation", "Audio", nioCore, nioPosix]),
    tests("RelayTests", ["RelayLink", "SessionLog", "Cryptography", nioCore, nioPosix, nioEmbedded, logging]),
    tests("PlacementTests", ["Placement", "PlacementSimulation", "RedisClient", "TestDatabases", "Resilience", logging, nioCore, nioPosix]),
    tests("ClusterTests",
          ["ClusterSupport", "CallerSimulator", "ProviderSimulator", "LiveKitSimulator", "SimulatedHTTP", "LiveKitProtocol", "LiveKitDispatch", "TestDatabases", "PipecatBackend", "TenantDirectory", "PostgresClient",
           "RedisClient", "SessionLog", "WireCoding", "WebSocket", "HTTPClient", "Audio", "Cryptography", "Telemetry", nioCore, nioPosix]),
    tests("DispatcherTests",
          ["DispatcherService", "BackendKit", "PipecatBackend", "Placement", "RateLimits", "Resilience", "WebSocket", "HTTPClient", "RelayLink", "SessionLog", "Telemetry", lifecycle, protobuf, logging, nioCore, nioPosix]),
    tests("LiveKitProtocolTests",
          ["LiveKitProtocol", "LiveKitSimulator", "SimulatedHTTP", "ParleyCommands", "WireCoding", "WebSocket", "HTTPClient", "Cryptography", "ServiceSupport", "Resilience", "Telemetry",
           arguments, protobuf, nioCore, nioPosix, nioHTTP1]),
    tests("CommandTests",
          ["ParleyCommands", "CallerSimulator", "ClusterSupport", "ProviderSimulator", "PipecatBackend", "TestAudio", "Conversation", "Audio", "Resilience", nioCore, nioPosix, arguments]),
]

let package = Package(
    name: "parley",
    platforms: [.macOS("26.0")],
    products: [
        .executable(name: "dispatcher", targets: ["dispatcher"]),
        .executable(name: "media-worker", targets: ["media-worker"]),
        .executable(name: "session-store", targets: ["session-store"]),
        .executable(name: "archiver", targets: ["archiver"]),
        .executable(name: "parley", targets: ["parley"]),
        // Audio has the one type of times that BackendKit's interface speaks of.
        .library(name: "BackendKit", targets: ["BackendKit", "Audio"]),
        .library(name: "ParleyDispatcher", targets: ["ParleyDispatcher"]),
        .library(name: "ParleyMediaWorker", targets: ["ParleyMediaWorker"]),
    ],
    dependencies: [
        dependency("apple", "swift-nio", "2.101.2"),
        dependency("apple", "swift-nio-ssl", "2.37.6"),
        dependency("apple", "swift-log", "1.16.2"),
        dependency("swift-server", "swift-service-lifecycle", "2.13.0"),
        dependency("apple", "swift-argument-parser", "1.8.2"),
        dependency("jpsim", "Yams", "6.2.2"),
        dependency("apple", "swift-protobuf", "1.39.0"),
        dependency("grpc", "grpc-swift-2", "2.4.3"),
        dependency("grpc", "grpc-swift-nio-transport", "2.9.2"),
        dependency("grpc", "grpc-swift-protobuf", "2.4.1"),
        dependency("hummingbird-project", "hummingbird", "2.28.1"),
    ],
    targets: cLibraries + platform + foundation + plugins + services + programs + executables + testTargets
)
