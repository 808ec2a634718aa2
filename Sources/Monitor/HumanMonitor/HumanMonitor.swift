import QMP

/// The monitor for people: one line in, text out.
///
/// Nothing fails here as far as the caller can see: errors are part of the text, as in QEMU.
struct HumanMonitor {
  let context: CommandContext

  /// Executes a line.
  ///
  /// - Returns: what QEMU's monitor would print, lines ended by CR and LF.
  func execute(_ line: String) async -> String {
    let output = await run(HumanCommandLine(line))
    return output.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
  }

  private func run(_ line: HumanCommandLine) async -> String {
    var line = line
    guard let name = line.nextName() else { return "" }
    guard var command = Self.commands.first(where: { $0.isCalled(name) }) else {
      return unknown(line)
    }
    if command.name == Self.infoName, !line.isAtEnd(), let name = line.nextName() {
      guard let info = Self.infoCommands.first(where: { $0.isCalled(name) }) else {
        return unknown(line)
      }
      command = info
    }
    // What the help is called with; the arguments come after it.
    let help = "Try \"help \(line.readPart)\" for more information\n"
    do throws(HumanSyntaxError) {
      let arguments = try Self.parse(&line, for: command)
      return await run(command, arguments)
    } catch {
      return "\(command.name): \(error.text)\n\(help)"
    }
  }

  private func run(_ command: HumanCommand, _ arguments: HumanArguments) async -> String {
    do {
      return try await command.run(arguments, context)
    } catch {
      return "Error: \(QMPError(thrown: error).desc)\n"
    }
  }

  private func unknown(_ line: HumanCommandLine) -> String {
    "unknown command: '\(line.text[..<line.rest.startIndex])'\n"
  }

  private static func parse(
    _ line: inout HumanCommandLine, for command: HumanCommand
  ) throws(HumanSyntaxError) -> HumanArguments {
    var arguments = HumanArguments()
    for (index, parameter) in command.parameters.enumerated() {
      switch parameter {
      case .option(let letter):
        let others = command.parameters[index...].compactMap(\.letter)
        if try line.nextOption(letter, others: others) { arguments.options.insert(letter) }
      case .string(let name, let isOptional):
        if isOptional, line.isAtEnd() { continue }
        guard let text = line.nextString() else { throw HumanSyntaxError("string expected") }
        arguments.strings[name] = text
      }
    }
    guard line.isAtEnd() else {
      throw HumanSyntaxError("extraneous characters at the end of line")
    }
    return arguments
  }
}

extension HumanCommand.Parameter {
  /// The letter of an option.
  fileprivate var letter: Character? {
    if case .option(let letter) = self { letter } else { nil }
  }
}
