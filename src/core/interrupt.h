#pragma once

namespace sfumato {

/// From here on the first SIGINT (Ctrl-C) and the first SIGTERM only set a flag, so that a loop can stop between two
/// steps and leave whole files; the second of a kind ends the process at once.
void watch_interrupts();

/// Has SIGINT or SIGTERM arrived since watch_interrupts()?
bool interrupted();

}  // namespace sfumato
