import Glibc

/// How much of the long suites runs.
enum TestScope {
  /// With `SNAPJOB_TESTS=full` in the environment everything runs, as in `make check`; otherwise a sample.
  static let isFull = getenv("SNAPJOB_TESTS").map { String(cString: $0) } == "full"
}
