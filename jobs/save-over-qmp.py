#!/usr/bin/env python3
"""Saves a snapshot over QMP with the qemu.qmp package from PyPI, and follows the job's events.

    save-over-qmp.py SOCKET TAG

The same script works on 'snapjob serve' and on a running QEMU 6.0 or later.
"""

import asyncio
import sys

from qemu.qmp import EventListener, QMPClient


async def save(path: str, tag: str) -> None:
    client = QMPClient("save-over-qmp")
    await client.connect(path)
    try:
        nodes = await client.execute("query-named-block-nodes")
        devices = sorted(node["node-name"] for node in nodes if node["drv"] == "qcow2" and not node["ro"])
        job = f"save-{tag}"
        listener = EventListener("JOB_STATUS_CHANGE", lambda event: event["data"]["id"] == job)
        with client.listen(listener):
            await client.execute(
                "snapshot-save",
                {"job-id": job, "tag": tag, "vmstate": devices[0], "devices": devices},
            )
            async for event in listener:
                print(event["data"]["status"])
                if event["data"]["status"] == "concluded":
                    break
        (info,) = [info for info in await client.execute("query-jobs") if info["id"] == job]
        await client.execute("job-dismiss", {"id": job})
        if "error" in info:
            sys.exit(f"{job}: {info['error']}")
    finally:
        await client.disconnect()


if len(sys.argv) != 3:
    sys.exit(__doc__)
asyncio.run(save(sys.argv[1], sys.argv[2]))
