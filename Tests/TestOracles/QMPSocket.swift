import Glibc

/// A client of a QMP server on a unix socket, one command at a time. Used by one thread.
public final class QMPSocket {
  private let number: Int32
  private var pending: [UInt8] = []
  /// The events received so far, oldest first.
  public private(set) var events: [JSONValue] = []

  /// Connects and negotiates; waits for the server to appear.
  ///
  /// - Parameters:
  ///   - path: of the socket.
  ///   - process: the server; there is no point in waiting after its end.
  /// - Throws: ``OracleError`` if the process ends first, or 60 seconds pass.
  public init(path: String, of process: ChildProcess) throws(OracleError) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard path.utf8.count < capacity else {
      throw OracleError("the socket's path is too long: \(path)")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    number = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      if result == 0 { break }
      guard !process.hasEnded() else {
        throw OracleError("\(process.commandLine)\nended with status \(process.wait())")
      }
      guard ContinuousClock.now < deadline else {
        throw OracleError("nothing listens at \(path): errno \(errno)")
      }
      usleep(10_000)
    }
    var limit = timeval(tv_sec: 120, tv_usec: 0)
    setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    _ = try readLine()
    try execute("qmp_capabilities")
  }

  deinit { Glibc.close(number) }

  /// Executes a command and waits for its reply.
  ///
  /// - Parameters:
  ///   - command: its name.
  ///   - arguments: a JSON object as text; nil for none.
  /// - Returns: the value of `return`.
  /// - Throws: ``OracleError`` with the request and the error the server replied.
  @discardableResult public func execute(
    _ command: String, _ arguments: String? = nil
  ) throws(OracleError) -> JSONValue {
    let members = arguments.map { ", \"arguments\": \($0)" } ?? ""
    let request = "{\"execute\": \(JSONValue.quoted(command))\(members)}"
    let reply = try reply(to: request)
    guard let value = reply["return"] else {
      throw OracleError("\(request)\n\(reply["error"]?["desc"]?.string ?? "\(reply)")")
    }
    return value
  }

  /// Sends any text and waits for what is no event.
  ///
  /// - Parameter request: what is sent, without a newline.
  /// - Returns: the whole reply.
  /// - Throws: ``OracleError`` if the server closes the connection.
  public func reply(to request: String) throws(OracleError) -> JSONValue {
    try send(Array((request + "\n").utf8))
    while true {
      let value = try JSONValue(parsing: readLine())
      // A storage daemon that is reached while it starts may greet twice.
      if value["QMP"] != nil { continue }
      guard value["event"] != nil else { return value }
      events.append(value)
    }
  }

  /// Waits for an event, from now on.
  ///
  /// - Parameter name: the event's name.
  /// - Returns: the event.
  /// - Throws: ``OracleError`` if the server closes the connection first.
  @discardableResult public func waitForEvent(_ name: String) throws(OracleError) -> JSONValue {
    while true {
      let value = try JSONValue(parsing: readLine())
      guard let event = value["event"]?.string else { continue }
      events.append(value)
      if event == name { return value }
    }
  }

  /// Waits until a job has concluded, and dismisses it.
  ///
  /// - Parameter id: the job's id.
  /// - Throws: ``OracleError`` with the job's error, if it has one.
  public func waitForJob(_ id: String) throws(OracleError) {
    while true {
      let job = try execute("query-jobs").array?.first { $0["id"]?.string == id }
      guard let job else { throw OracleError("there is no job \(id)") }
      if job["status"]?.string == "concluded" {
        try execute("job-dismiss", "{\"id\": \(JSONValue.quoted(id))}")
        if let error = job["error"]?.string { throw OracleError("job \(id): \(error)") }
        return
      }
      usleep(10_000)
    }
  }

  private func send(_ bytes: [UInt8]) throws(OracleError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(number, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw OracleError("the QMP server went away: errno \(errno)") }
      rest = rest.dropFirst(count)
    }
  }

  private func readLine() throws(OracleError) -> String {
    while true {
      if let end = pending.firstIndex(of: 10) {
        let line = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeSubrange(...end)
        return line
      }
      var chunk = [UInt8](repeating: 0, count: 65536)
      let count = recv(number, &chunk, chunk.count, 0)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw OracleError("no answer from the QMP server: errno \(errno)") }
      pending += chunk[..<count]
    }
  }
}
