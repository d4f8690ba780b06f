#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include "checkpoints/dtype.h"
#include "checkpoints/safetensors.h"
#include "checkpoints/safetensors_header.h"
#include "core/files.h"

namespace sfumato {
namespace {

using NamedTensor = std::pair<const std::string, torch::Tensor>;

/// The reference's order: wider dtypes first, so that every tensor starts on a multiple of its element size.
std::vector<const NamedTensor*> file_order(const std::map<std::string, torch::Tensor>& tensors) {
  std::vector<const NamedTensor*> order;
  for (const auto& item : tensors) {
    if (item.first == "__metadata__") throw std::invalid_argument("no tensor may be named __metadata__");
    if (!item.second.defined()) throw std::invalid_argument("tensor " + in_quotes(item.first) + " is undefined");
    order.push_back(&item);
  }
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return safetensors_dtype_rank(a->second.scalar_type()) > safetensors_dtype_rank(b->second.scalar_type());
  });
  return order;
}

std::string header_of(const std::vector<const NamedTensor*>& order,
                      const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto* item : order) {
    const auto& [name, tensor] = *item;
    const auto end = offset + tensor.nbytes();
    header[name] = {{"dtype", safetensors_dtype_name(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  auto text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data starts on a multiple of 8
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, torch::Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const auto order = file_order(tensors);
  const auto header = header_of(order, metadata);
  const std::uint64_t length = header.size();
  write_file_atomically(path, [&](std::ostream& out) {
    out.write(reinterpret_cast<const char*>(&length), sizeof(length));
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
    for (const auto* item : order) {
      const auto bytes = item->second.detach().cpu().contiguous();
      out.write(static_cast<const char*>(bytes.const_data_ptr()), static_cast<std::streamsize>(bytes.nbytes()));
    }
  });
}

}  // namespace sfumato
