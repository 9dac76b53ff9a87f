/// How a service ends, for its supervisor. The numbers follow sysexits(3).
package enum ExitCode: Int32, Sendable {
    /// It was asked to end and did.
    case success = 0
    /// A part of it failed; starting it again may help.
    case failure = 70
    /// It did not end in time and was ended.
    case stuck = 75
    /// Its configuration is wrong; starting it again does not help.
    case configuration = 78
}
