package import Cryptography

/// Where the egress service puts a recording.
package struct LiveKitRecordingFile: Sendable, Equatable {
    /// A bucket; without one the file goes where the egress service is configured to put it, its own disk for example.
    package struct Bucket: Sendable, Equatable {
        package var name: String
        package var region = ""
        /// For what is not Amazon's; with `usesPathStyle` for most of them.
        package var endpoint = ""
        package var usesPathStyle = false
        package var accessKey = ""
        /// Without one the egress service uses its own role.
        package var secret: Secret?

        package init(_ name: String) { self.name = name }
    }

    /// May hold `{room_name}` and `{time}`; the ending says which format, `.ogg` for sound alone, `.mp4`.
    package var path: String
    package var bucket: Bucket?

    package init(_ path: String, bucket: Bucket? = nil) {
        self.path = path
        self.bucket = bucket
    }
}
