"""What every contender prints: the seconds of a call and its peak memory. The standard library alone is used."""

import resource
import time


def timed(function, *arguments):
    """Prints wall and processor seconds, and returns what the function returns."""
    wall, processor = time.perf_counter(), time.process_time()
    result = function(*arguments)
    print(time.perf_counter() - wall, time.process_time() - processor, flush=True)
    return result


def print_peak_memory():
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)  # MiB
