import ArgumentParser

/// The options of save, load and delete that concern the job rather than the disks.
struct JobOptions: ParsableArguments, Sendable {
  /// What a process that goes on in the background is started with, added to its command line.
  static let workerFlag = "--x-detached-worker"

  @Option(
    help: ArgumentHelp(
      "The job's id. Default: made of the verb, the time and a random number.", valueName: "id"))
  var jobID: String?

  @Flag(help: "Print the job's id and return; the work goes on in a process of its own.")
  var detach = false

  @Flag(
    help: ArgumentHelp(
      "Prepare, then wait for: snapjob job finalize ID.",
      discussion: "Returns once the job is pending; a process of its own keeps the images locked."))
  var noAutoFinalize = false

  @Option(
    help: ArgumentHelp(
      "Cancel a job that nobody has finalized for so long.", valueName: "seconds"))
  var finalizeTimeout: Seconds?

  @Flag(help: "Move the job to the history once it has concluded.")
  var autoDismiss = false

  @Option(help: ArgumentHelp("A remark to keep with the job.", valueName: "text"))
  var note: String?

  @Flag(help: "Print what would happen to which disk, and do nothing.")
  var dryRun = false

  @Flag(name: .customLong("x-detached-worker"), help: .private)
  var isDetachedWorker = false

  func validate() throws {
    if finalizeTimeout != nil, !noAutoFinalize {
      throw ValidationError("--finalize-timeout only makes sense with --no-auto-finalize")
    }
  }
}
