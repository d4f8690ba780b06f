#pragma once

namespace sfumato {

/// Makes the first SIGINT (Ctrl-C) and the first SIGTERM only set a flag, so that a loop can stop between two steps and
/// leave whole files. The second of a kind ends the process at once. To be called by the main thread, to which the
/// system delivers the signals of a process.
void watch_interrupts();

/// True if SIGINT or SIGTERM has arrived since watch_interrupts().
bool interrupted();

}  // namespace sfumato
