"""Runs clang-tidy over what has changed: the groups of files (unity builds) of BUILD that hold a file changed since BASE.

  tidy.py BUILD BASE

A group takes some 15 s. Of more than LIMIT groups the first are checked and the others are named.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

LIMIT = 16
# g++'s precompiled header means nothing to clang, and neither do these warnings.
GCC_ONLY = r" -Winvalid-pch| -include \S*cmake_pch\S*| -fpch-\S+| -Wno-(restrict|stringop-overflow|subobject-linkage)\b"


def changed_files(root, base):
    command = ["git", "-c", "safe.directory=*", "diff", "--name-only", "--diff-filter=d", base, "--", "src", "tools"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split()
    return {str(root / name) for name in names if name.endswith(".cpp")}


def members(source):
    """The files that a group includes, or a file that is compiled alone."""
    text = pathlib.Path(source).read_text()
    return set(re.findall(r'#include "(/[^"]+\.cpp)"', text)) if "/Unity/" in source else {source}


def main(build, base):
    root = pathlib.Path(__file__).resolve().parents[1]
    changed = changed_files(root, base)
    commands = json.loads(pathlib.Path(build, "compile_commands.json").read_text())
    chosen = [entry for entry in commands if members(entry["file"]) & changed]
    for entry in chosen:
        entry["command"] = re.sub(GCC_ONLY, "", entry["command"])
    if len(chosen) > LIMIT:
        print(f"{len(chosen)} groups have changed; left out:", *(entry["file"] for entry in chosen[LIMIT:]), sep="\n  ")
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "compile_commands.json").write_text(json.dumps(chosen))

        # What other files of a group have is left to their own change.
        lines = json.dumps([{"name": name} for name in sorted(changed)])

        def check(entry):
            return subprocess.run(["clang-tidy", "-p", folder, "--quiet", f"--line-filter={lines}", entry["file"]],
                                  capture_output=True, text=True)

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(check, chosen[:LIMIT]))
    for result in results:
        print(result.stdout, end="")
    print(f"clang-tidy: {len(results)} groups")
    return any(result.returncode for result in results)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
