#pragma once

namespace sfumato {

/// Makes the first SIGINT (Ctrl-C) and the first SIGTERM only set a flag, so that a loop can stop between two steps and
/// leave whole files. The second of a kind ends the process at once. To be called by the main thread, to which the
/// system delivers the signals of a process.
void watch_interrupts();

/// True if SIGINT or SIGTERM has arrived since watch_interrupts().
bool interrupted();

/// Exit code of an interrupted program, as shells count it: 130 after SIGINT, 143 after SIGTERM. Of several signals the
/// first counts.
int interrupted_exit_code();

}  // namespace sfumato
