import DeviceState
import TestOracles

extension QemuVM {
  /// Migrates the machine into a file, and waits until that is done.
  func migrate(to path: String) throws(OracleError) {
    try execute("migrate", "{\"uri\": \(JSONValue.quoted("exec:cat > \(path)"))}")
    try waitForMigration()
  }

  /// Waits until a migration, to or from this machine, has completed.
  func waitForMigration() throws(OracleError) {
    while true {
      let status = try execute("query-migrate")["status"]?.string
      if status == "completed" { return }
      guard status != "failed" else { throw OracleError("the migration failed") }
    }
  }
}
