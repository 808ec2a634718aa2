import QMP
import Snapjob

let engine = try await Engine.open(catalogPath: "catalog.sqlite")
let machine = try engine.monitor(for: .files(["disk0.qcow2", "disk1.qcow2"]))
let events = machine.events()
_ = try await machine.execute(
  "snapshot-save",
  ["job-id": "s1", "tag": "clean", "vmstate": "disk0", "devices": ["disk0", "disk1"]])
for await event in events where event.data?["id"] == "s1" {
  print(event.message.jsonText)
  if event.data?["status"] == "concluded" { break }
}
engine.close()
