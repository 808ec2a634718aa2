import DeviceState
import Testing

@Suite struct StreamSummaryTests {
  @Test(arguments: GoldenStream.allCases)
  func `The parts add up to the stream's length`(golden: GoldenStream) throws {
    let bytes = try golden.bytes
    let summary = try StreamSummary(reading: BytesSource(bytes))
    var sum = 8 + summary.configurationByteCount + summary.commandByteCount
    sum += summary.devices.reduce(0) { $0 + $1.byteCount }
    sum += summary.iterables.reduce(0) { $0 + $1.byteCount }
    sum += 1 + summary.descriptionByteCount
    #expect(sum == UInt64(bytes.count))
    #expect(summary.byteCount == UInt64(bytes.count))
  }

  @Test func `A saved machine is told with its RAM and its devices`() throws {
    let summary = try StreamSummary(reading: BytesSource(GoldenStream.savevm.bytes))
    #expect(summary.machineType == "microvm")
    #expect(summary.pageByteCount == 4096)
    #expect(summary.runState == "prelaunch")
    #expect(summary.hasFooters == true)
    #expect(!summary.isDevicesOnly)
    let ram = try #require(summary.ram)
    #expect(ram.blocks.first == RAMBlock(name: "microvm.ram", usedByteCount: 4 << 20))
    #expect(ram.byteCount == (ram.zeroPageCount + ram.dataPageCount) * 4096)
    #expect(
      summary.devices.map(\.name.description) == [
        "timer", "fw_cfg", "cpu_common", "cpu", "kvm-tpr-opt", "apic", "ioapic", "ioapic#1",
        "acpi-ged", "i8259", "i8259#1", "i8254", "mc146818rtc", "globalstate",
      ])
    #expect(summary.devices.map(\.name) == summary.description?.devices.map(\.device))
  }

  @Test func `A file of devices has neither RAM nor a machine type`() throws {
    let summary = try StreamSummary(reading: BytesSource(GoldenStream.devicesPC.bytes))
    #expect(summary.isDevicesOnly)
    #expect(summary.ram == nil)
    #expect(summary.machineType == nil)
    #expect(summary.runState == "running")
    #expect(summary.devices.contains { $0.name == DeviceName("0000:00:03.0/virtio-blk", 0) })
  }

  @Test func `Dirty bitmaps of a migration are passed over`() throws {
    let summary = try StreamSummary(reading: BytesSource(GoldenStream.migration.bytes))
    #expect(summary.iterables.map(\.name.name) == ["ram", "dirty-bitmap"])
    #expect(summary.commandByteCount == 5)
  }
}
