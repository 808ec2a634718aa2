import QMP

/// The JSON lines of a job in progress, in QMP's own shapes.
enum JobLines {
  /// An event as QMP sends it.
  static func event(_ event: QMPEvent) -> QMPValue {
    .present([
      "event": .string(event.name), "data": event.data,
      "timestamp": timestamp(event.microseconds),
    ])
  }

  /// Progress, which QMP has no event for.
  static func progress(_ job: JobView, microseconds: Int64) -> QMPValue {
    [
      "event": "JOB_PROGRESS",
      "data": [
        "id": .string(job.id), "current-progress": .int(job.current),
        "total-progress": .int(job.total),
      ],
      "timestamp": timestamp(microseconds),
    ]
  }

  private static func timestamp(_ microseconds: Int64) -> QMPValue {
    let parts = Moment(microseconds: microseconds).parts
    return ["seconds": .int(parts.seconds), "microseconds": .int(parts.microseconds)]
  }
}
