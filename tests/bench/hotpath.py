# SPDX-License-Identifier: BSD-3-Clause
"""What a worker calls on the packet path: exactly counted, while mail goes through it over memif.

Allocations and locks are counted by a preloaded library (count_calls.c), thread by thread; system calls by strace on
the worker's thread alone, in a run of its own, since strace's stops are calls of the kernel's and cost time.
"""
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gateway  # noqa: E402

NAMES = ("malloc", "calloc", "realloc", "free", "memalign", "mutex_lock", "mutex_trylock", "rwlock_rdlock",
         "rwlock_wrlock", "spin_lock", "cond_wait", "sem_wait")
SLOT = struct.Struct("=16Q")

# Level of the inner leg, the generator's options, and what may be called all the same. OpenSSL takes read-write locks of
# the worker's own library context in a handshake, some 600 times (nobody else ever does, so it never waits); there is
# no way to tell it not to. In a session that is under way there is none.
OPENSSL_LOCKS = {"rwlock_rdlock", "rwlock_wrlock"}
WORKLOADS = {
    "plain": ("none", ["--sessions", "8", "--pipeline"], set()),
    "stream": ("encrypt", ["--sessions", "4", "--starttls", "--messages", "1000000", "--size", "10K", "--pipeline"],
               set()),
    "handshakes": ("none", ["--sessions", "8", "--starttls", "--pipeline"], OPENSSL_LOCKS),
    "resumed": ("none", ["--sessions", "8", "--starttls", "--resume", "1", "--pipeline"], OPENSSL_LOCKS),
}


def read_counts(path, tid):
    """Calls of a thread so far, by name; those of a thread that never called any are 0."""
    with open(path, "rb") as f:
        for slot in SLOT.iter_unpack(f.read()):
            if slot[0] == tid:
                return dict(zip(NAMES, slot[1:]))
    return dict.fromkeys(NAMES, 0)


def trace(tid, seconds):
    """System calls that a thread began in that time, by name."""
    p = subprocess.Popen(["strace", "-q", "-p", str(tid), "-o", "/dev/stderr"], stderr=subprocess.PIPE,
                         stdout=subprocess.DEVNULL, text=True)
    time.sleep(seconds)
    p.send_signal(signal.SIGINT)
    text = p.communicate(timeout=10)[1]
    calls = {}
    for line in text.splitlines():
        m = re.match(r"(?:strace: .*)?(?:\[pid +\d+\] )?(?:\d+ +)?(\w+)\(", line)
        if m:
            calls[m[1]] = calls.get(m[1], 0) + 1
        elif line.strip() and not re.search(r"detached|attached|\+\+\+|---", line):
            raise gateway.BenchError("strace: " + line)
    return calls


def measure(build, name, warm=1.5, seconds=1.5):
    """{"calls": .., "syscalls": .., "control": .., "messages": ..} of one workload."""
    level, options, allowed = WORKLOADS[name]
    module = os.path.join(build, "tests/bench/count_calls.so")
    counts = f"/tmp/postgate-calls.{os.getpid()}"
    os.environ["POSTGATE_CALL_COUNTS"] = counts
    result = {"allowed": sorted(allowed)}
    try:
        with gateway.Gateway(build, level=level, preload=module) as g:
            tid, main = g.worker_threads()[0], g.dataplane_pid()
            run = {}

            def load():
                try:
                    run.update(g.load(*options, duration=warm + 2 * seconds + 3))
                except (gateway.BenchError, subprocess.SubprocessError) as e:
                    run["error"] = str(e)
            t = threading.Thread(target=load)
            t.start()
            begun = g.counters().get("messages_delivered", 0)
            end = time.monotonic() + 10
            while g.counters().get("messages_delivered", 0) < begun + 20 and time.monotonic() < end:
                time.sleep(0.05)
            time.sleep(warm)
            m0, c0 = g.counters().get("messages_delivered", 0), read_counts(counts, tid)
            time.sleep(seconds)
            m1, c1 = g.counters().get("messages_delivered", 0), read_counts(counts, tid)
            k1 = read_counts(counts, main)
            result["messages"] = m1 - m0
            result["calls"] = {k: c1[k] - c0[k] for k in NAMES if c1[k] != c0[k]}
            # The control thread did a lot at start: if nothing of that was seen, the counter is broken.
            result["control_calls"] = sum(k1.values())
            m0 = g.counters().get("messages_delivered", 0)
            result["syscalls"] = trace(tid, seconds)
            result["traced_messages"] = g.counters().get("messages_delivered", 0) - m0
            # Likewise for strace, while the control thread is asked.
            asker = threading.Timer(0.4, g.counters)
            asker.start()
            result["control_syscalls"] = sum(trace(main, 1.2).values())
            asker.join()
            t.join()
            if "error" in run:
                raise gateway.BenchError(run["error"])
            result["exit"] = run["exit"]
            result["outcome"] = run["load"].get("messages")
    finally:
        if os.path.exists(counts):
            os.unlink(counts)
    return result


def problems(r):
    """Why a result is no proof, or what it proves wrong; empty: all is well."""
    found = []
    if r["messages"] < 10 or r["traced_messages"] < 10:
        found.append(f"too few messages went through: {r['messages']} counted, {r['traced_messages']} traced")
    if r["control_calls"] == 0 or r["control_syscalls"] == 0:
        found.append("nothing was counted of the control thread either: the counter is broken")
    for what in ("calls", "syscalls"):
        for name, n in sorted(r[what].items()):
            if name not in r["allowed"]:
                found.append(
                    f"{n} x {name} within {r['messages' if what == 'calls' else 'traced_messages']} messages")
    if r["exit"] != 0:
        found.append(f"the generator says {r['outcome']}")
    return found


def main(argv):
    build = os.path.join(gateway.TOP, "build")
    args = argv[1:]
    if args[:1] == ["--build"]:
        build, args = args[1], args[2:]
    wrong = 0
    for name in args or WORKLOADS:
        r = measure(build, name)
        found = problems(r)
        print(f"{'not ok' if found else 'ok    '} {name}: {r['messages']} messages, {r['traced_messages']} traced"
              + "".join(f", {n} {k}" for k, n in sorted(r["calls"].items()) if k in r["allowed"])
              + "".join("\n    " + f for f in found), flush=True)
        wrong += bool(found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
