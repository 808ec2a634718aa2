"""Command lines with what a server says to them: recorded ones, and job files with what a server would say."""
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))

COMMANDS = """
save --tag s1
save --tag s1 --json
save --tag s1 --exist-ok
save --tag s2 --note text --job-id my-job --detach --json
save --tag s3 --device disk0 --dry-run
list
list --sizes --json
list --all-machines
list --file {work}/c {work}/missing
diff --from state --to s1
diff --from s1 --to s2 --device disk0 --json
load --tag state --yes
devices inspect --tag state --json
devices save {work}/saved.qevm
load --tag s1 --yes --save-current before
load --tag none --yes
delete --tag s1 --yes --verbose
delete --tag s1 --missing-ok --yes
prune --match s* --keep-last 1 --dry-run
prune --match s* --keep-last 1 --yes
run {work}/job.yaml --dry-run
run {work}/job.yaml --json
bitmap add disk0 b0 --granularity 64k
bitmap add disk0 b1 --disabled
bitmap list
bitmap list disk0 --json
bitmap show disk0 b0
bitmap disable disk0 b0
bitmap enable disk0 b0
bitmap merge disk0 b1 b0
bitmap clear disk0 b0
bitmap send --to file:{work}/bitmaps
bitmap repair disk0 b0
bitmap remove disk0 b0
bitmap receive --from file:{work}/bitmaps --mapping disk0/b0=disk0/b0
bitmap send --to unix:{work}/nobody --mapping disk0/b1=a/b
bitmap transfer --to-machine other
devices load {work}/none.qevm --force
devices inspect {work}/none.qevm
devices inspect {work}/state.qevm --json
devices inspect {work}/state.qevm --device timer --fields timer
devices diff {work}/none.qevm {work}/state.qevm
node list
node list --json
node list --all-machines
node add disk2 {work}/c --read-only
node create disk3 {work}/d --size 1.5M --cluster-size 4k
node remove disk3
machine list --json
machine add other --disk x={work}/e
machine show
machine set default --vmstate disk0
machine remove other
query-jobs
query-jobs --history
query-jobs --history --json
job show my-job
job show my-job --json
job log my-job
job wait my-job --timeout 1
job pause my-job
job cancel my-job
job finalize my-job
job dismiss my-job none other
job dismiss --all
check
check --json
check disk0 --repair all
check {work}/leaks {work}/corrupt {work}/missing
check {work}/leaks --repair leaks
check {work}/corrupt --repair all
verify
verify --tag s2 --json
verify {work}/corrupt {work}/backed {work}/missing
recover
recover --dry-run
recover none --abandon
save --tag s4 --job-id held --no-auto-finalize
job wait held --timeout 1
job show held
job resume held
job finalize held
job show my-job
catalog check
catalog path
catalog prune
catalog backup {work}/copy.sqlite
qmp query-jobs
qmp query-block
qmp snapshot-save {{"job-id":"q","tag":"q","devices":["disk0"],"vmstate":"disk0"}}
bitmap receive --from unix:{work}/s --timeout 1
watch
serve --qmp unix:{work}/s
"""

