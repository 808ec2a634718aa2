// swift-tools-version: 6.2
import PackageDescription

let house: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .enableUpcomingFeature("InferIsolatedConformances"),
  .treatAllWarnings(as: .error),
]

/// The rooms that turn foreign bytes into values: every use of an unsafe construct is spelled out.
let byteHouse: [SwiftSetting] = house + [.strictMemorySafety()]

let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

let package = Package(
  name: "snapjob",
  products: [
    .executable(name: "snapjob", targets: ["SnapjobMain"]),
    .library(name: "Snapjob", targets: ["Snapjob", "QMP"]),
    // What the nested package Fuzz drives; not API.
    .library(name: "FuzzEntry", targets: ["FuzzEntry"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    .target(name: "ByteCoding", swiftSettings: byteHouse),
    .target(name: "FileNames", dependencies: ["CLinux", system], swiftSettings: house),
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(
      name: "Qcow2",
      dependencies: [
        "ByteCoding", "CLinux", "FileNames", "CZlib", "CZstd", system,
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: house),
    .target(name: "DeviceState", dependencies: ["ByteCoding"], swiftSettings: byteHouse),
    .target(name: "Jobs", swiftSettings: house),
    .target(
      name: "SnapshotJobs",
      dependencies: ["FileNames", "Jobs", "Qcow2", "DeviceState", log, system],
      swiftSettings: house),
    .target(
      name: "JobCatalog",
      dependencies: [
        "CLinux", "FileNames", "Jobs", "SnapshotJobs", "Qcow2", log, system,
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: house),
    .target(name: "QMP", swiftSettings: house),
    .target(
      name: "QMPTransport",
      dependencies: [
        "FileNames", "QMP", "Jobs", "SnapshotJobs", log,
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: house),
    .target(
      name: "LiveMachine", dependencies: ["FileNames", "QMP", "Jobs", "SnapshotJobs"],
      swiftSettings: house),
    .target(
      name: "Monitor",
      dependencies: ["FileNames", "QMP", "Jobs", "SnapshotJobs", "Qcow2", "DeviceState", log],
      swiftSettings: house),
    .systemLibrary(
      name: "CLibqcow", pkgConfig: "libqcow", providers: [.apt(["libqcow-dev"])]),
    .target(
      name: "Libqcow", dependencies: ["FileNames", "Jobs", "SnapshotJobs", "CLibqcow"],
      swiftSettings: house),
    .target(
      name: "Snapjob",
      dependencies: [
        "FileNames", "Jobs", "Qcow2", "DeviceState", "SnapshotJobs", "JobCatalog", "QMP", "Monitor",
        "QMPTransport", "LiveMachine", "Libqcow", log, system, "Yams",
      ],
      swiftSettings: house),
    .target(
      name: "SnapjobCLI",
      dependencies: [
        "FileNames", "Snapjob", "Jobs", "QMP", log, system,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: house),
    .executableTarget(
      name: "SnapjobMain", dependencies: ["SnapjobCLI"], swiftSettings: house),
    .executableTarget(
      name: "DemoDisk",
      dependencies: [
        "Qcow2", system, .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: house),
    .executableTarget(name: "FollowJob", dependencies: ["Snapjob", "QMP"], swiftSettings: house),
    .target(
      name: "FuzzEntry",
      dependencies: [
        "FileNames", "Qcow2", "DeviceState", "QMP", "Monitor", "Jobs", "SnapshotJobs",
        "JobCatalog", "SnapjobCLI", system,
      ],
      swiftSettings: house),

    .target(
      name: "TestOracles", dependencies: [system], path: "Tests/TestOracles", swiftSettings: house),
    .target(
      name: "TestFiles", dependencies: ["Qcow2", system], path: "Tests/TestFiles",
      swiftSettings: house),
    .testTarget(
      name: "FuzzEntryTests", dependencies: ["FuzzEntry", "Qcow2", "TestOracles"],
      swiftSettings: house),
    .testTarget(
      name: "FileNamesTests", dependencies: ["FileNames"], swiftSettings: house),
    .testTarget(name: "ByteCodingTests", dependencies: ["ByteCoding"], swiftSettings: house),
    .testTarget(
      name: "Qcow2Tests", dependencies: ["Qcow2", "TestOracles", system], swiftSettings: house),
    .testTarget(
      name: "DeviceStateTests", dependencies: ["DeviceState", "TestOracles", system],
      swiftSettings: house),
    .testTarget(name: "JobsTests", dependencies: ["Jobs"], swiftSettings: house),
    .testTarget(
      name: "SnapshotJobsTests",
      dependencies: [
        "SnapshotJobs", "JobCatalog", "Jobs", "Qcow2", "DeviceState", "TestFiles", "TestOracles",
        log, system,
      ],
      swiftSettings: house),
    .target(
      name: "CSQLiteRecorder", path: "Tests/CSQLiteRecorder",
      linkerSettings: [.linkedLibrary("sqlite3")]),
    .testTarget(
      name: "CrashTests",
      dependencies: [
        "SnapjobMain", "Monitor", "JobCatalog", "SnapshotJobs", "Jobs", "Qcow2", "DeviceState",
        "TestFiles", "TestOracles", "CSQLiteRecorder", log, system,
      ],
      swiftSettings: house),
    .testTarget(
      name: "LibqcowTests",
      dependencies: ["Libqcow", "SnapshotJobs", "Jobs", "Qcow2", "TestOracles"],
      swiftSettings: house),
    .testTarget(
      name: "JobCatalogTests",
      dependencies: [
        "JobCatalog", "SnapshotJobs", "Jobs", "Qcow2", "TestFiles", system,
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: house),
    .testTarget(
      name: "LiveMachineTests", dependencies: ["LiveMachine", "QMP", "Jobs", "SnapshotJobs"],
      swiftSettings: house),
    .testTarget(name: "QMPTests", dependencies: ["QMP"], swiftSettings: house),
    .testTarget(
      name: "QMPTransportTests",
      dependencies: ["QMPTransport", "QMP", "Jobs", "SnapshotJobs", "TestOracles", system],
      swiftSettings: house),
    .testTarget(
      name: "MonitorTests",
      dependencies: [
        "Monitor", "QMP", "Jobs", "SnapshotJobs", "Qcow2", "DeviceState", "TestOracles",
      ],
      swiftSettings: house),
    .testTarget(
      name: "SnapjobTests", dependencies: ["Snapjob", "QMP", "TestOracles", system],
      swiftSettings: house),
    .testTarget(
      name: "SnapjobCLITests",
      dependencies: [
        "SnapjobCLI", "Snapjob", "QMP", "TestOracles", system,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: house),
    .testTarget(
      name: "EndToEndTests",
      dependencies: [
        "SnapjobMain", "DemoDisk", "FollowJob", "Qcow2", "TestOracles", system,
      ],
      swiftSettings: house),
  ]
)
