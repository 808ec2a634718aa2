import QMP

/// Why a command ends without success: the exit code and the sentence for stderr.
struct CommandFailure: Error, Sendable, Hashable {
  /// The exit code.
  let status: ExitStatus
  /// QMP's class, for `--json`.
  let errorClass: QMPError.Class
  /// What happened, where, and what to do.
  let message: String
  /// The machine that it is about; nil for that of the command line.
  let machine: String?
  /// The image that it is about, where that stands for the machine.
  let image: String?

  init(
    _ status: ExitStatus, _ message: String, class errorClass: QMPError.Class = .genericError,
    machine: String? = nil, image: String? = nil
  ) {
    self.machine = machine
    self.image = image
    self.status = status
    self.errorClass = errorClass
    self.message = message
  }

  /// An endpoint's error, with the exit code of its kind.
  init(_ error: QMPError, image: String? = nil) {
    self.init(ExitStatus(kind: error.kind), error.desc, class: error.errorClass, image: image)
  }

  /// The same with the commands that it recommends as this command line needs them.
  func spelled(by steps: NextSteps) -> CommandFailure {
    let steps = image.map(steps.about(image:)) ?? steps.about(machine)
    return CommandFailure(
      status, steps.spelled(in: message), class: errorClass, machine: machine, image: image)
  }

  /// The `{"error": …}` line of `--json`.
  var json: QMPValue {
    [
      "error": [
        "class": .string(errorClass.rawValue), "desc": .string(message),
        "exit-code": .int(Int64(status.rawValue)),
      ]
    ]
  }
}
