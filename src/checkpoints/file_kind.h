#pragma once

#include <string>
#include <string_view>

namespace sfumato {

/// Number of bytes that file_kind reads.
inline constexpr std::size_t kFileKindBytes = 512;

/// Describes a file that is neither safetensors nor torch.save's, from its first kFileKindBytes: "is a PNG picture".
/// Returns "" for a file that may be one of those, or whose kind is unknown.
std::string file_kind(std::string_view begin);

}  // namespace sfumato
