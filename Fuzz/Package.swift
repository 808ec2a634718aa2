// swift-tools-version: 6.2
import PackageDescription

/// Each is one file with libFuzzer's entry. `run` builds and starts them: the sanitizers are flags of the
/// build, since those of a manifest do not reach the linker.
let fuzzers = ["FuzzCatalog", "FuzzCommandLine", "FuzzDeviceState", "FuzzImage", "FuzzQMP"]

let package = Package(
  name: "Fuzz",
  dependencies: [.package(name: "snapjob", path: "..")],
  targets: fuzzers.map {
    .executableTarget(
      name: $0, dependencies: [.product(name: "FuzzEntry", package: "snapjob")],
      swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)])
  }
)