# Other command lines with the messages of a recorded one.
VARIANTS = {
    "save-tag-s1": [
        "save --tag s9 --detach --job-id my-job --note x",
        "save --tag s9 --detach --json --connect unix:/run/s",
        "save --tag s9 --no-auto-finalize --x-detached-worker",
        "save --tag s1 --replace --vmstate disk0 --clear-bitmap b --json -v",
        "save --tag s1 --exist-ok --disk-only --no-auto-finalize --finalize-timeout 1 --json",
        "save --tag s9 --file /images/a /images/b --json",
        "bitmap send --to tcp:host:1 --mapping disk0/b=a/b --timeout 1 --json",
        "run FILE --connect unix:/run/s",
        "watch --json", "watch --all-machines", "watch --job none", "list --device a --file b",
        "load --machine m --tag s1 --file b"],
    "load-tag-none-yes": [
        "load --tag s1 --save-current before --strict-bitmaps --verbose",
        "load --tag s1 --yes --detach --auto-dismiss"],
    "delete-tag-s1-yes-verbose": ["delete --tag s1 --tag s2 --missing-ok --json"],
    "prune-match-s-keep-last-1-yes": ["prune --match s* --keep-last 1", "prune --match s* --keep-last 0"],
    "save-tag-s4": [
        "save --tag s4 --job-id held --no-auto-finalize --connect unix:/run/s",
        "save --tag s4 --job-id held --no-auto-finalize --finalize-timeout 0.1 --x-detached-worker"],
    "machine-set-default": [
        "machine set default --file disk0=/images/c", "machine set default --qmp unix:/run/qmp.sock",
        "machine set default --qmp tcp:host:1"],
    "job-cancel-my-job": ["job resume my-job --timeout 2", "job dismiss a b"],
    "machine-list": [
        "serve --qmp stdio --allow-uid 1000 --files /srv", "serve --qmp unix:/run/{machine}.sock --all-machines",
        "serve --all-machines", "serve", "--version --json", "help save", "save", "recover --abandon",
        "devices inspect", "--catalog /c --connect unix:/run/s list", "--wait-lock 1.5 list", "--machine= list",
        "qmp x {", "qmp x []"],
}

# What job files are, and what is said to `run`: on machines that are there, and on some that are not.
DISKS = "disks: {disk0: a.qcow2, disk1: b.qcow2}\n"
SAVE = "jobs:\n  - snapshot-save: {tag: new, job-id: one, x-note: \"{machine} {date}\"}\n"
LOAD = "  - snapshot-load: {tag: old, job-id: two, vmstate: disk0}\n"
PRUNE = "jobs:\n  - prune: {match: \"new*\", keep-last: 2}\n"
GROUP = """machines:
  web: {disks: {disk0: a.qcow2}}
  default:
transaction: grouped
jobs:
  - {machine: web, snapshot-save: {tag: t, job-id: one}}
  - {machine: default, snapshot-delete: {tag: t, job-id: two}}
"""
NO_MACHINES, MACHINES, DONE = [], [{"name": "default", "nodes": 2}], {}
SHOWN = {"name": "default", "vmstate-node": "disk0", "nodes": [
    {"node-name": "disk0", "filename": "/images/a", "read-only": False, "excluded": False},
    {"node-name": "disk1", "filename": "/images/b", "read-only": False, "excluded": False}]}
PLAN = [{"node": "disk0", "filename": "/images/a", "action": "take snapshot 'new'", "bytes-to-write": 4608,
         "bytes-to-free": 0, "bytes-free": 1 << 30, "expected-pause-ns": 2000000}]
VERDICTS = [{"action": "keep", "tag": "new2", "reason": "one of the newest 2"},
            {"action": "remove", "tag": "new1", "reason": "made by snapjob"}]


class Refusal:
    """A command's error."""

    def __init__(self, text, kind):
        self.value = {"class": "GenericError", "desc": text, "x-kind": kind}


UNKNOWN_JOB = Refusal("Job not found", "notFound")


def job(name, verb="save", error=None, **members):
    """A job that is over, as the follower sees it."""
    result = {"changed": ["disk0"], "deleted": ["new1"], "bytes-written": 5120, "bytes-freed": 1 << 20,
              "remarks": ["the image has a bitmap in use"]}
    return [{"id": name, "type": f"snapshot-{verb}", "status": "concluded", "current-progress": 5120,
             "total-progress": 5120, "machine": "default", "exit-code": 12 if error else 0,
             "error": error, "result": result, **members}]


