#pragma once

#include <string>

namespace sfumato {

/// Removes a prompt's comments, as AUTOMATIC1111's web UI does before all other parsing: everything from a # to the end
/// of its line. A line that is all comment is removed with the line break before it; any other comment leaves a line
/// break. A # cannot be escaped.
std::string without_comments(const std::string& prompt);

}  // namespace sfumato
