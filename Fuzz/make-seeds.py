#!/usr/bin/env python3
"""Makes the directory seeds: small content of every kind, from which the fuzzers start.

    Fuzz/make-seeds.py SNAPJOB [Image | Catalog | CommandLine | QMP]...

SNAPJOB is a debug build, whose stop points leave commits open. The programs of QEMU have to be in PATH. What
fuzzers of QEVM streams start from is in ../testdata already.
"""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

import command_lines

HERE = os.path.dirname(os.path.abspath(__file__))


def run(*words, **options):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, **options)


def image(path, size, *options, commands=(), snapshots=(), backing=None):
    """An image by qemu-img; a snapshot is taken before each of its commands."""
    arguments = ["-o", ",".join(options)] if options else []
    if backing:
        arguments += ["-b", backing, "-F", "qcow2"]
    run("qemu-img", "create", "-q", "-f", "qcow2", *arguments, path, size)
    for command in commands:
        run("qemu-io", "-f", "qcow2", "-c", command, path)
    for tag, command in snapshots:
        run("qemu-img", "snapshot", "-c", tag, path)
        run("qemu-io", "-f", "qcow2", "-c", command, path)


def poke(path, offset, value):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(value)


def make_images(snapjob):
    small = "cluster_size=512"
    image("plain.qcow2", "64k", small, commands=["write -P 1 0 2k"],
          snapshots=[("one", "write -P 2 1k 1k"), ("two", "write -P 3 32k 512")])
    image("version2.qcow2", "64k", small, "compat=0.10", commands=["write -P 1 0 1k"],
          snapshots=[("one", "write -P 2 0 512")])
    image("refcount1.qcow2", "16k", small, "refcount_bits=1", commands=["write -P 1 4k 1k"])
    image("refcount64.qcow2", "64k", small, "refcount_bits=64", commands=["write -P 1 0 1k"],
          snapshots=[("one", "write -z 0 512")])
    image("compressed.qcow2", "64k", small, commands=["write -c -P 1 0 1k", "write -c -P 2 8k 512"],
          snapshots=[("one", "write -P 3 0 512")])
    image("zstd.qcow2", "64k", "cluster_size=4k", "compression_type=zstd",
          commands=["write -c -P 1 0 4k"])
    image("subclusters.qcow2", "64k", "cluster_size=16k", "extended_l2=on",
          commands=["write -P 1 0 1k"], snapshots=[("one", "write -z 512 1k")])
    image("backed.qcow2", "64k", small, commands=["write -P 1 0 512"], backing="plain.qcow2")
    image("lazy.qcow2", "64k", small, "lazy_refcounts=on", commands=["write -P 1 0 1k"])
    poke("lazy.qcow2", 79, b"\1")
    image("bitmaps.qcow2", "64k", small, commands=["write -P 1 0 1k"])
    for name in ["b0", "b1"]:
        run("qemu-img", "bitmap", "--add", "-g", "512", "bitmaps.qcow2", name)
        run("qemu-io", "-f", "qcow2", "-c", f"write -P 2 {len(name)}k 1k", "bitmaps.qcow2")
    image("resized.qcow2", "32k", small, commands=["write -P 1 0 512"],
          snapshots=[("small", "write -P 2 0 512")])
    run("qemu-img", "resize", "-q", "resized.qcow2", "64k")
    image("vmstate.qcow2", "64k", small, commands=["write -P 1 0 1k"])
    run("qemu-system-x86_64", "-nodefaults", "-display", "none", "-M", "none", "-S", "-monitor", "stdio",
        "-blockdev", "qcow2,node-name=d,file.driver=file,file.filename=vmstate.qcow2",
        input=b"savevm state\nquit\n")
    run("qemu-io", "-f", "qcow2", "-c", "write -P 2 0 512", "vmstate.qcow2")
    image("written.qcow2", "64k", small, commands=["write -P 1 0 1k"])
    run(snapjob, "save", "-q", "--tag", "ours", "--file", "written.qcow2")
    for name in ["plain", "bitmaps"]:
        fenced = f"fenced-{name}.qcow2"
        shutil.copy(f"{name}.qcow2", fenced)
        shutil.copy("backed.qcow2", "second.qcow2")
        subprocess.run([snapjob, "save", "-q", "--tag", "new", "--file", fenced, "second.qcow2"],
                       env=dict(os.environ, SNAPJOB_STOP_AT="after-fence:2"))
        os.remove("second.qcow2")
        os.environ["SNAPJOB_CATALOG"] += "x"


