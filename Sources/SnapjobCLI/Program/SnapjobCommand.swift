import ArgumentParser

/// The root of all commands.
///
/// It declares the global options, and so does every command: ArgumentParser lets a parent read its
/// options anywhere on the command line and hands the same group on to the command below, so each
/// is accepted before and after the command.
struct SnapjobCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapjob",
    abstract: "Snapshot jobs over qcow2 disks: all disks or none, even across a crash.",
    discussion: """
      A machine is a named set of disks (nodes). save, load and delete work on all of them as one \
      job, which is kept in a catalog.

      Examples:
        snapjob node add disk0 /var/lib/images/web.qcow2
        snapjob save --tag before-upgrade
        snapjob list
        snapjob load --tag before-upgrade
        snapjob save --tag clean --file a.qcow2 b.qcow2

      The options below are accepted before and after the command. Environment variables: \
      SNAPJOB_CATALOG, SNAPJOB_MACHINE, SNAPJOB_CONNECT, SNAPJOB_WAIT_LOCK.

      Exit codes: 0 done, 1 failed, 4 not found, 5 conflict, 6 in use, 7 timeout, 8 no \
      connection, 9 refused, \
      10 cancelled, 11 no permission, 12 no space, 13 catalog unusable, 64 usage, 129/130/143 \
      interrupted and undone.
      """,
    version: Versions.text,
    subcommands: [],
    groupedSubcommands: [
      CommandGroup(
        name: "Snapshots",
        subcommands: [
          SaveCommand.self, LoadCommand.self, DeleteCommand.self, ListCommand.self,
          DiffCommand.self, PruneCommand.self, RunCommand.self,
        ]),
      CommandGroup(name: "Backups", subcommands: [BitmapCommand.self]),
      CommandGroup(name: "Device states", subcommands: [DevicesCommand.self]),
      CommandGroup(name: "Machines", subcommands: [NodeCommand.self, MachineCommand.self]),
      CommandGroup(
        name: "Jobs", subcommands: [QueryJobsCommand.self, JobCommand.self, WatchCommand.self]),
      CommandGroup(
        name: "Care",
        subcommands: [
          CheckCommand.self, VerifyCommand.self, RecoverCommand.self, CatalogCommand.self,
        ]),
      CommandGroup(name: "Protocol", subcommands: [ServeCommand.self, RawCommand.self]),
    ])

  @OptionGroup(title: "Global options") var globals: GlobalOptions
}
