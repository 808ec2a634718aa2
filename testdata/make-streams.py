#!/usr/bin/env python3
"""Makes the streams of this directory with the qemu-system-x86_64 and qemu-img in PATH.

    testdata/make-streams.py DIRECTORY
"""
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time


class Machine:
    """A stopped QEMU without an operating system."""

    def __init__(self, work, *arguments):
        path = os.path.join(work, "qmp")
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-accel", "tcg", "-S",
             "-display", "none", "-qmp", f"unix:{path},server=on,wait=off", *arguments])
        while not os.path.exists(path):
            time.sleep(0.01)
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        self.lines = connection.makefile("rw")
        self.lines.readline()
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        self.lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.lines.flush()
        while True:
            reply = json.loads(self.lines.readline())
            if "error" in reply:
                raise RuntimeError(f"{command}: {reply['error']['desc']}")
            if "return" in reply:
                return reply["return"]

    def wait(self, command, is_done):
        while not is_done(self.execute(command)):
            time.sleep(0.05)

    def quit(self):
        self.execute("quit")
        self.process.wait()


def disk(node, path, size):
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, size], check=True)
    return ["-blockdev", f"qcow2,node-name={node},file.driver=file,file.filename={path}"]


def devices(target, work, *arguments):
    """A file of xen-save-devices-state."""
    machine = Machine(work, *arguments)
    machine.execute("xen-save-devices-state", filename=target, live=False)
    machine.quit()
    os.chmod(target, 0o644)


def savevm(target, work):
    """The VM-state area of a snapshot."""
    image = os.path.join(work, "savevm.qcow2")
    machine = Machine(work, "-M", "microvm", "-m", "4", *disk("disk0", image, "4M"))
    machine.execute("snapshot-save", job_id="save", tag="t", vmstate="disk0", devices=["disk0"])
    machine.wait("query-jobs", lambda jobs: jobs[0]["status"] == "concluded")
    machine.quit()
    with open(image, "rb") as file, open(target, "wb") as stream:
        stream.write(vm_state(file.read()))


def vm_state(image):
    """What lies behind the disk's end in the tree of the first snapshot."""
    cluster = 1 << struct.unpack_from(">I", image, 20)[0]
    size, = struct.unpack_from(">Q", image, 24)
    table, = struct.unpack_from(">Q", image, 64)
    l1, = struct.unpack_from(">Q", image, table)
    length, = struct.unpack_from(">Q", image, table + 40)
    reach = cluster * (cluster // 8)
    first = -(-size // reach) * reach
    stream = b""
    for offset in range(first, first + length, cluster):
        l2 = struct.unpack_from(">Q", image, l1 + 8 * (offset // reach))[0] & 0xfffffffffffe00
        entry, = struct.unpack_from(">Q", image, l2 + 8 * (offset % reach // cluster))
        host = entry & 0xfffffffffffe00
        stream += image[host:host + cluster] if host and not entry & 1 else bytes(cluster)
    return stream[:length]


def migration(target, work):
    """A migration with dirty bitmaps, slow enough to need few PART sections."""
    machine = Machine(
        work, "-M", "none", "-m", "1", *disk("disk0", os.path.join(work, "0.qcow2"), "64M"),
        *disk("disk1", os.path.join(work, "1.qcow2"), "16M"))
    add = "block-dirty-bitmap-add"
    machine.execute(add, node="disk0", name="daily", granularity=65536, persistent=True)
    machine.execute(add, node="disk0", name="weekly", disabled=True)
    machine.execute(add, node="disk1", name="daily", granularity=512)
    for line in ["qemu-io disk0 \"write 1M 200k\"", "qemu-io disk1 \"write 8M 1k\""]:
        machine.execute("human-monitor-command", command_line=line)
    machine.execute(
        "migrate-set-capabilities", capabilities=[{"capability": "dirty-bitmaps", "state": True}])
    machine.execute(
        "migrate-set-parameters", max_bandwidth=20000, downtime_limit=2000, block_bitmap_mapping=[
            {"node-name": "disk0", "alias": "system", "bitmaps": [
                {"name": "daily", "alias": "daily"}, {"name": "weekly", "alias": "weekly"}]},
            {"node-name": "disk1", "alias": "data", "bitmaps": [
                {"name": "daily", "alias": "d"}]}])
    machine.execute("migrate", uri=f"exec:cat > {target}")
    machine.wait("query-migrate", lambda state: state.get("status") == "completed")
    machine.quit()


def main():
    target = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as work:
        devices(f"{target}/devices-none.qevm", work, "-M", "none", "-m", "32")
        devices(f"{target}/devices-q35.qevm", work, "-M", "q35", "-m", "32")
        disks = []
        for node in ["disk0", "disk1"]:
            disks += disk(node, os.path.join(work, f"{node}.qcow2"), "4M")
            disks += ["-device", f"virtio-blk-pci,drive={node}"]
        devices(f"{target}/devices-pc.qevm", work, "-M", "pc", "-m", "32", *disks)
        savevm(f"{target}/savevm-microvm.qevm", work)
        migration(f"{target}/migration-none-bitmaps.qevm", work)


main()
