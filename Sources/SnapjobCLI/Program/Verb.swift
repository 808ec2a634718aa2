import ArgumentParser
import QMP

/// A command that does something (as opposed to a group of commands).
///
/// The program parses it, makes a ``Session`` from its global options, and performs it;
/// ArgumentParser's own `run` is not used, so that tests can bring another endpoint.
protocol Verb: ParsableCommand {
  /// The options that every command accepts.
  var globals: GlobalOptions { get }

  /// The images that the command line names instead of registered nodes: `--file`.
  var images: [String] { get }

  /// Does it.
  ///
  /// - Returns: the exit code when there is nothing to say on stderr.
  /// - Throws: ``CommandFailure`` or `QMPError`.
  func perform(in session: Session) async throws -> ExitStatus
}

extension Verb {
  var images: [String] { [] }
}
