#include "core/memory_pool.h"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>

namespace sfumato {
namespace {

// Large tensors are allocated in whole pages.
constexpr std::size_t kPage = 4096;
constexpr std::size_t kLarge = std::size_t{1} << 19;
// Size of one request to the system: address space, of which only pages in use cost memory.
constexpr std::size_t kArena = std::size_t{256} << 20;
// Precedes the data and is as long as their alignment.
constexpr std::size_t kHeader = 64;

std::size_t rounded_up(std::size_t size, std::size_t unit) {
  return (size + unit - 1) / unit * unit;
}

/// Throws c10::OutOfMemoryError, in the words of LibTorch's own allocator.
void check_allocated(bool is_allocated, std::size_t size) {
  TORCH_CHECK_WITH(OutOfMemoryError, is_allocated, "not enough memory: you tried to allocate ", size, " bytes.");
}

/// Free memory of this process by address. Adjacent blocks form one hole.
class Holes {
 public:
  explicit Holes(std::size_t keep) : keep_(keep) {}

  /// Returns the address of `size` bytes: the start of the smallest hole that holds them.
  std::byte* take(std::size_t size) {
    const std::lock_guard lock(mutex_);
    auto best = holes_.end();
    for (auto it = holes_.begin(); it != holes_.end(); ++it) {
      if (it->second >= size && (best == holes_.end() || it->second < best->second)) best = it;
    }
    if (best == holes_.end()) best = grow(size);
    auto* const address = best->first;
    const auto left = best->second - size;
    holes_.erase(best);
    if (left > 0) holes_.emplace(address + size, left);
    return address;
  }

  void shrink() {
    const std::lock_guard lock(mutex_);
    return_pages();
  }

  void give(std::byte* address, std::size_t size) {
    const std::lock_guard lock(mutex_);
    const auto hole = add(address, size);
    if (hole->second > keep_) madvise(hole->first, hole->second, MADV_DONTNEED);
  }

 private:
  using Map = std::map<std::byte*, std::size_t>;

  void return_pages() const {
    for (const auto& [address, length] : holes_) madvise(address, length, MADV_DONTNEED);
  }

  /// Maps an arena of at least `size` bytes. The pages of the holes, too small for a request that may fill the arena,
  /// go back to the system: they would add to the peak.
  Map::iterator grow(std::size_t size) {
    return_pages();
    return add(map_arena(size), std::max(size, kArena));
  }

  static std::byte* map_arena(std::size_t size) {
    auto* const address =
        mmap(nullptr, std::max(size, kArena), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check_allocated(address != MAP_FAILED, size);
    return static_cast<std::byte*>(address);
  }

  Map::iterator add(std::byte* address, std::size_t size) {
    auto next = holes_.lower_bound(address);
    if (next != holes_.end() && address + size == next->first) {
      size += next->second;
      next = holes_.erase(next);
    }
    if (next != holes_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == address) {
        before->second += size;
        return before;
      }
    }
    return holes_.emplace_hint(next, address, size);
  }

  std::mutex mutex_;
  Map holes_;
  std::size_t keep_;
};

class MemoryPool final : public c10::Allocator {
 public:
  /// The only instance of this process, which outlives every tensor: LibTorch's deleters are plain functions.
  static MemoryPool& instance(std::size_t keep = 0) {
    static auto& pool = *std::make_unique<MemoryPool>(keep).release();
    return pool;
  }

  explicit MemoryPool(std::size_t keep) : holes_(keep) {}

  void shrink() { holes_.shrink(); }

  c10::DataPtr allocate(std::size_t size) override {
    auto* data = size == 0 ? nullptr : take(size + kHeader);
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, std::size_t count) const override { default_copy_data(to, from, count); }

 private:
  void* take(std::size_t size) {
    const auto mapped = size < kLarge ? 0 : rounded_up(size, kPage);
    auto* const address = mapped > 0 ? holes_.take(mapped) : take_small(size);
    *reinterpret_cast<std::size_t*>(address) = mapped;
    return address + kHeader;
  }

  static std::byte* take_small(std::size_t size) {
    auto* const address = std::aligned_alloc(kHeader, rounded_up(size, kHeader));
    check_allocated(address != nullptr, size);
    return static_cast<std::byte*>(address);
  }

  static void release(void* data) {
    if (data == nullptr) return;
    auto* const address = static_cast<std::byte*>(data) - kHeader;
    const auto mapped = *reinterpret_cast<const std::size_t*>(address);
    if (mapped == 0) return std::free(address);
    instance().holes_.give(address, mapped);
  }

  Holes holes_;
};

}  // namespace

void pool_cpu_memory(std::size_t keep) {
  c10::SetCPUAllocator(&MemoryPool::instance(keep), /*priority=*/1);
}

void shrink_cpu_pool() {
  if (auto* const pool = dynamic_cast<MemoryPool*>(c10::GetCPUAllocator())) pool->shrink();
}

void keep_small_blocks() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
}

}  // namespace sfumato
