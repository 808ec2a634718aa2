import DeviceState
import Jobs
import Monitor
import QMP
import SnapshotJobs
import Testing

@Suite struct MigrationCommandsTests {
  private let house = House()

  private func switchOn(_ capabilities: String..., in house: House) async throws {
    let list = capabilities.map { #"{"capability": "\#($0)", "state": true}"# }
    try await house.execute(
      "migrate-set-capabilities", "{\"capabilities\": [\(list.joined(separator: ", "))]}")
  }

  /// The status of the last migration, once it is one of these.
  private func status(_ wanted: Set<String>) async throws -> QMPValue {
    while true {
      let info = try await house.execute("query-migrate")
      if wanted.contains(info.text("status") ?? "") { return info }
      try await Task.sleep(for: .milliseconds(1))
    }
  }

  private let ends: Set<String> = ["completed", "failed", "cancelled"]

  @Test func nothingIsMigratedAtFirst() async throws {
    #expect(try await house.execute("query-migrate") == [:])
    let capabilities = try await house.execute("query-migrate-capabilities").elements
    #expect(capabilities.count == 21)
    #expect(capabilities.allSatisfy { $0["state"] == false })
    let parameters = try await house.execute("query-migrate-parameters")
    #expect(parameters["max-bandwidth"] == 134_217_728)
    #expect(parameters["block-bitmap-mapping"] == nil)
  }

  @Test func capabilitiesAreSwitchedAllOrNone() async throws {
    try await switchOn("dirty-bitmaps", "events", "validate-uuid", in: house)
    let refusal = await house.refusal(
      "migrate-set-capabilities",
      #"{"capabilities": [{"capability": "dirty-bitmaps", "state": false}, {"capability": "multifd", "state": true}]}"#
    )
    #expect(refusal?.desc.hasPrefix("Capability 'multifd' is not applicable") ?? false)
    // What is off already may be switched off.
    try await house.execute(
      "migrate-set-capabilities",
      #"{"capabilities": [{"capability": "xbzrle", "state": false}, {"capability": "events", "state": false}]}"#
    )
    let on = try await house.execute("query-migrate-capabilities").elements
      .filter { $0["state"] == true }.compactMap { $0.text("capability") }
    #expect(on == ["dirty-bitmaps", "validate-uuid"])
  }

  @Test func parametersAreChangedAllOrNone() async throws {
    let mapping =
      #"[{"node-name": "disk0", "alias": "A", "bitmaps": [{"name": "b", "alias": "B", "transform": {"persistent": true}}]}]"#
    try await house.execute(
      "migrate-set-parameters",
      "{\"max-bandwidth\": 1000, \"downtime-limit\": 300, \"block-bitmap-mapping\": \(mapping)}")
    let refusal = await house.refusal(
      "migrate-set-parameters", #"{"max-bandwidth": 5, "downtime-limit": 301}"#)
    #expect(refusal?.desc.hasPrefix("Parameter 'downtime-limit' is not applicable") ?? false)
    let parameters = try await house.execute("query-migrate-parameters")
    #expect(parameters["max-bandwidth"] == 1000)
    #expect(
      parameters["block-bitmap-mapping"] == [
        [
          "bitmaps": [["name": "b", "transform": ["persistent": true], "alias": "B"]],
          "node-name": "disk0", "alias": "A",
        ]
      ])
    try await house.execute("migrate-set-parameters", #"{"block-bitmap-mapping": []}"#)
    #expect(try await house.execute("query-migrate-parameters")["block-bitmap-mapping"] == [])
  }

  @Test func anInvalidMappingIsRefusedInQEMUsWordsWithCode9() async {
    let refusal = await house.refusal(
      "migrate-set-parameters",
      #"{"block-bitmap-mapping": [{"node-name": "n", "alias": "1", "bitmaps": []}]}"#)
    #expect(
      refusal
        == QMPError(
          .genericError,
          "Invalid mapping given for block-bitmap-mapping: The node alias '1' is not well-formed",
          kind: "refused"))
  }

  @Test func withoutTheCapabilityThereIsNothingToMigrate() async {
    let refusal = await house.refusal("migrate", #"{"uri": "unix:/x"}"#)
    #expect(refusal?.kind == "usage")
    #expect(refusal?.desc.contains("dirty-bitmaps") ?? false)
  }

  @Test func aMigrationIsAJobWithTheParametersOfItsMonitor() async throws {
    try await switchOn("dirty-bitmaps", "validate-uuid", in: house)
    try await house.execute(
      "migrate-set-parameters",
      #"{"block-bitmap-mapping": [{"node-name": "disk0", "alias": "A", "bitmaps": []}]}"#)
    try await house.execute(
      "migrate", #"{"uri": "unix:/x", "x-job-id": "m", "x-timeout": 5, "x-machine-type": "q35"}"#)
    let info = try await status(ends)
    #expect(info.text("status") == "completed")
    #expect(info.text("x-job-id") == "m")
    #expect(info["total-time"] != nil)
    let job = try await house.runner.wait(for: JobID("m"))
    #expect(job.type == "x-snapjob-bitmap-send")
    let request = try #require(house.images.transfers.first)
    #expect(request.mapping?.nodes.map(\.name) == ["disk0"])
    #expect(request.patienceSeconds == 5)
    #expect(request.machineType == "q35")
    #expect(request.uuid == "00000000-0000-0000-0000-000000000000")
    // Another one may begin now, under a name that is made for it.
    try await house.execute("migrate-incoming", #"{"uri": "unix:/x", "x-ignore-unknown": true}"#)
    #expect(try await status(ends).text("x-job-id") != "m")
    #expect(house.images.transfers.last?.ignoresUnknown == true)
    #expect(house.images.transfers.last?.direction == .receive)
  }

  @Test func aMappingOfTheCommandItselfCountsMore() async throws {
    try await house.execute(
      "migrate-set-parameters", #"{"block-bitmap-mapping": []}"#)
    try await house.execute(
      "migrate",
      #"{"uri": "unix:/x", "x-bitmaps": true, "x-block-bitmap-mapping": [{"node-name": "n", "alias": "A", "bitmaps": []}]}"#
    )
    _ = try await status(ends)
    #expect(house.images.transfers.last?.mapping?.nodes.map(\.name) == ["n"])
  }

  @Test func whyAMigrationFailedIsTold() async throws {
    try await switchOn("dirty-bitmaps", in: house)
    try await house.execute("migrate", #"{"uri": "unix:/nobody"}"#)
    let info = try await status(ends)
    #expect(info.text("status") == "failed")
    #expect(info.text("error-desc") == "Failed to connect to '/nobody': Connection refused")
    #expect(info["total-time"] == nil)
  }

  @Test func whoCannotListenIsToldAtOnce() async throws {
    try await switchOn("dirty-bitmaps", in: house)
    let refusal = await house.refusal("migrate-incoming", #"{"uri": "unix:/taken"}"#)
    #expect(refusal?.kind == "inUse")
    #expect(try await house.execute("query-migrate") == [:])
    let jobs = try house.runner.jobs()
    #expect(jobs.isEmpty)
  }

  @Test(
    "an address that is none is refused before anything begins",
    arguments: ["x", "exec:cat", "fd:3", "tcp:example.org:1"])
  func address(uri: String) async throws {
    try await switchOn("dirty-bitmaps", in: house)
    for command in ["migrate", "migrate-incoming"] {
      #expect(await house.refusal(command, "{\"uri\": \"\(uri)\"}") != nil)
    }
    #expect(try await house.execute("query-migrate") == [:])
  }

  @Test func oneAtATimeAndItCanBeCancelled() async throws {
    try await switchOn("dirty-bitmaps", in: house)
    let gate = Gate()
    house.images.work { try gate.pass($0) }
    try await house.execute("migrate", #"{"uri": "unix:/x", "x-job-id": "m"}"#)
    _ = try await status(["active"])
    #expect(
      await house.refusal("migrate", #"{"uri": "unix:/y"}"#)?.desc
        == "There's a migration process in progress")
    #expect(
      await house.refusal("migrate-set-capabilities", #"{"capabilities": []}"#)?.desc
        == "There's a migration process in progress")
    try await house.execute("migrate_cancel")
    #expect(try await status(ends).text("status") == "cancelled")
    try await house.execute("migrate_cancel")
  }

  @Test func eventsTellEachStatusIfTheyAreWanted() async throws {
    try await switchOn("dirty-bitmaps", "events", "pause-before-switchover", in: house)
    let events = house.monitor.events()
    try await house.execute("migrate", #"{"uri": "unix:/x"}"#)
    _ = try await status(["pre-switchover"])
    #expect(
      await house.refusal("migrate-continue", #"{"state": "active"}"#)?.desc
        == "Migration not in expected state: pre-switchover")
    try await house.execute("migrate-continue", #"{"state": "pre-switchover"}"#)
    var seen: [String] = []
    for await event in events where event.name == "MIGRATION" {
      seen.append(event.data?.text("status") ?? "")
      if ends.contains(seen.last ?? "") { break }
    }
    #expect(seen == ["setup", "active", "pre-switchover", "device", "completed"])
  }

  @Test func bothSidesOfATransferWithinTheCatalogAreOneTransaction() async throws {
    try house.machines.addMachine(named: "web02")
    try await house.execute(
      "x-snapjob-bitmap-transfer",
      #"{"job-id": "t", "to-machine": "web02", "block-bitmap-mapping": [{"node-name": "disk0", "alias": "root", "bitmaps": []}]}"#
    )
    let jobs = [
      try await house.runner.wait(for: JobID("t")),
      try await house.runner.wait(for: JobID("t-send")),
    ]
    #expect(jobs.map(\.type) == ["x-snapjob-bitmap-receive", "x-snapjob-bitmap-send"])
    #expect(jobs.map(\.subject) == ["web02", "default"])
    #expect(jobs[0].transaction == jobs[1].transaction)
    #expect(house.images.transfers.map(\.isWithinProcess) == [true, true])
    let refusal = await house.refusal(
      "x-snapjob-bitmap-transfer", #"{"job-id": "u", "to-machine": "default"}"#)
    #expect(refusal?.kind == "usage")
  }
}
