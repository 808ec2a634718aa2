import SnapjobCLI

/// The executable.
@main
struct SnapjobMain {
  static func main() { EntryPoint.main() }
}
