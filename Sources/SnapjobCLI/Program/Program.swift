import ArgumentParser
import QMP

/// One run of the program: parse, perform, report.
struct Program {
  private let surroundings: Surroundings

  init(_ surroundings: Surroundings) { self.surroundings = surroundings }

  /// Runs the program.
  ///
  /// - Parameter arguments: the command line without the program's name.
  /// - Returns: the exit code.
  func run(_ arguments: [String]) async -> ExitStatus {
    let options = arguments.prefix { $0 != "--" }
    let wantsJSON = options.contains("--json")
    if wantsJSON, options.contains("--version") {
      return printed(Versions.json.jsonText + "\n")
    }
    let command: any ParsableCommand
    do {
      command = try SnapjobCommand.parseAsRoot(arguments)
    } catch {
      return reportParsing(error, json: wantsJSON)
    }
    guard let verb = command as? any Verb else {
      if type(of: command).configuration.subcommands.isEmpty {
        return await runBuiltIn(command)
      }
      surroundings.console.err.write(SnapjobCommand.helpMessage(for: type(of: command)) + "\n")
      return .usage
    }
    var output = Output(console: surroundings.console, globals: verb.globals)
    do {
      let settings = try Settings(
        verb.globals, environment: surroundings.environment, userID: surroundings.userID,
        host: surroundings.host)
      output.nextSteps = NextSteps(
        settings, files: try verb.images.map(surroundings.host.absolute))
      let session = Session(
        settings: settings, output: output, surroundings: surroundings, arguments: arguments)
      let status = try await verb.perform(in: session)
      if status == .done, let failure = output.writeFailure() { throw failure }
      return status
    } catch {
      let failure = Self.failure(error)
      output.failure(failure)
      return failure.status
    }
  }

  /// ArgumentParser's own commands: `help`.
  private func runBuiltIn(_ command: any ParsableCommand) async -> ExitStatus {
    var command = command
    do {
      try command.run()
      return .done
    } catch {
      return reportParsing(error, json: false)
    }
  }

  /// Prints what is the whole of a run's output: help, versions, completion scripts.
  private func printed(_ text: String) -> ExitStatus {
    let console = surroundings.console
    console.out.write(text)
    guard let problem = console.out.problem else { return .done }
    console.err.write("snapjob: cannot write the output: \(problem)\n")
    return .failed
  }

  private func reportParsing(_ error: any Error, json: Bool) -> ExitStatus {
    let text = SnapjobCommand.fullMessage(for: error)
    let console = surroundings.console
    guard SnapjobCommand.exitCode(for: error) != .success else {
      return printed(text.hasSuffix("\n") ? text : text + "\n")
    }
    let sentence = SnapjobCommand.message(for: error)
    let prefix = "Error: "
    let shown = text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
    // The usage is several lines.
    let lines = shown.split(separator: "\n", omittingEmptySubsequences: false)
      .map { Table.printable(String($0)) }
    console.err.write("snapjob: \(lines.joined(separator: "\n"))\n")
    if json { console.out.write(CommandFailure(.usage, sentence).json.jsonText + "\n") }
    return .usage
  }

  private static func failure(_ error: any Error) -> CommandFailure {
    switch error {
    case let failure as CommandFailure: failure
    case let error as QMPError: CommandFailure(error)
    case let error as ValidationError: CommandFailure(.usage, error.message)
    default: CommandFailure(.failed, "\(error)")
    }
  }
}
