extension Image {
  static func lock(
    _ file: any ImageFile, for purpose: Purpose, patience: Duration, onWait: (String) -> Void
  ) throws(Qcow2Error) {}
}
