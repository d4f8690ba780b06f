"""Writes a lock file anew with the hashes of its wheels for these versions of Python on x86_64:

  make_lock.py cmake/parity.lock 3.11 3.12 3.13

A package is pinned to the version that the file has; to change one, edit `NAME==VERSION` first. Where the wheels of the
versions differ, pip takes the one that fits of the hashes listed.
"""

import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile


def hashes(pin, versions):
    found = set()
    for version in versions:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:",
                            "--python-version", version, "-d", folder, pin], check=True)
            (wheel,) = pathlib.Path(folder).iterdir()
            found.add(hashlib.sha256(wheel.read_bytes()).hexdigest())
            print(f"{pin} {version}: {wheel.name}, {wheel.stat().st_size / 1e6:.1f} MB", file=sys.stderr)
            if "-none-any" in wheel.name or "-py3-none-" in wheel.name:
                break
    return sorted(found)


def main(lock, *versions):
    path = pathlib.Path(lock)
    pins = re.findall(r"^[\w.-]+==\S+", path.read_text(), re.MULTILINE)
    lines = [f"{pin} \\\n" + " \\\n".join(f"    --hash=sha256:{value}" for value in hashes(pin, versions))
             for pin in pins]
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
