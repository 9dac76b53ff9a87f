// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "line-backend",
    platforms: [.macOS("26.0")],
    dependencies: [
        // From elsewhere: .package(url: "https://…/parley.git", from: "…")
        .package(name: "parley", path: "../../.."),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    ],
    targets: [
        .target(
            name: "LineBackend",
            dependencies: [
                .product(name: "BackendKit", package: "parley"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        // Parley's own programs have the names `dispatcher` and `media-worker`, and names are unique in a build.
        .executableTarget(
            name: "line-dispatcher", dependencies: ["LineBackend", .product(name: "ParleyDispatcher", package: "parley")],
            path: "Sources/LineDispatcher"),
        .executableTarget(
            name: "line-media-worker", dependencies: ["LineBackend", .product(name: "ParleyMediaWorker", package: "parley")],
            path: "Sources/LineMediaWorker"),
    ]
)
