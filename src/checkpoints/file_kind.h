#pragma once

#include <string>
#include <string_view>

namespace sfumato {

/// Bytes of a file that file_kind looks at.
inline constexpr std::size_t kFileKindBytes = 512;

/// What a file is that holds no tensors as safetensors or torch.save write them, by its first kFileKindBytes: "is a PNG
/// picture". "" for a file that may be one of those, or is of no known kind.
std::string file_kind(std::string_view begin);

}  // namespace sfumato
