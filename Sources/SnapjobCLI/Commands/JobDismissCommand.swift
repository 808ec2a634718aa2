import ArgumentParser
import QMP

/// `snapjob job dismiss`.
struct JobDismissCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "dismiss", abstract: "Move concluded jobs to the history.",
    discussion: """
      --all takes the machine's jobs, with --all-machines those of every machine and those on files \
      (--file), which belong to none.

      Examples:
        snapjob job dismiss save-20261121-041029-1a2b
        snapjob job dismiss --all
        snapjob job dismiss --all --all-machines
      """)

  @Argument(help: "The jobs' ids.") var ids: [String] = []
  @Flag(help: "All concluded jobs of the machine.") var all = false
  @Flag(
    name: [.customShort("A"), .long],
    help: "With --all: of all machines, and jobs on files.") var allMachines = false
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func validate() throws {
    if ids.isEmpty != all { throw ValidationError("name jobs, or --all") }
    if allMachines, !all { throw ValidationError("--all-machines goes with --all") }
  }

  /// Dismisses what has concluded; one by one where the server is no snapjob.
  private func dismissAll(on endpoint: any QMPEndpoint) async throws(QMPError) -> QMPValue {
    do throws(QMPError) {
      return try await endpoint.execute(
        "x-snapjob-dismiss-all", allMachines ? ["all-machines": true] : nil)
    } catch {
      guard error.errorClass == .commandNotFound else { throw error }
    }
    var count: Int64 = 0
    for job in try await endpoint.currentJobs().elements where job.text("status") == "concluded" {
      _ = try await endpoint.execute("job-dismiss", ["id": .string(job.text("id"))])
      count += 1
    }
    return ["dismissed": .int(count)]
  }

  func perform(in session: Session) async throws -> ExitStatus {
    let output = session.output
    return try await session.withEndpoint { endpoint in
      if all {
        let result = try await dismissAll(on: endpoint)
        output.noteChange()
        output.json(["return": result])
        if !output.isQuiet {
          let count = Int(clamping: result.integer("dismissed"))
          output.line("\(Quantity.count(count, "job")) dismissed")
        }
        return .done
      }
      var first: CommandFailure?
      for id in ids {
        do {
          _ = try await endpoint.execute("job-dismiss", ["id": .string(id)])
        } catch let error as QMPError {
          let failure = CommandFailure(ExitStatus(kind: error.kind), "\(id): \(error.desc)")
          if first != nil { output.note(failure.message) }
          first = first ?? failure
        }
      }
      if let first { throw first }
      output.acknowledge()
      return .done
    }
  }
}
