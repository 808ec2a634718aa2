import QMP

@testable import SnapjobCLI

/// A run of the program with everything around it made up.
struct Run {
  let endpoint: FakeEndpoint
  let door: FakeDoor
  let signals = FakeInterruptions()
  let spawner = FakeSpawner()
  let out: CapturedText
  let err = CapturedText()
  var environment = ["HOME": "/home/user"]
  var answer: String?

  /// Makes a run.
  ///
  /// - Parameters:
  ///   - endpoint: what the commands talk to.
  ///   - answer: what is answered on a terminal; nil if there is no terminal.
  ///   - doorFailure: why the endpoint cannot be opened; nil if it can.
  ///   - outputProblem: why stdout cannot be written; nil if it can.
  init(
    _ endpoint: FakeEndpoint = FakeEndpoint(), answer: String? = nil, doorFailure: QMPError? = nil,
    outputProblem: String? = nil
  ) {
    out = CapturedText(problem: outputProblem)
    self.endpoint = endpoint
    self.answer = answer
    door = FakeDoor(endpoint, failure: doorFailure)
  }

  /// 2026-11-21T04:10:29.123456Z.
  static let now: Int64 = 1_795_234_229_123_456
  /// The id that save gets.
  static let saveID = "save-20261121-041029-00ab"

  static let host = Host(
    now: { now }, random: { 0xAB }, currentDirectory: .success("/work dir"),
    name: "host", pollInterval: .milliseconds(5))

  /// Runs a command line, words separated by single spaces.
  func callAsFunction(_ line: String) async -> ExitStatus {
    await self(line.split(separator: " ").map(String.init))
  }

  func callAsFunction(_ arguments: [String]) async -> ExitStatus {
    let (answer, err) = (answer, err)
    let console = Console(
      out: out, err: err, isInteractive: answer != nil, errorIsTerminal: answer != nil,
      width: { 80 },
      ask: { question in
        err.write(question + " ")
        return answer
      })
    let surroundings = Surroundings(
      console: console, environment: environment, userID: 1000, host: Self.host, door: door,
      signals: signals, spawner: spawner)
    return await Program(surroundings).run(arguments)
  }

  /// The lines of stdout as JSON.
  func jsonLines() throws -> [QMPValue] { try out.lines.map { try QMPValue(parsing: $0) } }
}
