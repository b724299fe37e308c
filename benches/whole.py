"""What benchmarks of whole commands share: their time and memory, and the machine's name."""

import os
import platform
import subprocess
import tempfile
import time


def timed(command):
    """Wall seconds, the peak memory in bytes of the process, and what it printed. An exit code other than 0 ends everything."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen([str(word) for word in command], stdout=out, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        out.seek(0), errors.seek(0)
        if status:
            raise SystemExit(f"{command}: {errors.read().decode()}")
        return seconds, usage.ru_maxrss * 1024, out.read().decode()


def machine():
    """The head of a report."""
    names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    cpu = names[0] if names else platform.processor()
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}


def cut(number):
    """To two digits, never up: a goal that is almost reached is not reached."""
    return int(100 * number) / 100
