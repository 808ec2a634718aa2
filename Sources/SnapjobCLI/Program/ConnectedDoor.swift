import FileNames
import QMP
import Snapjob

/// A server that is connected to: its machine, its catalog, its jobs.
struct ConnectedDoor: Door {
  let address: String

  func open(_ request: DoorRequest) async throws(QMPError) -> OpenDoor {
    if !request.files.isEmpty {
      throw Self.refusal(
        "--file names images for the engine in this process, and \(address) is another one. "
          + "Leave out --file or --connect (SNAPJOB_CONNECT)")
    }
    if request.followsAllMachines {
      throw Self.refusal(
        "\(address) tells of the events of one machine. Leave out --all-machines, or --connect "
          + "(SNAPJOB_CONNECT)")
    }
    let machine = try await RemoteMachine.connect(to: address)
    do throws(QMPError) {
      if let name = request.demandedMachine { try await check(machine, is: name) }
    } catch {
      await machine.close()
      throw error
    }
    return OpenDoor(endpoint: machine, close: { await machine.close() })
  }

  func service(
    _ request: DoorRequest, plan: QMPService.Plan, guests: QMPService.Guests
  ) async throws(QMPError) -> OpenService {
    throw Self.refusal(
      "serve is the other side of a connection: it runs the engine in this process. Leave out "
        + "--connect (SNAPJOB_CONNECT)")
  }

  /// A socket is one machine: naming another one on the command line is a mistake.
  private func check(_ machine: RemoteMachine, is name: String) async throws(QMPError) {
    guard machine.isSnapjob else {
      throw Self.refusal(
        "\(address) is no snapjob and has one machine without a name. Leave out --machine")
    }
    let served = try await machine.execute("x-snapjob-machine-show", nil).text("name")
    guard served.hasSameBytes(as: name) else {
      throw QMPError(
        .genericError, "\(address) serves the machine \(served), not \(name)", kind: "notFound")
    }
  }

  private static func refusal(_ text: String) -> QMPError {
    QMPError(.genericError, text, kind: "usage")
  }
}

/// The door of the program: a server if one is named, else the engine in this process.
struct FrontDoor: Door {
  private func door(_ request: DoorRequest) -> any Door {
    request.connection.map { ConnectedDoor(address: $0) } ?? EngineDoor()
  }

  func open(_ request: DoorRequest) async throws(QMPError) -> OpenDoor {
    try await door(request).open(request)
  }

  func service(
    _ request: DoorRequest, plan: QMPService.Plan, guests: QMPService.Guests
  ) async throws(QMPError) -> OpenService {
    try await door(request).service(request, plan: plan, guests: guests)
  }
}