def make_catalogs(snapjob, work):
    """A catalog of this version with everything in it, one whose commit is open, one of the first version."""
    def catalog(name, *commands, stop=None):
        path = os.path.join(work, name)
        environment = dict(os.environ, SNAPJOB_CATALOG=path)
        for command in commands:
            subprocess.run([snapjob, *command.split()], env=environment, stdout=subprocess.DEVNULL)
        if stop:
            subprocess.run([snapjob, *stop.split()], stdout=subprocess.DEVNULL,
                           env=dict(environment, SNAPJOB_STOP_AT="after-record"))
        shrink(path, name)

    for disk in ["a", "b"]:
        shutil.copy(f"{HERE}/seeds/FuzzImage/vmstate.qcow2", os.path.join(work, disk))
        shutil.copy(os.path.join(work, disk), os.path.join(work, disk + "-open"))
    nodes = [f"node add disk0 {work}/a", f"node add disk1 {work}/b"]
    catalog("catalog.sqlite", *nodes, "save --tag s1", "load --tag state --yes", "delete --tag s1 --yes",
            "load --tag none --yes", "machine add other --qmp unix:/run/qmp", "bitmap add disk0 b",
            f"devices load {HERE}/../testdata/devices-none.qevm")
    catalog("open.sqlite", f"node add disk0 {work}/a-open", f"node add disk1 {work}/b-open", stop="save --tag s2")
    catalog("empty.sqlite", "machine list")


def shrink(path, name):
    """The same content in small pages, so that an input is small."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute("PRAGMA page_size=512")
        db.execute("VACUUM")
        db.execute("PRAGMA journal_mode=WAL")
    db.close()
    shutil.copy(path, name)


def make_lines():
    """What clients and servers say, as far as snapjob knows the commands."""
    arguments = {
        "qmp_capabilities": {"enable": ["oob", "x-snapjob-kind"]},
        "snapshot-save": {"job-id": "j", "tag": "t", "vmstate": "disk0", "devices": ["disk0"]},
        "job-set-speed": {"id": "j", "speed": 18446744073709551615},
        "human-monitor-command": {"command-line": "info snapshots"},
        "blockdev-create": {"job-id": "c", "options": {
            "driver": "qcow2", "file": "f", "size": 65536, "cluster-size": 4096}},
        "transaction": {"actions": [
            {"type": "block-dirty-bitmap-add", "data": {"node": "disk0", "name": "b"}},
            {"type": "abort", "data": {}}]},
        "migrate-set-parameters": {"block-bitmap-mapping": [
            {"node-name": "n", "alias": "a", "bitmaps": [
                {"name": "b", "alias": "c", "transform": {"persistent": True}}]}]},
        "query-named-block-nodes": {"flat": True},
    }
    with open("client.json", "w") as file:
        for name, value in arguments.items():
            file.write(json.dumps({"execute": name, "arguments": value, "id": 7}) + "\n")
    with open("out-of-band.json", "w") as file:
        file.write('{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}\n'
                   '{"exec-oob": "yank", "arguments": {"instances": []}, "id": [1, null]}\n')
    with open("server.json", "w") as file:
        file.write('{"QMP": {"version": {"qemu": {"micro": 1, "minor": 2, "major": 7}}, "capabilities": []}}\n'
                   '{"return": [true, false, null, -1, 1.5e3], "id": 1}\n'
                   '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP", "data": {}}\n'
                   '{"error": {"class": "GenericError", "desc": "no", "x-kind": "usage"}}\n')
    with open("odd.json", "w") as file:
        file.write("{'a\\'': \"\\u00e9\\ud83d\\ude00\\n\", 'b': [[], {}, 18446744073709551615]} @ tru [1,]\n")


def main():
    snapjob = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as work:
        os.environ["SNAPJOB_CATALOG"] = os.path.join(work, "catalog")
        makers = {"Image": lambda: make_images(snapjob), "Catalog": lambda: make_catalogs(snapjob, work),
                  "CommandLine": lambda: command_lines.make(snapjob, work), "QMP": make_lines}
        for name in sys.argv[2:] or makers:
            directory = os.path.join(HERE, "seeds", "Fuzz" + name)
            shutil.rmtree(directory, ignore_errors=True)
            os.makedirs(directory)
            os.chdir(directory)
            makers[name]()


main()
