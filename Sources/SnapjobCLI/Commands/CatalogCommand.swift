import ArgumentParser
import QMP

/// `snapjob catalog`.
struct CatalogCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "catalog",
    abstract: "The database of machines and jobs.",
    subcommands: [
      CatalogPathCommand.self, CatalogCheckCommand.self, CatalogBackupCommand.self,
      CatalogPruneCommand.self,
    ])
}

/// `snapjob catalog path`.
struct CatalogPathCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "path", abstract: "Print where the catalog is.",
    discussion: """
      It is not opened, and need not exist yet.

      Example:
        snapjob catalog path
      """)

  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    session.output.json(["path": .string(session.settings.catalog)])
    session.output.line(session.settings.catalog)
    return .done
  }
}

/// `snapjob catalog check`.
struct CatalogCheckCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check that the catalog is whole.",
    discussion: """
      Example:
        snapjob catalog check
      """)

  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let result = try await session.withEndpoint(
      machine: Settings.defaultMachine, recovers: false
    ) { try await $0.execute("x-snapjob-catalog", ["action": "check"]) }
    session.output.json(result)
    let problems = result.texts("problems")
    if !problems.isEmpty {
      throw CommandFailure(
        .catalog,
        "\(session.settings.catalog) is damaged: \(problems.joined(separator: "; ")). "
          + "Move it away and put a backup in its place")
    }
    if !session.output.isQuiet { session.output.line("\(session.settings.catalog): no errors") }
    return .done
  }
}

/// `snapjob catalog backup`.
struct CatalogBackupCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "backup", abstract: "Copy the catalog to a file, also while it is in use.",
    discussion: """
      Example:
        snapjob catalog backup /backup/snapjob.sqlite
      """)

  @Argument(help: "The copy to make.", completion: .file()) var file: String
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let path = try session.host.absolute(file)
    let result = try await session.withEndpoint(
      machine: Settings.defaultMachine, recovers: false
    ) {
      try await $0.execute(
        "x-snapjob-catalog", ["action": "backup", "filename": .string(path)])
    }
    session.output.noteChange()
    session.output.json(result)
    if !session.output.isQuiet { session.output.line("\(path): written") }
    return .done
  }
}

/// `snapjob catalog prune`.
struct CatalogPruneCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "prune", abstract: "Dismiss and forget what is older than the catalog keeps.",
    discussion: """
      Jobs that concluded more than 7 days before the five newest jobs were made are moved to the history, \
      and those that concluded more than 400 days before them are deleted from there. Commands that make a \
      job do the same, for each day once. Snapshots stay where they are, and so does what is known of who \
      made them; see snapjob prune for those.

      Example:
        snapjob catalog prune
      """)

  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let result = try await session.withEndpoint(
      machine: Settings.defaultMachine, recovers: false
    ) { try await $0.execute("x-snapjob-catalog", ["action": "prune"]) }
    session.output.noteChange()
    session.output.json(result)
    if !session.output.isQuiet {
      let dismissed = Quantity.count(Int(clamping: result.integer("dismissed")), "job")
      let deleted = Quantity.count(Int(clamping: result.integer("deleted")), "job")
      session.output.line("\(dismissed) moved to the history, \(deleted) deleted from it")
    }
    return .done
  }
}
