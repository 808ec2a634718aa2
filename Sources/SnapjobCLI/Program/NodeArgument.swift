import FileNames
import Jobs
import QMP

extension Session {
  /// Opens an endpoint on the machine that an argument's disk belongs to: what has a slash is a file, what is no
  /// node but an existing file is one as well; the machine is made of that file alone then.
  ///
  /// - Parameters:
  ///   - argument: a node or a file.
  ///   - body: uses the endpoint, and the node's name there.
  /// - Returns: what the body returns.
  /// - Throws: as ``withEndpoint(machine:files:recovers:followsAllMachines:_:)``.
  func withNode<Result>(
    _ argument: String, _ body: (any QMPEndpoint, _ node: String) async throws -> Result
  ) async throws -> Result {
    if !argument.hasSlash {
      let result = try await withEndpoint { endpoint -> Result? in
        let machine = try await endpoint.execute("x-snapjob-machine-show", nil)
        let isNode = (machine["nodes"]?.elements ?? []).contains {
          $0.text("node-name") == argument
        }
        if isNode { return try await body(endpoint, argument) }
        guard host.exists(try host.absolute(argument)) else {
          throw CommandFailure(
            .notFound,
            "'\(argument)' is neither a node of the machine nor a file here. See: \(NextStep("node", "list"))"
          )
        }
        return nil
      }
      if let result { return result }
    }
    do {
      return try await withEndpoint(files: [argument]) { endpoint in
        let machine = try await endpoint.execute("x-snapjob-machine-show", nil)
        return try await body(endpoint, machine["nodes"]?.elements.first?.text("node-name") ?? "")
      }
    } catch let error as QMPError {
      throw CommandFailure(error, image: try host.absolute(argument))
    }
  }

  /// Executes a command that changes a bitmap, and says that it is done.
  ///
  /// - Parameters:
  ///   - command: its name.
  ///   - argument: a node or a file.
  ///   - verb: what was done, as the first word of a sentence.
  ///   - name: the bitmap.
  ///   - arguments: the command's arguments for the node's name.
  /// - Returns: ``ExitStatus/done``.
  /// - Throws: the command's error.
  func changeBitmap(
    _ command: String, of argument: String, done verb: String, name: String,
    _ arguments: (_ node: String) -> QMPValue
  ) async throws -> ExitStatus {
    let node = try await withNode(argument) { endpoint, node in
      _ = try await endpoint.execute(command, arguments(node))
      return node
    }
    output.acknowledge()
    if !output.isQuiet {
      output.line("\(verb) bitmap \"\(Table.printable(name))\" on \(Table.printable(node)).")
    }
    return .done
  }

  /// Executes a command on a bitmap that needs nothing but its place and name.
  func change(
    _ bitmap: BitmapOptions, _ command: String, done verb: String
  ) async throws -> ExitStatus {
    try await changeBitmap(command, of: bitmap.node, done: verb, name: bitmap.name) { node in
      ["node": .string(node), "name": .string(bitmap.name)]
    }
  }
}
