#pragma once

#include <string>

namespace sfumato {

/// A prompt without its comments, as AUTOMATIC1111's web UI takes them out before it reads anything else: what stands
/// between a # and the end of its line. A line that is one whole goes with the line break before it; of what else goes
/// a line break is left. Nothing hides a # from this.
std::string without_comments(const std::string& prompt);

}  // namespace sfumato