RUNS = {
    "dry-run-new": ("FILE --dry-run", DISKS + SAVE + LOAD, [NO_MACHINES, SHOWN, PLAN, SHOWN, PLAN]),
    "dry-run-known": ("FILE --dry-run --json", SAVE + LOAD,
                      [MACHINES, SHOWN, PLAN, Refusal("no snapshot 'old'", "notFound")]),
    "dry-run-refused": ("FILE --dry-run", SAVE, [MACHINES, SHOWN, Refusal("disk is full", "noSpace")]),
    "dry-run-prune": ("FILE --dry-run", PRUNE, [MACHINES, SHOWN, VERDICTS]),
    "dry-run-prune-new": ("FILE --dry-run", "machine: web\n" + DISKS + PRUNE, [NO_MACHINES]),
    "new": ("FILE", "machine: web\n" + DISKS + SAVE, [NO_MACHINES, DONE, UNKNOWN_JOB, DONE] + 3 * [job("one")]),
    "more-disks": ("FILE --json", "disks: {c: a.qcow2}\n" + SAVE,
                   [MACHINES, SHOWN, DONE, job("one"), DONE, DONE] + 3 * [job("one")]),
    "prune": ("FILE", PRUNE, [MACHINES, SHOWN, VERDICTS, UNKNOWN_JOB, DONE] + 3 * [job("x", "delete")]),
    "prune-nothing": ("FILE", PRUNE, [MACHINES, SHOWN, VERDICTS[:1]]),
    "failing": ("FILE", SAVE + LOAD,
                [MACHINES, SHOWN, UNKNOWN_JOB, DONE] + 3 * [job("one", error="No space left on device")]),
    "refused": ("FILE --json", SAVE, [MACHINES, SHOWN, UNKNOWN_JOB, Refusal("in use", "inUse")]),
    "group": ("FILE", GROUP, [MACHINES, SHOWN, DONE, UNKNOWN_JOB, UNKNOWN_JOB, DONE] + 6 * [job("one")]),
    "group-failing": ("FILE", GROUP, [MACHINES, SHOWN, DONE, UNKNOWN_JOB, UNKNOWN_JOB, DONE]
                      + 6 * [job("one", error="cancelled")]),
    "group-refused": ("FILE", GROUP, [MACHINES, SHOWN, DONE, UNKNOWN_JOB, UNKNOWN_JOB,
                                      Refusal("busy", "conflict")]),
    "group-dry-run": ("FILE --dry-run", GROUP, [MACHINES, SHOWN, SHOWN, PLAN, Refusal("no 't'", "notFound")]),
    "of-another-machine": ("FILE --connect unix:/run/s", "machine: web\n" + DISKS + SAVE, [SHOWN]),
}


class Recorder:
    """Stands between the program and a server, and keeps the server's messages."""

    def __init__(self, path, server):
        self.lines = []
        self.server = server
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.server)
            threading.Thread(target=self.pump, args=(client, server), daemon=True).start()
            threading.Thread(target=self.record, args=(server, client), daemon=True).start()

    def pump(self, source, target):
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def record(self, source, target):
        for count, line in enumerate(source.makefile("rb")):
            # The greeting and the reply to the capabilities are no command's.
            if count >= 2:
                self.lines.append(line.decode())
            try:
                target.sendall(line)
            except OSError:
                return
        target.close()


def settled(lines):
    """The messages of a server that is never slow.

    All events are there when the command line's fuzzer begins, so that a job is looked at only when it is over; up
    to three times, until nobody waits for its end any more.
    """
    messages = [json.loads(line) for line in lines]
    if not any("event" in message for message in messages):
        return lines
    looks = [index for index, message in enumerate(messages) if is_look(message.get("return"))]
    return [line for index, line in enumerate(lines) if index not in looks[:-1]
            for _ in range(3 if index in looks else 1)]


def is_look(value):
    return isinstance(value, list) and len(value) == 1 and "current-progress" in value[0]


def save(name, words, lines, file=None):
    """Writes a seed. The clock of the fuzzer stands still, and its random numbers are all zero: so are job ids."""
    text = "\n".join(words) + "\n\n" + "".join(lines) + (f"\n{file}" if file else "")
    text = re.sub(r"-\d{8}-\d{6}-[0-9a-f]{4}\b", "-19700101-000000-0000", text)
    with open(name, "w") as seed:
        seed.write(text.replace("\r", ""))


