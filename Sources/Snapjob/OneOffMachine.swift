import Jobs
import Monitor
import SnapshotJobs
import SystemPackage

extension Machine {
  /// A machine that is made of image files alone.
  ///
  /// A node has the name of its file without directory and extension, if that is a name that nodes
  /// may have and no other file gives the same one; else `disk0`, `disk1`, ….
  ///
  /// - Parameter files: paths; relative ones count from the current directory.
  /// - Throws: `JobError`: usage if there are none; as `ImagePath.absolute`.
  init(files: [String]) throws(JobError) {
    if files.isEmpty { throw JobError(.usage, "No file is given") }
    let stems = files.map { FilePath($0).stem ?? "" }
    let names = stems.map { stem in
      stems.count { $0 == stem } == 1 ? try? NodeName(stem) : nil
    }
    var taken = Set(names.compactMap { $0 })
    var number = 0
    var nodes: [Node] = []
    for (file, name) in zip(files, names) {
      var chosen = name
      while chosen == nil {
        let candidate = try NodeName("disk\(number)")
        number += 1
        if taken.insert(candidate).inserted { chosen = candidate }
      }
      if let chosen { nodes.append(Node(name: chosen, path: try ImagePath.absolute(file))) }
    }
    self.init(name: nil, nodes: nodes)
  }
}