def spoil(path, first, second):
    """Makes the first two entries of an image's first L2 table others of them; None is no cluster."""
    with open(path, "r+b") as file:
        def entry(offset):
            file.seek(offset)
            return int.from_bytes(file.read(8), "big")

        table = entry(entry(40)) & 0x00fffffffffffe00
        entries = [entry(table), entry(table + 8)]
        file.seek(table)
        for choice in [first, second]:
            file.write((0 if choice is None else entries[choice]).to_bytes(8, "big"))


def make_images(work):
    for disk in ["a", "b", "c"]:
        shutil.copy(f"{HERE}/seeds/FuzzImage/vmstate.qcow2", os.path.join(work, disk))
    shutil.copy(f"{HERE}/seeds/FuzzImage/plain.qcow2", os.path.join(work, "plain.qcow2"))
    shutil.copy(f"{HERE}/seeds/FuzzImage/backed.qcow2", os.path.join(work, "backed"))
    for name, first, second in [("leaks", 0, None), ("corrupt", 0, 0)]:
        shutil.copy(f"{HERE}/seeds/FuzzImage/refcount64.qcow2", os.path.join(work, name))
        spoil(os.path.join(work, name), first, second)
    for name, stream in [("none", "devices-none"), ("state", "savevm-microvm")]:
        shutil.copy(f"{HERE}/../testdata/{stream}.qevm", f"{work}/{name}.qevm")


def make_recorded(snapjob, work):
    job_file = f"disks: {{disk0: {work}/a, disk1: {work}/b}}\njobs:\n  - snapshot-save: {{tag: from-file}}\n"
    with open(os.path.join(work, "job.yaml"), "w") as file:
        file.write(job_file)
    environment = dict(os.environ, SNAPJOB_CATALOG=os.path.join(work, "lines.sqlite"))
    for node, disk in [("disk0", "a"), ("disk1", "b")]:
        subprocess.run([snapjob, "node", "add", node, os.path.join(work, disk)], env=environment, check=True)
    server = os.path.join(work, "server")
    serving = subprocess.Popen([snapjob, "serve", "--qmp", f"unix:{server}"], env=environment)
    while not os.path.exists(server):
        time.sleep(0.05)

    def elsewhere(text):
        """Without directories that nobody else has."""
        return text.replace(f"{work}/job.yaml", "FILE").replace(work, "/images")

    recorder = Recorder(os.path.join(work, "recorder"), server)
    for number, line in enumerate(COMMANDS.strip().splitlines()):
        words = line.format(work=work).split()
        recorder.lines = []
        try:
            subprocess.run([snapjob, *words, "--connect", f"unix:{work}/recorder"], timeout=3,
                           stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            pass
        lines = [elsewhere(line) for line in settled(recorder.lines)]
        name = "-".join(line.split("{")[0].split("/")[0].replace("--", "").replace("*", "").split())
        is_run = words[0] == "run"
        # Without a connection `run` does not ask first for the server's machine.
        save(f"{number:02}-{name}", map(elsewhere, words), lines[1:] if is_run else lines,
             elsewhere(job_file) if is_run else None)
    serving.terminate()
    serving.wait()


def make_variants():
    for recorded, lines in VARIANTS.items():
        with open(sorted(glob.glob(f"[0-9][0-9]-{recorded}*"))[0]) as file:
            messages = file.read().split("\n\n", 1)[1]
        for number, line in enumerate(lines):
            save(f"like-{recorded}-{number}", line.split(), [messages])


def make_runs():
    for name, (words, file, replies) in RUNS.items():
        lines = [json.dumps({"error": reply.value} if isinstance(reply, Refusal) else {"return": reply}) + "\n"
                 for reply in replies]
        save(f"run-{name}", ["run", *words.split()], lines, file)


def make(snapjob, work):
    """Writes the seeds into the current directory."""
    make_images(work)
    make_recorded(snapjob, work)
    make_variants()
    make_runs()
